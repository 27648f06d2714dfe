"""Buying on the pages: ordered once, paid once, replayed, declined, closed; and nobody else's."""

import asyncio
import re
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from host.catalogue.subscribing import SubscribeRequest
from host.config import Settings
from host.purchase.orders import ORDER_LIVES
from host.purchase.vouchers import VoucherBatch
from storage.database import Database
from storage.ids import new_id
from storage.models.money import GrantSource
from storage.moments import DAY, HOUR
from storage.order_states import OrderState
from storage.orders import OrderView
from tests.fakes.clock import ManualClock
from tests.integration.test_buy_page import account_of, press, stock
from tests.integration.test_pages import (
    BASE,
    FOREIGN_SCRIPT,
    PagesHost,
    add,
    open_browser,
    sign_in,
)


@pytest.fixture
def host(database: Database, clock: ManualClock) -> PagesHost:
    return PagesHost(database, clock, Settings(public_url=BASE, signup="open", payments="demo"))


@pytest_asyncio.fixture
async def browser(host: PagesHost) -> AsyncIterator[httpx.AsyncClient]:
    await add(host, "Sam")
    await stock(host)
    async with open_browser(host) as client:
        await sign_in(client, "sam")
        yield client


async def orders(host: PagesHost) -> tuple[OrderView, ...]:
    return await host.purchases.orders(await account_of(host))


async def left(host: PagesHost) -> int:
    got = await host.catalogue.purchased(await account_of(host))
    return max((one.standing.available for one in got), default=0)


async def test_a_plan_is_bought_on_the_pay_page_and_its_receipt_says_so(
    host: PagesHost, browser: httpx.AsyncClient
) -> None:
    page = (await browser.get("/buy/pack")).text
    assert "Buy for $5.00" in page
    to_pay = await press(browser, "/buy/pack?return_to=/a/math")
    (made,) = await orders(host)
    assert (to_pay.status_code, to_pay.headers["location"]) == (303, f"/pay/{made.id}")
    asked = (await browser.get(f"/pay/{made.id}")).text
    for fact in (
        "Demonstration",
        "no money moves",
        "Pay $5.00",
        "100 credits",
        "Decline",
        "Close",
    ):
        assert fact in asked
    assert not FOREIGN_SCRIPT.search(asked)
    paid = await browser.post(f"/pay/{made.id}/pay")
    assert paid.headers["location"] == f"/pay/{made.id}?done"
    thanks = await browser.get(paid.headers["location"])
    assert "Paid. Thank you!" in thanks.text
    assert f'data-order="{made.id}" data-state="fulfilled" data-next="/a/math"' in thanks.text
    assert "script-src 'self'" in thanks.headers["content-security-policy"]
    assert await left(host) == 100_000
    receipt = (await browser.get(f"/receipts/{made.id}")).text
    for fact in ("Pack 100", '<p class="amount">$5.00</p>', "Paid once.", "100 credits", made.id):
        assert fact in receipt


async def test_pressing_buy_twice_orders_once(host: PagesHost, browser: httpx.AsyncClient) -> None:
    page = (await browser.get("/buy/pack")).text
    found = re.search(r'name="key" value="([^"]+)"', page)
    assert found is not None
    form = {"key": found[1]}
    first, second = [await browser.post("/buy/pack", data=form) for _ in range(2)]
    assert first.headers["location"] == second.headers["location"]
    assert len(await orders(host)) == 1
    other = await browser.post("/buy/pass", data=form)
    assert other.status_code == 409
    # A page that was opened anew is another attempt.
    await press(browser, "/buy/pack")
    assert len(await orders(host)) == 2


@pytest.mark.parametrize(("plan", "brings"), [("pack", 100_000), ("trial", 20_000)])
async def test_a_double_click_orders_once_and_pays_once(
    host: PagesHost, browser: httpx.AsyncClient, plan: str, brings: int
) -> None:
    page = (await browser.get(f"/buy/{plan}")).text
    form = dict(re.findall(r'name="(key)" value="([^"]+)"', page))
    async with asyncio.timeout(30):
        clicks = await asyncio.gather(*(browser.post(f"/buy/{plan}", data=form) for _ in range(5)))
    (address,) = {click.headers["location"] for click in clicks}
    (order,) = await orders(host)
    if plan == "pack":
        assert address == f"/pay/{order.id}"
        async with asyncio.timeout(30):
            paid = await asyncio.gather(*(browser.post(f"{address}/pay") for _ in range(5)))
        told = [one.headers["location"] for one in paid]
        assert sorted(told) == [address] * 4 + [f"{address}?done"]
    assert await left(host) == brings


async def test_a_page_that_is_replayed_says_that_it_was_paid_and_pays_nothing(
    host: PagesHost, browser: httpx.AsyncClient
) -> None:
    address = (await press(browser, "/buy/pack")).headers["location"]
    await browser.post(f"{address}/pay")
    again = await browser.post(f"{address}/pay")
    assert again.headers["location"] == address
    page = (await browser.get(address)).text
    assert "This order is already paid" in page
    assert not FOREIGN_SCRIPT.search(page)
    assert f'href="/receipts/{address.removeprefix("/pay/")}"' in page
    late = await browser.post(f"{address}/decline")
    assert late.headers["location"] == address
    assert await left(host) == 100_000
    assert [one.state for one in await orders(host)] == [OrderState.FULFILLED]


