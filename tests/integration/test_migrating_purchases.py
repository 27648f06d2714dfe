"""What people got under earlier revisions is among their purchases after the upgrade."""

from collections.abc import Iterator

from alembic import command
from sqlalchemy import text

from storage.chain import FIRST_HEAD
from storage.database import Database
from storage.migrate import _config, _transaction, upgrade
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


def capped_by_hand() -> Iterator[Statement]:
    """Wallets with a limit for the day, and who set it: the operator at the machine, by name, …"""
    operator = 1
    for account, actors in ((2, [None]), (3, [3]), (4, [None, 4]), (5, [5, operator]), (6, [])):
        cap = None if not actors else 1_000 * account
        yield insert(
            "wallet", subscriber_id=account, credits=0, debits=0, held=0, seq=0,
            version=len(actors), head=FIRST_HEAD, last_at=START, daily_cap=cap,
        )  # fmt: skip
        for version, actor in enumerate(actors, start=1):
            yield insert(
                "audit", at=START, actor_id=actor, action="account.daily_cap_set",
                subject=f"account:{account}", detail="{}",
            )  # fmt: skip
            yield insert(
                "wallet_change", wallet_id=account - 1, version=version, kind="cap", amount=cap,
                created_at=START,
            )  # fmt: skip


async def test_a_limit_is_whose_who_set_it_last(databases: Databases, database_kind: str) -> None:
    people = [
        insert("account", email=f"{number}@example.com", name="", state="active", created_at=START)
        for number in range(1, 7)
    ]
    with databases.fresh(database_kind, is_migrated=False) as address:
        with _transaction(address) as connection:
            command.upgrade(_config(connection), "0005")
            for statement, values in (*people, *capped_by_hand()):
                connection.execute(text(statement), values)
        upgrade(address)
        database = Database.open(address)
        caps = text(
            "SELECT subscriber_id, daily_cap, operator_cap FROM wallet ORDER BY subscriber_id"
        )
        limits = await database.read(lambda s: [tuple(row) for row in s.execute(caps)])
        changes = text("SELECT COUNT(*) FROM wallet_change WHERE kind = 'cap'")
        kept = await database.read(lambda s: s.execute(changes).scalar_one())
        await verify_ledger(database)
        await database.close()

    assert limits == [
        (2, None, 2_000), (3, 3_000, None), (4, 4_000, None), (5, None, 5_000), (6, None, None)
    ]  # fmt: skip
    assert kept == 6


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
