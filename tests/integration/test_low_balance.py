"""Somebody is told, once, that their credits run low and that they have run out."""

from typing import Any

import pytest
from sqlmodel import select

from storage.credits import MilliCredits
from storage.database import Database, Unit
from storage.models.money import OutboxLine
from storage.moments import MINUTE, Micros
from tests.builders import Shop, add_shop, grant_of, hold_of, shop_with
from tests.fakes.clock import START
from tests.integration.test_books_holds import captured, ending, opened

PRICE = 5_000


async def told(database: Database) -> list[tuple[str, dict[str, Any]]]:
    lines = await database.read(
        lambda session: session.exec(select(OutboxLine).order_by(OutboxLine.id)).all()  # type: ignore[arg-type]
    )
    return [(line.topic, line.payload) for line in lines]


async def sent(database: Database, shop: Shop, price: int = PRICE) -> None:
    hold = await opened(database, hold_of(shop, price))
    await captured(database, shop, hold, price)


async def test_each_threshold_is_told_once_with_the_charge_that_crosses_it(
    database: Database,
) -> None:
    shop = await shop_with(database, 130_000)

    for _ in range(26):
        await sent(database, shop)

    (low, first), (out, last) = await told(database)
    assert (low, first["left"], first["price"]) == ("balance.low", 20_000, PRICE)
    assert (out, last["left"], last["price"]) == ("balance.exhausted", 0, PRICE)
    assert first["wallet_id"] == last["wallet_id"] == shop.wallet_id
    assert first["plan_ids"] == [shop.plan.plan_id]


async def test_after_a_top_up_the_same_thresholds_are_told_again(database: Database) -> None:
    shop = await shop_with(database, PRICE)
    await sent(database, shop)
    await database.run(lambda unit: unit.books.grant(grant_of(shop, PRICE)))
    await sent(database, shop)

    assert [topic for topic, _ in await told(database)] == ["balance.exhausted"] * 2


async def test_a_unit_that_fails_leaves_no_line(database: Database) -> None:
    shop = await shop_with(database, PRICE)
    hold = await opened(database, hold_of(shop, PRICE))

    def work(unit: Unit) -> None:
        unit.books.capture(ending(shop, hold.hold_id), MilliCredits(PRICE))
        raise RuntimeError("after the charge")

    with pytest.raises(RuntimeError, match="after the charge"):
        await database.run(work)
    assert await told(database) == []


async def test_what_is_held_is_not_yet_spent(database: Database) -> None:
    shop = await shop_with(database, 130_000)
    await opened(database, hold_of(shop, 115_000))

    await sent(database, shop)

    assert await told(database) == []


async def test_late_charges_of_a_grant_that_has_ended_tell_nothing_twice(
    database: Database,
) -> None:
    def work(unit: Unit) -> Shop:
        shop = add_shop(unit)
        unit.books.grant(grant_of(shop, 20_000, expires_at=START + MINUTE))
        return shop

    shop = await database.run(work)
    holds = [await opened(database, hold_of(shop, PRICE)) for _ in range(4)]
    await database.run(lambda unit: unit.books.sweep(Micros(START + MINUTE)))
    for hold in holds:
        await captured(database, shop, hold, PRICE, START + MINUTE)

    assert await told(database) == []
