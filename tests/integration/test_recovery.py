"""What a process leaves behind when it dies, and what the next one makes of it.

A death is played by rows: what the dead process had committed, and nothing else, is there.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from time import monotonic
from typing import TypeVar
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlmodel import select
from typing_extensions import override

from host.errors import LedgerUnavailable
from host.metering.abandoned import release_abandoned
from host.providers.base import RunEvent, RunRequest, RunStarted
from host.runs.lifecycle import Reason
from host.runs.outcomes import outcome_of
from host.runs.recovery import Recovered, recover
from host.runs.runner import Runs
from storage import conversations as saved
from storage import leases, ledger
from storage.books import EndHold, HoldOpened
from storage.credits import HoldState, MilliCredits
from storage.database import Database, Unit
from storage.models.conversations import Message
from storage.models.money import ProcessLease
from storage.moments import HOUR, MINUTE, NEVER, Micros
from storage.run_states import RunState
from tests.builders import hold_of
from tests.conversing import BOUGHT, NAMING, PRICE, SLUG, THREAD, Hall, open_hall
from tests.fakes.clock import ManualClock
from tests.fakes.fragile_database import FragileDatabase, OvertakenDatabase

T = TypeVar("T")

DEAD = "a dead process"
PARTIAL = "Forty"
PATIENCE_S = 10.0


@pytest.fixture
async def hall(database: Database, database_url: str, clock: ManualClock) -> AsyncIterator[Hall]:
    async with open_hall(database, database_url, clock) as opened:
        yield opened


class StalledDatabase(FragileDatabase):
    """Its writes wait until the test opens the way."""

    def __init__(self, behind: Database) -> None:
        super().__init__(behind)
        self.reached, self.is_open = asyncio.Event(), asyncio.Event()

    @override
    async def run(self, work: Callable[[Unit], T], *, must_land: bool = False) -> T:
        self.reached.set()
        await self.is_open.wait()
        return await super().run(work, must_land=must_land)


async def left_behind(
    hall: Hall, *, provider_run: str | None = None, text: str = PARTIAL, owner: str = DEAD
) -> str:
    """A run that its process was killed in the middle of. Returns the run's id."""
    run_id, answer_id = uuid4().hex, uuid4().hex

    def work(unit: Unit) -> None:
        now = hall.clock.now()
        hold = unit.books.open_hold(hold_of(hall.shop, PRICE, owner=owner, run_id=run_id))
        assert isinstance(hold, HoldOpened)
        shop, session = hall.shop, unit.session
        saved.claim_thread(
            session,
            THREAD,
            account_id=shop.subscriber_id,
            offering_id=shop.offering_id,
            title="",
            now=now,
        )
        saved.add_run(
            session,
            saved.NewRun(
                run_id=run_id,
                thread_id=THREAD,
                account_id=shop.subscriber_id,
                offering_id=shop.offering_id,
                question_id=uuid4().hex,
                answer_id=answer_id,
                text="What is 6 * 7?",
                provider="responses",
                hold_id=hold.hold_id,
                receipt_id=hold.public_id,
                price=MilliCredits(PRICE),
                included_until=None,
                owner=owner,
                now=now,
            ),
        )
        saved.save_text(session, run_id, answer_id=answer_id, text=text, now=now)
        if provider_run is not None:
            saved.set_provider_run(session, run_id, provider_run)

    await hall.database.run(work)
    return run_id


def until_somebody_waits_for(unit: Unit) -> None:
    """Go on once another transaction waits for a row of this one."""
    waiting = text("SELECT 1 FROM pg_locks WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))")
    deadline = monotonic() + PATIENCE_S
    while not unit.session.connection().execute(waiting).first():
        assert monotonic() < deadline, "nobody came"


async def alive(hall: Hall, owner: str, *, until: int) -> None:
    now = hall.clock.now()
    await hall.database.run(
        lambda unit: leases.take(unit.session, owner, now=now, expires_at=Micros(until))
    )


async def answered_upstream(hall: Hall, text: str) -> str:
    """A response that the upstream has finished, and whose name alone we know."""
    provider = hall.means.providers["responses"]
    credential = await hall.means.credential(hall.assistant)
    names: list[str] = []

    async def show(event: RunEvent) -> None:
        if isinstance(event, RunStarted):
            names.append(event.provider_run)

    request = RunRequest(
        credential=credential,
        model=hall.assistant.model,
        instructions=hall.assistant.instructions,
        provider_thread=await provider.open_thread(credential, thread_id=THREAD),
        text=text,
        run_id="elsewhere",
        subscriber="a-hash",
    )
    await provider.run(request, show)
    return names[0]


