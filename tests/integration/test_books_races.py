"""Many at once, on both databases: the last credit is spent once."""

import asyncio
from collections import Counter

import pytest

from storage.books import HoldAnswer, HoldEnded, HoldOpened, HoldReplayed, Insufficient, Swept
from storage.credits import HoldClosedError, HoldState, MilliCredits
from storage.database import Database, Unit
from storage.moments import MINUTE, Micros
from tests.builders import Shop, add_shop, grant_of, hold_of
from tests.fakes.clock import START
from tests.integration.test_books_holds import ending

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


async def test_an_order_that_arrives_while_others_hold_is_not_lost(database: Database) -> None:
    shop = await shop_with(database, 1)

    async with asyncio.timeout(20):
        await asyncio.gather(
            *(
                work
                for _ in range(CALLERS)
                for work in (
                    database.run(lambda unit: unit.books.grant(grant_of(shop, 1_000))),
                    database.run(lambda unit: unit.books.open_hold(hold_of(shop, 1_000))),
                )
            )
        )

    spent = await database.run(lambda unit: unit.books.open_hold(hold_of(shop, 10**9)))
    assert isinstance(spent, Insufficient)


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
