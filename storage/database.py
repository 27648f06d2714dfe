"""The one way to the tables: units of work go in, answers come out.

A *unit of work* is a plain function that is given a `Unit`: all it does lands, or none of it. It
touches the database and nothing else, so no provider and no network is ever waited for while a row
is locked. On SQLite units queue for the one writer (`storage.writer`), which commits many at once;
on PostgreSQL each is a transaction on a pooled connection. Reading goes past the queue, on
connections that cannot write, and sees every write that has been answered.

Either way the work is done in a thread, with its caller's context variables: what it refuses, it
refuses in the caller's language.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from pathlib import Path
from typing import Final, Protocol, TypeAlias, TypeVar

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlmodel import Session

from storage.addresses import PATIENCE, begin_by, driver_url, read_only
from storage.books import Books
from storage.books_sqlite import SqliteBooks
from storage.driver_errors import in_our_words, is_our_fault, trouble
from storage.teller import Teller, UnitTeller
from storage.writer import Writer

T = TypeVar("T")
G = TypeVar("G")
Snapshot: TypeAlias = Session
"""What a read is given: the tables as they were at one moment."""

READERS: Final = 4
"""Threads that read. Reads are short; more would only wait for the same cores."""
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
        """The ledger's verbs; they see what `session` has been given so far."""
        if self._session is not None:
            self._session.flush()
        return self._books

    @property
    def session(self) -> Session:
        """The tables inside this unit. Flushing and committing are done by who runs the unit."""
        if self._session is None:
            self._session = Session(
                self._connection, expire_on_commit=False, join_transaction_mode="rollback_only"
            )
        return self._session

    def finish(self) -> None:
        """Send what `session` still holds; its rows stay readable after the unit."""
        if self._session is not None:
            self._session.flush()
            self._session.expunge_all()


class _Door(Protocol):
    """How units reach one kind of database."""

    @property
    def teller(self) -> Teller: ...

    @property
    def is_broken(self) -> bool: ...

    async def run(self, work: Callable[[Unit], T], *, must_land: bool) -> T: ...

    async def run_apart(self, work: Callable[[Unit], T]) -> T: ...

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
        from storage.door_postgres import PostgresDoor

        readers = create_engine(
            url,
            pool_size=READERS,
            max_overflow=0,
            isolation_level="REPEATABLE READ",
            hide_parameters=True,  # here and everywhere: an error's text may come to the log
            connect_args=PATIENCE,
            execution_options={"postgresql_readonly": True},
        )
        return cls(PostgresDoor(url, waiting_max=WAITING_MAX), readers)

    @property
    def teller(self) -> Teller:
        """The ledger's hot verbs, for callers who have nothing else to write."""
        return self._door.teller

    @property
    def is_broken(self) -> bool:
        """Whether nothing can be written until this process has been started again."""
        return self._door.is_broken

    async def run_apart(self, work: Callable[[Unit], T]) -> T:
        """Run `work` as `run` does, but behind nobody who waits for a wallet on PostgreSQL.

        For what shows that this process is alive: it must not wait until it is taken for dead.
        """
        return await self._door.run_apart(_here(work))

    async def run(self, work: Callable[[Unit], T], *, must_land: bool = False) -> T:
        """Run `work` as one unit: all of it lands, or none.

        What ends or keeps what was begun before `must_land`: it is queued however long the queue.

        Raises:
            LedgerBusy: too much is waiting, or somebody else's lock is; nothing was written.
            LedgerDown: the database cannot be written to.
            LedgerBroken: nor will it be by this process.
            UnfitValue: a value is none that the database can hold.
        """
        return await self._door.run(_here(work), must_land=must_land)

    async def read(self, work: Callable[[Session], T]) -> T:
        """Run `work` on one snapshot that cannot be written to.

        Raises:
            LedgerBusy: somebody else's lock is in the way; try again.
            LedgerDown: the database cannot be reached.
            UnfitValue: what is looked for is nothing that the database could hold.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(self._read, _here(work)))

    async def close(self) -> None:
        """Let what is under way finish, then close every connection.

        The writer comes last: on SQLite the last to leave brings the log into the file, and those
        who only read cannot.
        """
        await asyncio.to_thread(self._threads.shutdown)
        self._readers.dispose()
        await self._door.close()

    def _read(self, work: Callable[[Session], T]) -> T:
        try:
            with Session(self._readers, expire_on_commit=False) as session:
                result = work(session)
                session.expunge_all()
                return result
        except DBAPIError as error:
            raise in_our_words(error) from None


def _here(work: Callable[[G], T]) -> Callable[[G], T]:
    """`work`, to be done elsewhere in the context of here."""
    context = copy_context()
    return lambda given: context.run(work, given)


class SqliteDoor:
    """Every unit through the one writer, many to a commit."""

    def __init__(self, path: Path) -> None:
        self._writer = Writer(path, waiting_max=WAITING_MAX)
        self._teller = UnitTeller(self._run_verb)

    @property
    def teller(self) -> Teller:
        """The same queue: units are grouped anyway."""
        return self._teller

    @property
    def is_broken(self) -> bool:
        """Whether the writer has stopped for good."""
        return self._writer.is_broken

    async def run(self, work: Callable[[Unit], T], *, must_land: bool) -> T:
        """Queue `work` for the writer and wait for its commit."""

        def unit_of(connection: Connection) -> T:
            driver = connection.connection.driver_connection
            assert driver is not None
            unit = Unit(connection, SqliteBooks(driver))
            try:
                result = work(unit)
                unit.finish()
            except (OperationalError, InterfaceError) as error:
                raise in_our_words(error) from None
            except sqlite3.OperationalError as error:  # from the ledger, which knows no SQLAlchemy
                if is_our_fault(error):
                    raise
                raise trouble(error) from None
            return result

        return await self._writer.submit(unit_of, must_land=must_land)

    async def run_apart(self, work: Callable[[Unit], T]) -> T:
        """Queue `work` like any other: nobody waits for a wallet here."""
        return await self.run(work, must_land=True)

    async def _run_verb(self, verb: Callable[[Books], T], *, must_land: bool) -> T:
        return await self.run(lambda unit: verb(unit.books), must_land=must_land)

    async def close(self) -> None:
        """Wait for the writer to finish its queue."""
        await self._writer.close()


def _sqlite_readers(path: Path) -> Engine:
    """Connections that cannot write and never checkpoint, each read on one snapshot."""
    engine = create_engine(
        read_only(path),
        pool_size=READERS,
        max_overflow=0,
        hide_parameters=True,
    )
    begin_by(engine, "BEGIN")
    return engine
