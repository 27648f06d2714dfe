"""What the chat's page saves and asks for, on real tables."""

from functools import partial
from uuid import uuid4

import pytest

from storage import chat_history, conversations, deletions
from storage.chat_history import Cursor, History
from storage.conversations import NewRun
from storage.credits import MilliCredits
from storage.database import Database, Unit
from storage.models.conversations import Element, Feedback, Step, Thread
from storage.moments import Micros
from tests.builders import Shop, add_account, add_shop
from tests.fakes.clock import START


def step(thread_id: str, *, step_id: str | None = None, text: str = "hello", at: int = 0) -> Step:
    return Step(
        id=step_id or str(uuid4()),
        thread_id=thread_id,
        type="assistant_message",
        output=text,
        created_at=START + at,
    )


def ask(unit: Unit, shop: Shop, thread_id: str, text: str = "What is 6 × 7?") -> NewRun:
    """A question with its run, as the runs store it."""
    conversations.claim_thread(
        unit.session,
        thread_id,
        account_id=shop.subscriber_id,
        offering_id=shop.offering_id,
        title=text,
        now=START,
    )
    asked = NewRun(
        run_id=str(uuid4()),
        thread_id=thread_id,
        account_id=shop.subscriber_id,
        offering_id=shop.offering_id,
        question_id=str(uuid4()),
        answer_id=str(uuid4()),
        text=text,
        provider="responses",
        hold_id=None,
        receipt_id=str(uuid4()),
        price=MilliCredits(5_000),
        included_until=None,
        owner="this process",
        now=START,
    )
    conversations.add_run(unit.session, asked)
    return asked


async def history(database: Database, thread_id: str) -> History:
    found = await database.read(lambda s: chat_history.read_history(s, thread_id))
    assert found is not None
    return found


@pytest.fixture
async def account_id(database: Database) -> int:
    return await database.run(lambda unit: add_account(unit.session))


async def test_a_thread_opened_twice_keeps_its_first_owner(
    database: Database, account_id: int
) -> None:
    def opened(unit: Unit, owner: int | None) -> None:
        chat_history.open_thread(unit.session, "t", owner, START)

    other = await database.run(lambda unit: add_account(unit.session))
    for owner in (None, account_id, other):
        await database.run(partial(opened, owner=owner))
    assert await database.read(lambda s: chat_history.author_of(s, "t")) == account_id


async def test_a_step_may_come_twice_and_the_last_text_counts(
    database: Database, account_id: int
) -> None:
    def save(unit: Unit, text: str, at: int) -> bool:
        chat_history.open_thread(unit.session, "t", account_id, START)
        return chat_history.save_step(
            unit.session, step("t", step_id="s", text=text, at=at), Micros(START + 9)
        )

    assert await database.run(lambda u: save(u, "", 5))
    assert await database.run(lambda u: save(u, "whole", 8))
    found = await history(database, "t")
    assert [(s.output, s.created_at) for s in found.steps] == [("whole", START + 5)]
    assert found.thread.updated_at == START + 9


async def test_nobody_takes_a_step_or_an_element_into_another_thread(
    database: Database, account_id: int
) -> None:
    def element(thread_id: str) -> Element:
        return Element(
            id="e", thread_id=thread_id, for_id="s", type="custom", name="Card", created_at=START
        )

    def first(unit: Unit) -> None:
        for thread_id in ("mine", "theirs"):
            chat_history.open_thread(unit.session, thread_id, account_id, START)
        assert chat_history.save_step(unit.session, step("mine", step_id="s"), START)
        assert chat_history.save_element(unit.session, element("mine"))

    await database.run(first)
    assert not await database.run(
        lambda u: chat_history.save_step(u.session, step("theirs", step_id="s", text="x"), START)
    )
    assert not await database.run(
        lambda u: chat_history.save_element(u.session, element("theirs"))
    )
    assert [s.output for s in (await history(database, "mine")).steps] == ["hello"]
    assert await database.read(lambda s: chat_history.find_element(s, "theirs", "e")) is None