async def test_what_was_not_confirmed_is_released_and_keeps_its_partial_text(hall: Hall) -> None:
    run_id = await left_behind(hall)
    assert await hall.available() == BOUGHT - PRICE
    assert await hall.reborn().recover() == Recovered(captured=0, released=1, holds=0)

    run = await hall.run(run_id)
    assert (run.state, run.outcome, run.charged) == (RunState.FAILED, Reason.INTERRUPTED, 0)
    assert run.balance_after == BOUGHT
    assert outcome_of(run, "").sentence == "Not charged: interrupted"
    assert (await hall.said())[-1].message.text == PARTIAL
    assert [hold.state for hold in await hall.holds()] == [HoldState.RELEASED]
    assert await hall.charges() == []


async def test_what_the_provider_confirms_is_charged_and_becomes_whole(hall: Hall) -> None:
    run_id = await left_behind(hall, provider_run=await answered_upstream(hall, "What is 6 * 7?"))
    assert await hall.reborn().recover() == Recovered(captured=1, released=0, holds=0)

    run = await hall.run(run_id)
    assert (run.state, run.outcome, run.charged) == (RunState.COMPLETED, None, PRICE)
    assert run.balance_after == BOUGHT - PRICE
    assert run.usage is not None
    assert "42" in (await hall.said())[-1].message.text
    assert await hall.charges() == [-PRICE]


async def test_what_the_provider_confirms_has_the_sources_that_it_would_have_had(
    hall: Hall,
) -> None:
    followed = (await hall.ask("/cite")).text
    hall.clock.advance(1)
    await left_behind(hall, provider_run=await answered_upstream(hall, "/cite"))
    assert (await hall.reborn().recover()).captured == 1
    confirmed = (await hall.said())[-1].message.text
    assert "1. [The International System of Units](https://example.org/si/metre)" in confirmed
    assert confirmed == followed


@pytest.mark.parametrize(
    ("text", "reason", "charged"),
    [
        pytest.param("", Reason.STOPPED, 0, id="before the first word"),
        pytest.param(PARTIAL, None, PRICE, id="after it"),
    ],
)
async def test_what_was_asked_to_stop_is_not_charged_for_what_nobody_saw(
    hall: Hall, text: str, reason: Reason | None, charged: int
) -> None:
    provider_run = await answered_upstream(hall, "What is 6 * 7?")
    run_id = await left_behind(hall, provider_run=provider_run, text=text)
    await hall.database.run(lambda unit: saved.ask_to_stop(unit.session, run_id))
    await hall.reborn().recover()
    run = await hall.run(run_id)
    assert (run.outcome, run.charged) == (reason, charged)
    assert run.state == (RunState.CANCELLED if reason else RunState.COMPLETED)
    if reason:
        assert outcome_of(run, "").sentence == "Stopped, not charged"


async def test_what_was_still_written_while_the_lost_were_looked_for_is_kept(hall: Hall) -> None:
    run_id = await left_behind(hall)
    answer_id = (await hall.run(run_id)).answer_id
    overtaken = OvertakenDatabase(hall.database)

    async def write_on() -> None:
        now = hall.clock.now()
        await hall.database.run(
            lambda u: saved.save_text(
                u.session, run_id, answer_id=answer_id, text="Forty-two", now=now
            )
        )

    overtaken.by = write_on
    await recover(replace(hall.means, database=overtaken), undriven=set())
    assert (await hall.run(run_id)).outcome == Reason.INTERRUPTED
    assert (await hall.said())[-1].message.text == "Forty-two"


@pytest.mark.parametrize("text", ["/error-mid tell me", "/empty"])
async def test_what_the_provider_did_not_deliver_is_released(hall: Hall, text: str) -> None:
    run_id = await left_behind(hall, provider_run=await answered_upstream(hall, text))
    assert (await hall.reborn().recover()).released == 1
    assert (await hall.run(run_id)).outcome == Reason.INTERRUPTED
    assert await hall.charges() == []


