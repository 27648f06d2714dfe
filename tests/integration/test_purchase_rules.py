"""What was bought and its order must agree: each rule is broken here once, and named."""

from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from host.catalogue.catalogue import Catalogue
from host.catalogue.currencies import Money
from host.catalogue.offering_terms import PlanTerms
from host.config import Settings
from host.purchase.ordering import WantedOrder
from host.purchase.purchases import Purchases
from host.purchase.vouchers import VoucherBatch, Vouchers
from storage.addresses import driver_url
from storage.credits import MilliCredits
from storage.database import Database
from storage.invariants import verify
from storage.models.accounts import Role
from storage.moments import Micros
from storage.purchase_rules import PURCHASES
from tests.builders import add_account, former_people
from tests.databases import Databases
from tests.fakes.clock import ManualClock

GRANT = "13 a grant that was bought is its order's, at its cost"
GOT = "13 what was bought has its order"
GAVE = "13 a fulfilled order gave one subscription, on its own terms"
REFUNDS = "13 what was refunded of an order is its refunds"
REDEEMED = "13 a voucher that was redeemed has its order"
BY_VOUCHER = "13 an order by voucher has its voucher"


BREAKS = [
    ("UPDATE credit_grant SET source_ref = 'another' WHERE source = 'order'", GRANT),
    ("UPDATE credit_grant SET cost_minor = 499 WHERE source = 'order'", GRANT),
    ("UPDATE credit_grant SET source = 'order' WHERE source = 'voucher'", GRANT),
    ("UPDATE purchase_order SET credits = credits + 1", GRANT),
    ("UPDATE purchase_order SET amount_minor = 501 WHERE provider = 'demo'", GRANT),
    ("UPDATE subscription SET source = 'order' WHERE source = 'voucher'", GRANT),
    (
        (
            "UPDATE purchase_order SET subscription_id = NULL, fulfilled_at = NULL"
            " WHERE provider = 'demo'"
        ),
        GOT,
    ),
    (
        (
            "UPDATE purchase_order SET subscription_id = NULL, fulfilled_at = NULL"
            " WHERE provider = 'demo'"
        ),
        GAVE,
    ),
    ("UPDATE purchase_order SET state = 'created' WHERE provider = 'demo'", GAVE),
    ("UPDATE purchase_order SET account_id = 1 WHERE provider = 'demo'", GAVE),
    ("DELETE FROM order_refund", REFUNDS),
    ("UPDATE purchase_order SET refunded_minor = 300 WHERE provider = 'demo'", REFUNDS),
    ("UPDATE purchase_order SET state = 'refunded' WHERE provider = 'demo'", REFUNDS),
    (
        "UPDATE voucher SET order_id = (SELECT id FROM purchase_order WHERE provider = 'demo')",
        REDEEMED,
    ),
    ("UPDATE voucher SET order_id = NULL", BY_VOUCHER),
]


@pytest.fixture
def address(databases: Databases, database_kind: str) -> Iterator[str]:
    """A database of its own, since what is broken in it must not be verified afterwards."""
    with databases.fresh(database_kind) as fresh:
        yield fresh


async def trade(address: str) -> None:
    """A pack that was bought and refunded in part, and one that was redeemed."""
    database, clock = Database.open(address), ManualClock()
    settings = Settings(_env_file=None, payments="demo")
    purchases = Purchases(database, clock, settings, former_people(database, clock))
    vouchers = Vouchers(database, clock)
    builder = await database.run(lambda u: add_account(u.session, Role.BUILDER))
    buyer = await database.run(lambda u: add_account(u.session))
    terms = PlanTerms(
        title="Pack", slug="pack", price=Money(500, "USD"), credits=MilliCredits(100_000)
    )
    await Catalogue(database, clock, settings).create_plan(builder, terms)
    made = await purchases.order(WantedOrder(account_id=buyer, plan_slug="pack", key="1"))
    await purchases.fulfil(made.order.id, "payment-1")
    await purchases.refund(None, made.order.id, 200)
    (issued,) = await vouchers.issue(None, VoucherBatch(plan_slug="pack"))
    await vouchers.redeem(buyer, issued.code, "192.0.2.1")
    await database.close()


async def broken_rules(address: str) -> set[str]:
    database = Database.open(address)
    try:
        report = await database.read(lambda s: verify(s, Micros(0)))
        return {violation.rule for violation in report.violations}
    finally:
        await database.close()


@pytest.mark.parametrize(("statement", "rule"), BREAKS)
async def test_a_broken_rule_is_named(address: str, statement: str, rule: str) -> None:
    await trade(address)
    assert await broken_rules(address) == set()
    engine = create_engine(driver_url(address), poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()
    assert rule in await broken_rules(address)


def test_every_rule_is_broken_above() -> None:
    assert {rule for _, rule in BREAKS} == set(PURCHASES)
