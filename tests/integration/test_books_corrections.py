"""Refunds, revocations and frozen grants, on both databases: nothing old is changed."""

import pytest
from sqlalchemy import text

from storage.books import (
    GrantAnswer,
    Granted,
    HoldOpened,
    Insufficient,
    NotRefundable,
    RefundAnswer,
    RefundCharge,
    RefundConflict,
    Refunded,
    RevokeGrant,
)
from storage.credits import GrantState, MilliCredits
from storage.database import Database, Unit
from storage.moments import DAY, NEVER, Micros
from tests.builders import TOMORROW, Shop, add_shop, grant_of, hold_of, shop_with
from tests.fakes.clock import START
from tests.integration.test_books_holds import available, captured, opened, released


async def charged(database: Database, shop: Shop, amount: int) -> HoldOpened:
    hold = await opened(database, hold_of(shop, amount))
    await captured(database, shop, hold, amount)
    return hold


async def refunded(
    database: Database,
    shop: Shop,
    hold: HoldOpened,
    amount: int,
    *,
    key: str = "refund-1",
    now: int = START,
) -> RefundAnswer:
    request = RefundCharge(
        wallet_id=shop.wallet_id,
        hold_id=hold.hold_id,
        key=key,
        amount=MilliCredits(amount),
        now=Micros(now),
    )
    return await database.run(lambda unit: unit.books.refund(request))


async def revoked(
    database: Database, shop: Shop, grant: Granted, target: int, now: int = START
) -> GrantAnswer:
    request = RevokeGrant(
        wallet_id=shop.wallet_id,
        grant_id=grant.grant_id,
        target=MilliCredits(target),
        now=Micros(now),
    )
    return await database.run(lambda unit: unit.books.revoke(request))


async def granted(
    database: Database, shop: Shop, amount: int, *, priority: int = 0, expires_at: int = NEVER
) -> Granted:
    request = grant_of(shop, amount, priority=priority, expires_at=expires_at)
    return await database.run(lambda unit: unit.books.grant(request))


async def frozen(database: Database, shop: Shop, grant: Granted, now: int = START) -> GrantAnswer:
    return await database.run(
        lambda unit: unit.books.freeze(
            wallet_id=shop.wallet_id, grant_id=grant.grant_id, now=Micros(now)
        )
    )


async def unfrozen(
    database: Database, shop: Shop, grant: Granted, now: int = START
) -> GrantAnswer:
    return await database.run(
        lambda unit: unit.books.unfreeze(
            wallet_id=shop.wallet_id, grant_id=grant.grant_id, now=Micros(now)
        )
    )


async def given_back(database: Database) -> list[tuple[int, ...]]:
    """What refunds made: amount, origin, priority, end."""
    statement = (
        "SELECT amount, origin_id, priority, expires_at FROM credit_grant"
        " WHERE source = 'refund' ORDER BY id"
    )
    return await database.read(
        lambda session: [tuple(row) for row in session.execute(text(statement))]
    )


async def test_what_was_drawn_last_comes_back_first_as_a_grant_like_the_one_it_came_from(
    database: Database,
) -> None:
    shop = await database.run(add_shop)
    gift = await granted(database, shop, 3_000, expires_at=TOMORROW)
    paid = await granted(database, shop, 9_000, priority=10)
    hold = await charged(database, shop, 5_000)

    answer = await refunded(database, shop, hold, 4_000)

    assert isinstance(answer, Refunded)
    assert answer.is_new
    assert await given_back(database) == [
        (2_000, paid.grant_id, 10, NEVER),
        (2_000, gift.grant_id, 0, START + 30 * DAY),
    ]
    assert await available(database, shop) == 7_000 + 4_000


async def test_a_refund_after_the_grants_end_can_be_spent_for_thirty_days(
    database: Database,
) -> None:
    shop = await database.run(add_shop)
    grant = await granted(database, shop, 5_000, expires_at=TOMORROW)
    hold = await charged(database, shop, 5_000)
    later = START + 9 * DAY
    await database.run(lambda unit: unit.books.sweep(Micros(later)))

    await refunded(database, shop, hold, 5_000, now=later)

    end = later + 30 * DAY
    assert await given_back(database) == [(5_000, grant.grant_id, 0, end)]
    assert [await available(database, shop, now) for now in (end - 1, end)] == [5_000, 0]


async def test_credits_given_back_twice_name_the_grant_that_was_given_once(
    database: Database,
) -> None:
    shop = await database.run(add_shop)
    grant = await granted(database, shop, 5_000)
    first = await charged(database, shop, 5_000)
    await refunded(database, shop, first, 5_000)
    second = await charged(database, shop, 5_000)

    await refunded(database, shop, second, 5_000, key="refund-2")

    assert await given_back(database) == [(5_000, grant.grant_id, 0, NEVER)] * 2


async def test_more_than_is_left_of_a_charge_is_refused_with_what_is_left(
    database: Database,
) -> None:
    shop = await shop_with(database, 10_000)
    hold = await charged(database, shop, 5_000)
    await refunded(database, shop, hold, 3_000)

    answer = await refunded(database, shop, hold, 2_001, key="refund-2")

    assert isinstance(answer, NotRefundable)
    assert answer.refundable == 2_000
    assert await available(database, shop) == 8_000


