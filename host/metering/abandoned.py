"""Gives back what a dead process had set aside: nobody will come for those holds any more.

Each hold is released in a unit of work of its own, so that one which its owner ends at the same
moment does not keep the others. Which holds those are is for the callers to say: the sweeper for
calls, recovery for what a dead process left of its runs.
"""

from collections.abc import Iterable
from contextlib import suppress
from functools import partial

import structlog

from host.clock import Clock
from storage.books import EndHold
from storage.credits import HoldClosedError
from storage.database import Database, Unit
from storage.ledger import OpenHoldLine
from storage.moments import Micros

log = structlog.get_logger(__name__)


async def release_abandoned(
    database: Database, clock: Clock, holds: Iterable[OpenHoldLine]
) -> int:
    """Release them and charge nothing. Returns how many."""
    released = 0
    for hold in holds:
        with suppress(HoldClosedError):  # it was captured meanwhile: not so dead after all
            await database.run(partial(_release, hold=hold, now=clock.now()))
            released += 1
            log.info("hold.released", receipt_id=hold.public_id, reason="its process is gone")
    return released


def _release(unit: Unit, *, hold: OpenHoldLine, now: Micros) -> None:
    unit.books.release(
        EndHold(wallet_id=hold.wallet_id, hold_id=hold.hold_id, plan_ids=(), now=now)
    )
