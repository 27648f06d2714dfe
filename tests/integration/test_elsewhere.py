"""An answer that one process writes, as another one on the same database sees it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from host.runs.answers import LiveAnswer
from host.runs.lifecycle import Reason
from host.runs.runner import Runs
from storage import deletions, leases
from storage.database import Database
from tests.conversing import PRICE, THREAD, Hall, open_hall
from tests.fakes.clock import START, ManualClock

pytestmark = pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)


@pytest.fixture
async def hall(database: Database, database_url: str, clock: ManualClock) -> AsyncIterator[Hall]:
    async with open_hall(database, database_url, clock) as hall:
        yield hall


@asynccontextmanager
async def other_process(hall: Hall) -> AsyncIterator[Runs]:
    runs = hall.reborn(owner="another process")
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


async def test_a_process_that_ends_looks_no_longer(hall: Hall) -> None:
    gate = hall.upstream.hold_answers(after_words=3)
    async with other_process(hall) as others:
        await hall.begin("What is 6 * 7?")
        await gate.reached()
        seen = await join(hall, others)
    assert not [task for task in asyncio.all_tasks() if "_watch" in repr(task)]
    assert not seen.is_over
    gate.open()
