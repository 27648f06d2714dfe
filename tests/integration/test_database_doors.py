"""What reaches the database when callers leave, locks are held or files have odd names."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Barrier, Event, Semaphore

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from sqlalchemy import text

from host.api.health import health_router
from host.clock import SystemClock
from host.config import Settings
from host.vault.envelope import MasterKey
from host.vault.vault import Vault
from storage import chat_history, writer
from storage import database as module
from storage.accounts import find_account_by_email
from storage.addresses import sqlite_address, sqlite_path
from storage.database import Database, Unit
from storage.door_postgres import WRITERS
from storage.errors import LedgerBusy, LedgerDown
from storage.migrate import check_is_current, current, newest, upgrade
from storage.models.conversations import Element, Feedback, Step
from tests.builders import add_account
from tests.databases import Databases
from tests.fakes.clock import START

NO_POSTGRESQL = "postgresql://root@127.0.0.1:1/nowhere"


@pytest.fixture
def writers(database_kind: str) -> int:
    """How many units are carried out at the same time."""
    return 1 if database_kind == "sqlite" else WRITERS


@pytest.fixture
def sqlite_file(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A migrated file, opened by a writer that waits for nobody's lock."""
    calm = tuple(pragma for pragma in writer.PRAGMAS if "busy_timeout" not in pragma)
    monkeypatch.setattr(writer, "PRAGMAS", (*calm, "PRAGMA busy_timeout=0"))
    with databases.fresh("sqlite") as address:
        path = sqlite_path(address)
        assert path is not None
        yield path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program in the middle of a write."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def all_at_once(database: Database, works: int, work: Callable[[Unit], object]) -> None:
    """Carry it out on so many threads together; what was queued before has then been done."""
    together = Barrier(works)

    def meet(unit: Unit) -> None:
        together.wait(10)
        work(unit)

    await asyncio.gather(*(database.run(meet) for _ in range(works)))


async def leave(database: Database, writers: int, email: str) -> None:
    """Ask for a write while every thread is busy, and do not wait for it."""
    begun, go_on = Semaphore(0), Event()

    def busy(_: Unit) -> None:
        begun.release()
        assert go_on.wait(10)

    going_on = [asyncio.create_task(database.run(busy)) for _ in range(writers)]
    for _ in going_on:
        await asyncio.to_thread(begun.acquire)
    left = asyncio.create_task(database.run(partial(add, email=email)))
    await asyncio.to_thread(lambda: None)  # it has been queued by now
    left.cancel()
    await asyncio.wait([left])
    assert left.cancelled()
    go_on.set()
    await asyncio.gather(*going_on)
    await all_at_once(database, writers, lambda unit: None)


async def is_there(database: Database, email: str) -> bool:
    return await database.read(lambda s: find_account_by_email(s, email)) is not None


async def test_a_write_stands_although_its_caller_left(database: Database, writers: int) -> None:
    async with asyncio.timeout(30):
        await leave(database, writers, "left@example.com")
    assert await is_there(database, "left@example.com")


