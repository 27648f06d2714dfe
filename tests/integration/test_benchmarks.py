"""The benchmarks run, each in its smallest size, and what they stand on is what it says."""

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import Session

from benchmarks.ledger.__main__ import BENCHMARKS
from benchmarks.ledger.audit import PER, SECONDS_MOST, Audit, _lines
from benchmarks.ledger.contestants import Ours, check_charges, open_shops
from benchmarks.ledger.growth import BYTES_MOST, _weights
from benchmarks.ledger.history import write_history
from benchmarks.ledger.place import Place
from benchmarks.ledger.report import ratio_line, table
from benchmarks.ledger.rounds import Beside
from benchmarks.ledger.sizes import SMALLEST
from benchmarks.ledger.sqlmodel_baseline import DefaultPattern, PlainLedger
from storage.database import Database
from tests.databases import Databases

MESSAGES = 7
WALLETS = 3
RUN_HERE = [name for name in BENCHMARKS if name != "audit-postgresql"]
"""That one is audit-sqlite at another address, and more processes to start."""
DIFFERS = {
    *("public_id", "idempotency_key", "source_ref"),
    *("created_at", "expires_at", "ended_at", "last_at", "head", "hash"),
}
"""What no two runs have in common."""


@pytest.fixture
def place(tmp_path: Path, databases: Databases) -> Place:
    return Place(tmp_path, databases)


@pytest.mark.parametrize("name", RUN_HERE)
async def test_a_benchmark_runs_and_leaves_no_file(name: str, place: Place) -> None:
    lines = await BENCHMARKS[name](SMALLEST, place)
    assert table(lines).count("\n") == len(lines)
    assert all(line.ours for line in lines)
    assert not list(place.directory.iterdir())


async def test_a_past_in_bulk_is_what_the_verbs_would_have_left(
    databases: Databases, database_kind: str
) -> None:
    with databases.fresh(database_kind) as by_verbs, databases.fresh(database_kind) as in_bulk:
        one, other = Database.open(by_verbs), Database.open(in_bulk)
        ours = Ours(one, await open_shops(one, WALLETS))
        for number in range(MESSAGES):
            await ours.message(number)
        write_history(in_bulk, await open_shops(other, WALLETS), MESSAGES)
        try:
            await check_charges(one, ours)
            await check_charges(other, before=MESSAGES)
            assert await other.read(everything) == await one.read(everything)
        finally:
            await one.close()
            await other.close()


async def test_a_charge_that_left_no_balance_is_counted_as_lost(place: Place) -> None:
    with place.file() as address:
        plain = await PlainLedger.open(address, 1)
        pattern = DefaultPattern(plain, [1])
        for number in range(MESSAGES):
            assert await pattern.message(number)
        before = await plain.books([1])
        async with plain.engine.begin() as connection:  # as if the first had read too early
            await connection.execute(text("UPDATE plain_wallet SET balance = balance + 5000"))
        after = await plain.books([1])
        await plain.close()
    assert (before.charges, before.lost) == (MESSAGES, 0)
    assert (after.charges, after.lost) == (MESSAGES, 1)


def test_a_miss_is_printed_as_a_miss() -> None:
    found = Beside(per_s=5, base_per_s=4, ratio=1.25)
    missed = ratio_line("one", found, at_least=1.3)
    met = ratio_line("other", found, at_least=1.2)
    _, first, second = table([missed, met]).splitlines()
    assert first.endswith("MISSED")
    assert second.endswith("met")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_message_that_weighs_too_much_is_a_miss_on_either_database(kind: str) -> None:
    assert [line.is_met for line in _weights(kind, BYTES_MOST + 1, [])] == [False]
    assert [line.is_met for line in _weights(kind, BYTES_MOST, [])] == [True]


def test_verifying_that_takes_too_long_is_a_miss() -> None:
    few, many = SMALLEST.audited
    for seconds, is_met in ((SECONDS_MOST + 1, False), (SECONDS_MOST - 1, True)):
        took = [Audit(seconds=seconds * size / PER, peak_kib=1) for size in (few, many)]
        _memory, time = _lines("verify", SMALLEST, *took)
        assert time.is_met is is_met


def everything(session: Session) -> dict[str, list[dict[str, object]]]:
    """Every row of the ledger; of what differs by nature, only its type and length."""
    found = {}
    for name in ("wallet", "credit_grant", "hold", "allocation", "entry"):
        rows = session.execute(text(f"SELECT * FROM {name} ORDER BY 1, 2")).mappings()  # noqa: S608
        found[name] = [
            {column: comparable(column, value) for column, value in row.items()} for row in rows
        ]
    return found


def comparable(column: str, value: object) -> object:
    if column in DIFFERS:
        return type(value), len(value) if isinstance(value, str | bytes) else None
    return value