async def test_declining_cancels_with_its_reason_and_offers_to_order_again(
    host: PagesHost, browser: httpx.AsyncClient
) -> None:
    address = (await press(browser, "/buy/pack?return_to=/a/math")).headers["location"]
    declined = await browser.post(f"{address}/decline")
    page = (await browser.get(declined.headers["location"])).text
    assert "Declined" in page
    assert 'data-state="cancelled"' in page
    assert "data-next" not in page
    assert 'href="/buy/pack?return_to=/a/math"' in page
    (order,) = await orders(host)
    assert (order.state, order.reason) == (OrderState.CANCELLED, "declined on the pay page")
    await browser.post(f"{address}/pay")
    assert await left(host) == 0
    assert "This order was cancelled" in (await browser.get(address)).text


async def test_closing_goes_back_and_leaves_the_order_open(
    host: PagesHost, browser: httpx.AsyncClient
) -> None:
    address = (await press(browser, "/buy/pack?return_to=/a/math")).headers["location"]
    assert (await browser.post(f"{address}/close")).headers["location"] == "/a/math"
    (order,) = await orders(host)
    assert order.state is OrderState.CREATED
    unpaid = (await browser.get(f"/receipts/{order.id}")).text
    assert "Not paid yet." in unpaid
    assert f'href="{address}"' in unpaid
    plain = (await press(browser, "/buy/pack")).headers["location"]
    assert (await browser.post(f"{plain}/close")).headers["location"] == "/buy/pack"


@pytest.mark.parametrize("is_written_down", [False, True])
async def test_an_expired_order_offers_a_new_one_and_a_page_left_open_pays_nothing(
    host: PagesHost, browser: httpx.AsyncClient, clock: ManualClock, is_written_down: bool
) -> None:
    address = (await press(browser, "/buy/pack?return_to=/a/math")).headers["location"]
    clock.advance(ORDER_LIVES)
    if is_written_down:
        assert await host.purchases.expire_due() == 1
    late = await browser.post(f"{address}/pay")
    assert late.headers["location"] == address
    page = (await browser.get(address)).text
    assert "This order has expired" in page
    assert "Pay $5.00" not in page
    assert 'href="/buy/pack?return_to=/a/math"' in page
    assert [one.state for one in await orders(host)] == [OrderState.EXPIRED]
    assert await left(host) == 0
    again = (await press(browser, "/buy/pack")).headers["location"]
    await browser.post(f"{again}/pay")
    assert await left(host) == 100_000


async def test_a_page_in_its_last_moment_still_pays(
    host: PagesHost, browser: httpx.AsyncClient, clock: ManualClock
) -> None:
    address = (await press(browser, "/buy/pack")).headers["location"]
    clock.advance(ORDER_LIVES - 1)
    paid = await browser.post(f"{address}/pay")
    assert paid.headers["location"] == f"{address}?done"
    clock.advance(1)
    assert (await browser.post(f"{address}/pay")).headers["location"] == address
    assert "This order is already paid" in (await browser.get(address)).text
    assert await left(host) == 100_000


async def test_an_order_is_shown_and_paid_by_nobody_but_its_maker(
    host: PagesHost, browser: httpx.AsyncClient
) -> None:
    address = (await press(browser, "/buy/pack")).headers["location"]
    (order,) = await orders(host)
    await add(host, "Eve")
    async with open_browser(host) as stranger:
        signed_out = await stranger.get(address)
        assert signed_out.headers["location"].startswith("/login")
        await sign_in(stranger, "eve")
        for path in (address, f"/receipts/{order.id}", f"/pay/{uuid4()}", "/pay/x%00"):
            refused = await stranger.get(path)
            assert refused.status_code == 404
            assert "sam@example.com" not in refused.text
        for step in ("pay", "decline", "close"):
            assert (await stranger.post(f"{address}/{step}")).status_code == 404
        for theirs in ("/pay/{}", "/receipts/{}"):
            refused = await stranger.get(theirs.format(order.id))
            nothing = theirs.format(unknown := str(uuid4()))
            assert refused.text == (await stranger.get(nothing)).text.replace(unknown, order.id)
    forged = await browser.post(f"{address}/pay", headers={"Sec-Fetch-Site": "cross-site"})
    assert forged.status_code == 403
    assert [one.state for one in await orders(host)] == [OrderState.CREATED]


async def test_a_pass_that_runs_says_from_when_it_would_be_extended(
    host: PagesHost, browser: httpx.AsyncClient, clock: ManualClock
) -> None:
    address = (await press(browser, "/buy/pass")).headers["location"]
    await browser.post(f"{address}/pay")
    clock.advance(DAY)
    page = (await browser.get("/buy/pass")).text
    assert "What you add begins then" in page
    assert "Buy again for $5.00" in page


