"""Many at once, on both databases: the last credit is spent once."""

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from host.catalogue.registering import By
from host.catalogue.subscribing import SubscribeRequest, subscribe
from storage.books import (
    Granted,
    HoldAnswer,
    HoldEnded,
    HoldOpened,
    HoldReplayed,
    Insufficient,
    NotRefundable,
    RefundAnswer,
    RefundCharge,
    Refunded,
    Swept,
)
from storage.credits import HoldClosedError, HoldState, MilliCredits
from storage.database import Database, Unit
from storage.ledger import balances
from storage.models.accounts import Role
from storage.models.money import GrantSource
from storage.moments import MINUTE, Micros
from tests.builders import Shop, add_account, add_plan, add_shop, grant_of, hold_of
from tests.fakes.clock import START
from tests.integration.test_books_holds import ending, opened

CALLERS = 20


async def shop_with(database: Database, amount: int) -> Shop:
    def work(unit: Unit) -> Shop:
        shop = add_shop(unit)
        unit.books.grant(grant_of(shop, amount))
        return shop

    return await database.run(work)


async def hold_at_once(
    database: Database, shop: Shop, amount: int, key: str | None
) -> list[HoldAnswer]:
    requests = [hold_of(shop, amount, key=key) for _ in range(CALLERS)]
    async with asyncio.timeout(20):
        return await asyncio.gather(
            *(
                database.run(lambda unit, request=request: unit.books.open_hold(request))  # type: ignore[misc]
                for request in requests
            )
        )


async def test_twenty_at_once_for_the_credits_of_seven_open_exactly_seven(
    database: Database,
) -> None:
    shop = await shop_with(database, 7 * 5_000 + 4_999)

    answers = await hold_at_once(database, shop, 5_000, key=None)

    assert Counter(type(answer) for answer in answers) == {HoldOpened: 7, Insufficient: 13}


async def test_the_same_key_at_once_opens_one_hold(database: Database) -> None:
    shop = await shop_with(database, 100_000)

    answers = await hold_at_once(database, shop, 5_000, key="message-1")

    assert Counter(type(answer) for answer in answers) == {HoldOpened: 1, HoldReplayed: 19}
    assert len({answer.hold_id for answer in answers if not isinstance(answer, Insufficient)}) == 1  # type: ignore[union-attr]


async def test_the_same_order_at_once_grants_once(database: Database) -> None:
    shop = await shop_with(database, 1)
    order = grant_of(shop, 5_000, source_ref="42")

    async with asyncio.timeout(20):
        answers = await asyncio.gather(
            *(database.run(lambda unit: unit.books.grant(order)) for _ in range(CALLERS))
        )

    assert [answer.is_new for answer in answers].count(True) == 1
    assert len({answer.grant_id for answer in answers}) == 1


async def test_a_hold_that_everybody_wants_to_end_ends_once(database: Database) -> None:
    shop = await shop_with(database, 5_000)
    hold = await database.run(
        lambda unit: unit.books.open_hold(hold_of(shop, 5_000, expires_at=START + MINUTE))
    )
    assert isinstance(hold, HoldOpened)
    end = ending(shop, hold.hold_id, START + MINUTE)

    def capture(unit: Unit) -> HoldEnded:
        return unit.books.capture(end, MilliCredits(5_000))

    def release(unit: Unit) -> HoldEnded:
        return unit.books.release(end)

    def sweep(unit: Unit) -> Swept:
        return unit.books.sweep(Micros(START + MINUTE))

    async with asyncio.timeout(20):
        outcomes = await asyncio.gather(
            *(database.run(work) for work in (capture, release, sweep) * 5),
            return_exceptions=True,
        )

    ended = [outcome for outcome in outcomes if isinstance(outcome, HoldEnded)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, HoldClosedError)]
    expired = sum(outcome.holds for outcome in outcomes if isinstance(outcome, Swept))
    states = {outcome.state for outcome in ended}
    assert len(states) == 1
    assert expired == (states == {HoldState.EXPIRED})
    assert len(ended) + len(refused) == 10


async def test_four_sweepers_at_once_expire_everything_once(database: Database) -> None:
    def work(unit: Unit) -> None:
        for _ in range(5):
            shop = add_shop(unit)
            unit.books.grant(grant_of(shop, 10_000, expires_at=START + MINUTE))
            for _ in range(2):
                unit.books.open_hold(hold_of(shop, 4_000, expires_at=START + MINUTE))

    await database.run(work)
    async with asyncio.timeout(20):
        sweeps = await asyncio.gather(
            *(database.run(lambda unit: unit.books.sweep(Micros(START + MINUTE))) for _ in "1234")
        )

    assert sum(swept.holds for swept in sweeps) == 10
    assert sum(swept.grants for swept in sweeps) == 5


async def test_orders_that_arrive_while_others_hold_are_spent_or_still_there(
    database: Database,
) -> None:
    shop = await database.run(add_shop)

    async with asyncio.timeout(20):
        answers = await asyncio.gather(
            *(
                work
                for _ in range(CALLERS)
                for work in (
                    database.run(lambda unit: unit.books.open_hold(hold_of(shop, 1_000))),
                    database.run(lambda unit: unit.books.grant(grant_of(shop, 1_000))),
                )
            )
        )

    kinds = Counter(type(answer) for answer in answers)
    assert kinds[Granted] == kinds[HoldOpened] + kinds[Insufficient] == CALLERS
    assert all(answer.is_new for answer in answers if isinstance(answer, Granted))
    assert 1_000 * kinds[HoldOpened] + await left_of(database, shop) == 1_000 * CALLERS


