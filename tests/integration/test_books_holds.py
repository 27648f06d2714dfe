"""The life of a hold, on both databases."""

import pytest

from storage.books import (
    EndHold,
    HoldConflict,
    HoldEnded,
    HoldOpened,
    HoldReplayed,
    Insufficient,
    OpenHold,
)
from storage.credits import HoldClosedError, HoldState, MilliCredits
from storage.database import Database, Unit
from storage.moments import DAY, MINUTE, SECOND, Micros
from tests.builders import PlanIds, Shop, add_plan, add_shop, grant_of, hold_of, shop_with
from tests.fakes.clock import START, ManualClock


async def opened(database: Database, request: OpenHold) -> HoldOpened:
    answer = await database.run(lambda unit: unit.books.open_hold(request))
    assert isinstance(answer, HoldOpened), answer
    return answer


async def captured(
    database: Database, shop: Shop, hold: HoldOpened, used: int, now: int = START
) -> HoldEnded:
    end = ending(shop, hold.hold_id, now)
    return await database.run(lambda unit: unit.books.capture(end, MilliCredits(used)))


async def released(
    database: Database, shop: Shop, hold: HoldOpened, now: int = START
) -> HoldEnded:
    end = ending(shop, hold.hold_id, now)
    return await database.run(lambda unit: unit.books.release(end))


def ending(shop: Shop, hold_id: int, now: int = START) -> EndHold:
    return EndHold(
        wallet_id=shop.wallet_id,
        hold_id=hold_id,
        plan_ids=(shop.plan.plan_id,),
        now=Micros(now),
    )


async def available(database: Database, shop: Shop, now: int = START) -> int:
    plans = (shop.plan.plan_id,)
    return await database.run(
        lambda unit: unit.books.available(shop.wallet_id, plans, Micros(now))
    )


async def test_a_message_costs_its_price_and_the_rest_stays(database: Database) -> None:
    shop = await shop_with(database, 100_000)

    hold = await opened(database, hold_of(shop, 5_000))
    ended = await captured(database, shop, hold, 5_000)

    assert hold.available == 95_000
    assert (ended.state, ended.captured, ended.shortfall) == (HoldState.CAPTURED, 5_000, 0)
    assert ended.available == 95_000
    assert ended.public_id == hold.public_id


async def test_what_was_held_and_not_used_comes_back(database: Database) -> None:
    shop = await shop_with(database, 3_000, 9_000)

    hold = await opened(database, hold_of(shop, 10_000))
    ended = await captured(database, shop, hold, 4_000)

    assert (hold.available, ended.available) == (2_000, 8_000)


async def test_more_than_was_held_is_a_shortfall_and_never_taken(database: Database) -> None:
    shop = await shop_with(database, 100_000)

    hold = await opened(database, hold_of(shop, 5_000))
    ended = await captured(database, shop, hold, 7_500)

    assert (ended.captured, ended.shortfall, ended.available) == (5_000, 2_500, 95_000)


async def test_a_released_hold_charges_nothing(database: Database) -> None:
    shop = await shop_with(database, 5_000)

    hold = await opened(database, hold_of(shop, 5_000))
    ended = await released(database, shop, hold)

    assert (ended.state, ended.captured, ended.available) == (HoldState.RELEASED, 0, 5_000)


async def test_credits_that_do_not_suffice_are_not_touched(database: Database) -> None:
    shop = await shop_with(database, 4_999)

    answer = await database.run(lambda unit: unit.books.open_hold(hold_of(shop, 5_000)))

    assert isinstance(answer, Insufficient)
    assert (answer.required, answer.available) == (5_000, 4_999)
    assert await available(database, shop) == 4_999


async def test_a_refusal_is_not_remembered_so_a_top_up_lets_the_same_key_through(
    database: Database,
) -> None:
    shop = await shop_with(database)
    request = hold_of(shop, 5_000, key="message-1")

    refused = await database.run(lambda unit: unit.books.open_hold(request))
    await database.run(lambda unit: unit.books.grant(grant_of(shop, 5_000)))
    hold = await opened(database, request)

    assert isinstance(refused, Insufficient)
    assert hold.available == 0


