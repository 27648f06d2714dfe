"""A ledger that has grown: messages a second and bytes a message, beside the smallest.

The databases of all sizes are open at the same time and take turns. Each grows a little by being
measured, the smallest by the most in proportion; against thousands of times its rows that is
nothing.
"""

import sqlite3
from collections.abc import Mapping
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from sqlalchemy import text
from sqlmodel import Session

from benchmarks.ledger.contestants import Ours, check_charges, open_shops
from benchmarks.ledger.history import write_history
from benchmarks.ledger.place import Place
from benchmarks.ledger.report import Line, limit_line, ratio_line
from benchmarks.ledger.rounds import Entrant, Results, interleave
from benchmarks.ledger.sizes import Sizes
from storage.addresses import sqlite_path
from storage.database import Database
from tests.builders import Shop

SHARE_AT_A_MILLION: Mapping[str, float] = {"sqlite": 0.45, "postgresql": 0.8}
A_MILLION: int = 1_000_000
BYTES_MOST: float = 400
_NAMES: Mapping[str, str] = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
_LEDGER = ("wallet", "credit_grant", "hold", "allocation", "entry")
_KEY = "{:,} entries"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grown:
    """A ledger with a past."""

    entries: int
    messages: int
    address: str
    shops: list[Shop]
    written_per_s: float
    bytes_each: float
    """Bytes on disk for each message, indexes included."""


async def measure_sqlite(sizes: Sizes, place: Place) -> list[Line]:
    """Growth of one SQLite file."""
    return await _measure("sqlite", sizes, place)


async def measure_postgresql(sizes: Sizes, place: Place) -> list[Line]:
    """Growth of one PostgreSQL database."""
    return await _measure("postgresql", sizes, place)


async def grow(address: str, *, wallets: int, entries: int) -> Grown:
    """Give a fresh database a past of so many entries, its grants included."""
    database = Database.open(address)
    shops = await open_shops(database, wallets)
    await database.close()
    messages = entries - wallets if entries > wallets else entries
    bytes_before = await _bytes(address)
    written_per_s = write_history(address, shops, messages)
    bytes_each = (await _bytes(address) - bytes_before) / messages
    return Grown(
        entries=entries,
        messages=messages,
        address=address,
        shops=shops,
        written_per_s=written_per_s,
        bytes_each=bytes_each,
    )


async def _measure(kind: str, sizes: Sizes, place: Place) -> list[Line]:
    async with AsyncExitStack() as stack:
        weight = await _weigh(stack.enter_context(place.databases.fresh(kind)), sizes)
        ledgers = [
            await grow(
                stack.enter_context(place.databases.fresh(kind)),
                wallets=sizes.wallets,
                entries=entries,
            )
            for entries in sizes.histories
        ]
        ours: dict[str, tuple[Ours, Database]] = {}
        for grown in ledgers:
            database = Database.open(grown.address)
            stack.push_async_callback(database.close)
            ours[_KEY.format(grown.entries)] = (Ours(database, grown.shops), database)
        results = await interleave(
            {
                name: Entrant(contestant=contestant, callers=sizes.callers)
                for name, (contestant, _) in ours.items()
            },
            rounds=sizes.rounds,
            turn_s=sizes.turn_s,
        )
        verified_s = []
        for grown, (contestant, database) in zip(ledgers, ours.values(), strict=True):
            began_at = perf_counter()
            await check_charges(database, contestant, before=grown.messages)
            verified_s.append(perf_counter() - began_at)
        return [
            *_speed(kind, results, ledgers),
            *_weights(kind, weight, ledgers),
            *_making(kind, ledgers, verified_s),
        ]


async def _weigh(address: str, sizes: Sizes) -> float:
    """Bytes for each message where the verbs have written every one, with what they update."""
    database = Database.open(address)
    shops = await open_shops(database, sizes.wallets)
    await database.close()
    bytes_before = await _bytes(address)
    database = Database.open(address)
    ours = Ours(database, shops)
    entrant = Entrant(contestant=ours, callers=sizes.callers)
    while ours.charged < sizes.written:
        await interleave({"ours": entrant}, rounds=1, turn_s=sizes.turn_s)
    await check_charges(database, ours)
    await database.close()
    return (await _bytes(address) - bytes_before) / ours.charged


def _speed(kind: str, results: Results, ledgers: list[Grown]) -> list[Line]:
    base = _KEY.format(ledgers[0].entries)
    return [
        ratio_line(
            f"{_NAMES[kind]}, {name} beside {base}",
            results.beside(name, base),
            at_least=SHARE_AT_A_MILLION[kind] if grown.entries <= A_MILLION else None,
        )
        for grown in ledgers[1:]
        for name in [_KEY.format(grown.entries)]
    ]


def _weights(kind: str, by_verbs: float, ledgers: list[Grown]) -> list[Line]:
    title = f"  {_NAMES[kind]}: bytes for each message"
    weights = [(f"{title}, the verbs' own", by_verbs)]
    weights += [(f"{title}, {_KEY.format(grown.entries)}", grown.bytes_each) for grown in ledgers]
    return [limit_line(name, weight, "B", at_most=BYTES_MOST) for name, weight in weights]


def _making(kind: str, ledgers: list[Grown], verified_s: list[float]) -> list[Line]:
    lines = []
    for grown, seconds in zip(ledgers, verified_s, strict=True):
        lines.append(
            Line(
                name=f"  {_NAMES[kind]}: {_KEY.format(grown.entries)} made; verified",
                ours=f"{grown.written_per_s:,.0f}/s, {seconds:,.1f} s",
            )
        )
    return lines


async def _bytes(address: str) -> int:
    """What the ledger takes on disk. An SQLite file counts whole: nobody may have it open."""
    path = sqlite_path(address)
    if path is not None:
        return _checkpointed(path)
    database = Database.open(address)
    try:
        return await database.read(_relations)
    finally:
        await database.close()


def _checkpointed(path: Path) -> int:
    """The size of the file with its log brought in."""
    with closing(sqlite3.connect(path)) as connection:
        is_busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert not is_busy, "nobody may have it open"
    return path.stat().st_size


def _relations(session: Session) -> int:
    sizes = [
        session.execute(text("SELECT pg_total_relation_size(:name)"), {"name": name}).scalar_one()
        for name in _LEDGER
    ]
    return sum(sizes)
