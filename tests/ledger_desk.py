"""One database under the ledger machine: a shop, and what is in its books, read fast.

An example of the machine is a transaction that is rolled back, so the tables stay empty. Every
rule of `storage.invariants` goes into one statement, prepared once: checking all of them after
every step is most of what a step costs.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from storage.addresses import driver_url, sqlite_path
from storage.books import Books
from storage.books_postgres import PostgresBooks
from storage.books_sqlite import SqliteBooks
from storage.chain import FIRST_HEAD, EntryLine, entry_hash
from storage.database import Unit
from storage.invariants import RULES
from tests.builders import PlanIds, Shop, add_plan, add_shop

OpenBooks = Callable[[Any], Books]

LONG_AGO: Final = "-60000000"
"""What is overdue is for the sweeper, whom the machine calls or not."""
LEDGER: Final = "wallet, credit_grant, hold, allocation, entry, refund, wallet_change, outbox"
VACUUM_EVERY: Final = 25
"""Examples. What is rolled back stays in PostgreSQL's tables until somebody clears it away."""


def all_rules() -> str:
    """Names the rules that are broken."""
    return " UNION ALL ".join(
        f"SELECT '{rule.replace(chr(39), chr(39) * 2)}'"
        f" WHERE EXISTS ({query.replace(':overdue', LONG_AGO)})"
        for rule, query in RULES.items()
    )


class Desk:
    """A shop in a fresh database, and a connection for the machine's books."""

    def __init__(self, connection: Any, open_books: OpenBooks, shop: Shop, other: PlanIds) -> None:
        self._connection = connection
        self._open_books = open_books
        self._rules = all_rules()
        self._begun = 0
        self.shop = shop
        self.plans = (shop.plan, other)

    def using(self, open_books: OpenBooks) -> "Desk":
        """The same desk with other books."""
        return Desk(self._connection, open_books, self.shop, self.plans[1])

    @property
    def is_postgresql(self) -> bool:
        return isinstance(self._connection, psycopg.Connection)

    def begin(self) -> Books:
        """Begin a transaction. Returns the books in it."""
        if self.is_postgresql and self._begun % VACUUM_EVERY == 0:
            self._connection.execute(f"VACUUM {LEDGER}")
        self._begun += 1
        self._connection.execute("BEGIN" if self.is_postgresql else "BEGIN IMMEDIATE")
        return self._open_books(self._connection)

    def rollback(self) -> None:
        self._connection.execute("ROLLBACK")

    def execute(self, statements: str) -> None:
        """Change the database itself, as for a seeded fault."""
        self._connection.execute(statements)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        if self.is_postgresql:
            found: list[tuple[Any, ...]] = self._connection.execute(
                statement, prepare=True
            ).fetchall()
            return found
        return list(self._connection.execute(statement).fetchall())

    def broken_rules(self) -> list[str]:
        return [rule for (rule,) in self.rows(self._rules)]

    def outbox(self) -> list[tuple[str, dict[str, object], int]]:
        return [
            (topic, payload if isinstance(payload, dict) else json.loads(payload), created_at)
            for topic, payload, created_at in self.rows(OUTBOX)
        ]


WALLET: Final = (
    "SELECT seq, version, held, last_at, spent_day, spent, daily_cap, operator_cap, head"
    " FROM wallet"
)
GRANTS: Final = (
    "SELECT id, plan_id, priority, effective_at, expires_at, amount, remaining, held, revoked,"
    " claimed, state, source, source_ref, origin_id FROM credit_grant ORDER BY id"
)
HOLDS: Final = (
    "SELECT id, state, amount, captured, shortfall, created_at, expires_at, ended_at,"
    " opened_version, ended_version FROM hold ORDER BY id"
)
ENTRIES: Final = (
    "SELECT wallet_id, seq, version, kind, amount, balance_after, grant_id, hold_id, reverses,"
    " idempotency_key, created_at, hash FROM entry ORDER BY seq"
)
REFUNDS: Final = (
    "SELECT id, hold_id, idempotency_key, amount, version, created_at FROM refund ORDER BY id"
)
CHANGES: Final = "SELECT version, kind, grant_id, amount FROM wallet_change ORDER BY version"
OUTBOX: Final = "SELECT topic, payload, created_at FROM outbox ORDER BY id"


class ChainCheck:
    """Follows one wallet's chain, each entry hashed when it is first seen."""

    def __init__(self) -> None:
        self._seen: list[tuple[Any, ...]] = []
        self._head = FIRST_HEAD

    def follow(self, entries: list[tuple[Any, ...]], head: bytes) -> None:
        """Nothing seen before has changed, and what is new leads to the head."""
        known = len(self._seen)
        assert entries[:known] == self._seen, "history changed"
        for *parts, written in entries[known:]:
            self._head = entry_hash(self._head, EntryLine(*parts))
            assert self._head == bytes(written), "an entry does not follow the one before"
        assert self._head == bytes(head), "the head is not the last entry's"
        self._seen = entries


@contextmanager
def opened_desk(address: str, open_books: OpenBooks | None = None) -> Iterator[Desk]:
    """A desk on a migrated database with nothing in it."""
    path = sqlite_path(address)
    engine = create_engine(driver_url(address), poolclass=NullPool)
    with engine.begin() as setting_up:
        driver: Any = setting_up.connection.driver_connection
        unit = Unit(setting_up, PostgresBooks(driver) if path is None else SqliteBooks(driver))
        shop = add_shop(unit)
        other = add_plan(unit.session, shop.builder_id)
        unit.finish()
    engine.dispose()
    connection: Any
    if path is None:
        connection = psycopg.connect(address, autocommit=True)
        connection.execute("SET jit = off")
    else:
        connection = sqlite3.connect(path, isolation_level=None, cached_statements=256)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA recursive_triggers = ON")
    try:
        made = open_books or (PostgresBooks if path is None else SqliteBooks)
        yield Desk(connection, made, shop, other)
    finally:
        connection.close()
