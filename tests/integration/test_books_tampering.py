"""Somebody with access to the file changes the past: verifying finds it, on both databases."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from storage.addresses import driver_url
from storage.books import HoldOpened, RefundCharge
from storage.credits import MilliCredits
from storage.database import Database, Unit
from storage.invariants import CHAIN, RULES, VerifyReport, verify
from storage.moments import HOUR, Micros
from tests.builders import Shop, add_shop, grant_of, hold_of
from tests.databases import Databases
from tests.fakes.clock import START
from tests.integration.test_books_holds import ending

CHECKS = (
    "SELECT conrelid::regclass::text, conname FROM pg_constraint"
    " WHERE contype = 'c' AND connamespace = 'public'::regnamespace"
)


@pytest_asyncio.fixture
async def tampered(databases: Databases, database_kind: str) -> AsyncIterator[str]:
    """The address of a database with some history, and nobody verifying it afterwards."""

    def history(unit: Unit) -> None:
        for _ in range(2):
            shop = add_shop(unit)
            unit.books.grant(grant_of(shop, 10_000))
            unit.books.grant(grant_of(shop, 10_000))
            first, _ = (charged(unit, shop, used) for used in (3_000, 15_000))
            assert isinstance(unit.books.open_hold(hold_of(shop, 1_000)), HoldOpened)
            unit.books.refund(refund_of(shop, first, 1_000))
            unit.books.set_cap(wallet_id=shop.wallet_id, cap=MilliCredits(50_000), now=START)

    with databases.fresh(database_kind) as address:
        database = Database.open(address)
        await database.run(history)
        await database.close()
        yield address


def charged(unit: Unit, shop: Shop, used: int) -> int:
    """A message that cost so much. Returns its hold."""
    hold = unit.books.open_hold(hold_of(shop, used))
    assert isinstance(hold, HoldOpened)
    unit.books.capture(ending(shop, hold.hold_id), MilliCredits(used))
    return hold.hold_id


def refund_of(shop: Shop, hold_id: int, amount: int) -> RefundCharge:
    return RefundCharge(
        wallet_id=shop.wallet_id,
        hold_id=hold_id,
        key="refund-1",
        amount=MilliCredits(amount),
        now=START,
    )


def tamper(address: str, *statements: str) -> None:
    """Change rows with the guards removed, as one who owns the file can."""
    engine = create_engine(driver_url(address), poolclass=NullPool)
    is_sqlite = engine.dialect.name == "sqlite"
    with engine.begin() as connection:
        for table in ("entry", "refund", "wallet_change"):
            on = "" if is_sqlite else f" ON {table}"
            for event in ("update", "delete"):
                connection.execute(text(f"DROP TRIGGER IF EXISTS {table}_refuses_{event}{on}"))
        if is_sqlite:
            connection.execute(text("PRAGMA ignore_check_constraints = ON"))
        else:
            for table, check in connection.execute(text(CHECKS)).all():
                connection.execute(text(f"ALTER TABLE {table} DROP CONSTRAINT {check}"))
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


async def verified(address: str, now: int = START) -> VerifyReport:
    database = Database.open(address)
    try:
        return await database.read(lambda session: verify(session, Micros(now)))
    finally:
        await database.close()


async def test_an_untouched_history_is_sound(tampered: str) -> None:
    report = await verified(tampered)

    assert report.ok
    assert (report.wallets, report.entries) == (2, 12)


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("UPDATE entry SET created_at = created_at + 1 WHERE seq = 2", id="edited"),
        pytest.param(
            "UPDATE entry SET idempotency_key = 'order:x' WHERE seq = 1 AND wallet_id = 1",
            id="another key",
        ),
        pytest.param("DELETE FROM entry WHERE seq = 6", id="tail deleted"),
        pytest.param(
            "UPDATE wallet SET head = hash FROM entry e"
            " WHERE e.wallet_id = wallet.id AND e.seq = 2",
            id="head moved",
        ),
    ],
)
async def test_the_chain_finds_what_was_changed(tampered: str, statement: str) -> None:
    tamper(tampered, statement)

    report = await verified(tampered)

    assert CHAIN in {violation.rule for violation in report.violations}


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("UPDATE wallet SET credits = credits + 1", "2 a wallet's totals are its entries"),
        ("UPDATE wallet SET held = held - 1", "3 what a wallet holds is its open holds"),
        (
            "UPDATE credit_grant SET held = held - 1, remaining = remaining + 1 WHERE held > 0",
            "3 what a grant holds is its open allocations",
        ),
        ("UPDATE allocation SET amount = amount + 1", "3 a hold is its allocations"),
        (
            "UPDATE credit_grant SET remaining = remaining - 1 WHERE remaining > 0",
            "4 a grant is its entries",
        ),
        (
            "UPDATE entry SET hold_id = 6 WHERE wallet_id = 1 AND seq = 5",
            "4 an entry names nothing of another wallet",
        ),
        ("UPDATE credit_grant SET amount = amount + 1", "5 a grant is entered once"),
        (
            "UPDATE hold SET captured = captured - 1 WHERE captured > 0",
            "6 what a hold captured is its charges",
        ),
        (
            "UPDATE allocation SET amount = 1",
            "6 a charge stays within its allocation",
        ),
        (
            "UPDATE hold SET created_at = created_at - 1",
            "8 a charge's hold was opened within the grant's life",
        ),
        (
            "UPDATE entry SET balance_after = balance_after + 1 WHERE seq = 3",
            "9 entries follow each other",
        ),
        ("UPDATE wallet SET seq = seq + 1", "9 a wallet knows its last entry"),
        (
            "UPDATE hold SET opened_version = opened_version + 1 WHERE state = 'open'",
            "9 every change is numbered once",
        ),
        ("DELETE FROM wallet_change", "9 every change is numbered once"),
        (
            "UPDATE credit_grant SET state = 'revoked' WHERE remaining > 0",
            "4 a grant that has ended is empty",
        ),
        (
            "UPDATE credit_grant SET state = 'lost'",
            "4 the state of a grant and of a hold is a known one",
        ),
        (
            "UPDATE hold SET state = 'lost' WHERE state = 'captured'",
            "4 the state of a grant and of a hold is a known one",
        ),
        (
            "UPDATE wallet SET spent = spent - 1",
            "6 what a wallet spent in a day is its charges",
        ),
        (
            "UPDATE wallet SET spent_day = spent_day - 1",
            "6 what a wallet spent in a day is its charges",
        ),
        (
            "UPDATE wallet SET spent_day = spent_day + 1, spent = 0",
            "6 what a wallet spent in a day is its charges",
        ),
        ("UPDATE refund SET amount = amount - 1", "7 a refund is its entries"),
        ("DELETE FROM refund", "7 a refund is its entries"),
        ("UPDATE refund SET hold_id = 2 WHERE wallet_id = 1", "7 a refund is its entries"),
        *(
            (statement, "7 credits that came back are those of a grant that was given")
            for statement in (
                "UPDATE credit_grant SET origin_id = NULL",
                "UPDATE credit_grant SET origin_id = 4711 WHERE source = 'refund'",
                "UPDATE credit_grant SET origin_id = id WHERE source = 'refund'",
                "UPDATE credit_grant SET origin_id = 5 WHERE wallet_id = 1 AND source = 'refund'",
                "UPDATE credit_grant SET origin_id = 1 WHERE source = 'operator' AND id <> 1",
                "UPDATE credit_grant SET priority = 9 WHERE source = 'refund'",
            )
        ),
    ],
)
async def test_a_broken_rule_is_named(tampered: str, statement: str, rule: str) -> None:
    tamper(tampered, statement)

    report = await verified(tampered)

    assert rule in {violation.rule for violation in report.violations}


@pytest.mark.parametrize("table", ["wallet", "credit_grant", "hold"])
@pytest.mark.parametrize("database_kind", ["sqlite"])  # PostgreSQL lets nobody delete these
async def test_an_entry_of_nothing_is_found(tampered: str, table: str) -> None:
    tamper(tampered, f"DELETE FROM {table} WHERE id = 1")  # noqa: S608 - names of ours

    rules = {violation.rule for violation in (await verified(tampered)).violations}

    assert "4 an entry names nothing of another wallet" in rules


async def test_what_is_overdue_for_a_minute_is_reported(tampered: str) -> None:
    report = await verified(tampered, START + HOUR)

    assert {violation.rule for violation in report.violations} == {
        rule for rule in RULES if rule.startswith("no hold is overdue")
    }