async def test_a_failing_unit_does_not_touch_its_neighbours(database: Database) -> None:
    shop = await shop_with(database, 100_000)

    def poisoned(unit: Unit) -> None:
        unit.books.open_hold(hold_of(shop, 5_000))
        raise RuntimeError("poisoned")

    async with asyncio.timeout(20):
        good = asyncio.gather(
            *(
                database.run(lambda unit: unit.books.open_hold(hold_of(shop, 5_000)))
                for _ in range(5)
            )
        )
        with pytest.raises(RuntimeError, match="poisoned"):
            await database.run(poisoned)
        answers = await good

    left = await database.run(
        lambda unit: unit.books.available(shop.wallet_id, (shop.plan.plan_id,), START)
    )
    assert all(isinstance(answer, HoldOpened) for answer in answers)
    assert left == 75_000


async def test_the_same_key_fifty_times_opens_one_hold_and_charges_once(
    database: Database,
) -> None:
    shop = await shop_with(database, 100_000)

    def message(unit: Unit) -> type[HoldAnswer]:
        answer = unit.books.open_hold(hold_of(shop, 5_000, key="message-1"))
        if isinstance(answer, HoldOpened):
            unit.books.capture(ending(shop, answer.hold_id), MilliCredits(5_000))
        return type(answer)

    async with asyncio.timeout(20):
        answers = await asyncio.gather(*(database.run(message) for _ in range(50)))

    assert Counter(answers) == {HoldOpened: 1, HoldReplayed: 49}
    assert await left_of(database, shop) == 95_000


async def charged(database: Database, shop: Shop, amount: int) -> int:
    def message(unit: Unit) -> int:
        hold = unit.books.open_hold(hold_of(shop, amount))
        assert isinstance(hold, HoldOpened)
        unit.books.capture(ending(shop, hold.hold_id), MilliCredits(amount))
        return hold.hold_id

    return await database.run(message)


async def refunded_at_once(
    database: Database, shop: Shop, hold_id: int, amount: int, keys: list[str]
) -> list[RefundAnswer]:
    requests = [
        RefundCharge(
            wallet_id=shop.wallet_id,
            hold_id=hold_id,
            key=key,
            amount=MilliCredits(amount),
            now=START,
        )
        for key in keys
    ]
    async with asyncio.timeout(20):
        return await asyncio.gather(
            *(
                database.run(lambda unit, request=request: unit.books.refund(request))  # type: ignore[misc]
                for request in requests
            )
        )


async def test_refunds_at_once_give_back_no_more_than_the_charge(database: Database) -> None:
    shop = await shop_with(database, 20_000)
    hold_id = await charged(database, shop, 10_000)

    keys = [f"refund-{number}" for number in range(CALLERS)]
    answers = await refunded_at_once(database, shop, hold_id, 3_000, keys)

    assert Counter(type(answer) for answer in answers) == {Refunded: 3, NotRefundable: 17}
    assert await left_of(database, shop) == 19_000


async def test_the_same_refund_at_once_gives_back_once(database: Database) -> None:
    shop = await shop_with(database, 20_000)
    hold_id = await charged(database, shop, 10_000)

    answers = await refunded_at_once(database, shop, hold_id, 1_000, ["refund-1"] * CALLERS)

    assert sum(isinstance(answer, Refunded) and answer.is_new for answer in answers) == 1
    assert len({answer.version for answer in answers}) == 1
    assert await left_of(database, shop) == 11_000


async def test_a_trial_that_is_taken_twenty_times_at_once_gives_once(database: Database) -> None:
    def work(unit: Unit) -> int:
        builder, subscriber = add_account(unit.session, Role.BUILDER), add_account(unit.session)
        add_plan(unit.session, builder, slug="trial", gives=20_000, price_minor=0, is_trial=True)
        unit.books.open_wallet(subscriber)  # or whoever opens it makes all others wait
        return subscriber

    subscriber = await database.run(work)
    request = SubscribeRequest(
        account_id=subscriber, plan_slug="trial", source=GrantSource.TRIAL, source_ref=""
    )

    async with asyncio.timeout(20):
        taken = await asyncio.gather(
            *(
                database.run(lambda unit: subscribe(unit, By(subscriber, START), request))
                for _ in range(CALLERS)
            )
        )

    told = await database.read(lambda session: balances(session, subscriber, START))
    assert [one.is_new for one in taken].count(True) == 1
    assert [line.available for line in told] == [20_000]


async def test_a_capture_and_a_sweep_at_once_charge_fully_or_not_at_all(
    database: Database,
) -> None:
    shop = await shop_with(database, 50_000)
    due = Micros(START + MINUTE)
    requests = [hold_of(shop, 5_000, expires_at=due) for _ in range(10)]
    holds = [(await opened(database, request)).hold_id for request in requests]

    def capture(hold_id: int) -> Callable[[Unit], HoldEnded]:
        end = ending(shop, hold_id, due)
        return lambda unit: unit.books.capture(end, MilliCredits(5_000))

    async with asyncio.timeout(20):
        sweeping = [
            asyncio.ensure_future(database.run(lambda unit: unit.books.sweep(due)))
            for _ in range(2)
        ]
        captured = await asyncio.gather(*(database.run(capture(hold)) for hold in holds))
        await asyncio.gather(*sweeping)

    outcomes = Counter((end.state, end.captured, end.shortfall) for end in captured)
    paid = outcomes[HoldState.CAPTURED, MilliCredits(5_000), MilliCredits(0)]
    late = outcomes[HoldState.EXPIRED, MilliCredits(0), MilliCredits(5_000)]
    assert paid + late == 10
    assert await left_of(database, shop, due) == 50_000 - 5_000 * paid


async def left_of(database: Database, shop: Shop, now: Micros = START) -> int:
    plans = (shop.plan.plan_id,)
    return await database.run(lambda unit: unit.books.available(shop.wallet_id, plans, now))
