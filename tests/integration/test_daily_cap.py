"""What a subscriber lets themselves spend in a day, UTC, on both databases."""

import asyncio
from collections import Counter

from storage.books import HoldAnswer, HoldOpened, OverCap
from storage.credits import MilliCredits
from storage.database import Database
from storage.moments import DAY, Micros
from tests.builders import Shop, hold_of, shop_with
from tests.fakes.clock import START
from tests.integration.test_books_holds import captured, opened, released

MIDNIGHT = START - START % DAY + DAY


async def capped(database: Database, shop: Shop, cap: int | None, now: int = START) -> int:
    limit = None if cap is None else MilliCredits(cap)
    return await database.run(
        lambda unit: unit.books.set_cap(wallet_id=shop.wallet_id, cap=limit, now=Micros(now))
    )


async def asked(database: Database, shop: Shop, amount: int, now: int = START) -> HoldAnswer:
    request = hold_of(shop, amount, now=now)
    return await database.run(lambda unit: unit.books.open_hold(request))


async def test_what_was_charged_and_what_is_held_count_against_the_cap(
    database: Database,
) -> None:
    shop = await shop_with(database, 100_000)
    version = await capped(database, shop, 10_000)
    await captured(database, shop, await opened(database, hold_of(shop, 5_000)), 3_000)
    held = await opened(database, hold_of(shop, 4_000))

    over = await asked(database, shop, 3_001)
    just = await asked(database, shop, 3_000)
    await released(database, shop, held)
    again = await asked(database, shop, 4_000)

    assert version == 2
    assert over == OverCap(
        required=MilliCredits(3_001),
        cap=MilliCredits(10_000),
        spent=MilliCredits(7_000),
        resets_at=Micros(MIDNIGHT),
        version=held.version,
    )
    assert isinstance(just, HoldOpened)
    assert isinstance(again, HoldOpened)


async def test_at_midnight_utc_the_day_begins_anew_and_what_is_held_still_counts(
    database: Database,
) -> None:
    shop = await shop_with(database, 100_000)
    await capped(database, shop, 5_000)
    await captured(database, shop, await opened(database, hold_of(shop, 4_000)), 4_000)
    await opened(database, hold_of(shop, 1_000))

    before = await asked(database, shop, 4_000, MIDNIGHT - 1)
    after = await asked(database, shop, 4_000, MIDNIGHT)
    more = await asked(database, shop, 1, MIDNIGHT)

    assert isinstance(before, OverCap)
    assert isinstance(after, HoldOpened)
    assert isinstance(more, OverCap)
    assert more.resets_at == MIDNIGHT + DAY


async def test_a_charge_counts_on_the_day_it_is_made(database: Database) -> None:
    shop = await shop_with(database, 100_000)
    await capped(database, shop, 5_000)
    evening = await opened(database, hold_of(shop, 3_000))
    await captured(database, shop, evening, 3_000, MIDNIGHT)

    answer = await asked(database, shop, 3_000, MIDNIGHT)

    assert isinstance(answer, OverCap)
    assert answer.spent == 3_000


async def test_what_costs_nothing_passes_a_cap_of_nothing(database: Database) -> None:
    shop = await shop_with(database, 100_000)
    await capped(database, shop, 0)

    assert isinstance(await asked(database, shop, 0), HoldOpened)
    assert isinstance(await asked(database, shop, 1), OverCap)


async def test_a_cap_is_numbered_when_it_changes_and_can_be_lifted(database: Database) -> None:
    shop = await shop_with(database, 100_000)

    versions = [await capped(database, shop, cap) for cap in (0, 0, None, None)]

    assert versions == [2, 2, 3, 3]
    assert isinstance(await asked(database, shop, 100_000), HoldOpened)


async def test_twenty_at_once_pass_exactly_as_often_as_the_cap_allows(
    database: Database,
) -> None:
    shop = await shop_with(database, 1_000_000)
    await capped(database, shop, 7 * 5_000 + 4_999)

    async with asyncio.timeout(20):
        answers = await asyncio.gather(*(asked(database, shop, 5_000) for _ in range(20)))

    assert Counter(type(answer) for answer in answers) == {HoldOpened: 7, OverCap: 13}