async def test_callers_who_left_do_not_use_up_the_queue(
    database: Database, writers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAITING_MAX", WRITERS + 1)
    async with asyncio.timeout(60):
        for number in range(WRITERS + 2):
            await leave(database, writers, f"{number}@example.com")
        await all_at_once(database, writers, lambda unit: None)


async def test_a_foreign_lock_is_waited_out_and_then_forgotten(sqlite_file: Path) -> None:
    database = Database.open(sqlite_address(sqlite_file))
    with locked(sqlite_file), pytest.raises(LedgerBusy):
        await database.run(add_somebody)
    await database.run(add_somebody)
    assert await is_there(database, "somebody@example.com")
    await database.close()


async def test_a_foreign_lock_in_mid_life_is_forgotten_too(sqlite_file: Path) -> None:
    database = Database.open(sqlite_address(sqlite_file))
    await database.run(lambda unit: None)
    with locked(sqlite_file), pytest.raises(LedgerBusy):
        await database.run(add_somebody)
    await database.run(add_somebody)
    await database.close()


async def test_a_file_that_appears_later_is_then_written(tmp_path: Path) -> None:
    path = tmp_path / "later" / "farebox.db"
    database = Database.open(sqlite_address(path))
    with pytest.raises(LedgerDown):
        await database.run(add_somebody)
    with pytest.raises(LedgerDown):
        await database.read(lambda s: find_account_by_email(s, "somebody@example.com"))
    path.parent.mkdir()
    upgrade(sqlite_address(path))
    await database.run(add_somebody)
    assert await is_there(database, "somebody@example.com")
    await database.close()


def test_asking_for_the_revision_waits_for_nobody_and_makes_nothing(sqlite_file: Path) -> None:
    with locked(sqlite_file):
        assert current(sqlite_address(sqlite_file)) == newest()
        check_is_current(sqlite_address(sqlite_file))
    missing = sqlite_file.with_name("missing.db")
    assert current(sqlite_address(missing)) is None
    assert not missing.exists()


async def test_a_host_that_cannot_write_is_not_ready_until_it_can(sqlite_file: Path) -> None:
    address = sqlite_address(sqlite_file)
    database = Database.open(address)
    vault = Vault(database, SystemClock(), MasterKey(bytes(32)))
    web = FastAPI()
    web.include_router(health_router(Settings(database_url=address), database, vault))
    async with AsyncClient(transport=ASGITransport(web), base_url="http://host") as client:
        with locked(sqlite_file):
            stuck = await client.get("/readyz")
        free = await client.get("/readyz")
    await database.close()
    assert (stuck.status_code, stuck.json()["database"]) == (503, "failed")
    assert (free.status_code, free.json()["database"]) == (200, "ok")


async def test_a_broken_writer_does_not_quote_what_broke_it(sqlite_file: Path) -> None:
    database = Database.open(sqlite_address(sqlite_file))

    def lose_the_transaction(unit: Unit) -> None:
        unit.session.execute(text("ROLLBACK"))
        raise RuntimeError("words that somebody wrote")

    for work in (lose_the_transaction, add_somebody):
        with pytest.raises(LedgerDown) as down:
            await database.run(work)
        assert str(down.value) == "RuntimeError"
    await database.close()


@pytest.mark.parametrize(
    "write",
    [lambda u: u.books.open_wallet(1), lambda u: add(u, "x@example.com")],
    ids=["by the ledger", "by the tables"],
)
async def test_a_file_that_turns_read_only_is_named_down(
    sqlite_file: Path, write: Callable[[Unit], object]
) -> None:
    database = Database.open(sqlite_address(sqlite_file))

    def forbidden(unit: Unit) -> None:
        unit.session.execute(text("PRAGMA query_only=ON"))
        write(unit)

    with pytest.raises(LedgerDown):
        await database.run(forbidden)
    await database.close()


async def test_a_server_that_is_not_there_is_named_down() -> None:
    database = Database.open(NO_POSTGRESQL)
    with pytest.raises(LedgerDown):
        await database.read(lambda s: find_account_by_email(s, "somebody@example.com"))
    with pytest.raises(LedgerDown):
        await database.run(add_somebody)
    await database.close()
    with pytest.raises(LedgerDown):
        check_is_current(NO_POSTGRESQL)


# On one kind of database only: one writes after the other.
@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_of_two_who_wait_for_each_other_one_may_try_again(
    database: Database, database_kind: str
) -> None:
    emails = ("a@example.com", "b@example.com")
    for email in emails:
        await database.run(partial(add, email=email))
    both_have_one = Barrier(2)

    def lock(unit: Unit, first: str, second: str) -> None:
        statement = text("SELECT id FROM account WHERE email = :email FOR UPDATE")
        unit.session.execute(statement, {"email": first})
        both_have_one.wait(10)
        unit.session.execute(statement, {"email": second})

    async with asyncio.timeout(30):
        ends = await asyncio.gather(
            database.run(lambda u: lock(u, *emails)),
            database.run(lambda u: lock(u, *reversed(emails))),
            return_exceptions=True,
        )
    assert {type(end) for end in ends} == {LedgerBusy, type(None)}


@pytest.mark.parametrize("name", ["50%41", "no#1", "why?mode=rw", "a b"])
async def test_a_file_of_any_name_is_one_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / "farebox.db"
    path.parent.mkdir()
    upgrade(sqlite_address(path))
    database = Database.open(sqlite_address(path))
    await database.run(add_somebody)
    assert await is_there(database, "somebody@example.com")
    await database.close()
    assert names(tmp_path, "*") == [name]
    assert names(path.parent, "*.db") == ["farebox.db"]


async def test_what_is_drawn_twice_at_once_is_kept_once(database: Database, writers: int) -> None:
    def draw(unit: Unit) -> None:
        step = Step(id="s", thread_id="t", type="run", output="hello", created_at=START)
        card = Element(
            id="e", thread_id="t", for_id="s", type="custom", name="Card", created_at=START
        )
        thumb = Feedback(id=f"f{id(step)}", for_id="s", thread_id="t", value=1, created_at=START)
        assert chat_history.save_step(unit.session, step, START)
        assert chat_history.save_element(unit.session, card)
        chat_history.save_feedback(unit.session, thumb)

    await database.run(lambda u: chat_history.open_thread(u.session, "t", None, START))
    for _ in range(3):
        await all_at_once(database, writers, draw)
        found = await database.read(lambda s: chat_history.read_history(s, "t"))
        assert found is not None
        assert (len(found.steps), len(found.elements), len(found.feedback)) == (1, 1, 1)
        await database.run(lambda u: chat_history.delete_step(u.session, "t", "s"))


def names(directory: Path, pattern: str) -> list[str]:
    return [found.name for found in directory.glob(pattern)]


def add_somebody(unit: Unit) -> None:
    add(unit, "somebody@example.com")


def add(unit: Unit, email: str) -> None:
    add_account(unit.session, email=email)


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_a_standby_that_only_reads_is_named_down(database: Database) -> None:
    """After a failover: the ledger's functions and plain statements alike."""

    def on_a_standby(work: Callable[[Unit], object]) -> Callable[[Unit], object]:
        def refused(unit: Unit) -> object:
            unit.session.execute(text("SET TRANSACTION READ ONLY"))
            return work(unit)

        return refused

    with pytest.raises(LedgerDown):
        await database.run(on_a_standby(lambda unit: add_account(unit.session)))
    with pytest.raises(LedgerDown):
        await database.run(on_a_standby(lambda unit: unit.books.open_wallet(1)))


async def test_a_database_that_was_closed_refuses_in_words(database_url: str) -> None:
    closed = Database.open(database_url)
    await closed.run(lambda unit: add_account(unit.session))
    await closed.close()
    with pytest.raises(LedgerDown):
        await closed.run(lambda unit: add_account(unit.session))


async def test_closing_takes_no_more_and_ends_although_others_still_ask(
    sqlite_file: Path,
) -> None:
    closing_down = Database.open(sqlite_address(sqlite_file))

    async def ask_again_and_again() -> None:
        while True:
            with suppress(LedgerBusy):
                await closing_down.run(lambda unit: add_account(unit.session))

    with locked(sqlite_file):
        asking = [asyncio.create_task(ask_again_and_again())]
        for _ in range(2):  # what the first asked for is with the writer by then
            await asyncio.sleep(0)
        asking.append(asyncio.create_task(ask_again_and_again()))  # so the queue is never empty
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await closing_down.close()
            ends = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(end) for end in ends] == [LedgerDown, LedgerDown]