async def test_the_sidebar_turns_pages_without_gap_or_repeat(
    database: Database, account_id: int
) -> None:
    def many(unit: Unit) -> None:
        for number in range(7):  # two of each moment: the id decides between them
            moment = Micros(START + number // 2)
            chat_history.open_thread(unit.session, f"t{number}", account_id, moment)
        chat_history.open_thread(unit.session, "not mine", None, START)

    await database.run(many)
    seen: list[str] = []
    after: Cursor | None = None
    while True:
        turn = partial(chat_history.list_threads, account_id=account_id, first=3, after=after)
        page = await database.read(turn)
        seen += [thread.id for thread in page.threads]
        if not page.has_more:
            break
        after = Cursor(page.threads[-1].updated_at, page.threads[-1].id)
    assert seen == ["t6", "t5", "t4", "t3", "t2", "t1", "t0"]


@pytest.mark.parametrize("first", [0, -1])
async def test_a_page_without_lines_is_not_taken_for_all_of_them(
    database: Database, account_id: int, first: int
) -> None:
    with pytest.raises(AssertionError):
        await database.read(lambda s: chat_history.list_threads(s, account_id, first=first))


async def test_a_conversation_knows_what_its_assistant_is_called(
    database: Database, account_id: int
) -> None:
    def said(unit: Unit) -> None:
        ask(unit, add_shop(unit), "t")
        chat_history.open_thread(unit.session, "with none", account_id, START)

    await database.run(said)
    expected = (await history(database, "t")).offering_title
    assert expected
    assert await database.read(lambda s: chat_history.assistant_title(s, "t")) == expected
    assert await database.read(lambda s: chat_history.assistant_title(s, "with none")) is None


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        pytest.param("6 × 7", ["t"], id="in what was said"),
        pytest.param("HOLI", ["named"], id="in a title, in any case"),
        pytest.param("100%", [], id="a percent sign is a percent sign"),
    ],
)
async def test_search_finds_titles_and_what_was_said(
    database: Database, search: str, expected: list[str]
) -> None:
    def said(unit: Unit) -> int:
        shop = add_shop(unit)
        ask(unit, shop, "t")
        chat_history.name_thread(unit.session, "t", "Sums")
        chat_history.open_thread(unit.session, "named", shop.subscriber_id, START)
        chat_history.name_thread(unit.session, "named", "Holidays, 1000 ideas")
        return shop.subscriber_id

    account_id = await database.run(said)
    page = await database.read(
        lambda s: chat_history.list_threads(s, account_id, first=9, search=search)
    )
    assert [thread.id for thread in page.threads] == expected


async def test_a_deleted_conversation_leaves_nothing_that_was_said(database: Database) -> None:
    def said(unit: Unit) -> None:
        asked = ask(unit, add_shop(unit), "t")
        chat_history.save_step(unit.session, step("t"), START)
        chat_history.save_feedback(
            unit.session,
            Feedback(id="f", for_id=asked.run_id, thread_id="t", value=1, created_at=START),
        )

    await database.run(said)
    await database.run(lambda u: deletions.delete_thread(u.session, "t", START))
    assert await database.read(lambda s: chat_history.read_history(s, "t")) is None
    assert await database.read(lambda s: s.get(Thread, "t")) is None
    assert await database.read(lambda s: conversations.messages_with_runs(s, "t")) == []


async def test_a_second_opinion_replaces_the_first(database: Database) -> None:
    def think(unit: Unit, value: int) -> str:
        return chat_history.save_feedback(
            unit.session,
            Feedback(id=str(uuid4()), for_id="run", thread_id="t", value=value, created_at=START),
        )

    first = await database.run(lambda u: think(u, 1))
    assert await database.run(lambda u: think(u, 0)) == first
    assert await database.read(lambda s: chat_history.thread_of_feedback(s, first)) == "t"
    assert await database.run(lambda u: chat_history.delete_feedback(u.session, first))
    assert not await database.run(lambda u: chat_history.delete_feedback(u.session, first))


async def test_an_id_that_was_used_is_known_whoever_used_it(database: Database) -> None:
    asked = await database.run(lambda unit: ask(unit, add_shop(unit), "t"))
    for known in (asked.question_id, asked.answer_id):
        assert await database.read(partial(chat_history.is_known, step_id=known))
    assert not await database.read(lambda s: chat_history.is_known(s, str(uuid4())))
    assert await database.read(lambda s: chat_history.thread_of_step(s, asked.run_id)) == "t"


async def test_the_assistant_talked_to_last_is_remembered(database: Database) -> None:
    def said(unit: Unit) -> int:
        shop = add_shop(unit)
        ask(unit, shop, "t")
        return shop.subscriber_id

    account_id = await database.run(said)
    slug = await database.read(lambda s: chat_history.last_offering_slug(s, account_id))
    found = await history(database, "t")
    assert slug is not None
    assert slug == found.offering_slug


async def test_notes_about_a_conversation_are_merged_and_taken_away(
    database: Database, account_id: int
) -> None:
    def note(unit: Unit) -> None:
        chat_history.open_thread(unit.session, "t", account_id, START)
        chat_history.merge_metadata(unit.session, "t", {"chat_profile": "setup-bot", "b": 1})
        chat_history.merge_metadata(unit.session, "t", {"b": None})
        chat_history.merge_metadata(unit.session, "unknown", {"b": 1})

    await database.run(note)
    assert (await history(database, "t")).thread.chat_metadata == {"chat_profile": "setup-bot"}
