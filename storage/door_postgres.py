"""How units of work reach PostgreSQL: each in a transaction of its own, on one of a few threads.

Nobody waits for ever. Whoever waits too long for a row that somebody else has locked is told
"busy", and a server that vanished is missed in half a minute. Showing that this process is alive
has a thread and a connection of its own: were it to wait behind those who wait for one wallet,
others would take this process for dead and release what it holds. Verbs of the ledger that come
alone travel together (`storage.teller_postgres`).
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.exc import DBAPIError

from storage.addresses import PATIENCE
from storage.books_postgres import PostgresBooks
from storage.driver_errors import in_our_words
from storage.errors import LedgerBusy, LedgerDown
from storage.teller import Teller
from storage.teller_postgres import PostgresTeller

if TYPE_CHECKING:
    from storage.database import Unit

T = TypeVar("T")

WRITERS: Final = 8
LOCK_TIMEOUT_S: Final = 10
"""How long a unit waits for a row: long beside any unit, short beside a lease."""


class PostgresDoor:
    """Each unit in a transaction of its own, on one of a few threads."""

    def __init__(self, url: URL, *, waiting_max: int) -> None:
        # The ledger's functions lock before they read, which needs READ COMMITTED.
        self._engine = create_engine(
            url,
            pool_size=WRITERS + 1,
            max_overflow=0,
            isolation_level="READ COMMITTED",
            hide_parameters=True,
            connect_args=PATIENCE,
        )
        event.listen(self._engine, "connect", _wait_for_no_row_for_ever)
        plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._teller = PostgresTeller(plain, waiting_max=waiting_max)
        self._threads = ThreadPoolExecutor(WRITERS, thread_name_prefix="farebox-write")
        self._apart = ThreadPoolExecutor(1, thread_name_prefix="farebox-apart")
        self._waiting_max = waiting_max
        self._waiting = 0
        self._is_closed = False

    @property
    def teller(self) -> Teller:
        """Connections of its own, on which verbs travel together."""
        return self._teller

    @property
    def is_broken(self) -> bool:
        """Never: what became of a commit is the server's to know, and a new connection asks it."""
        return False

    async def run(self, work: "Callable[[Unit], T]", *, must_land: bool) -> T:
        """Run `work` in a transaction."""
        if self._is_closed:
            raise LedgerDown("the database is closed")
        if self._waiting >= self._waiting_max and not must_land:
            raise LedgerBusy
        self._waiting += 1
        loop = asyncio.get_running_loop()
        queued = loop.run_in_executor(self._threads, partial(self._run, work))
        queued.add_done_callback(self._count_down)
        # A caller who is cancelled takes nothing out of the queue: as on SQLite the write stands.
        return await asyncio.shield(queued)

    async def run_apart(self, work: "Callable[[Unit], T]") -> T:
        """Run `work` in a transaction on the thread and the connection that nobody else has."""
        if self._is_closed:
            raise LedgerDown("the database is closed")
        loop = asyncio.get_running_loop()
        return await asyncio.shield(loop.run_in_executor(self._apart, partial(self._run, work)))

    def _count_down(self, _queued: object) -> None:
        self._waiting -= 1

    def _run(self, work: "Callable[[Unit], T]") -> T:
        try:
            with self._engine.connect() as connection:
                try:
                    return _in_transaction(connection, work)
                except (DBAPIError, LedgerDown) as error:
                    told = in_our_words(error) if isinstance(error, DBAPIError) else error
                    if isinstance(told, LedgerDown):
                        connection.invalidate()  # perhaps another server is the right one by now
                    raise told from None
        except DBAPIError as error:  # from connecting
            raise in_our_words(error) from None

    async def close(self) -> None:
        """Wait for the transactions under way."""
        self._is_closed = True
        await self._teller.close()
        await asyncio.to_thread(self._threads.shutdown)
        await asyncio.to_thread(self._apart.shutdown)
        self._engine.dispose()


def _in_transaction(connection: Connection, work: "Callable[[Unit], T]") -> T:
    from storage.database import Unit  # which opens this door, and so comes after it

    with connection.begin():
        driver = connection.connection.driver_connection
        assert driver is not None
        unit = Unit(connection, PostgresBooks(driver))
        result = work(unit)
        unit.finish()
        return result


def _wait_for_no_row_for_ever(connection: Any, _record: object) -> None:
    connection.execute(f"SET lock_timeout = '{LOCK_TIMEOUT_S}s'")
    connection.commit()
