"""The page of a plan, the button of a trial, and what the account and receipts say afterwards."""

import re
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from sqlmodel import select

from host.catalogue.subscribing import SubscribeRequest
from host.config import Settings
from host.metering.corrections import Corrections
from host.metering.revoking import RevokeRequest
from storage.books import EndHold, HoldOpened
from storage.credits import MilliCredits
from storage.database import Database, Unit
from storage.ids import new_id
from storage.models.accounts import Role
from storage.models.catalogue import (
    Endpoint,
    Offering,
    OfferingKind,
    OfferingState,
    PlanKind,
    Service,
    Subscription,
)
from storage.models.money import GrantSource
from storage.moments import DAY
from tests.builders import PlanIds, Shop, add_offering, add_plan, hold_of
from tests.fakes.clock import START, ManualClock
from tests.integration.test_pages import (
    BASE,
    PagesHost,
    add,
    open_browser,
    paid_message,
    sign_in,
)


@pytest.fixture
def host(database: Database, clock: ManualClock) -> PagesHost:
    return PagesHost(database, clock, Settings(public_url=BASE, signup="open"))


@pytest_asyncio.fixture
async def browser(host: PagesHost) -> AsyncIterator[httpx.AsyncClient]:
    await add(host, "Sam")
    async with open_browser(host) as client:
        await sign_in(client, "sam")
        yield client


async def stock(host: PagesHost) -> dict[str, PlanIds]:
    """A trial and a pack over an assistant and a service, and a pass over the assistant."""
    builder = await add(host, "Bea", Role.BUILDER)

    def work(unit: Unit) -> dict[str, PlanIds]:
        s = unit.session
        plans = {
            "trial": add_plan(
                s, builder, slug="trial", title="A <Trial>", gives=20_000, price_minor=0,
                is_trial=True,
            ),
            "pack": add_plan(s, builder, slug="pack", title="Pack 100"),
            "pass": add_plan(s, builder, slug="pass", title="A week", kind=PlanKind.TIME),
        }  # fmt: skip
        add_offering(s, builder, *plans.values(), slug="math", title="Math <Tutor>")
        add_offering(s, builder, plans["pack"], title="A draft", state=OfferingState.DRAFT)
        songs = add_offering(
            s, builder, plans["pack"], kind=OfferingKind.SERVICE, price=1_000, title="Songs"
        )
        s.add(Service(offering_id=songs, upstream_url="https://songs.example"))
        s.flush()
        for path, price, is_open in (("/q", 1_000, False), ("/u", 2_000, False), ("/o", 0, True)):
            s.add(
                Endpoint(offering_id=songs, method="GET", path=path, price=price, is_open=is_open)
            )
        s.flush()
        return plans

    return await host.database.run(work)


async def press(browser: httpx.AsyncClient, address: str) -> httpx.Response:
    """Open a plan's page and press its button: what is posted is what stands in the form."""
    page = (await browser.get(address)).text
    form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
    return await browser.post(address.partition("?")[0], data=form)


async def account_of(host: PagesHost, email: str = "sam@example.com") -> int:
    return (await host.accounts.find(email)).id


async def included_message(host: PagesHost, plans: dict[str, PlanIds], account_id: int) -> str:
    """One message under a week that is running. Returns its receipt's id."""

    def work(unit: Unit) -> str:
        wallet = unit.books.open_wallet(account_id)
        plan = plans["pass"]
        unit.session.add(
            Subscription(
                account_id=account_id,
                plan_id=plan.plan_id,
                plan_version_id=plan.version_id,
                source=GrantSource.OPERATOR.value,
                source_ref=uuid4().hex,
                starts_at=START,
                ends_at=START + 7 * DAY,
                created_at=START,
            )
        )
        unit.session.flush()
        offering = unit.session.exec(select(Offering).where(Offering.slug == "math")).one()
        assert offering.id is not None
        shop = Shop(offering.owner_id, account_id, wallet, offering.id, plan)
        hold = unit.books.open_hold(hold_of(shop, 0))
        assert isinstance(hold, HoldOpened)
        end = EndHold(wallet_id=wallet, hold_id=hold.hold_id, plan_ids=(plan.plan_id,), now=START)
        unit.books.capture(end, MilliCredits(0))
        return hold.public_id

    return await host.database.run(work)


async def test_a_plans_page_says_what_it_gives_costs_and_covers_and_whom_to_ask(
    host: PagesHost, browser: httpx.AsyncClient
) -> None:
    await stock(host)
    page = await browser.get("/buy/pack")
    assert page.status_code == 200
    for fact in (
        "Pack 100",
        "100 credits",
        "$5.00",
        "100 credits = 20 messages",
        "100 credits = at least 50 calls",
        "Math &lt;Tutor&gt;",
        "5 credits per message",
        "1–2 credits per call",
        "Ask the operator of this site to add this plan to your account",
        "sam@example.com",
        'href="/buy/trial"',
    ):
        assert fact in page.text
    assert "A draft" not in page.text
    assert "Buy for" not in page.text
    assert 'action="/redeem"' in page.text


async def test_a_time_plan_is_said_in_days_and_includes_what_it_covers(
    host: PagesHost, browser: httpx.AsyncClient
) -> None:
    await stock(host)
    page = (await browser.get("/buy/pass")).text
    assert '<p class="amount">7 days</p>' in page
    assert "Included" in page
    assert "per message" not in page


