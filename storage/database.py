"""The one way to the tables: units of work go in, answers come out.

A *unit of work* is a plain function that is given a `Unit`: all it does lands, or none of it. It
touches the database and nothing else, so no provider and no network is ever waited for while a row
is locked. On SQLite units queue for the one writer (`storage.writer`), which commits many at once;
on PostgreSQL each is a transaction on a pooled connection. Reading goes past the queue, on
connections that cannot write, and sees every write that has been answered.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, Protocol, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from storage.books import Books
from storage.books_sqlite import SqliteBooks
from storage.errors import LedgerBusy, LedgerDown
from storage.writer import Writer

T = TypeVar("T")

READERS: Final = 4
"""Threads that read. Reads are short; more would only wait for the same cores."""
POSTGRES_WRITERS: Final = 8
WAITING_MAX: Final = 4096
"""Units that may wait to be written. Beyond it the honest answer is "try again"."""


class Unit:
    """What a unit of work may touch: the tables by `session`, the ledger by `books`."""

    def __init__(self, connection: Connection, books: Books) -> None:
        self._books = books
        self._connection = connection
        self._session: Session | None = None

    @property
    def books(self) -> Books:
        """The ledger's verbs; they see what the session has been given so far."""
        if self._session is not None:
            self._session.flush()
        return self._books

    @property
    def session(self) -> Session:
        """A session inside this unit. Flushing and committing are done by who runs the unit."""
        if self._session is None:
            self._session = Session(
                self._connection, expire_on_commit=False, join_transaction_mode="rollback_only"
            )
        return self._session

    def finish(self) -> None:
        """Send what the session still holds; its rows stay readable after the unit."""
        if self._session is not None:
            self._session.flush()
            self._session.expunge_all()


class _Door(Protocol):
    """How units reach one kind of database."""

    async def run(self, work: Callable[[Unit], T]) -> T: ...

    async def close(self) -> None: ...


class Database:
    """The tables of one installation."""

    def __init__(self, door: _Door, readers: Engine) -> None:
        self._door = door
        self._readers = readers
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="farebox-read")

    @classmethod
    def open(cls, address: str) -> "Database":
        """Connect to `sqlite:///path` or `postgresql://…`, which must have been migrated."""
        url = driver_url(address)
        if url.get_backend_name() == "sqlite":
            path = Path(url.database or "")
            return cls(SqliteDoor(path), _sqlite_readers(path))
        # The ledger's functions lock before they read, which needs READ COMMITTED.
        writers = create_engine(
            url, pool_size=POSTGRES_WRITERS, max_overflow=0, isolation_level="READ COMMITTED"
        )
        readers = create_engine(
            url,
            pool_size=READERS,
            max_overflow=0,
            isolation_level="REPEATABLE READ",
            execution_options={"postgresql_readonly": True},
        )
        return cls(PostgresDoor(writers), readers)

    async def run(self, work: Callable[[Unit], T]) -> T:
        """Run `work` as one unit: all of it lands, or none.

        Raises:
            LedgerBusy: too much is waiting; nothing was written.
            LedgerDown: the database cannot be written to.
        """
        return await self._door.run(work)

    async def read(self, work: Callable[[Session], T]) -> T:
        """Run `work` on one snapshot that cannot be written to."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(self._read, work))

    async def close(self) -> None:
        """Let what is under way finish, then close every connection."""
        await self._door.close()
        await asyncio.to_thread(self._threads.shutdown)
        self._readers.dispose()

    def _read(self, work: Callable[[Session], T]) -> T:
        with Session(self._readers, expire_on_commit=False) as session:
            result = work(session)
            session.expunge_all()
            return result


class SqliteDoor:
    """Every unit through the one writer, many to a commit."""

    def __init__(self, path: Path) -> None:
        self._writer = Writer(path, waiting_max=WAITING_MAX)

    async def run(self, work: Callable[[Unit], T]) -> T:
        """Queue `work` for the writer and wait for its commit."""

        def unit_of(connection: Connection) -> T:
            driver = connection.connection.driver_connection
            assert driver is not None
            unit = Unit(connection, SqliteBooks(driver))
            result = work(unit)
            unit.finish()
            return result

        return await self._writer.submit(unit_of)

    async def close(self) -> None:
        """Wait for the writer to finish its queue."""
        await self._writer.close()


class PostgresDoor:
    """Each unit in a transaction of its own, on one of a few threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._threads = ThreadPoolExecutor(POSTGRES_WRITERS, thread_name_prefix="farebox-write")
        self._waiting = 0

    async def run(self, work: Callable[[Unit], T]) -> T:
        """Run `work` in a transaction."""
        if self._waiting >= WAITING_MAX:
            raise LedgerBusy
        self._waiting += 1
        loop = asyncio.get_running_loop()
        # Counted down by the work itself: a caller who is cancelled leaves it queued.
        return await loop.run_in_executor(self._threads, partial(self._run, work))

    def _run(self, work: Callable[[Unit], T]) -> T:
        from storage.books_postgres import PostgresBooks

        self._waiting -= 1
        try:
            with self._engine.begin() as connection:
                driver = connection.connection.driver_connection
                assert driver is not None
                unit = Unit(connection, PostgresBooks(driver))
                result = work(unit)
                unit.finish()
                return result
        except OperationalError:
            raise LedgerDown from None

    async def close(self) -> None:
        """Wait for the transactions under way."""
        await asyncio.to_thread(self._threads.shutdown)
        self._engine.dispose()


def driver_url(address: str) -> URL:
    """The address with the driver we use: psycopg 3 for PostgreSQL."""
    url = make_url(address)
    if url.get_backend_name() == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    return url


def _sqlite_readers(path: Path) -> Engine:
    """Connections that cannot write and never checkpoint, each read on one snapshot."""
    engine = create_engine(
        f"sqlite:///file:{path}?mode=ro&uri=true", pool_size=READERS, max_overflow=0
    )

    @event.listens_for(engine, "connect")
    def _plain(connection: object, _record: object) -> None:
        connection.isolation_level = None  # type: ignore[attr-defined]

    @event.listens_for(engine, "begin")
    def _snapshot(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine
