"""The migrated tables are the declared ones, on both databases, and history cannot be changed."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, inspect, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool

from storage.addresses import driver_url
from storage.books import EndHold, HoldOpened, RefundCharge, Refunded
from storage.credits import MilliCredits
from storage.database import Database, Unit
from storage.errors import NotMigrated, StatementBroke
from storage.migrate import check_is_current, current, newest, upgrade
from storage.models.base import metadata
from storage.models.money import GrantSource
from tests.builders import add_account, add_plan, add_shop, grant_of, hold_of
from tests.databases import Databases
from tests.fakes.clock import START
from tests.integration.test_books_holds import ending

HISTORY = {
    "entry": "amount",
    "plan_version": "price_minor",
    "refund": "amount",
    "wallet_change": "amount",
}
"""What is only ever added to, each with a column that somebody could want to change."""


@contextmanager
def connected(address: str) -> Iterator[Engine]:
    engine = create_engine(driver_url(address), poolclass=NullPool)
    yield engine
    engine.dispose()


def plain(value: Any) -> Any:
    """Reflected facts as something that compares: types and clauses by their text."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items() if key != "comment"}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    return value if isinstance(value, (bool, int, str, type(None))) else str(value)


def described(engine: Engine) -> dict[str, Any]:
    """All that the database knows about our tables."""
    inspector = inspect(engine)
    facts: dict[str, Any] = {}
    for table in inspector.get_table_names():
        if table == "alembic_version" or table.startswith("search_"):
            continue  # what people search in differs by database, and is filled by triggers
        facts[table] = {
            "columns": plain(inspector.get_columns(table)),
            "primary key": plain(inspector.get_pk_constraint(table)),
            "foreign keys": by_name(inspector.get_foreign_keys(table)),
            "unique": by_name(inspector.get_unique_constraints(table)),
            "checks": by_name(inspector.get_check_constraints(table)),
            "indexes": by_name(inspector.get_indexes(table)),
        }
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            kinds = connection.execute(text("PRAGMA table_list")).mappings()
            for row in kinds:
                if row["name"] in facts:
                    facts[row["name"]]["kind"] = (row["wr"], row["strict"])
    return facts


def by_name(constraints: Any) -> Any:
    return sorted((plain(one) for one in constraints), key=lambda one: str(one["name"]))


def test_the_migrated_tables_are_the_declared_ones(
    databases: Databases, database_kind: str
) -> None:
    with (
        databases.fresh(database_kind) as migrated_url,
        databases.fresh(database_kind, is_migrated=False) as declared_url,
        connected(migrated_url) as migrated,
        connected(declared_url) as declared,
    ):
        metadata().create_all(declared)
        wanted, found = described(declared), described(migrated)

        assert set(found) == set(metadata().tables)
        for table, facts in wanted.items():
            assert found[table] == facts, table
        assert any(facts["checks"] for facts in found.values()), "CHECKs were compared"


def test_upgrading_twice_is_a_no_op(databases: Databases, database_kind: str) -> None:
    with (
        databases.fresh(database_kind, is_migrated=False) as address,
        connected(address) as engine,
    ):
        assert current(address) is None
        upgrade(address)
        once = described(engine)
        upgrade(address)

        assert described(engine) == once
        assert current(address) == newest()
        check_is_current(address)


def test_processes_that_start_together_take_turns(
    databases: Databases, database_kind: str
) -> None:
    with databases.fresh(database_kind, is_migrated=False) as address:
        # SQLite makes the file with its first connection; the upgrade must stand even that.
        with ThreadPoolExecutor(4) as threads:
            for done in [threads.submit(upgrade, address) for _ in range(4)]:
                done.result(timeout=60)

        assert current(address) == newest()


def test_tables_of_another_program_are_refused(databases: Databases, database_kind: str) -> None:
    with databases.fresh(database_kind, is_migrated=False) as address:
        with pytest.raises(NotMigrated, match="no Farebox database"):
            check_is_current(address)
        upgrade(address)
        with connected(address) as engine, engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = 'from-tomorrow'"))

        with pytest.raises(NotMigrated, match="from-tomorrow"):
            check_is_current(address)
        with pytest.raises(NotMigrated, match="from-tomorrow"):
            upgrade(address)


async def test_history_cannot_be_changed_or_deleted(database: Database, database_url: str) -> None:
    await database.run(add_history)

    with connected(database_url) as engine, engine.begin() as connection:
        for table, column in HISTORY.items():
            refused(connection, f"UPDATE {table} SET {column} = {column} + 1")  # noqa: S608 - our own
            refused(connection, f"DELETE FROM {table}")  # noqa: S608 - our own


async def test_history_cannot_be_replaced_on_sqlite(databases: Databases) -> None:
    """By the ledger's own writer, that is: its connection lets triggers see replaced rows."""
    with databases.fresh("sqlite") as address:
        database = Database.open(address)
        await database.run(add_history)

        def replace(unit: Unit) -> None:
            for table in HISTORY:
                refused(
                    unit.session.connection(),
                    f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}",  # noqa: S608 - our own
                )

        await database.run(replace)
        await database.close()


# On one kind of database only: SQLite has no TRUNCATE.
@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_history_cannot_be_truncated_on_postgresql(
    databases: Databases, database_kind: str
) -> None:
    with (
        databases.fresh(database_kind) as address,
        connected(address) as engine,
        engine.begin() as connection,
    ):
        for table in HISTORY:
            refused(connection, f"TRUNCATE {table} CASCADE")


def add_history(unit: Unit) -> None:
    """A row in every table of `HISTORY`."""
    shop = add_shop(unit)
    unit.books.grant(grant_of(shop, 5_000))
    hold = unit.books.open_hold(hold_of(shop, 5_000))
    assert isinstance(hold, HoldOpened)
    unit.books.capture(ending(shop, hold.hold_id), MilliCredits(5_000))
    refund = RefundCharge(
        wallet_id=shop.wallet_id,
        hold_id=hold.hold_id,
        key="refund-1",
        amount=MilliCredits(1_000),
        now=START,
    )
    assert isinstance(unit.books.refund(refund), Refunded)
    unit.books.set_cap(wallet_id=shop.wallet_id, cap=MilliCredits(50_000), now=START)


def refused(connection: Connection, statement: str) -> None:
    with pytest.raises(DatabaseError, match="append-only"), connection.begin_nested():
        connection.execute(text(statement))


async def test_the_database_refuses_a_wallet_below_zero(database: Database) -> None:
    shop = await database.run(add_shop)

    with pytest.raises((DatabaseError, StatementBroke), match="not_negative"):
        await database.run(
            lambda unit: unit.session.execute(
                text("UPDATE wallet SET held = 1 WHERE id = :id"), {"id": shop.wallet_id}
            )
        )


async def test_terms_that_give_nothing_are_refused(database: Database) -> None:
    def work(unit: Unit) -> None:
        add_plan(unit.session, add_account(unit.session), gives=0)

    with pytest.raises((DatabaseError, StatementBroke), match="gives_credits_or_time"):
        await database.run(work)


async def test_postgresql_hashes_entries_as_the_test_vector_says(
    databases: Databases, database_kind: str
) -> None:
    """The first grant of the first wallet of a fresh database is the published example."""
    with databases.fresh(database_kind) as address:
        database = Database.open(address)

        def work(unit: Unit) -> bytes:
            shop = add_shop(unit)
            unit.books.grant(grant_of(shop, 100_000, source=GrantSource.ORDER, source_ref="42"))
            head: bytes = unit.session.execute(text("SELECT head FROM wallet")).scalar_one()
            return bytes(head)

        head = await database.run(work)
        await database.close()

    assert head.hex() == "2c163a38dadaa2eb1f583755d1d92aaed7a43dfb775a2ffee51999f04ad98b00"


async def test_a_charge_cannot_be_written_twice_even_past_the_books(
    database: Database,
) -> None:
    def work(unit: Unit) -> None:
        shop = add_shop(unit)
        unit.books.grant(grant_of(shop, 5_000))
        hold = unit.books.open_hold(hold_of(shop, 5_000))
        assert hasattr(hold, "hold_id")
        end = EndHold(wallet_id=shop.wallet_id, hold_id=hold.hold_id, plan_ids=(), now=START)
        unit.books.capture(end, MilliCredits(5_000))
        unit.session.execute(
            text(
                "INSERT INTO entry SELECT wallet_id, seq + 1, version + 1, kind, amount,"
                " balance_after, grant_id, hold_id, reverses, idempotency_key, created_at, hash"
                " FROM entry WHERE kind = 'charge'"
            )
        )

    with pytest.raises(
        (DatabaseError, StatementBroke), match=r"uq_entry_charge_leg|hold_id, entry\.grant_id"
    ):
        await database.run(work)