async def test_a_provider_that_does_not_know_the_run_charges_nothing(hall: Hall) -> None:
    run_id = await left_behind(hall, provider_run="resp_unknown")
    assert (await hall.reborn().recover()).released == 1
    assert (await hall.run(run_id)).outcome == Reason.INTERRUPTED


async def test_a_key_that_no_longer_opens_charges_nothing(hall: Hall) -> None:
    provider_run = await answered_upstream(hall, "What is 6 * 7?")
    await left_behind(hall, provider_run=provider_run)
    await hall.means.vault.replace(hall.assistant.secret_id, "sk-somebody-elses-key")
    assert (await hall.reborn().recover()).released == 1
    assert await hall.charges() == []


@pytest.mark.parametrize("is_swept", [True, False])
async def test_after_the_time_of_its_hold_a_run_is_released_whatever_the_provider_says(
    hall: Hall, is_swept: bool
) -> None:
    provider_run = await answered_upstream(hall, "What is 6 * 7?")
    run_id = await left_behind(hall, provider_run=provider_run)
    now = hall.clock.advance(HOUR)
    if is_swept:
        await hall.database.run(lambda unit: unit.books.sweep(now))
    assert await hall.reborn().recover() == Recovered(captured=0, released=1, holds=0)
    run = await hall.run(run_id)
    assert (run.state, run.outcome, run.charged) == (RunState.FAILED, Reason.INTERRUPTED, 0)
    assert (await hall.said())[-1].message.text == PARTIAL
    assert await hall.charges() == []
    assert await hall.available() == BOUGHT


async def test_a_confirmed_run_whose_hold_was_released_is_ended_uncharged(hall: Hall) -> None:
    provider_run = await answered_upstream(hall, "What is 6 * 7?")
    run_id = await left_behind(hall, provider_run=provider_run)
    holds = await hall.database.read(lambda s: ledger.open_holds_of_dead_owners(s, NEVER))
    assert await release_abandoned(hall.database, hall.clock, holds) == 1
    assert await hall.reborn().recover() == Recovered(captured=0, released=1, holds=0)
    run = await hall.run(run_id)
    assert (run.state, run.outcome, run.charged) == (RunState.FAILED, Reason.INTERRUPTED, 0)
    assert await hall.charges() == []


async def test_a_run_that_begins_while_the_lost_are_looked_for_keeps_its_hold(hall: Hall) -> None:
    overtaken = OvertakenDatabase(hall.database)

    async def begin() -> None:
        await left_behind(hall, owner="late to renew its lease")

    overtaken.by = begin
    means = replace(hall.means, database=overtaken)
    assert await recover(means, undriven=set()) == Recovered(0, 0, 0)
    assert [hold.state for hold in await hall.holds()] == [HoldState.OPEN]


async def test_recovering_twice_or_twice_at_once_ends_each_run_once(hall: Hall) -> None:
    provider_run = await answered_upstream(hall, "What is 6 * 7?")
    await left_behind(hall, provider_run=provider_run)
    both = await asyncio.gather(
        hall.reborn(owner="one").recover(), hall.reborn(owner="another").recover()
    )
    assert sum(one.captured for one in both) == 1
    assert await hall.reborn(owner="a third").recover() == Recovered(0, 0, 0)
    assert await hall.charges() == [-PRICE]


async def test_the_open_holds_of_calls_are_released_too(hall: Hall) -> None:
    await hall.database.run(
        lambda unit: unit.books.open_hold(hold_of(hall.shop, PRICE, owner=DEAD))
    )
    assert await hall.reborn().recover() == Recovered(captured=0, released=0, holds=1)
    assert await hall.available() == BOUGHT


# On one kind of database only: one process writes an SQLite file: all others are dead.
@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_the_dead_are_struck_off_and_the_living_are_left_alone(
    hall: Hall, database_kind: str
) -> None:
    now = hall.clock.now()
    await alive(hall, "a living process", until=now + HOUR)
    await alive(hall, DEAD, until=now - MINUTE)
    run_id = await left_behind(hall, owner="a living process")
    await left_behind_call(hall, owner="a living process")
    assert await hall.reborn().recover() == Recovered(0, 0, 0)
    assert (await hall.run(run_id)).ended_at is None
    owners = await hall.database.read(lambda s: set(s.exec(select(ProcessLease.owner))))
    assert owners == {"this process", "a living process"}


