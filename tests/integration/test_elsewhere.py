"""An answer that one process writes, as another one on the same database sees it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final, TypeVar

import pytest
from typing_extensions import override

from host.errors import CallInProgress
from host.metering.meter import Meter
from host.runs.answers import LiveAnswer
from host.runs.drive import Means
from host.runs.elsewhere import LOOK_EVERY_S, Elsewhere
from host.runs.lifecycle import Reason
from host.runs.outcomes import Outcome
from host.runs.runner import Runs
from storage import deletions, leases
from storage.database import Database, Unit
from tests.conversing import PRICE, SLUG, THREAD, Hall, open_hall
from tests.fakes.clock import START, ManualClock
from tests.fakes.fragile_database import FragileDatabase

T = TypeVar("T")
OTHER: Final = "another process"
PATIENCE_S: Final = 20

pytestmark = pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)


@pytest.fixture
async def hall(database: Database, database_url: str, clock: ManualClock) -> AsyncIterator[Hall]:
    async with open_hall(database, database_url, clock) as hall:
        yield hall


@asynccontextmanager
async def other_process(hall: Hall) -> AsyncIterator[Runs]:
    runs = hall.reborn(owner=OTHER)
    try:
        yield runs
    finally:
        await runs.drain(0)


async def join(hall: Hall, runs: Runs) -> LiveAnswer:
    live = await runs.join(THREAD, account_id=hall.shop.subscriber_id)
    assert live is not None
    return live


async def test_its_text_grows_and_it_ends_as_it_was_settled(hall: Hall) -> None:
    gate = hall.upstream.hold_answers(after_words=3)
    async with other_process(hall) as others:
        written = await hall.begin("What is 6 * 7?")
        await gate.reached()
        seen = await join(hall, others)
        heard = (await anext(seen.listen())).text
        assert heard
        gate.open()
        outcome = await seen.outcome()
        assert outcome == await written.outcome()
        assert outcome.text.startswith(heard)
        assert (outcome.charged, outcome.reason) == (PRICE, None)
        assert await others.join(THREAD, account_id=hall.shop.subscriber_id) is None


async def test_whoever_joins_twice_listens_to_the_same(hall: Hall) -> None:
    gate = hall.upstream.hold_answers(after_words=1)
    async with other_process(hall) as others:
        await hall.begin("What is 6 * 7?")
        await gate.reached()
        assert await join(hall, others) is await join(hall, others)
        gate.open()


def ask(
    hall: Hall, runs: Runs, *, message_id: str = "m2", patience_s: float = PATIENCE_S
) -> "asyncio.Task[LiveAnswer]":
    return asyncio.create_task(
        runs.begin(
            account_id=hall.shop.subscriber_id,
            thread_id=THREAD,
            offering_slug=SLUG,
            text="What is 6 * 8?",
            message_id=message_id,
            patience_s=patience_s,
        )
    )


async def test_the_next_question_waits_for_it(hall: Hall) -> None:
    gate = hall.upstream.hold_answers(after_words=1)
    async with other_process(hall) as others:
        first = await hall.begin("What is 6 * 7?")
        await gate.reached()
        with pytest.raises(CallInProgress):
            await ask(hall, others, patience_s=0)
        asking = ask(hall, others)
        await asyncio.wait({asking}, timeout=2 * LOOK_EVERY_S)
        assert not asking.done()
        hall.clock.advance(1)
        gate.open()
        second = await (await asking).outcome()
        assert "48" in second.text
        assert (await first.outcome()).charged == second.charged == PRICE
        texts = [one.message.text for one in await hall.said()]
        assert (texts[0], texts[2]) == ("What is 6 * 7?", "What is 6 * 8?")
        assert "42" in texts[1]


async def test_the_next_question_is_refused_when_it_has_waited_long_enough(hall: Hall) -> None:
    gate = hall.upstream.hold_answers(after_words=1)
    async with other_process(hall) as others:
        first = await hall.begin("What is 6 * 7?")
        await gate.reached()
        began_at = asyncio.get_running_loop().time()
        with pytest.raises(CallInProgress, match="still being answered"):
            await ask(hall, others, patience_s=2 * LOOK_EVERY_S)
        assert asyncio.get_running_loop().time() - began_at >= 2 * LOOK_EVERY_S
        gate.open()
        assert (await first.outcome()).charged == PRICE
        assert await hall.charges() == [-PRICE]


async def test_the_same_question_at_two_processes_waits_for_its_one_answer(hall: Hall) -> None:
    gate = hall.upstream.hold_answers(after_words=1)
    async with other_process(hall) as others:
        here = await ask(hall, hall.runs, message_id="m1")
        await gate.reached()
        there = ask(hall, others, message_id="m1")
        await asyncio.wait({there}, timeout=2 * LOOK_EVERY_S)
        assert not there.done()
        gate.open()
        assert await (await there).outcome() == await here.outcome()
        assert await hall.charges() == [-PRICE]


async def test_the_next_question_is_asked_when_the_other_process_has_died(hall: Hall) -> None:
    gate = hall.upstream.hold_answers(after_words=1)
    async with other_process(hall) as others:
        await hall.begin("What is 6 * 7?")
        await gate.reached()
        await hall.database.run(lambda unit: leases.drop(unit.session, "this process"))
        hall.clock.advance(1)
        asking = ask(hall, others)
        settled = await (await join(hall, others)).outcome()
        assert settled.charged == 0
        answer = await asking
        assert (await hall.run(answer.run_id)).owner == OTHER
        gate.open()
        await answer.outcome()


async def test_nobody_else_sees_it(hall: Hall) -> None:
    gate = hall.upstream.hold_answers(after_words=1)
    stranger = await hall.subscriber_with(hall.shop.plan)
    async with other_process(hall) as others:
        await hall.begin("What is 6 * 7?")
        await gate.reached()
        assert await others.join(THREAD, account_id=stranger) is None
        assert await others.join(THREAD, account_id=None) is None
        gate.open()


async def test_stop_reaches_who_writes_it(hall: Hall) -> None:
    gate = hall.upstream.hold_answers(after_words=3)
    async with other_process(hall) as others:
        written = await hall.begin("What is 6 * 7?")
        await anext(written.listen())
        await gate.reached()
        seen = await join(hall, others)
        await seen.stop()
        assert (await seen.outcome()).reason is Reason.STOPPED
        assert await written.outcome() == await seen.outcome()
        assert (await written.outcome()).charged == PRICE


async def test_stop_before_the_first_word_costs_nothing(hall: Hall) -> None:
    gate = hall.upstream.hold_answers(after_words=0)
    async with other_process(hall) as others:
        written = await hall.begin("What is 6 * 7?")
        await gate.reached()
        await (await join(hall, others)).stop()
        assert (await written.outcome()).sentence == "Stopped, not charged"
        assert await hall.charges() == []


async def test_whose_writer_has_died_it_is_settled_at_once(hall: Hall) -> None:
    gate = hall.upstream.hold_answers(after_words=3)
    async with other_process(hall) as others:
        await hall.begin("What is 6 * 7?")
        await gate.reached()
        seen = await join(hall, others)
        await hall.database.run(lambda unit: leases.drop(unit.session, "this process"))
        outcome = await seen.outcome()
        assert (outcome.sentence, outcome.charged) == ("Not charged: interrupted", 0)
        assert await hall.charges() == []


async def test_it_is_over_when_its_conversation_is_deleted(hall: Hall) -> None:
    gate = hall.upstream.hold_answers(after_words=3)
    async with other_process(hall) as others:
        await hall.begin("What is 6 * 7?")
        await gate.reached()
        seen = await join(hall, others)
        await hall.database.run(lambda u: deletions.delete_thread(u.session, THREAD, START))
        assert (await seen.outcome()).reason is Reason.INTERRUPTED


async def test_a_process_that_ends_looks_no_longer_and_lets_nobody_wait(hall: Hall) -> None:
    gate = hall.upstream.hold_answers(after_words=3)
    async with other_process(hall) as others:
        written = await hall.begin("What is 6 * 7?")
        await gate.reached()
        seen = await join(hall, others)
        await anext(seen.listen())
        waiting = asyncio.ensure_future(seen.outcome())
    assert not [task for task in asyncio.all_tasks() if "_watch" in repr(task)]
    outcome = await asyncio.wait_for(waiting, PATIENCE_S)
    assert (outcome.reason, outcome.charged) == (Reason.UNDECIDED, 0)
    assert outcome.sentence.startswith("Not decided yet: your receipt will say")
    gate.open()
    settled = await written.outcome()
    assert (settled.receipt_id, settled.charged) == (outcome.receipt_id, PRICE)


async def test_one_that_ends_before_its_first_look_lets_nobody_wait_either(hall: Hall) -> None:
    gate = hall.upstream.hold_answers(after_words=3)
    async with other_process(hall) as others:
        await hall.begin("What is 6 * 7?")
        await gate.reached()
        seen = await join(hall, others)
    assert (await ended(seen)).reason is Reason.UNDECIDED
    gate.open()


async def test_an_error_nobody_foresaw_lets_nobody_wait_and_the_next_to_join_looks_again(
    hall: Hall,
) -> None:
    gate = hall.upstream.hold_answers(after_words=3)
    others = hall.fragile()
    others.database.fault = RuntimeError("nobody foresaw it")
    watching = Elsewhere(at(others.database, hall), hall.runs.recover)
    written = await hall.begin("What is 6 * 7?")
    await gate.reached()
    seen = await watched(hall, watching)
    others.database.is_down = True
    seen.halt(Reason.STOPPED)
    assert (await ended(seen)).reason is Reason.UNDECIDED
    others.database.is_down = False
    again = await watched(hall, watching)
    assert again is not seen
    gate.open()
    assert await ended(again) == await written.outcome()
    await watching.close()


async def test_a_stop_is_tried_again_no_faster_than_it_is_looked(hall: Hall) -> None:
    gate = hall.upstream.hold_answers(after_words=3)
    fragile = hall.fragile()
    database = CountingDatabase(fragile.database)
    watching = Elsewhere(at(database, hall), hall.runs.recover)
    written = await hall.begin("What is 6 * 7?")
    await gate.reached()
    seen = await watched(hall, watching)
    fragile.database.is_down = True
    seen.halt(Reason.STOPPED)
    began_at = asyncio.get_running_loop().time()
    await database.tried(3)
    assert asyncio.get_running_loop().time() - began_at >= LOOK_EVERY_S * 1.9
    fragile.database.is_down = False
    assert (await ended(seen)).reason is Reason.STOPPED
    assert await written.outcome() == await ended(seen)
    await watching.close()


async def test_however_many_are_watched_they_are_recovered_once_at_a_time(hall: Hall) -> None:
    gate = hall.upstream.hold_answers(after_words=3)
    others = hall.reborn(owner=OTHER)
    begun, may_end = asyncio.Semaphore(0), asyncio.Event()

    async def recover() -> None:
        begun.release()
        await may_end.wait()
        await others.recover()

    watching = Elsewhere(at(hall.database, hall), recover)
    threads = (THREAD, "another thread")
    for thread_id in threads:
        await hall.begin("What is 6 * 7?", thread_id=thread_id)
    await gate.reached()
    seen = [await watched(hall, watching, thread_id) for thread_id in threads]
    await hall.database.run(lambda unit: leases.drop(unit.session, "this process"))
    await begun.acquire()
    with pytest.raises(TimeoutError):  # both have looked in that time
        await asyncio.wait_for(begun.acquire(), 3 * LOOK_EVERY_S)
    may_end.set()
    for live in seen:
        assert (await ended(live)).reason is Reason.INTERRUPTED
    assert await hall.charges() == []
    await watching.close()


class CountingDatabase(FragileDatabase):
    """Counts what is tried to be written."""

    def __init__(self, behind: Database) -> None:
        super().__init__(behind)
        self._tried = asyncio.Semaphore(0)

    @override
    async def run(self, work: Callable[[Unit], T], *, must_land: bool = False) -> T:
        self._tried.release()
        return await super().run(work, must_land=must_land)

    async def tried(self, times: int) -> None:
        for _ in range(times):
            await asyncio.wait_for(self._tried.acquire(), PATIENCE_S)


def at(database: Database, hall: Hall) -> Means:
    """What another process has, with a connection of its own."""
    meter = Meter(database, hall.clock, hall.means.settings, owner=OTHER)
    return replace(hall.means, database=database, meter=meter)


async def watched(hall: Hall, watching: Elsewhere, thread_id: str = THREAD) -> LiveAnswer:
    live = await watching.join(thread_id, account_id=hall.shop.subscriber_id)
    assert live is not None
    return live


async def ended(live: LiveAnswer) -> Outcome:
    return await asyncio.wait_for(live.outcome(), PATIENCE_S)
