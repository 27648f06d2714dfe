"""Finding conversations by what was said in them, on both kinds of database."""

from functools import partial

import pytest
from alembic import command
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool
from sqlmodel import Session

from storage import chat_history, conversations, deletions, search
from storage.addresses import driver_url
from storage.conversations import NewRun, RunEnd
from storage.credits import MilliCredits
from storage.database import Database, Unit
from storage.migrate import _config, _transaction, upgrade
from storage.run_states import RunState
from tests.builders import Shop, add_account, add_shop
from tests.databases import Databases
from tests.fakes.clock import START
from tests.integration.test_chat_history import ask


async def found(database: Database, account_id: int, wanted: str) -> list[str]:
    page = await database.read(
        lambda s: chat_history.list_threads(s, account_id, first=9, search=wanted)
    )
    return [thread.id for thread in page.threads]


def answered(unit: Unit, asked: NewRun, answer: str) -> None:
    """The end of a run, with what it says."""
    conversations.end_run(
        unit.session,
        RunEnd(
            run_id=asked.run_id,
            answer_id=asked.answer_id,
            state=RunState.COMPLETED,
            text=answer,
            charged=MilliCredits(5_000),
            balance_after=None,
            outcome=None,
            usage=None,
            now=START,
        ),
    )


async def shop_where_was_said(database: Database, question: str, answer: str = "") -> Shop:
    def say(unit: Unit) -> Shop:
        shop = add_shop(unit)
        asked = ask(unit, shop, "t", question)
        if answer:
            answered(unit, asked, answer)
        return shop

    return await database.run(say)


@pytest.mark.parametrize(
    ("said", "wanted", "is_found"),
    [
        pytest.param("How do I cook a Crème brûlée?", "creme BRULEE", True, id="without accents"),
        pytest.param("How do I cook a creme brulee?", "crème", True, id="accents typed"),
        pytest.param("A question of quaternions", "quater", True, id="a word begun"),
        pytest.param("A question of quaternions", "quater question", False, id="in the middle"),
        pytest.param("one two three", "three one", True, id="in any order"),
        pytest.param("one two three", "one four", False, id="each word counts"),
        pytest.param("see https://example.com/a-page", "example.com", True, id="an address"),
        pytest.param("Он сказал привет", "привет", True, id="another alphabet"),
        pytest.param("it costs 100% more", "100%", True, id="a percent sign"),
        pytest.param("it costs 1000 more", "100%", False, id="that is no wildcard"),
    ],
)
async def test_words_are_found_however_they_are_written(
    database: Database, said: str, wanted: str, is_found: bool
) -> None:
    shop = await shop_where_was_said(database, said)
    assert await found(database, shop.subscriber_id, wanted) == (["t"] if is_found else [])


@pytest.mark.parametrize(
    "hostile",
    [
        '"',
        "body : x",
        "x OR account_id : 1",
        "NEAR(one two)",
        "one AND NOT two",
        "* ^ -",
        "') OR 1=1 --",
        "one & ! | two:*",
        "\\ \\",
        "\N{PILE OF POO}",
        "one " * 5_000,
        "'" * 400,
        "\u202e",
        "a\0b",
        "one\0",
        "\0",
        "one \ud800",
        "\udfff",
        "one " * 200 + "\0",
    ],
)
async def test_whatever_is_typed_is_text_and_no_query(database: Database, hostile: str) -> None:
    shop = await shop_where_was_said(database, "one two three")
    assert await found(database, shop.subscriber_id, hostile) in ([], ["t"])
    # Of what looks like an operator, the letters alone count.
    assert await found(database, shop.subscriber_id, "one OR two") == []


@pytest.mark.parametrize("unfit", ["one\0", "one\ud800", "\udc00 one", "\0 one"])
async def test_what_no_database_can_hold_finds_nothing(database: Database, unfit: str) -> None:
    shop = await shop_where_was_said(database, "one two three")
    assert await found(database, shop.subscriber_id, unfit) == []
    assert not await database.read(lambda s: search.excerpts(s, shop.subscriber_id, unfit, ["t"]))


async def test_an_answer_is_found_once_it_has_ended(database: Database) -> None:
    def begin(unit: Unit) -> tuple[Shop, NewRun]:
        shop = add_shop(unit)
        asked = ask(unit, shop, "t")
        conversations.save_text(
            unit.session, asked.run_id, answer_id=asked.answer_id, text="It is forty", now=START
        )
        return shop, asked

    shop, asked = await database.run(begin)
    assert await found(database, shop.subscriber_id, "forty") == []
    await database.run(lambda unit: answered(unit, asked, "It is forty-two"))
    assert await found(database, shop.subscriber_id, "forty-two") == ["t"]


