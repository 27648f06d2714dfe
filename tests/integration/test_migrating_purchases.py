"""What people got under earlier revisions is among their purchases after the upgrade."""

from collections.abc import Iterator

from sqlalchemy import text

from storage.database import Database
from storage.migrate import upgrade
from storage.models.money import GrantSource
from storage.moments import DAY, NEVER, SECOND
from storage.order_states import OrderState
from storage.orders import orders_of
from tests.databases import Databases, verify_ledger
from tests.fakes.clock import START
from tests.integration.test_migrating_history import (
    ODD,
    YESTERDAY,
    Statement,
    insert,
    made_by_the_first_program,
    shop,
    wallet_in_use,
)

WEEK_S = 7 * DAY // SECOND


def got_without_orders() -> Iterator[Statement]:
    """A trial and a gift of credits, whose grants the wallet has, and a week given twice."""
    yield insert(
        "plan", slug="week", title="A week", state="active", owner_id=1, description="",
        created_at=YESTERDAY,
    )  # fmt: skip
    yield insert(
        "plan_version", plan_id=2, number=1, kind="time", price_minor=900, currency="USD",
        credits=0, duration_s=WEEK_S, is_trial=False, created_at=YESTERDAY,
    )  # fmt: skip
    for plan, source, ref, at, ends_at in (
        (1, GrantSource.TRIAL, ODD, YESTERDAY, START + 30 * DAY),
        (1, GrantSource.OPERATOR, ODD, YESTERDAY + 1, NEVER),
        (2, GrantSource.OPERATOR, "ticket-1", YESTERDAY + 2, START + 7 * DAY),
        (2, GrantSource.OPERATOR, "ticket-2", YESTERDAY + 3, START + 14 * DAY),
    ):
        yield insert(
            "subscription", account_id=2, plan_id=plan, plan_version_id=plan,
            source=source.value, source_ref=ref, state="active", starts_at=at, ends_at=ends_at,
            created_at=at,
        )  # fmt: skip


async def test_what_is_held_of_a_revoked_grant_is_claimed_after_the_upgrade(
    databases: Databases, database_kind: str
) -> None:
    revoke = (
        "UPDATE credit_grant SET state = 'revoked', remaining = 0, revoked = 6000 WHERE id = 1"
    )
    with databases.fresh(database_kind, is_migrated=False) as address:
        made_by_the_first_program(address, *shop(), *wallet_in_use(), (revoke, {}))
        upgrade(address)
        database = Database.open(address)
        statement = text("SELECT held, claimed FROM credit_grant ORDER BY id")
        claims = await database.read(lambda s: [tuple(row) for row in s.execute(statement)])
        await database.close()

    assert claims == [(3_000, 3_000), (0, 0)]


async def test_what_was_got_before_there_were_orders_has_its_order(
    databases: Databases, database_kind: str
) -> None:
    with databases.fresh(database_kind, is_migrated=False) as address:
        made_by_the_first_program(address, *shop(), *wallet_in_use(), *got_without_orders())
        upgrade(address)
        database = Database.open(address)
        orders = await database.read(lambda s: orders_of(s, 2, START))
        linked = await database.read(
            lambda s: s.execute(text("SELECT subscription_id FROM purchase_order")).scalars().all()
        )
        await verify_ledger(database)
        await database.close()

    assert [(o.provider, o.plan_slug, o.credits, o.duration_s, o.created_at) for o in orders] == [
        ("manual", "week", 0, WEEK_S, YESTERDAY + 3),
        ("manual", "week", 0, WEEK_S, YESTERDAY + 2),
        ("manual", "pack", 10_000, None, YESTERDAY + 1),
        ("trial", "pack", 4_000, None, YESTERDAY),
    ]
    assert {(o.state, o.amount_minor, o.currency) for o in orders} == {
        (OrderState.FULFILLED, 0, "USD")
    }
    assert all(o.fulfilled_at == o.created_at for o in orders)
    assert len({o.id for o in orders}) == 4
    assert sorted(linked) == [1, 2, 3, 4]
