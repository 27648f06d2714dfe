"""A message is asked at the price that its page showed, or not at all."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from host.errors import PriceChanged
from host.runs.answers import LiveAnswer
from storage.credits import MilliCredits
from storage.database import Database, Unit
from storage.models.catalogue import Offering, PlanKind
from storage.moments import DAY
from tests.builders import add_plan
from tests.conversing import BOUGHT, PRICE, SLUG, THREAD, Hall, cover, open_hall, subscribe
from tests.fakes.clock import ManualClock


@pytest.fixture
async def hall(database: Database, database_url: str, clock: ManualClock) -> AsyncIterator[Hall]:
    async with open_hall(database, database_url, clock) as opened:
        yield opened


async def begin(
    hall: Hall, agreed: int, *, message_id: str = "m1", account_id: int | None = None
) -> LiveAnswer:
    return await hall.runs.begin(
        account_id=account_id or hall.shop.subscriber_id,
        thread_id=THREAD,
        offering_slug=SLUG,
        text="What is 6 * 7?",
        message_id=message_id,
        agreed=MilliCredits(agreed),
    )


async def with_a_pass_until(hall: Hall, ends_at: int) -> None:
    """Let the subscriber have a time plan beside the credits."""

    def work(unit: Unit) -> None:
        plan = add_plan(unit.session, hall.shop.builder_id, kind=PlanKind.TIME)
        cover(unit, plan, hall.shop.offering_id)
        subscribe(unit, hall.shop.subscriber_id, plan, now=hall.clock.now(), ends_at=ends_at)

    await hall.database.run(work)


async def repriced(hall: Hall, price: int) -> None:
    def work(unit: Unit) -> None:
        unit.session.get_one(Offering, hall.shop.offering_id).price = price

    await hall.database.run(work)


@pytest.mark.charges("a message at another price than the composer or its card showed")
@pytest.mark.parametrize("price", [2 * PRICE, PRICE - 1_000, 0])
async def test_at_another_price_nothing_is_asked_and_nothing_charged(
    hall: Hall, price: int
) -> None:
    await repriced(hall, price)
    with pytest.raises(PriceChanged, match="Nothing was charged") as refused:
        await begin(hall, PRICE)
    assert refused.value.price == price
    assert await hall.holds() == []
    assert await hall.said() == []
    assert await hall.available() == BOUGHT
    assert (await (await begin(hall, price)).outcome()).charged == price


async def test_at_the_price_that_was_seen_it_is_asked_and_twice_it_is_asked_once(
    hall: Hall,
) -> None:
    both = await asyncio.gather(begin(hall, PRICE), begin(hall, PRICE))
    assert {(await answer.outcome()).charged for answer in both} == {PRICE}
    await repriced(hall, 2 * PRICE)
    later = await begin(hall, PRICE)  # it was answered before, and that was paid for
    assert (await later.outcome()).charged == PRICE
    assert await hall.charges() == [-PRICE]


async def test_what_was_included_is_not_charged_when_the_plan_has_ended_meanwhile(
    hall: Hall,
) -> None:
    await with_a_pass_until(hall, hall.clock.now() + DAY)
    assert (await (await begin(hall, 0)).outcome()).charged == 0
    hall.clock.advance(DAY)
    with pytest.raises(PriceChanged, match="this message costs 5 credits now"):
        await begin(hall, 0, message_id="m2")
    assert await hall.charges() == [0]
    assert await hall.available() == BOUGHT


async def test_the_builders_own_message_costs_nothing_and_is_agreed_to_as_that(
    hall: Hall,
) -> None:
    answer = await begin(hall, 0, account_id=hall.shop.builder_id)
    assert (await answer.outcome()).text
