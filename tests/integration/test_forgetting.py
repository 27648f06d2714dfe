"""A deleted conversation is nowhere any more: not in the tables, not in the file, not upstream."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace

import pytest
import pytest_asyncio
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool
from typing_extensions import override

from farebox.demo.upstream.refusals import Refusal
from host.errors import UnknownThread
from host.providers.base import Credential
from host.providers.openai_client import OpenAIClients
from host.providers.openai_responses import ResponsesProvider
from host.runs.forgetting import PAUSES, TAKEN_FOR, Forgetting
from storage import chat_history, deletions
from storage.addresses import driver_url, sqlite_path
from storage.database import Database, Unit
from storage.ledger import receipt
from storage.models.conversations import Element, Feedback, Step, UpstreamDeletion
from storage.moments import Micros
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


class HeldProvider(ResponsesProvider):
    """Deletes what the real one would, once the test lets it."""

    def __init__(self, clients: OpenAIClients) -> None:
        super().__init__(clients)
        self.asked: list[str | None] = []
        """The conversations that it was told to forget."""
        self.reached, self.may_go_on = asyncio.Event(), asyncio.Event()

    @override
    async def forget_thread(
        self,
        credential: Credential,
        *,
        provider_thread: str | None,
        provider_runs: tuple[str, ...],
    ) -> None:
        self.asked.append(provider_thread)
        self.reached.set()
        await self.may_go_on.wait()
        await super().forget_thread(
            credential, provider_thread=provider_thread, provider_runs=provider_runs
        )


@pytest_asyncio.fixture
async def held(hall: Hall) -> AsyncIterator[HeldProvider]:
    clients = OpenAIClients(hall.means.settings.upstreams)
    yield HeldProvider(clients)
    await clients.close()


def another(hall: Hall, provider: HeldProvider, *, patience_s: float = 3.0) -> Forgetting:
    means = replace(hall.means, providers={"responses": provider})
    return Forgetting(means, hall.runs, patience_s=patience_s)


async def test_what_a_person_did_not_wait_for_is_deleted_in_the_background_at_once(
    hall: Hall, forgetting: Forgetting, held: HeldProvider
) -> None:
    await hall.ask(PLANTED)
    hurried = another(hall, held, patience_s=0.1)
    assert not await hurried.delete(THREAD, account_id=hall.shop.subscriber_id)
    (note,) = await notes(hall)
    assert (note.next_at, note.tries) == (hall.clock.now(), 0)
    await forgetting.work_off()
    assert PLANTED not in upstream_remembers(hall)
    assert await notes(hall) == []


async def test_of_two_processes_each_works_on_other_notes(
    hall: Hall, forgetting: Forgetting, held: HeldProvider
) -> None:
    await left_to_forget(hall, "one", "two")
    first = asyncio.create_task(another(hall, held).work_off())
    await held.reached.wait()
    await forgetting.work_off()
    (note,) = await notes(hall)
    assert note.thread_id == "one"
    await forgetting.work_off()  # which is not its own, so it is left alone
    held.may_go_on.set()
    await first
    assert held.asked == [note.provider_thread]
    assert await notes(hall) == []
    assert PLANTED not in upstream_remembers(hall)


async def test_the_note_of_a_process_that_died_is_taken_a_minute_later(
    hall: Hall, forgetting: Forgetting
) -> None:
    await left_to_forget(hall, "one")
    (note,) = await notes(hall)
    assert note.id is not None
    number, now = note.id, hall.clock.now()
    taken = await hall.database.run(
        lambda u: deletions.take_deletion(
            u.session, number, now=now, until=Micros(now + TAKEN_FOR)
        )
    )
    assert taken is not None
    await forgetting.work_off()
    assert len(await notes(hall)) == 1
    hall.clock.advance(TAKEN_FOR)
    await forgetting.work_off()
    assert await notes(hall) == []
    assert PLANTED not in upstream_remembers(hall)


async def left_to_forget(hall: Hall, *thread_ids: str) -> None:
    """Conversations that are deleted here, and not yet at their provider."""
    for thread_id in thread_ids:
        await hall.ask(PLANTED, thread_id=thread_id)
        now = hall.clock.now()
        await hall.database.run(
            lambda u, it=thread_id, at=now: deletions.delete_thread(u.session, it, at)  # type: ignore[misc]
        )


async def notes(hall: Hall) -> list[UpstreamDeletion]:
    account_id = hall.shop.subscriber_id
    return list(await hall.database.read(lambda s: deletions.deletions_of(s, account_id)))
