"""A ledger with a long past, written in bulk: the rows that the verbs would have left behind.

For every message: its hold (captured), the allocation, and the charge, with the numbers, versions
and hashes that `storage.books` would have given them. They come in order of time, one wallet
after another, into tables that keep all their indexes, so the trees on disk have grown as they
would have. Wallets and grants are made by the verbs themselves (`contestants.open_shops`); only
their totals are set here. `storage.invariants` is the judge.
"""

import gc
import itertools
import random
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias
from uuid import UUID

import psycopg

from benchmarks.ledger.contestants import GIVEN, OWNER, PRICE
from storage.addresses import sqlite_path
from storage.chain import EntryLine, entry_hash
from storage.credits import HoldState, day_of
from storage.models.money import EntryKind, Operation
from storage.moments import MINUTE
from tests.builders import Shop
from tests.fakes.clock import START

Row: TypeAlias = tuple[object, ...]

CHUNK: Final = 20_000
"""Messages written at a time."""
APART_US: Final = 10_000
"""Time from one message to the next."""
HOLD: Final = (
    *("id", "public_id", "wallet_id", "operation", "idempotency_key", "fingerprint"),
    *("offering_id", "owner", "amount", "captured", "shortfall", "state", "created_at"),
    *("expires_at", "ended_at", "opened_version", "ended_version"),
)
ALLOCATION: Final = ("hold_id", "grant_id", "wallet_id", "amount")
ENTRY: Final = (
    *("wallet_id", "seq", "version", "kind", "amount", "balance_after", "grant_id", "hold_id"),
    *("created_at", "hash"),
)
_TABLES: Final = (("hold", HOLD), ("allocation", ALLOCATION), ("entry", ENTRY))
_QUICK_LOAD: Final = (
    "PRAGMA synchronous=OFF",  # a benchmark's database is made again if the power fails
    "PRAGMA foreign_keys=OFF",
    "PRAGMA cache_size=-1000000",
)


@dataclass(slots=True)
class _Purse:
    """A wallet with its one grant, while messages are charged to it."""

    shop: Shop
    grant_id: int
    seq: int
    version: int
    head: bytes
    spent: int = 0
    spent_that_day: int = 0
    last_at: int = START

    def message(
        self, hold_id: int, at: int, public_id: str | bytes, key: str
    ) -> tuple[Row, Row, Row]:
        """What one message leaves: hold, allocation, entry."""
        opened, charged, ended = self.version + 1, self.version + 2, self.version + 3
        wallet_id = self.shop.wallet_id
        self.seq += 1
        self.version = ended
        self.spent += PRICE
        is_same_day = day_of(at) == day_of(self.last_at)
        self.spent_that_day = PRICE + (self.spent_that_day if is_same_day else 0)
        self.last_at = at
        line = EntryLine(
            wallet_id,
            self.seq,
            charged,
            EntryKind.CHARGE.value,
            -PRICE,
            GIVEN - self.spent,
            self.grant_id,
            hold_id,
            None,
            None,
            at,
        )
        self.head = entry_hash(self.head, line)
        return (
            (
                *(hold_id, public_id, wallet_id, Operation.MESSAGE.value, key, bytes(16)),
                *(self.shop.offering_id, OWNER, PRICE, PRICE, 0, HoldState.CAPTURED.value, at),
                *(at + 10 * MINUTE, at, opened, ended),
            ),
            (hold_id, self.grant_id, wallet_id, PRICE),
            (
                *(wallet_id, self.seq, charged, line.kind, line.amount, line.balance_after),
                *(self.grant_id, hold_id, at, self.head),
            ),
        )

    def totals(self) -> tuple[Row, Row]:
        """What wallet and grant add up to afterwards, with the id of each last."""
        return (
            (
                *(self.spent, self.seq, self.version, self.head, self.last_at),
                *(day_of(self.last_at), self.spent_that_day, self.shop.wallet_id),
            ),
            (GIVEN - self.spent, self.grant_id),
        )


def write_history(address: str, shops: Sequence[Shop], messages: int) -> float:
    """Charge so many messages to these shops' wallets, new as `open_shops` made them.

    Nobody else may use the database meanwhile. Returns messages written for each second.
    """
    path = sqlite_path(address)
    began_at = time.perf_counter()
    with _no_garbage():
        if path is None:
            _write_postgresql(address, shops, messages)
        else:
            with closing(sqlite3.connect(path, isolation_level=None)) as connection:
                _write_sqlite(connection, shops, messages)
    return messages / (time.perf_counter() - began_at)