async def test_one_returns_to_this_host_only(host: PagesHost, browser: httpx.AsyncClient) -> None:
    for wanted in ("//evil.example", "https://evil.example", "/\\evil.example"):
        page = (await browser.get("/buy/pack", params={"return_to": wanted})).text
        # Below stands the way to the same page in another language: the same address again.
        assert "evil" not in page.partition("<footer")[0]
        posted = await browser.post("/buy/pack", data={"key": new_id(), "return_to": wanted})
        assert posted.status_code == 303
    assert {one.return_to for one in await orders(host)} == {""}


async def test_a_trial_leads_back_to_where_one_came_from(
    host: PagesHost, browser: httpx.AsyncClient
) -> None:
    started = await press(browser, "/buy/trial?return_to=/thread/1")
    assert started.headers["location"] == "/thread/1"
    (order,) = await orders(host)
    receipt = (await browser.get(f"/receipts/{order.id}")).text
    assert "Free of charge." in receipt
    assert 'href="/a/math"' in receipt
    assert "This order is already paid" in (await browser.get(f"/pay/{order.id}")).text
    assert (await browser.post(f"/pay/{order.id}/pay")).headers["location"] == f"/pay/{order.id}"


async def test_a_voucher_is_redeemed_and_a_wrong_code_stays_in_its_field(
    host: PagesHost, browser: httpx.AsyncClient
) -> None:
    (issued,) = await host.vouchers.issue(None, VoucherBatch(plan_slug="pack"))
    assert "Redeem a voucher" in (await browser.get("/redeem")).text
    wrong = await browser.post("/redeem", data={"code": "<WRONG>"})
    assert wrong.status_code == 404
    assert 'value="&lt;WRONG&gt;"' in wrong.text
    assert "No voucher has this code." in wrong.text
    empty = await browser.post("/redeem", data={"code": " "})
    assert (empty.status_code, "Enter the code" in empty.text) == (422, True)
    code = {"code": issued.code.lower()}
    done = await browser.post("/redeem", data=code)
    (order,) = await orders(host)
    assert done.headers["location"] == f"/receipts/{order.id}"
    again = await browser.post("/redeem", data=code)
    assert (again.status_code, len(await orders(host))) == (200, 1)
    assert "You redeemed this voucher already, on <time" in again.text
    assert "It gave you Pack 100, once; nothing was added now." in again.text
    assert f'href="/receipts/{order.id}"' in again.text
    receipt = (await browser.get(f"/receipts/{order.id}")).text
    assert "A voucher paid for it." in receipt
    assert '<p class="amount">100 credits</p>' in receipt
    assert issued.code not in receipt
    assert await left(host) == 100_000


async def test_a_refunded_order_says_so_on_its_receipt(
    host: PagesHost, browser: httpx.AsyncClient
) -> None:
    address = (await press(browser, "/buy/pack")).headers["location"]
    await browser.post(f"{address}/pay")
    (order,) = await orders(host)
    await host.purchases.refund(None, order.id, 200)
    receipt = (await browser.get(f"/receipts/{order.id}")).text
    assert "Part of it was refunded." in receipt
    assert "<dt>Refunded</dt><dd>$2.00</dd>" in receipt
    assert "<dt>Taken back</dt><dd>40 credits</dd>" in receipt


async def test_purchases_are_listed_as_orders_with_their_receipts_and_what_can_be_paid(
    host: PagesHost, browser: httpx.AsyncClient
) -> None:
    (issued,) = await host.vouchers.issue(None, VoucherBatch(plan_slug="pass"))
    await browser.post("/redeem", data={"code": issued.code})
    await press(browser, "/buy/trial")
    bought = (await press(browser, "/buy/pack")).headers["location"]
    await browser.post(f"{bought}/pay")
    refunded = (await orders(host))[0]
    await host.purchases.refund(None, refunded.id, 200)
    declined = (await press(browser, "/buy/pack")).headers["location"]
    await browser.post(f"{declined}/decline")
    unpaid = (await press(browser, "/buy/pack")).headers["location"]
    given = SubscribeRequest(
        account_id=refunded.account_id,
        plan_slug="pack",
        source=GrantSource.OPERATOR,
        source_ref="ticket-1",
    )
    await host.purchases.give(None, given)

    page = (await browser.get("/account/purchases")).text
    lines = [" ".join(re.sub(r"<[^>]+>", " ", one).split()) for one in page.split("<li>")]
    for told in (
        "A week 7 days · Voucher · until ",
        "A &lt;Trial&gt; 20 credits · Free trial ",
        "Pack 100 100 credits · Bought for $5.00 · $2.00 refunded ",
        "Pack 100 100 credits · Cancelled ",
        "Pack 100 100 credits · Not paid yet Pay $5.00 ",
        "Pack 100 100 credits · Given by the operator ",
    ):
        assert sum(told in line for line in lines) == 1, (told, lines)
    linked = set(re.findall(r'href="/receipts/([^"]+)"', page))
    assert linked == {one.id for one in await orders(host)}
    assert re.findall(r'href="(/pay/[^"]+)"', page) == [unpaid]
    host.clock.advance(HOUR)
    later = (await browser.get("/account/purchases")).text
    assert "Not paid in time" in later
    assert unpaid not in later
