"""Ends what a dead process left unfinished: runs first, then the other holds it had open.

A run whose provider confirms that it was completed is captured, with the whole text as it would
have been followed (`host.runs.transcript`), its sources included. Every other is released and
marked as interrupted, its partial text kept: nobody pays for what was not seen delivered, nor
after the hold's time. One that somebody had stopped before there was anything to read stays
stopped, whatever its provider made of it. Each run is ended in a unit of work that first sees
whether it still has to be, so this may be called twice, and by two processes at once.

A run of the calling process itself is never taken for lost, however it looks in the tables: it may
have begun while they were being read. Only those that the process knows it could not end
(`undriven`) are ended here, and released: where it is the beginning that landed unheard, whoever
asked has been told that nothing is charged.
"""

import asyncio
from collections.abc import Collection
from dataclasses import asdict, dataclass
from functools import reduce
from itertools import islice
from typing import Final

import structlog

from host.metering.abandoned import release_abandoned
from host.providers.base import Credential, Delivered, UpstreamError
from host.runs.drive import Means
from host.runs.lifecycle import Reason
from host.runs.transcript import Transcript
from host.vault.envelope import SecretUnreadable
from storage import conversations as saved
from storage import leases, ledger
from storage.books import EndHold, HoldEnded
from storage.credits import HoldClosedError, HoldState, MilliCredits
from storage.database import Unit
from storage.entitlement import entitlement
from storage.moments import NEVER, Micros
from storage.subscriptions import admission_facts

log = structlog.get_logger(__name__)

ASKED_AT_ONCE: Final = 16
"""A restart must not wait for thousands of runs one after another."""
ASK_MAX_S: Final = 15.0
UNDRIVEN_MOST: Final = 1000
"""Of our own at a time; a statement takes so many names and not any number."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """How many were ended, and how."""

    captured: int
    released: int
    holds: int
    """Open holds of calls, released."""


async def recover(means: Means, *, undriven: set[str]) -> Recovered:
    """End what nobody works on any more.

    `undriven` are this process's own runs that may need it; those that do no longer are taken out.
    """
    # One process writes an SQLite file, so on one every other owner is dead, lease or no lease.
    dead_at = NEVER if means.settings.is_sqlite else means.clock.now()
    owner = means.meter.owner
    ours = frozenset(islice(undriven, UNDRIVEN_MOST))
    lost = await means.database.read(
        lambda session: saved.lost_runs(session, owner=owner, undriven=ours, now=dead_at)
    )
    at_once = asyncio.Semaphore(ASKED_AT_ONCE)
    ends = await asyncio.gather(
        *(_recover_run(means, run, at_once, is_ours=run.run_id in ours) for run in lost),
        return_exceptions=True,
    )
    stuck = {run.run_id for run, end in zip(lost, ends, strict=True) if isinstance(end, Exception)}
    for run_id in stuck:  # by name alone: an error of SQL quotes what people wrote
        log.error("run.unrecovered", run_id=run_id)
    undriven -= ours - stuck
    holds = await _release_holds(means, dead_at, is_all=not stuck)
    recovered = Recovered(
        captured=ends.count(HoldState.CAPTURED),
        released=ends.count(HoldState.RELEASED),
        holds=holds,
    )
    if lost or holds:
        log.warning("runs.recovered", **asdict(recovered))
    return recovered


async def _recover_run(
    means: Means, run: saved.LostRun, at_once: asyncio.Semaphore, *, is_ours: bool
) -> HoldState | None:
    async with at_once:
        is_free = is_ours or _is_stopped(run) or _is_too_late(run, means.clock.now())
        delivered = None if is_free else await _ask(means, run)
    return await means.database.run(lambda unit: _end(unit, means, run, delivered))


def _is_too_late(run: saved.LostRun, now: Micros) -> bool:
    """Whether the hold is past its time, swept or not: an expired hold spends nothing."""
    return run.expires_at is not None and run.expires_at <= now


def _is_stopped(run: saved.LostRun) -> bool:
    """Whether it was to end without costing anything."""
    return run.is_asked_to_stop and not run.is_visible


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
    transcript = _transcript(delivered)
    is_payable = transcript.is_payable and not _is_too_late(run, now)
    ended = _end_hold(unit, run, is_payable=is_payable, now=now)
    reason = Reason.STOPPED if _is_stopped(run) else Reason.INTERRUPTED
    is_whole = is_payable and (ended is None or ended.state is HoldState.CAPTURED)
    saved.end_run(
        unit.session,
        saved.RunEnd(
            run_id=run.run_id,
            answer_id=run.answer_id,
            state=(transcript if is_whole else Transcript().ended(reason)).state,
            text=transcript.text if is_whole else saved.answer_text(unit.session, run.answer_id),
            charged=ended.captured if ended else MilliCredits(0),
            balance_after=ended.available if ended else None,
            outcome=None if is_whole else reason.value,
            usage=asdict(transcript.usage) if transcript.usage else None,
            pictures=transcript.pictures if is_whole else (),
            now=now,
        ),
    )
    return HoldState.CAPTURED if is_whole else HoldState.RELEASED


def _transcript(delivered: Delivered | None) -> Transcript:
    """The run as it would have been folded, had we followed it to its end."""
    events = delivered.events() if delivered else ()
    return reduce(Transcript.after, events, Transcript())


def _end_hold(
    unit: Unit, run: saved.LostRun, *, is_payable: bool, now: Micros
) -> HoldEnded | None:
    if run.hold_id is None or run.wallet_id is None:  # the builder's own message
        return None
    facts = admission_facts(unit.session, account_id=run.account_id, offering_id=run.offering_id)
    plan_ids = entitlement(facts.periods, now=now).plan_ids if facts else ()
    end = EndHold(wallet_id=run.wallet_id, hold_id=run.hold_id, plan_ids=plan_ids, now=now)
    if not is_payable:
        return unit.books.release(end)
    try:
        return unit.books.capture(end, run.price)
    except HoldClosedError as error:
        if error.state is HoldState.CAPTURED:
            raise
        return unit.books.release(end)  # as it was before: without its end the run stays stuck


async def _release_holds(means: Means, dead_at: Micros, *, is_all: bool) -> int:
    """Release what else dead owners held, and strike them off the list of the living.

    The hold of a run that has not ended is left open, for the next attempt to decide: it could not
    be ended, or it has begun since, by a process that lives and was late to renew its lease.
    """
    database, owner = means.database, means.meter.owner
    # The runs second: one that begins between the two has no hold among those that were seen.
    holds = await database.read(lambda s: ledger.open_holds_of_dead_owners(s, dead_at))
    unfinished = await database.read(saved.unfinished_runs)
    left = [hold for hold in holds if hold.owner != owner and hold.run_id not in unfinished]
    released = await release_abandoned(database, means.clock, left)
    dead = await database.read(lambda session: leases.dead_owners(session, dead_at))
    struck = [name for name in dead if name != owner] if is_all else []
    if struck:
        await database.run(lambda unit: _strike_off(unit, struck))
    return released


def _strike_off(unit: Unit, owners: Collection[str]) -> None:
    for owner in owners:
        leases.drop(unit.session, owner)
