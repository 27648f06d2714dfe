"""What an upstream does and cites on the way to an answer, kept on real tables."""

from collections.abc import AsyncIterator

import pytest
from sqlmodel import select

from storage import chat_history, deletions
from storage.conversations import TOOL
from storage.database import Database
from storage.models.conversations import Step
from storage.notices import DISCLOSURE, disclosure_id, undisclosed
from tests.conversing import PRICE, THREAD, Hall, open_hall
from tests.fakes.clock import START, ManualClock


@pytest.fixture
async def hall(database: Database, database_url: str, clock: ManualClock) -> AsyncIterator[Hall]:
    async with open_hall(database, database_url, clock) as opened:
        yield opened


async def tool_steps(hall: Hall) -> list[Step]:
    statement = select(Step).where(Step.type == TOOL).order_by(Step.id)
    return await hall.database.read(lambda s: list(s.exec(statement)))


async def test_uses_of_tools_are_kept_with_the_answer_and_go_with_the_conversation(
    hall: Hall,
) -> None:
    outcome = await hall.ask("/tool")
    kept = await tool_steps(hall)
    assert [(step.name, step.is_error, step.parent_id) for step in kept] == [
        ("web_search", False, outcome.run_id),
        ("file_search", False, outcome.run_id),
        ("code", False, outcome.run_id),
    ]
    assert not any(step.input or step.output or step.extra for step in kept)
    await hall.database.run(lambda u: deletions.delete_thread(u.session, THREAD, START))
    assert await tool_steps(hall) == []


async def test_a_cited_answer_is_stored_with_its_sources_and_costs_its_price(hall: Hall) -> None:
    outcome = await hall.ask("/cite")
    stored = (await hall.said())[-1].message.text
    assert stored == outcome.text
    assert "1. [The International System of Units](https://example.org/si/metre)" in stored
    assert outcome.charged == PRICE


async def test_what_is_disclosed_is_kept_once(hall: Hall) -> None:
    account_id, offering_id = hall.shop.subscriber_id, hall.shop.offering_id
    await hall.ask("What is 6 * 7?")

    async def said() -> bool:
        step = Step(
            id=disclosure_id(account_id, offering_id),
            thread_id=THREAD,
            type=DISCLOSURE,
            created_at=hall.clock.now(),
        )
        return await hall.database.run(lambda unit: chat_history.add_step(unit.session, step))

    async def left() -> frozenset[int]:
        return await hall.database.read(lambda s: undisclosed(s, account_id, [offering_id]))

    assert await left() == {offering_id}
    assert [await said(), await said()] == [True, False]
    assert await left() == frozenset()