async def test_only_grants_of_the_given_plans_pay(database: Database) -> None:
    def work(unit: Unit) -> tuple[Shop, PlanIds]:
        shop = add_shop(unit)
        other = add_plan(unit.session, shop.builder_id)
        unit.books.grant(grant_of(shop, 5_000, plan=other))
        return shop, other

    shop, other = await database.run(work)

    refused = await database.run(lambda unit: unit.books.open_hold(hold_of(shop, 5_000)))
    none = await database.run(lambda unit: unit.books.open_hold(hold_of(shop, 1, plan_ids=())))
    both = await opened(
        database, hold_of(shop, 5_000, plan_ids=(shop.plan.plan_id, other.plan_id))
    )

    assert isinstance(refused, Insufficient)
    assert isinstance(none, Insufficient)
    assert both.available == 0


async def test_a_time_plan_holds_and_charges_nothing_and_still_leaves_an_entry(
    database: Database,
) -> None:
    shop = await shop_with(database)

    hold = await opened(database, hold_of(shop, 0, plan_ids=()))
    ended = await captured(database, shop, hold, 0)

    # opening 1, its charge of nothing 2, the end 3
    assert (ended.state, ended.captured, ended.version) == (HoldState.CAPTURED, 0, 3)


async def test_a_key_used_again_is_a_replay_and_holds_nothing(database: Database) -> None:
    shop = await shop_with(database, 10_000)
    request = hold_of(shop, 5_000, key="message-1", run_id="run-1")

    first = await opened(database, request)
    again = await database.run(
        lambda unit: unit.books.open_hold(hold_of(shop, 5_000, key="message-1", run_id="run-2"))
    )

    assert again == HoldReplayed(
        hold_id=first.hold_id,
        public_id=first.public_id,
        run_id="run-1",
        state=HoldState.OPEN,
        amount=MilliCredits(5_000),
        captured=MilliCredits(0),
        version=first.version,
        available=MilliCredits(5_000),
    )


async def test_a_key_used_for_something_else_is_a_conflict(database: Database) -> None:
    shop = await shop_with(database, 10_000)

    first = await opened(database, hold_of(shop, 5_000, key="message-1"))
    other = await database.run(
        lambda unit: unit.books.open_hold(
            hold_of(shop, 5_000, key="message-1", fingerprint=b"something else!!")
        )
    )

    assert other == HoldConflict(version=first.version)


async def test_the_same_end_again_returns_what_was_recorded(database: Database) -> None:
    shop = await shop_with(database, 20_000)
    one = await opened(database, hold_of(shop, 5_000))
    two = await opened(database, hold_of(shop, 5_000))

    assert await captured(database, shop, one, 7_000) == await captured(database, shop, one, 7_000)
    assert await released(database, shop, two) == await released(database, shop, two)


async def test_a_different_end_is_refused(database: Database) -> None:
    shop = await shop_with(database, 20_000)
    one = await opened(database, hold_of(shop, 5_000))
    two = await opened(database, hold_of(shop, 5_000))
    await captured(database, shop, one, 5_000)
    await released(database, shop, two)

    with pytest.raises(HoldClosedError, match="captured cannot capture"):
        await captured(database, shop, one, 4_000)
    with pytest.raises(HoldClosedError, match="captured cannot release"):
        await released(database, shop, one)
    with pytest.raises(HoldClosedError, match="released cannot capture"):
        await captured(database, shop, two, 0)


async def test_the_sweeper_expires_a_hold_at_its_deadline_and_not_before(
    database: Database, clock: ManualClock
) -> None:
    shop = await shop_with(database, 5_000)
    await opened(database, hold_of(shop, 5_000, expires_at=START + MINUTE))

    early = await database.run(lambda unit: unit.books.sweep(Micros(START + MINUTE - 1)))
    clock.advance(MINUTE)
    due = await database.run(lambda unit: unit.books.sweep(clock.now()))
    again = await database.run(lambda unit: unit.books.sweep(clock.now()))

    assert (early.holds, due.holds, again.holds) == (0, 1, 0)
    assert await available(database, shop, clock.now()) == 5_000