async def left_behind_call(hall: Hall, *, owner: str) -> None:
    await hall.database.run(
        lambda unit: unit.books.open_hold(hold_of(hall.shop, PRICE, owner=owner))
    )


# On one kind of database only: a lease counts where several processes write.
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_on_sqlite_every_other_process_is_dead_whatever_its_lease_says(
    hall: Hall, database_kind: str
) -> None:
    await alive(hall, DEAD, until=hall.clock.now() + HOUR)
    await left_behind(hall)
    await left_behind_call(hall, owner=DEAD)
    assert await hall.reborn().recover() == Recovered(captured=0, released=1, holds=1)


async def test_what_this_process_is_working_on_is_left_alone(hall: Hall) -> None:
    gate = hall.upstream.hold_answers(after_words=1)
    answer = await hall.begin("What is 6 * 7?")
    await gate.reached()
    assert await hall.runs.recover() == Recovered(0, 0, 0)
    gate.open()
    assert (await answer.outcome()).charged == PRICE


async def test_a_process_taken_for_dead_that_finishes_after_all_charges_nothing(
    hall: Hall,
) -> None:
    gate = hall.upstream.hold_answers(after_words=1)
    answer = await hall.begin("What is 6 * 7?")
    await anext(answer.listen())
    await gate.reached()
    hall.clock.advance(6 * MINUTE)  # its lease is over
    assert (await hall.reborn().recover()).released == 1
    gate.open()
    outcome = await answer.outcome()
    assert (outcome.charged, outcome.sentence) == (0, "Not charged: interrupted")
    run = await hall.run(answer.run_id)
    assert (run.state, run.outcome, run.charged) == (RunState.FAILED, Reason.INTERRUPTED, 0)
    assert await hall.charges() == []
    assert await hall.available() == BOUGHT


async def test_what_is_noted_late_of_a_run_changes_nothing_once_it_has_ended(hall: Hall) -> None:
    run_id = await left_behind(hall)
    assert (await hall.reborn().recover()).released == 1
    ended = await hall.run(run_id)

    def note(unit: Unit) -> bool:
        saved.set_provider_run(unit.session, run_id, "resp_late")
        saved.note_first_text(unit.session, run_id, hall.clock.now())
        return saved.save_text(
            unit.session, run_id, answer_id=ended.answer_id, text="late", now=hall.clock.now()
        )

    assert not await hall.database.run(note)
    assert await hall.run(run_id) == ended
    assert (await hall.said())[-1].message.text == PARTIAL


# On one kind of database only: an SQLite file has one writer, and nobody waits inside a unit.
@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_text_that_waits_for_the_end_of_its_run_is_not_written_over_it(
    hall: Hall, database_kind: str
) -> None:
    run_id = await left_behind(hall)
    answer_id = (await hall.run(run_id)).answer_id
    has_ended = threading.Event()

    def end(unit: Unit) -> bool:
        now = hall.clock.now()
        ended = saved.end_run(
            unit.session,
            saved.RunEnd(
                run_id=run_id,
                answer_id=answer_id,
                state=RunState.FAILED,
                text="whole",
                charged=MilliCredits(0),
                balance_after=None,
                outcome=None,
                usage=None,
                now=now,
            ),
        )
        has_ended.set()
        until_somebody_waits_for(unit)
        return ended

    def save(unit: Unit) -> bool:
        assert has_ended.is_set()
        return saved.save_text(
            unit.session, run_id, answer_id=answer_id, text="late", now=hall.clock.now()
        )

    ending = asyncio.create_task(hall.database.run(end))
    assert await asyncio.to_thread(has_ended.wait, PATIENCE_S)
    is_saved = await hall.database.run(save)
    assert (await ending, is_saved) == (True, False)
    assert (await hall.said())[-1].message.text == "whole"


async def test_a_run_of_this_process_that_begins_while_others_are_looked_for_is_left_alone(
    hall: Hall,
) -> None:
    run_id = await left_behind(hall, owner="this process")  # committed, and nothing more as yet
    hall.clock.advance(6 * MINUTE)  # even when its lease was renewed too late
    assert await hall.runs.recover() == Recovered(0, 0, 0)
    assert (await hall.run(run_id)).ended_at is None