_PURSES: Final = """
    SELECT w.id, g.id, w.seq, w.version, w.head
    FROM wallet w JOIN credit_grant g ON g.wallet_id = w.id"""
_WALLET_TOTALS: Final = (
    "UPDATE wallet SET debits = ?, seq = ?, version = ?, head = ?, last_at = ?, spent_day = ?,"
    " spent = ? WHERE id = ?"
)
_GRANT_TOTALS: Final = "UPDATE credit_grant SET remaining = ? WHERE id = ?"


def _write_sqlite(connection: sqlite3.Connection, shops: Sequence[Shop], messages: int) -> None:
    for pragma in _QUICK_LOAD:
        connection.execute(pragma)
    purses = _purses(connection.execute(_PURSES), shops)
    for chunk in _chunks(purses, messages, lambda written: UUID(written).bytes):
        connection.execute("BEGIN")
        for (table, columns), rows in zip(_TABLES, chunk, strict=True):
            marks = ", ".join("?" * len(columns))
            connection.executemany(_insert(table, columns) + f" VALUES ({marks})", rows)
        connection.execute("COMMIT")
    connection.execute("BEGIN")
    for purse in purses:
        wallet, grant = purse.totals()
        connection.execute(_WALLET_TOTALS, wallet)
        connection.execute(_GRANT_TOTALS, grant)
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _write_postgresql(address: str, shops: Sequence[Shop], messages: int) -> None:
    with psycopg.connect(address, autocommit=True) as connection:
        # Foreign keys are triggers there, and would be asked for every row.
        connection.execute("SET session_replication_role = replica")
        purses = _purses(connection.execute(_PURSES), shops)
        for chunk in _chunks(purses, messages, str):
            with connection.transaction(), connection.cursor() as cursor:
                for (table, columns), rows in zip(_TABLES, chunk, strict=True):
                    names = ", ".join(columns)
                    with cursor.copy(f"COPY {table} ({names}) FROM STDIN".encode()) as copy:
                        for row in rows:
                            copy.write_row(row)
        with connection.transaction(), connection.cursor() as cursor:
            totals = [purse.totals() for purse in purses]
            wallets, grants = zip(*totals, strict=True)
            cursor.executemany(_WALLET_TOTALS.replace("?", "%s").encode(), wallets)
            cursor.executemany(_GRANT_TOTALS.replace("?", "%s").encode(), grants)
        connection.execute(
            "SELECT setval(pg_get_serial_sequence('hold', 'id'), max(id)) FROM hold"
        )
        if messages >= CHUNK:  # now, not by the server's own choice in mid-turn
            connection.execute("VACUUM (ANALYZE)")
            connection.execute("CHECKPOINT")


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Millions of rows, none in a cycle: looking for some takes a tenth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _insert(table: str, columns: Iterable[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)})"


def _purses(
    found: Iterable[tuple[int, int, int, int, bytes]], shops: Sequence[Shop]
) -> list[_Purse]:
    shop_of = {shop.wallet_id: shop for shop in shops}
    return [
        _Purse(shop_of[wallet_id], grant_id, seq, version, head)
        for wallet_id, grant_id, seq, version, head in found
    ]


def _chunks(
    purses: Sequence[_Purse], messages: int, public_id: Callable[[str], str | bytes]
) -> Iterator[tuple[tuple[Row, ...], ...]]:
    """The rows of hold, allocation and entry, for some thousand messages at a time."""
    first_ms = time.time_ns() // 1_000_000 - messages * APART_US // 1_000
    turn = itertools.cycle(purses)
    for first in range(0, messages, CHUNK):
        written = [
            next(turn).message(
                number + 1,
                START + number * APART_US,
                public_id(_id_of(first_ms + number * APART_US // 1_000)),
                _id_of(first_ms + number * APART_US // 1_000),
            )
            for number in range(first, min(first + CHUNK, messages))
        ]
        yield tuple(zip(*written, strict=True))


def _id_of(milliseconds: int) -> str:
    """A UUIDv7 of that time, as `storage.ids` makes them of the present."""
    low = random.getrandbits(74)
    variant = 0x8000 | (low >> 48) & 0x3FFF
    return (
        f"{milliseconds >> 16:08x}-{milliseconds & 0xFFFF:04x}"
        f"-7{low >> 62:03x}-{variant:04x}-{low & 0xFFFF_FFFF_FFFF:012x}"
    )
