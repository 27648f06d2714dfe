"""What plans earned is what the entries say, rolled up or not; on both databases."""

import asyncio
from collections import defaultdict
from dataclasses import replace
from functools import partial

from sqlalchemy import text
from sqlmodel import Session, col, select

from storage.books import RefundCharge
from storage.credits import MilliCredits
from storage.database import Database, Unit
from storage.earnings import (
    EARNINGS,
    Earned,
    PlanDay,
    earnings,
    reconcile,
    roll_up,
    value_of,
    whole_days,
)
from storage.invariants import Violation, find_violations
from storage.models.catalogue import PlanKind, Subscription
from storage.models.money import CreditGrant, EarningsDay, Entry, EntryKind, GrantSource
from storage.moments import DAY, HOUR, Micros
from tests.builders import Shop, add_order_of, add_plan, add_shop, grant_of, hold_of
from tests.histories import DAYS, MIDNIGHT, Played, of_any_history
from tests.integration.test_books_holds import captured, opened

TODAY = MIDNIGHT // DAY
LATER = Micros(MIDNIGHT + DAYS * DAY)


def on(day: int, hour: int = 12) -> Micros:
    return Micros(MIDNIGHT + day * DAY + hour * HOUR)


def by_hand(session: Session, wallet_id: int) -> dict[PlanDay, Earned]:
    """The earnings of one wallet's grants, entry by entry from the first."""
    grants = {
        grant.id: grant
        for grant in session.exec(select(CreditGrant).where(CreditGrant.wallet_id == wallet_id))
    }
    used: dict[int, int] = defaultdict(int)
    found: dict[PlanDay, Earned] = defaultdict(Earned)
    entries = select(Entry).where(Entry.wallet_id == wallet_id).order_by(col(Entry.seq))
    for entry in session.exec(entries):
        if entry.kind in (EntryKind.GRANT, EntryKind.REVOKE) or entry.grant_id is None:
            continue
        grant = grants[entry.grant_id]
        grant = grants[grant.origin_id or grant.id]
        assert grant.id is not None
        worth = partial(value_of, amount=grant.amount, cost_minor=grant.cost_minor or 0)
        before = used[grant.id]
        used[grant.id] -= entry.amount
        key = PlanDay(grant.plan_id, entry.created_at // DAY, grant.currency or "")
        found[key] += Earned(
            charged=-entry.amount if entry.kind == EntryKind.CHARGE else 0,
            refunded=entry.amount if entry.kind == EntryKind.REFUND else 0,
            expired=-entry.amount if entry.kind == EntryKind.EXPIRE else 0,
            minor=worth(used[grant.id]) - worth(before),
        )
    return {key: earned for key, earned in found.items() if earned != Earned()}


async def test_of_any_history_plans_earn_what_the_entries_say(database: Database) -> None:
    def check(unit: Unit, played: Played) -> None:
        unit.books.sweep(LATER)  # what is left expires, so that every grant is used or revoked
        expected = by_hand(unit.session, played.shop.wallet_id)
        now, owner = Micros(LATER + DAY), played.shop.builder_id
        whole = {"until": now // DAY, "owner_id": owner}
        assert earnings(unit.session, now, since=0, **whole) == expected
        for since in range(TODAY, TODAY + DAYS + 1):
            assert earnings(unit.session, now, since=since, **whole) == {
                key: earned for key, earned in expected.items() if key.day >= since
            }

    await of_any_history(database, check, examples=15)


async def test_rolled_up_or_not_the_earnings_are_the_same(database: Database) -> None:
    def check(unit: Unit, played: Played) -> None:
        owner = played.shop.builder_id
        expected = by_hand(unit.session, played.shop.wallet_id)
        for day in (1, 2, 3, DAYS):
            now = on(day)
            roll_up(unit.session, whole_days(unit.session, now))
            told = earnings(unit.session, now, since=0, until=TODAY + DAYS, owner_id=owner)
            assert told == expected
        rolled = kept(unit.session, *played.plan_ids)
        assert rolled == {key: e for key, e in expected.items() if key.day < TODAY + DAYS}
        assert reconcile(unit.session, on(2 * DAYS)) == ()
        forget(unit)

    await of_any_history(database, check, examples=10)


async def test_refunds_after_the_grants_end_and_charges_of_them_count_at_its_cost(
    database: Database,
) -> None:
    """3 credits for 1.00 USD: 2 used, 1 expires; 1 comes back, and is used again."""
    shop = await database.run(partial(bought, amount=3_000, cost_minor=100, days=1))
    hold = await opened(database, hold_of(shop, 2_000, now=on(0)))
    await captured(database, shop, hold, 2_000, on(0))
    await database.run(lambda unit: unit.books.sweep(on(1, 1)))
    request = RefundCharge(
        wallet_id=shop.wallet_id,
        hold_id=hold.hold_id,
        key="asked",
        amount=MilliCredits(1_000),
        now=on(2),
    )
    await database.run(lambda unit: unit.books.refund(request))
    again = await opened(database, hold_of(shop, 1_000, now=on(3)))
    await captured(database, shop, again, 1_000, on(3))

    told = await of_all(database, on(4))

    assert {(key.day - TODAY, key.currency): earned for key, earned in told.items()} == {
        (0, "USD"): Earned(charged=2_000, minor=66),
        (1, "USD"): Earned(expired=1_000, minor=34),
        (2, "USD"): Earned(refunded=1_000, minor=-34),
        (3, "USD"): Earned(charged=1_000, minor=34),
    }


async def test_what_nobody_paid_for_is_told_apart_and_earns_nothing(database: Database) -> None:
    shop = await database.run(partial(bought, amount=1_000, cost_minor=100))
    gift = replace(grant_of(shop, 1_000, source=GrantSource.TRIAL), now=on(0), priority=-1)
    await database.run(lambda unit: unit.books.grant(gift))
    hold = await opened(database, hold_of(shop, 1_500, now=on(0)))
    await captured(database, shop, hold, 1_500, on(0))

    told = await of_all(database, on(0, 13))

    assert {key.currency: earned for key, earned in told.items()} == {
        "": Earned(charged=1_000),
        "USD": Earned(charged=500, minor=50),
    }


async def test_a_pass_earns_its_price_when_an_order_bought_it(database: Database) -> None:
    def work(unit: Unit) -> int:
        shop = add_shop(unit)
        week = add_plan(unit.session, shop.builder_id, kind=PlanKind.TIME, price_minor=900)
        for number, source in enumerate(("order", "order", "operator", "trial")):
            got = Subscription(
                account_id=shop.subscriber_id,
                plan_id=week.plan_id,
                plan_version_id=week.version_id,
                source=source,
                source_ref=str(number),
                starts_at=on(5),
                ends_at=on(12),
                created_at=on(number),
            )
            unit.session.add(got)
            if source == "order":
                add_order_of(unit.session, got, price_minor=900)
        return week.plan_id

    plan_id = await database.run(work)

    assert await of_all(database, on(4)) == {
        PlanDay(plan_id, TODAY, "USD"): Earned(minor=900),
        PlanDay(plan_id, TODAY + 1, "USD"): Earned(minor=900),
    }


async def test_only_whole_days_are_kept_and_those_never_rolled_up_are_made_up_for(
    database: Database,
) -> None:
    shop = await database.run(partial(bought, amount=9_000, cost_minor=900))
    for day in (0, 1, 4):
        await spend(database, shop, on(day))
    await rolled_up(database, on(1))
    first = await database.read(partial(days_kept, shop=shop))
    await rolled_up(database, on(5))
    second = await database.read(partial(days_kept, shop=shop))

    assert (first, second) == ([0], [0, 1, 4])


async def test_an_entry_that_lands_late_is_rolled_up_with_the_next_time(
    database: Database,
) -> None:
    shop = await database.run(partial(bought, amount=9_000, cost_minor=900))
    await spend(database, shop, on(0))
    await rolled_up(database, on(1, 0))
    await spend(database, shop, on(0, 23))
    await rolled_up(database, on(2))

    (kept_day,) = (await database.read(lambda s: kept(s, shop.plan.plan_id))).values()
    assert kept_day == Earned(charged=2_000, minor=200)


async def test_many_who_roll_up_at_once_are_like_one(database: Database) -> None:
    shop = await database.run(partial(bought, amount=9_000, cost_minor=900))
    for day in range(5):
        await spend(database, shop, on(day))

    await asyncio.gather(*(rolled_up(database, on(6)) for _ in range(16)))

    assert await database.read(partial(days_kept, shop=shop)) == [0, 1, 2, 3, 4]
    assert await database.read(partial(reconcile, now=on(30))) == ()


TAMPERINGS = {
    "UPDATE earnings_day SET earned_minor = earned_minor + 1 WHERE day = :day": [1],
    "UPDATE earnings_day SET charged = charged - 1 WHERE day = :day": [1],
    "UPDATE earnings_day SET currency = 'EUR' WHERE day = :day": [1, 1],
    "DELETE FROM earnings_day WHERE day = :day": [1],
    "UPDATE earnings_day SET day = day - 5 WHERE day = :day": [-4, 1],
}


async def test_earnings_that_were_tampered_with_are_found(database: Database) -> None:
    shop = await database.run(partial(bought, amount=9_000, cost_minor=900))
    for day in range(3):
        await spend(database, shop, on(day))
    for statement, found in TAMPERINGS.items():
        await database.run(forget)
        await rolled_up(database, on(9))
        assert await database.read(partial(find_violations, now=on(4))) == ()
        await database.run(partial(tamper, statement=statement))

        young = await database.read(partial(find_violations, now=on(3)))
        old = await database.read(partial(find_violations, now=on(4)))

        assert {violation.rule for violation in old} == {EARNINGS}
        assert days_of(old) == found
        assert 1 not in days_of(young)  # the next roll-up mends what is not two whole days old


def tamper(unit: Unit, *, statement: str) -> None:
    """Change what is kept of the second day."""
    unit.session.execute(text(statement), {"day": TODAY + 1})


def forget(unit: Unit) -> None:
    """Roll nothing up yet."""
    unit.session.execute(text("DELETE FROM earnings_day"))


def days_of(violations: tuple[Violation, ...]) -> list[int]:
    """The days that are wrong, counted from the beginning."""
    return [int(violation.subject.split()[3]) - TODAY for violation in violations]


def bought(unit: Unit, *, amount: int, cost_minor: int, days: int = 30) -> Shop:
    """A shop whose subscriber bought credits that last so long."""
    shop, now = add_shop(unit), on(0, 0)
    request = grant_of(shop, amount, now=now, effective_at=now, expires_at=now + days * DAY)
    unit.books.grant(replace(request, cost_minor=cost_minor, currency="USD"))
    return shop


async def spend(database: Database, shop: Shop, now: Micros) -> None:
    hold = await opened(database, hold_of(shop, 1_000, now=now))
    await captured(database, shop, hold, 1_000, now)


async def of_all(database: Database, now: Micros) -> dict[PlanDay, Earned]:
    until = now // DAY + 1
    return dict(await database.read(partial(earnings, now=now, since=0, until=until)))


async def rolled_up(database: Database, now: Micros) -> None:
    days = await database.read(partial(whole_days, now=now))
    await database.run(lambda unit: roll_up(unit.session, days))


def kept(session: Session, *plans: int) -> dict[PlanDay, Earned]:
    """What is rolled up for these plans."""
    return {
        PlanDay(row.plan_id, row.day, row.currency): Earned(
            row.charged, row.refunded, row.expired, row.earned_minor
        )
        for row in session.exec(select(EarningsDay))
        if row.plan_id in plans
    }


def days_kept(session: Session, shop: Shop) -> list[int]:
    """Which days are rolled up for the shop's plan, counted from the beginning."""
    return sorted(key.day - TODAY for key in kept(session, shop.plan.plan_id))
