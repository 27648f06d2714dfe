"""What is charged, row by row of the published table, as the ledger's verbs say it.

Each row is a message or call for 5 credits by somebody who has 100: what was captured, how its
receipt reads afterwards, and what is left. An open endpoint and the builder's own call never come
to the ledger; `tests/integration/test_gateway.py` has them.
"""

from dataclasses import dataclass

import pytest
import pytest_asyncio
from sqlmodel import select

from storage.books import HoldConflict, HoldOpened, HoldReplayed, Insufficient, OpenHold
from storage.credits import HoldState
from storage.database import Database, Unit
from storage.models.money import Hold
from storage.moments import MINUTE, Micros
from tests.builders import Shop, add_plan, grant_of, hold_of, shop_with
from tests.fakes.clock import START
from tests.integration.test_books_holds import (
    available,
    captured,
    opened,
    released,
)

PRICE = 5_000
BALANCE = 100_000


@dataclass(frozen=True, slots=True)
class Receipt:
    """How a message or call ended."""

    state: str
    captured: int
    shortfall: int


@dataclass(frozen=True, slots=True)
class Counter:
    """A subscriber's wallet with 100 credits, and the questions each row asks."""

    database: Database
    shop: Shop

    async def opened(self, amount: int = PRICE, key: str = "message-1") -> HoldOpened:
        return await opened(self.database, hold_of(self.shop, amount, key=key))

    async def receipts(self) -> list[Receipt]:
        rows = await self.database.read(lambda session: session.exec(select(Hold)).all())
        return [Receipt(row.state, row.captured, row.shortfall) for row in rows]

    async def left(self) -> int:
        return await available(self.database, self.shop)


@pytest_asyncio.fixture
async def counter(database: Database) -> Counter:
    return Counter(database, await shop_with(database, BALANCE))


async def test_refused_before_the_upstream_for_lack_of_credits_is_free_and_leaves_no_receipt(
    counter: Counter,
) -> None:
    request = hold_of(counter.shop, BALANCE + 1)
    refused = await counter.database.run(lambda unit: unit.books.open_hold(request))

    assert isinstance(refused, Insufficient)
    assert (await counter.receipts(), await counter.left()) == ([], BALANCE)


async def test_an_upstream_that_fails_with_nothing_shown_is_free(counter: Counter) -> None:
    await released(counter.database, counter.shop, await counter.opened())

    assert await counter.receipts() == [Receipt("released", 0, 0)]
    assert await counter.left() == BALANCE


async def test_an_upstream_that_fails_after_visible_text_is_free_and_stays_so(
    counter: Counter,
) -> None:
    hold = await counter.opened()
    await released(counter.database, counter.shop, hold)
    again = await released(counter.database, counter.shop, hold)

    assert (again.state, again.captured) == (HoldState.RELEASED, 0)
    assert await counter.left() == BALANCE


async def test_stopped_before_the_first_visible_token_is_free(counter: Counter) -> None:
    ended = await released(counter.database, counter.shop, await counter.opened())

    assert (ended.state, ended.captured, ended.available) == (HoldState.RELEASED, 0, BALANCE)


async def test_stopped_after_the_first_visible_token_is_the_full_price(counter: Counter) -> None:
    ended = await captured(counter.database, counter.shop, await counter.opened(), PRICE)

    assert (ended.state, ended.captured) == (HoldState.CAPTURED, PRICE)
    assert await counter.left() == BALANCE - PRICE


async def test_a_browser_that_leaves_pays_the_full_price_of_the_run_that_finishes(
    counter: Counter,
) -> None:
    hold = await counter.opened()
    renewed = await counter.database.run(
        lambda unit: unit.books.renew(
            wallet_id=counter.shop.wallet_id,
            hold_id=hold.hold_id,
            expires_at=Micros(START + 30 * MINUTE),
        )
    )
    later = START + 20 * MINUTE
    swept = await counter.database.run(lambda unit: unit.books.sweep(Micros(later)))
    await captured(counter.database, counter.shop, hold, PRICE, later)

    assert (renewed.is_open, swept.holds) == (True, 0)
    assert await counter.receipts() == [Receipt("captured", PRICE, 0)]
    assert await counter.left() == BALANCE - PRICE