async def test_what_was_never_charged_cannot_be_refunded(database: Database) -> None:
    shop = await shop_with(database, 10_000)
    still_open = await opened(database, hold_of(shop, 5_000))

    answer = await refunded(database, shop, still_open, 1)

    assert isinstance(answer, NotRefundable)
    assert answer.refundable == 0


async def test_the_same_key_gives_back_once_and_nothing_else(database: Database) -> None:
    shop = await shop_with(database, 20_000)
    one = await charged(database, shop, 5_000)
    other = await charged(database, shop, 5_000)

    first = await refunded(database, shop, one, 2_000)
    again = await refunded(database, shop, one, 2_000)
    other_amount = await refunded(database, shop, one, 1_000)
    other_charge = await refunded(database, shop, other, 2_000)

    assert isinstance(first, Refunded)
    assert isinstance(again, Refunded)
    assert (again.refund_id, again.version, again.is_new) == (
        first.refund_id,
        first.version,
        False,
    )
    assert other_amount == other_charge == RefundConflict(version=first.version)
    assert await available(database, shop) == 12_000


@pytest.mark.parametrize("targets", [(200, 300), (300, 200), (300, 300)])
async def test_revoking_converges_on_the_largest_target_in_whatever_order_it_is_told(
    database: Database, targets: tuple[int, ...]
) -> None:
    shop = await database.run(add_shop)
    grant = await granted(database, shop, 500)

    standings = [await revoked(database, shop, grant, target) for target in targets]

    assert standings[-1].revoked == sum(standing.taken for standing in standings) == 300
    assert standings[-1].state is GrantState.ACTIVE
    assert await available(database, shop) == 200


async def test_what_was_spent_stays_spent_and_nobody_owes_anything(database: Database) -> None:
    shop = await database.run(add_shop)
    grant = await granted(database, shop, 5_000)
    await charged(database, shop, 2_000)

    standing = await revoked(database, shop, grant, 5_000)

    assert (standing.state, standing.taken) == (GrantState.REVOKED, 3_000)
    assert await available(database, shop) == 0


async def test_a_revoked_grants_open_hold_goes_on_and_what_it_leaves_is_taken_then(
    database: Database,
) -> None:
    shop = await database.run(add_shop)
    grant = await granted(database, shop, 5_000)
    hold = await opened(database, hold_of(shop, 4_000))

    at_once = await revoked(database, shop, grant, 5_000)
    ended = await captured(database, shop, hold, 1_500)
    then = await revoked(database, shop, grant, 5_000)

    assert (at_once.state, at_once.taken, at_once.revoked) == (GrantState.REVOKED, 1_000, 1_000)
    assert (ended.captured, ended.available) == (1_500, 0)
    assert (then.taken, then.revoked) == (0, 3_500)


async def test_a_frozen_grant_is_neither_spent_nor_swept_until_it_is_unfrozen(
    database: Database,
) -> None:
    shop = await database.run(add_shop)
    grant = await granted(database, shop, 5_000, expires_at=TOMORROW)
    later = TOMORROW + DAY

    standing = await frozen(database, shop, grant)
    refused = await database.run(lambda unit: unit.books.open_hold(hold_of(shop, 1)))
    swept = await database.run(lambda unit: unit.books.sweep(Micros(later)))
    thawed = await unfrozen(database, shop, grant, later)
    too_late = await database.run(lambda unit: unit.books.open_hold(hold_of(shop, 1, now=later)))
    swept_then = await database.run(lambda unit: unit.books.sweep(Micros(later)))

    assert (standing.state, thawed.state) == (GrantState.FROZEN, GrantState.ACTIVE)
    assert isinstance(refused, Insufficient)
    assert isinstance(too_late, Insufficient)
    assert (swept.grants, swept_then.grants) == (0, 1)


async def test_what_a_frozen_grants_open_hold_leaves_comes_back_to_it(database: Database) -> None:
    shop = await database.run(add_shop)
    grant = await granted(database, shop, 5_000)
    hold = await opened(database, hold_of(shop, 4_000))
    await frozen(database, shop, grant)

    ended = await released(database, shop, hold)
    await unfrozen(database, shop, grant)

    assert ended.available == 0
    assert await available(database, shop) == 5_000


async def test_freezing_what_has_ended_and_freezing_twice_change_nothing(
    database: Database,
) -> None:
    shop = await database.run(add_shop)
    one = await granted(database, shop, 5_000)
    other = await granted(database, shop, 5_000)
    ended = await revoked(database, shop, one, 5_000)

    assert await frozen(database, shop, one) == GrantAnswer(
        grant_id=one.grant_id,
        state=GrantState.REVOKED,
        taken=MilliCredits(0),
        revoked=MilliCredits(5_000),
        version=ended.version,
    )
    assert await frozen(database, shop, other) == await frozen(database, shop, other)


async def test_another_wallets_grant_cannot_be_revoked_or_frozen(database: Database) -> None:
    def work(unit: Unit) -> tuple[Shop, Granted]:
        shop, other = add_shop(unit), add_shop(unit)
        return shop, unit.books.grant(grant_of(other, 5_000))

    shop, grant = await database.run(work)

    with pytest.raises(LookupError):
        await revoked(database, shop, grant, 5_000)
    with pytest.raises(LookupError):
        await frozen(database, shop, grant)
