"""A deleted conversation is nowhere any more: not in the tables, not in the file, not upstream."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing

import pytest
import pytest_asyncio
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from farebox.demo.upstream.refusals import Refusal
from host.errors import UnknownThread
from host.runs.forgetting import PAUSES, Forgetting
from storage import chat_history, deletions
from storage.addresses import driver_url, sqlite_path
from storage.database import Database, Unit
from storage.ledger import receipt
from storage.models.conversations import Element, Feedback, Step, UpstreamDeletion
from tests.builders import add_account
from tests.conversing import THREAD, Hall, open_hall
from tests.fakes.clock import START, ManualClock

PLANTED = "The heron nests behind the disused mill"


@pytest_asyncio.fixture
async def hall(database: Database, database_url: str, clock: ManualClock) -> AsyncIterator[Hall]:
    async with open_hall(database, database_url, clock) as opened:
        yield opened


@pytest.fixture
def forgetting(hall: Hall) -> Forgetting:
    return Forgetting(hall.means, hall.runs)


def in_database(address: str, planted: str) -> list[str]:
    """Where a text stands: tables of PostgreSQL, or the bytes of the file of SQLite."""
    path = sqlite_path(address)
    if path is not None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        files = [path, path.with_name(f"{path.name}-wal")]
        return [f.name for f in files if f.exists() and planted.encode() in f.read_bytes()]
    engine = create_engine(driver_url(address), poolclass=NullPool)
    with engine.connect() as connection:
        tables = connection.execute(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        ).scalars()
        found = [
            table
            for table in tables
            if connection.execute(
                text(f"SELECT COUNT(*) FROM {table} AS row WHERE row::text LIKE :planted"),  # noqa: S608
                {"planted": f"%{planted}%"},
            ).scalar_one()
        ]
    engine.dispose()
    return found


def upstream_remembers(hall: Hall) -> str:
    desk = hall.upstream._desk
    return repr(desk._kept) + repr(desk._memory._conversations)


def draw(unit: Unit) -> None:
    """What the chat adds to a conversation: a step, an element, an opinion."""
    step = Step(id="s", thread_id=THREAD, type="user_message", output=PLANTED, created_at=START)
    element = Element(
        id="e", thread_id=THREAD, for_id="s", type="custom", name="Card",
        props={"line": PLANTED}, created_at=START,
    )  # fmt: skip
    opinion = Feedback(
        id="f", for_id="s", thread_id=THREAD, value=1, comment=PLANTED, created_at=START
    )
    chat_history.save_step(unit.session, step, START)
    chat_history.save_element(unit.session, element)
    chat_history.save_feedback(unit.session, opinion)


async def test_a_sentence_of_a_deleted_conversation_is_found_nowhere(
    hall: Hall, forgetting: Forgetting, database_url: str
) -> None:
    outcome = await hall.ask(PLANTED)
    await hall.ask("Did I say anything?")
    await hall.database.run(draw)
    assert PLANTED in upstream_remembers(hall)
    assert in_database(database_url, PLANTED)

    assert await forgetting.delete(THREAD, account_id=hall.shop.subscriber_id)
    await forgetting.work_off()

    assert PLANTED not in upstream_remembers(hall)
    assert in_database(database_url, PLANTED) == []
    assert in_database(database_url, "heron") == []  # nor is a word of it in the index
    kept = await hall.database.read(lambda s: receipt(s, outcome.receipt_id))
    assert kept is not None
    assert kept.captured == outcome.charged == 5_000


async def test_what_the_provider_did_not_delete_is_tried_again(
    hall: Hall, forgetting: Forgetting
) -> None:
    await hall.ask(PLANTED)
    hall.upstream.refuse_next(Refusal(500, "not now"))
    assert not await forgetting.delete(THREAD, account_id=hall.shop.subscriber_id)
    (note,) = await notes(hall)
    assert note.next_at == hall.clock.now() + PAUSES[0]
    await forgetting.work_off()
    assert PLANTED in upstream_remembers(hall), "it is not due yet"
    hall.clock.advance(PAUSES[0])
    await forgetting.work_off()
    assert PLANTED not in upstream_remembers(hall)
    assert await notes(hall) == []


async def test_what_cannot_be_deleted_upstream_is_given_up_and_stays_to_be_seen(
    hall: Hall, forgetting: Forgetting
) -> None:
    await hall.ask(PLANTED)
    hall.upstream.refuse_next(*[Refusal(500, "never")] * (len(PAUSES) + 1))
    assert not await forgetting.delete(THREAD, account_id=hall.shop.subscriber_id)
    for pause in PAUSES:
        hall.clock.advance(pause)
        await forgetting.work_off()
    (note,) = await notes(hall)
    assert (note.next_at, note.tries) == (None, len(PAUSES) + 1)


async def test_an_answer_being_written_is_stopped_and_deleted_with_the_rest(
    hall: Hall, forgetting: Forgetting
) -> None:
    gate = hall.upstream.hold_answers(after_words=3)
    live = await hall.begin(PLANTED)
    await live.changed()
    assert await forgetting.delete(THREAD, account_id=hall.shop.subscriber_id)
    gate.open()
    await hall.upstream.all_quiet()
    assert live.is_over
    assert await hall.said() == []
    assert PLANTED not in upstream_remembers(hall)


async def test_nobody_deletes_what_is_not_theirs(hall: Hall, forgetting: Forgetting) -> None:
    await hall.ask(PLANTED)
    stranger = await hall.database.run(lambda unit: add_account(unit.session))
    for account_id in (stranger, None):
        with pytest.raises(UnknownThread):
            await forgetting.delete(THREAD, account_id=account_id)
    with pytest.raises(UnknownThread):
        await forgetting.delete("no such thread", account_id=hall.shop.subscriber_id)
    assert len(await hall.said()) == 2


async def notes(hall: Hall) -> list[UpstreamDeletion]:
    account_id = hall.shop.subscriber_id
    return list(await hall.database.read(lambda s: deletions.deletions_of(s, account_id)))
