"""What a subscriber and the operator let be spent in a day, UTC, on both databases."""

import asyncio
from collections import Counter

import pytest
from sqlalchemy import text

from storage.books import HoldAnswer, HoldOpened, OverCap
from storage.credits import MilliCredits
from storage.database import Database
from storage.moments import DAY, Micros
from tests.builders import Shop, hold_of, shop_with
from tests.fakes.clock import START
from tests.integration.test_books_holds import captured, opened, released

MIDNIGHT = START - START % DAY + DAY


async def capped(
    database: Database,
    shop: Shop,
    cap: int | None,
    now: int = START,
    *,
    is_operators: bool = False,
) -> int:
    limit = None if cap is None else MilliCredits(cap)
    return await database.run(
        lambda unit: unit.books.set_cap(
            wallet_id=shop.wallet_id, cap=limit, now=Micros(now), is_operators=is_operators
        )
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


@pytest.mark.parametrize(
    ("own", "operators", "counts", "is_operators"),
    [
        pytest.param(None, 7_000, 7_000, True, id="the operator's alone"),
        pytest.param(9_000, 7_000, 7_000, True, id="the operator's is smaller"),
        pytest.param(5_000, 7_000, 5_000, False, id="one's own is smaller"),
        pytest.param(7_000, 7_000, 7_000, True, id="both are the same"),
        pytest.param(7_000, None, 7_000, False, id="one's own alone"),
        pytest.param(7_000, 0, 0, True, id="nothing"),
    ],
)
async def test_of_ones_own_cap_and_the_operators_the_smaller_counts(
    database: Database, own: int | None, operators: int | None, counts: int, is_operators: bool
) -> None:
    shop = await shop_with(database, 100_000)
    await capped(database, shop, own)
    await capped(database, shop, operators, is_operators=True)

    over = await asked(database, shop, counts + 1)
    served = await database.teller.open_hold(hold_of(shop, counts + 1))

    for answer in (over, served):
        assert isinstance(answer, OverCap)
        assert (answer.cap, answer.is_operators) == (counts, is_operators)
    assert isinstance(await asked(database, shop, counts), HoldOpened)


async def test_each_cap_is_lifted_by_itself_and_numbered(database: Database) -> None:
    shop = await shop_with(database, 100_000)
    await capped(database, shop, 5_000, is_operators=True)

    versions = [await capped(database, shop, cap) for cap in (9_000, None)]
    assert isinstance(await asked(database, shop, 5_001), OverCap)
    versions.append(await capped(database, shop, None, is_operators=True))

    assert versions == [3, 4, 5]
    assert isinstance(await asked(database, shop, 5_001), HoldOpened)
    kinds = text("SELECT kind, amount FROM wallet_change ORDER BY version")
    assert await database.read(lambda s: [tuple(row) for row in s.execute(kinds)]) == [
        ("operator_cap", 5_000), ("cap", 9_000), ("cap", None), ("operator_cap", None)
    ]  # fmt: skip


async def test_twenty_at_once_pass_exactly_as_often_as_the_cap_allows(
    database: Database,
) -> None:
    shop = await shop_with(database, 1_000_000)
    await capped(database, shop, 7 * 5_000 + 4_999)

    async with asyncio.timeout(20):
        answers = await asyncio.gather(*(asked(database, shop, 5_000) for _ in range(20)))

    assert Counter(type(answer) for answer in answers) == {HoldOpened: 7, OverCap: 13}
