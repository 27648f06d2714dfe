"""Rolls up what plans earned, day by day, apart from every charge.

What is earned is derived from the entries (`storage.earnings`). Every process may roll up: who
comes second writes the same. The days are worked out on a connection that only reads, so that no
message or call waits for them.
"""

from functools import partial

import structlog

from host.clock import Clock
from storage.database import Database
from storage.earnings import roll_up, whole_days

log = structlog.get_logger(__name__)


class Earnings:
    """The daily roll-up of one process."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def roll_up(self) -> None:
        """Write down what the last whole days earned, and all before them that never were."""
        days = await self._database.read(partial(whole_days, now=self._clock.now()))
        await self._database.run(lambda unit: roll_up(unit.session, days))
        log.info("earnings.rolled_up", rows=len(days.earned))
