"""Ends what a dead process left unfinished: runs first, then the other holds it had open.

A run whose provider confirms that it was completed is captured, with the whole text; every other
is released and marked as interrupted, its partial text kept: nobody pays for what was not seen
delivered. Each run is ended in a unit of work that first sees whether it still has to be, so this
may be called twice, and by two processes at once.
"""

import asyncio
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Final

import structlog

from host.providers.base import Credential, Delivered, UpstreamError
from host.runs.drive import Means
from host.runs.lifecycle import Reason
from host.vault.envelope import SecretUnreadable
from storage import conversations as saved
from storage import leases, ledger
from storage.books import EndHold, HoldEnded
from storage.credits import HoldState, MilliCredits
from storage.database import Unit
from storage.entitlement import entitlement
from storage.moments import NEVER, Micros
from storage.run_states import RunState
from storage.subscriptions import admission_facts

log = structlog.get_logger(__name__)

ASKED_AT_ONCE: Final = 16
"""A restart must not wait for thousands of runs one after another."""
ASK_MAX_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class Recovered:
    """How many were ended, and how."""

    captured: int
    released: int
    holds: int
    """Open holds of calls, released."""


async def recover(means: Means, *, driven: Collection[str]) -> Recovered:
    """End what nobody works on any more; `driven` are the runs that this process works on."""
    # One process writes an SQLite file, so on one every other owner is dead, lease or no lease.
    dead_at = NEVER if means.settings.is_sqlite else means.clock.now()
    owner = means.meter.owner
    lost = await means.database.read(
        lambda session: saved.lost_runs(session, owner=owner, driven=driven, now=dead_at)
    )
    at_once = asyncio.Semaphore(ASKED_AT_ONCE)
    ends = await asyncio.gather(
        *(_recover_run(means, run, at_once) for run in lost), return_exceptions=True
    )
    stuck = {run.run_id for run, end in zip(lost, ends, strict=True) if isinstance(end, Exception)}
    for run_id in stuck:  # by name alone: an error of SQL quotes what people wrote
        log.error("run.unrecovered", run_id=run_id)
    holds = await means.database.run(lambda unit: _release_holds(unit, means, dead_at, stuck))
    recovered = Recovered(
        captured=ends.count(HoldState.CAPTURED),
        released=ends.count(HoldState.RELEASED),
        holds=holds,
    )
    if lost or holds:
        log.warning("runs.recovered", **asdict(recovered))
    return recovered


async def _recover_run(
    means: Means, run: saved.LostRun, at_once: asyncio.Semaphore
) -> HoldState | None:
    async with at_once:
        delivered = await _ask(means, run)
    return await means.database.run(lambda unit: _end(unit, means, run, delivered))


async def _ask(means: Means, run: saved.LostRun) -> Delivered | None:
    """What the provider confirms; None when it does not, or cannot be asked."""
    provider = means.providers.get(run.provider)
    if provider is None or not (run.provider_run and run.secret_id and run.base_url):
        return None
    try:
        async with asyncio.timeout(ASK_MAX_S):
            credential = Credential(
                key=await means.vault.reveal(run.secret_id), base_url=run.base_url
            )
            return await provider.ask_outcome(credential, provider_run=run.provider_run)
    except (UpstreamError, SecretUnreadable, TimeoutError) as error:
        log.info("run.not_confirmed", run_id=run.run_id, kind=type(error).__name__)
        return None


def _end(
    unit: Unit, means: Means, run: saved.LostRun, delivered: Delivered | None
) -> HoldState | None:
    """End one run; None when somebody else has."""
    now = means.clock.now()
    saved.touch_thread(unit.session, run.thread_id, now)
    if not saved.is_unfinished(unit.session, run.run_id):
        return None
    text = delivered.text if delivered else ""
    is_whole = bool(text) and not text.isspace()
    ended = _end_hold(unit, run, is_whole=is_whole, now=now)
    is_late = is_whole and ended is not None and ended.state is HoldState.EXPIRED
    reason = Reason.HOLD_EXPIRED if is_late else None if is_whole else Reason.INTERRUPTED
    saved.end_run(
        unit.session,
        saved.RunEnd(
            run_id=run.run_id,
            answer_id=run.answer_id,
            state=RunState.COMPLETED if is_whole else RunState.FAILED,
            text=text if is_whole else run.text,
            charged=ended.captured if ended else MilliCredits(0),
            balance_after=ended.available if ended else None,
            outcome=reason.value if reason else None,
            usage=asdict(delivered.usage) if delivered and delivered.usage else None,
            now=now,
        ),
    )
    return HoldState.CAPTURED if is_whole else HoldState.RELEASED


def _end_hold(unit: Unit, run: saved.LostRun, *, is_whole: bool, now: Micros) -> HoldEnded | None:
    if run.hold_id is None or run.wallet_id is None:  # the builder's own message
        return None
    facts = admission_facts(unit.session, account_id=run.account_id, offering_id=run.offering_id)
    plan_ids = entitlement(facts.periods, now=now).plan_ids if facts else ()
    end = EndHold(wallet_id=run.wallet_id, hold_id=run.hold_id, plan_ids=plan_ids, now=now)
    return unit.books.capture(end, run.price) if is_whole else unit.books.release(end)


def _release_holds(unit: Unit, means: Means, dead_at: Micros, stuck: Collection[str]) -> int:
    """Release what else dead owners held, and strike them off the list of the living.

    The hold of a run that could not be ended is left open, for the next attempt to decide.
    """
    now, owner = means.clock.now(), means.meter.owner
    left = [
        hold
        for hold in ledger.open_holds_of_dead_owners(unit.session, dead_at)
        if hold.owner != owner and hold.run_id not in stuck
    ]
    for hold in left:
        unit.books.release(
            EndHold(wallet_id=hold.wallet_id, hold_id=hold.hold_id, plan_ids=(), now=now)
        )
    for dead in () if stuck else leases.dead_owners(unit.session, dead_at):
        if dead != owner:
            leases.drop(unit.session, dead)
    return len(left)