async def test_a_trial_starts_at_the_press_of_its_button_and_only_once(
    host: PagesHost, browser: httpx.AsyncClient
) -> None:
    await stock(host)
    page = (await browser.get("/buy/trial")).text
    assert '<button type="submit">Start free trial' in page
    taken = await press(browser, "/buy/trial")
    assert (taken.status_code, taken.headers["location"]) == (303, "/a/math")
    sam = await account_of(host)
    (purchased,) = await host.catalogue.purchased(sam)
    assert purchased.standing.available == 20_000
    again = await browser.post("/buy/trial", data={"key": new_id()})
    assert again.headers["location"] == "/buy/trial"
    page = (await browser.get("/buy/trial")).text
    assert "You have already had this trial." in page
    assert 'href="/a/math"' in page
    assert "Start free trial" not in page
    (purchased,) = await host.catalogue.purchased(sam)
    assert purchased.standing.available == 20_000
    assert 'href="/buy/trial"' not in (await browser.get("/buy/pack")).text


async def test_a_trial_given_by_the_operator_and_taken_back_is_not_offered_again(
    host: PagesHost, browser: httpx.AsyncClient
) -> None:
    await stock(host)
    sam = await account_of(host)
    given = SubscribeRequest(
        account_id=sam, plan_slug="trial", source=GrantSource.OPERATOR, source_ref="1"
    )
    await host.catalogue.subscribe(None, given)
    revoked = RevokeRequest(account_id=sam, plan_slug="trial", request="2", note="a mistake")
    await Corrections(host.database, host.clock).revoke(None, revoked)
    refused = await browser.post("/buy/trial", data={"key": new_id()})
    assert refused.headers["location"] == "/buy/trial"
    page = (await browser.get("/buy/trial")).text
    assert "You have already had this trial." in page
    assert "Start free trial" not in page
    assert 'href="/buy/trial"' not in (await browser.get("/buy/pack")).text
    assert await host.catalogue.purchased(sam) == ()


async def test_the_button_of_a_paid_plan_cannot_be_made_up(
    host: PagesHost, browser: httpx.AsyncClient
) -> None:
    await stock(host)
    refused = await browser.post("/buy/pack", data={"key": new_id()})
    assert refused.status_code == 409
    assert "Payments are not set up on this site." in refused.text
    form = {"key": new_id()}
    elsewhere = await browser.post(
        "/buy/trial", data=form, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert elsewhere.status_code == 403
    for form in ({}, {"key": "made up"}):
        assert (await browser.post("/buy/trial", data=form)).status_code == 400
    assert await host.catalogue.subscriptions(await account_of(host)) == ()


async def test_who_is_signed_out_comes_back_to_the_plan(host: PagesHost) -> None:
    await stock(host)
    async with open_browser(host) as stranger:
        asked = await stranger.get("/buy/trial")
        assert asked.headers["location"] == "/login?next=%2Fbuy%2Ftrial"
        asked = await stranger.get("/buy/trial?return_to=/a/math")
        assert asked.headers["location"].endswith("trial%3Freturn_to%3D%2Fa%2Fmath")
        pressed = await stranger.post("/buy/trial", data={"key": new_id()})
        assert pressed.headers["location"] == "/buy/trial"


@pytest.mark.parametrize("slug", ["no-such-plan", "trial"])
async def test_a_plan_that_is_unknown_or_archived_is_an_error_page_with_a_way_back(
    host: PagesHost, browser: httpx.AsyncClient, slug: str
) -> None:
    await stock(host)
    await host.catalogue.archive_plan(None, "trial")
    pressed = await browser.post(f"/buy/{slug}", data={"key": new_id()})
    for refused in (await browser.get(f"/buy/{slug}"), pressed):
        assert refused.status_code == 404
        assert 'href="/">Go to the chat' in refused.text


async def test_a_receipt_under_a_time_plan_says_included_and_by_which_plan(
    host: PagesHost, browser: httpx.AsyncClient
) -> None:
    plans = await stock(host)
    receipt_id = await included_message(host, plans, await account_of(host))
    page = (await browser.get(f"/receipts/{receipt_id}")).text
    assert '<p class="amount">Included</p>' in page
    assert "<dt>Paid from</dt><dd>A week</dd>" in page
    assert "Left after" not in page
    assert "0 credits" not in page


async def test_the_account_lists_the_last_ten_charges_with_their_receipts(
    host: PagesHost, browser: httpx.AsyncClient
) -> None:
    sam = await account_of(host)
    assert "Nothing yet." in (await browser.get("/account")).text
    paid = await paid_message(host, sam)
    page = (await browser.get("/account")).text
    assert f'href="/receipts/{paid}"' in page
    assert "−5 credits" in page
    eve = await add(host, "Eve")
    async with open_browser(host) as stranger:
        await sign_in(stranger, "eve")
        assert paid not in (await stranger.get("/account")).text
    assert eve != sam


async def test_what_a_time_plan_included_is_listed_as_included_and_older_charges_give_way(
    host: PagesHost, browser: httpx.AsyncClient
) -> None:
    plans, sam = await stock(host), await account_of(host)
    receipts = [await included_message(host, plans, sam) for _ in range(11)]
    page = (await browser.get("/account")).text
    assert page.count("<p>Included</p>") == 10
    assert f"/receipts/{receipts[0]}" not in page
    assert page.index(receipts[10]) < page.index(receipts[1])