@pytest.mark.charges("the end cannot be written down")
async def test_an_end_that_could_not_be_written_in_time_is_written_by_recovery_uncharged(
    hall: Hall,
) -> None:
    fragile = hall.fragile()
    gate = hall.upstream.hold_answers(after_words=1)
    answer = await fragile.hall.begin("What is 6 * 7?")
    await gate.reached()
    fragile.database.is_down = True
    gate.open()
    await fragile.database.refused.wait()
    hall.clock.advance(HOUR)
    outcome = await answer.outcome()
    assert (outcome.charged, outcome.reason) == (0, Reason.UNDECIDED)
    assert (await hall.run(answer.run_id)).ended_at is None

    fragile.database.is_down = False
    assert (await fragile.hall.runs.recover()).released == 1
    run = await hall.run(answer.run_id)
    assert (run.outcome, run.charged) == (Reason.INTERRUPTED, 0)
    assert await hall.charges() == []
    assert await fragile.hall.runs.recover() == Recovered(0, 0, 0)
    assert (await fragile.hall.ask("What is 6 * 8?")).charged == PRICE


async def test_a_beginning_that_landed_unheard_is_ended_by_recovery(hall: Hall) -> None:
    fragile = hall.fragile()
    fragile.database.is_mute = True
    with pytest.raises(LedgerUnavailable):
        await fragile.hall.begin("What is 6 * 7?")
    fragile.database.is_mute = False
    assert await hall.available() == BOUGHT - PRICE
    assert (await fragile.hall.runs.recover()).released == 1
    assert await hall.available() == BOUGHT
    assert (await fragile.hall.ask("What is 6 * 7?")).charged == PRICE


async def test_shutting_down_ends_what_nobody_drives(hall: Hall) -> None:
    fragile = hall.fragile()
    fragile.database.is_mute = True
    with pytest.raises(LedgerUnavailable):
        await fragile.hall.begin("What is 6 * 7?")
    fragile.database.is_mute = False
    await fragile.hall.runs.drain(0)
    assert [hold.state for hold in await hall.holds()] == [HoldState.RELEASED]


async def test_shutting_down_does_not_wait_for_ever_for_who_is_still_entering(hall: Hall) -> None:
    stalled = StalledDatabase(hall.database)
    runs = Runs(replace(hall.means, database=stalled), NAMING)
    begin = runs.begin(
        account_id=hall.shop.subscriber_id,
        thread_id=THREAD,
        offering_slug=SLUG,
        text="What is 6 * 7?",
        message_id="m1",
    )
    beginning = asyncio.create_task(begin)
    await stalled.reached.wait()
    async with asyncio.timeout(5):
        await runs.drain(0)
    stalled.is_open.set()
    assert (await (await beginning).outcome()).charged == PRICE


async def test_a_hold_that_its_owner_ends_at_the_same_moment_keeps_no_other_from_being_released(
    hall: Hall,
) -> None:
    for _ in range(2):
        await left_behind_call(hall, owner=DEAD)
    now = hall.clock.now()
    found = await hall.database.read(lambda s: ledger.open_holds_of_dead_owners(s, NEVER))
    paid, other = found
    end = EndHold(wallet_id=paid.wallet_id, hold_id=paid.hold_id, plan_ids=(), now=now)
    await hall.database.run(lambda unit: unit.books.capture(end, MilliCredits(PRICE)))
    assert await release_abandoned(hall.database, hall.clock, found) == 1
    states = {hold.id: hold.state for hold in await hall.holds()}
    assert states == {paid.hold_id: HoldState.CAPTURED, other.hold_id: HoldState.RELEASED}


async def test_after_recovery_the_conversation_goes_on(hall: Hall) -> None:
    await left_behind(hall)
    hall.clock.advance(MINUTE)
    runs = hall.reborn()
    await runs.recover()
    answer = await runs.begin(
        account_id=hall.shop.subscriber_id,
        thread_id=THREAD,
        offering_slug="math-tutor",
        text="What is 6 * 7?",
        message_id="m2",
    )
    assert (await answer.outcome()).charged == PRICE
    texts = await hall.database.read(
        lambda s: [m.text for m in s.exec(select(Message).order_by(Message.created_at))]  # type: ignore[arg-type]
    )
    assert texts[1] == PARTIAL
    await runs.drain(10)