async def test_a_capture_after_expiry_debits_nothing_and_records_the_loss_once(
    database: Database,
) -> None:
    shop = await shop_with(database, 5_000)
    hold = await opened(database, hold_of(shop, 5_000, expires_at=START + MINUTE))
    later = START + 2 * MINUTE
    await database.run(lambda unit: unit.books.sweep(Micros(later)))

    late = await captured(database, shop, hold, 3_000, later)
    later_still = await captured(database, shop, hold, 4_000, later)
    then_released = await released(database, shop, hold, later)

    assert (late.state, late.captured, late.shortfall) == (HoldState.EXPIRED, 0, 3_000)
    assert late.available == 5_000
    assert later_still == late
    assert then_released == late


async def test_an_overdue_hold_can_be_captured_until_the_sweeper_has_come(
    database: Database,
) -> None:
    shop = await shop_with(database, 5_000)
    hold = await opened(database, hold_of(shop, 5_000, expires_at=START + MINUTE))

    ended = await captured(database, shop, hold, 5_000, START + 2 * MINUTE)

    assert (ended.state, ended.captured) == (HoldState.CAPTURED, 5_000)


async def test_renewing_moves_the_deadline_only_forward_and_only_while_open(
    database: Database,
) -> None:
    shop = await shop_with(database, 5_000)
    hold = await opened(database, hold_of(shop, 5_000, expires_at=START + MINUTE))

    async def renew(expires_at: int) -> bool:
        renewed = await database.run(
            lambda unit: unit.books.renew(
                wallet_id=shop.wallet_id, hold_id=hold.hold_id, expires_at=Micros(expires_at)
            )
        )
        return renewed.is_open

    assert await renew(START + 3 * MINUTE)
    assert await renew(START + MINUTE)
    swept = await database.run(lambda unit: unit.books.sweep(Micros(START + 2 * MINUTE)))
    assert swept.holds == 0
    await captured(database, shop, hold, 5_000)
    assert not await renew(START + DAY)


async def test_a_hold_pins_its_grant_and_what_comes_back_after_its_end_expires(
    database: Database,
) -> None:
    shop = await shop_with(database)
    await database.run(
        lambda unit: unit.books.grant(grant_of(shop, 10_000, expires_at=START + MINUTE))
    )
    hold = await opened(database, hold_of(shop, 8_000))
    later = START + 2 * MINUTE

    swept = await database.run(lambda unit: unit.books.sweep(Micros(later)))
    ended = await captured(database, shop, hold, 5_000, later)

    assert (swept.holds, swept.grants) == (0, 1)
    assert (ended.captured, ended.available) == (5_000, 0)
    # grant, opening; the 2 that were not held expire; the charge of 5, 3 expire, the end
    assert ended.version == 6


async def test_a_clock_set_back_cannot_reorder_a_history(database: Database) -> None:
    shop = await shop_with(database, 10_000)
    await opened(database, hold_of(shop, 1_000, now=START + MINUTE))

    await database.run(
        lambda unit: unit.books.grant(grant_of(shop, 1_000, now=START + SECOND))
    )  # written at START + MINUTE; verified when the test ends
    assert await available(database, shop, START) == 10_000


async def test_ending_an_unknown_hold_is_a_mistake_of_the_caller(database: Database) -> None:
    shop = await shop_with(database)

    with pytest.raises(LookupError):
        await database.run(lambda unit: unit.books.release(ending(shop, 4711)))


async def test_a_unit_that_fails_takes_its_hold_with_it(database: Database) -> None:
    shop = await shop_with(database, 5_000)

    def work(unit: Unit) -> None:
        assert isinstance(unit.books.open_hold(hold_of(shop, 5_000)), HoldOpened)
        raise RuntimeError("after the hold")

    with pytest.raises(RuntimeError, match="after the hold"):
        await database.run(work)
    assert await available(database, shop) == 5_000