async def test_nobody_finds_what_somebody_else_said(database: Database) -> None:
    await shop_where_was_said(database, "the planted word is xylophone", "a xylophone indeed")
    stranger = await database.run(lambda unit: add_account(unit.session))
    for wanted in ("xylophone", "account_id", "x", "What is"):
        assert await found(database, stranger, wanted) == []
        assert not await database.read(partial(search.excerpts, account_id=stranger,
                                               search=wanted, thread_ids=["t"]))  # fmt: skip


async def test_a_new_name_is_found_and_the_old_one_is_not(database: Database) -> None:
    shop = await shop_where_was_said(database, "What is 6 times 7?")
    for title in ("Grandmother", "Arithmetic"):
        await database.run(partial(rename, title=title))
    assert await found(database, shop.subscriber_id, "arithm") == ["t"]
    assert await found(database, shop.subscriber_id, "grandmother") == []
    assert await found(database, shop.subscriber_id, "times") == ["t"]
    await database.run(check_index)


def check_index(unit: Unit) -> None:
    """FTS5 compares its index with the lines, and raises where they differ."""
    if unit.session.get_bind().dialect.name == "sqlite":
        unit.session.execute(
            text("INSERT INTO search_index (search_index) VALUES ('integrity-check')")
        )


def rename(unit: Unit, title: str) -> None:
    chat_history.name_thread(unit.session, "t", title)


async def test_a_deleted_conversation_is_found_by_nothing(database: Database) -> None:
    shop = await shop_where_was_said(database, "the word is xylophone", "xylophone, yes")
    await database.run(lambda unit: deletions.delete_thread(unit.session, "t", START))
    assert await found(database, shop.subscriber_id, "xylophone") == []
    left = await database.read(
        lambda s: s.execute(text("SELECT COUNT(*) FROM search_line")).scalar_one()
    )
    assert left == 0


async def test_a_line_of_the_latest_message_is_shown_with_it(database: Database) -> None:
    said = "a long way round " * 9 + "to the Zürich lake and " + "further on " * 20
    shop = await shop_where_was_said(database, said)
    shown = await database.read(
        lambda s: search.excerpts(s, shop.subscriber_id, "zurich la", ["t"])
    )
    assert "to the Zürich lake and" in shown["t"]
    assert shown["t"].startswith("…")
    assert len(shown["t"]) <= search.EXCERPT_MAX + 2


async def test_what_comes_first_is_what_was_used_last(database: Database) -> None:
    def say(unit: Unit) -> Shop:
        shop = add_shop(unit)
        for number in (2, 3, 1):
            asked = ask(unit, shop, f"t{number}", "a common word")
            conversations.touch_thread(unit.session, asked.thread_id, START + number)  # type: ignore[arg-type]
        return shop

    shop = await database.run(say)
    assert await found(database, shop.subscriber_id, "common") == ["t3", "t2", "t1"]


def test_what_was_said_before_there_was_a_search_is_found(
    databases: Databases, database_kind: str
) -> None:
    """Conversations from before the migration that brought the index."""
    before = (
        "INSERT INTO account (email, name, state, created_at) VALUES ('a@b.c', 'A', 'active', 1)",
        (
            "INSERT INTO thread (id, account_id, title, chat_metadata, tags, created_at,"
            " updated_at) VALUES ('t', 1, 'Old sums', '{}', '[]', 1, 1)"
        ),
        (
            "INSERT INTO message (id, thread_id, speaker, text, created_at, updated_at)"
            " VALUES ('m', 't', 'subscriber', 'a xylophone', 1, 1)"
        ),
    )
    with databases.fresh(database_kind, is_migrated=False) as address:
        with _transaction(address) as connection:
            command.upgrade(_config(connection), "0003")
            for statement in before:
                connection.execute(text(statement))
        upgrade(address)
        engine = create_engine(driver_url(address), poolclass=NullPool)
        with Session(engine) as session:
            for wanted in ("sums", "xyloph"):
                page = chat_history.list_threads(session, 1, first=9, search=wanted)
                assert [thread.id for thread in page.threads] == ["t"]
        engine.dispose()