async def test_a_crash_in_mid_run_is_free_and_what_comes_later_is_the_hosts_loss(
    counter: Counter,
) -> None:
    hold = await counter.opened()
    later = START + 11 * MINUTE
    await counter.database.run(lambda unit: unit.books.sweep(Micros(later)))
    await captured(counter.database, counter.shop, hold, PRICE, later)

    assert await counter.receipts() == [Receipt("expired", 0, PRICE)]
    assert await counter.left() == BALANCE


async def test_a_crash_whose_provider_confirms_completion_is_the_full_price(
    counter: Counter,
) -> None:
    ended = await captured(
        counter.database, counter.shop, await counter.opened(), PRICE, START + 9 * MINUTE
    )

    assert (ended.state, ended.captured) == (HoldState.CAPTURED, PRICE)


async def test_the_same_message_or_key_twice_is_charged_once_and_has_the_same_receipt(
    counter: Counter,
) -> None:
    hold = await counter.opened()
    await captured(counter.database, counter.shop, hold, PRICE)

    async def asked(request: OpenHold) -> object:
        return await counter.database.run(lambda unit: unit.books.open_hold(request))

    again = await asked(hold_of(counter.shop, PRICE, key="message-1"))
    other = await asked(
        hold_of(counter.shop, PRICE, key="message-1", fingerprint=b"something else!!")
    )

    assert isinstance(again, HoldReplayed)
    assert (again.public_id, again.state, again.captured) == (
        hold.public_id,
        HoldState.CAPTURED,
        PRICE,
    )
    assert isinstance(other, HoldConflict)
    assert await counter.receipts() == [Receipt("captured", PRICE, 0)]
    assert await counter.left() == BALANCE - PRICE


async def test_a_time_plan_active_when_the_message_began_charges_nothing_and_leaves_a_receipt(
    counter: Counter,
) -> None:
    hold = await counter.opened(0)
    await captured(counter.database, counter.shop, hold, 0, START + MINUTE)

    assert await counter.receipts() == [Receipt("captured", 0, 0)]
    assert await counter.left() == BALANCE


@pytest.mark.parametrize(
    ("answered", "receipt", "left"),
    [
        pytest.param("2xx", Receipt("captured", PRICE, 0), BALANCE - PRICE, id="answered 2xx"),
        pytest.param("else", Receipt("released", 0, 0), BALANCE, id="anything else"),
    ],
)
async def test_a_proxied_call_costs_the_endpoints_price_when_it_is_answered_2xx(
    counter: Counter, answered: str, receipt: Receipt, left: int
) -> None:
    hold = await counter.opened()
    if answered == "2xx":
        await captured(counter.database, counter.shop, hold, PRICE)
    else:
        await released(counter.database, counter.shop, hold)

    assert await counter.receipts() == [receipt]
    assert await counter.left() == left


async def test_a_proxied_stream_is_decided_by_its_status_and_free_if_it_broke_before_a_byte(
    counter: Counter,
) -> None:
    whole, broken = await counter.opened(key="whole"), await counter.opened(key="broken")
    await captured(counter.database, counter.shop, whole, PRICE)
    await released(counter.database, counter.shop, broken)

    assert await counter.receipts() == [Receipt("captured", PRICE, 0), Receipt("released", 0, 0)]
    assert await counter.left() == BALANCE - PRICE


@pytest.mark.parametrize(
    ("used", "receipt", "left"),
    [
        pytest.param(1, Receipt("captured", 1, 0), BALANCE - 1, id="less than the most"),
        pytest.param(
            PRICE + 1, Receipt("captured", PRICE, 1), BALANCE - PRICE, id="more than the most"
        ),
    ],
)
async def test_a_variable_price_holds_the_most_and_captures_the_actual(
    counter: Counter, used: int, receipt: Receipt, left: int
) -> None:
    ended = await captured(counter.database, counter.shop, await counter.opened(), used)

    assert ended.available == left
    assert await counter.receipts() == [receipt]


async def test_any_plan_that_covers_the_offering_pays_what_the_first_could_not(
    counter: Counter,
) -> None:
    shop = counter.shop

    def bought(unit: Unit) -> int:
        other = add_plan(unit.session, shop.builder_id)
        unit.books.grant(grant_of(shop, 1_000, plan=other, priority=10))
        return other.plan_id

    plan_ids = (shop.plan.plan_id, await counter.database.run(bought))
    request = hold_of(shop, BALANCE + 1_000, plan_ids=plan_ids)
    ended = await captured(
        counter.database, shop, await opened(counter.database, request), BALANCE + 1_000
    )

    assert (ended.captured, ended.available) == (BALANCE + 1_000, 0)
