"""The pages as a browser meets them: forms, cookies, refusals, and what they never give away."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from host.catalogue.catalogue import Catalogue
from host.config import Settings
from host.errors import InvalidInput
from host.files.files import Files
from host.identity.access_tokens import AccessTokens
from host.identity.former import FormerPeople
from host.identity.own_login import OwnLogin
from host.metering.corrections import Corrections, RefundRequest
from host.metering.revoking import RevokeRequest
from host.pages.rendering import date
from host.pages.router import pages_router
from host.personal.concerns import Concerns
from host.personal.deletion import Deletion
from host.personal.download import Download
from host.purchase.purchases import Purchases
from host.purchase.vouchers import Vouchers
from host.vault.envelope import MasterKey
from host.vault.vault import Vault
from storage.books import EndHold, HoldOpened
from storage.credits import MilliCredits
from storage.database import Database, Unit
from storage.models.accounts import Role
from storage.models.catalogue import OfferingState, Subscription
from storage.models.money import GrantSource
from storage.moments import NEVER
from tests.builders import Shop, add_offering, add_plan, grant_of, hold_of
from tests.databases import SQLITE_ALONE
from tests.door import Door, key_of
from tests.fakes.clock import START, ManualClock

GOOD = "correct horse battery"
BASE = "http://farebox.test"
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
FOREIGN_SCRIPT = re.compile(
    r'<script(?! src="/static/[a-z]+\.js(\?v=[0-9a-f]+)?" defer></script>)'
)
"""Any script that is not a file of ours."""


class PagesHost(Door):
    """As much of the host as its pages need."""

    def __init__(self, database: Database, clock: ManualClock, settings: Settings) -> None:
        super().__init__(database, clock, settings)
        self.database, self.clock, self.settings = database, clock, settings
        vault = Vault(database, clock, MasterKey(bytes(32)))
        self.access_tokens = AccessTokens(database, clock, vault, settings.public_url)
        self.catalogue = Catalogue(database, clock, settings)
        former = FormerPeople(vault)
        self.purchases = Purchases(database, clock, settings, former)
        self.vouchers = Vouchers(database, clock)
        self.corrections = Corrections(database, clock)
        self.own_login = OwnLogin(database, clock, self.passwords)
        self.concerns = Concerns(database, clock)
        self.deletion = Deletion(
            database,
            clock,
            self.access_tokens,
            self.catalogue,
            former=former,
            told_of_erased_words=lambda: None,
        )
        self.download = Download(database, clock, public_url=settings.public_url)
        self.files = Files(database, clock)


@pytest.fixture
def host(database: Database, clock: ManualClock) -> PagesHost:
    return PagesHost(database, clock, Settings(public_url=BASE, signup="open"))


@pytest_asyncio.fixture
async def browser(host: PagesHost) -> AsyncIterator[httpx.AsyncClient]:
    async with open_browser(host) as client:
        yield client


def open_browser(host: PagesHost) -> httpx.AsyncClient:
    app = FastAPI()
    app.include_router(pages_router(host))
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url=BASE, headers=SAME_ORIGIN
    )


async def add(host: PagesHost, name: str, *roles: Role) -> int:
    email = f"{name.lower()}@example.com"
    return (await host.accounts.create(email, name, GOOD, roles or (Role.SUBSCRIBER,))).id


async def sign_in(browser: httpx.AsyncClient, name: str, next_: str = "/") -> httpx.Response:
    return await browser.post(
        "/login", data={"email": f"{name}@example.com", "password": GOOD, "next": next_}
    )


async def paid_message(host: PagesHost, account_id: int) -> str:
    """One message of five credits, paid from a pack of a hundred. Returns its receipt's id."""
    builder = await add(host, "Bea", Role.BUILDER)

    def work(unit: Unit) -> str:
        plan = add_plan(unit.session, builder, title="Pack 100")
        offering = add_offering(
            unit.session, builder, plan, slug="math-tutor", title="Math <Tutor>"
        )
        wallet = unit.books.open_wallet(account_id)
        unit.session.add(
            Subscription(
                account_id=account_id,
                plan_id=plan.plan_id,
                plan_version_id=plan.version_id,
                source=GrantSource.OPERATOR.value,
                source_ref="order-1",
                starts_at=START,
                ends_at=NEVER,
                created_at=START,
            )
        )
        unit.session.flush()
        shop = Shop(builder, account_id, wallet, offering, plan)
        unit.books.grant(grant_of(shop, 100_000))
        hold = unit.books.open_hold(hold_of(shop, 5_000))
        assert isinstance(hold, HoldOpened)
        end = EndHold(wallet_id=wallet, hold_id=hold.hold_id, plan_ids=(plan.plan_id,), now=START)
        unit.books.capture(end, MilliCredits(5_000))
        return hold.public_id

    return await host.database.run(work)


@SQLITE_ALONE
async def test_signing_in_leads_where_one_wanted_to_go(
    host: PagesHost, browser: httpx.AsyncClient
) -> None:
    await add(host, "Sam")
    asked = await browser.get("/account")
    assert (asked.status_code, asked.headers["location"]) == (303, "/login?next=%2Faccount")
    form = await browser.get(asked.headers["location"])
    assert 'name="next" value="/account"' in form.text
    done = await sign_in(browser, "sam", "/account")
    assert (done.status_code, done.headers["location"]) == (303, "/account")
    assert "HttpOnly; SameSite=Lax" in done.headers["set-cookie"]
    assert "sam@example.com" in (await browser.get("/account")).text
    again = await browser.get("/login?next=/account")
    assert again.headers["location"] == "/account"


@SQLITE_ALONE
async def test_where_one_wanted_to_go_is_not_read_from_the_host_header(
    browser: httpx.AsyncClient,
) -> None:
    asked = await browser.get("/account", headers={"Host": "x/elsewhere?"})
    assert asked.headers["location"] == "/login?next=%2Faccount"


@SQLITE_ALONE
async def test_signing_in_never_leads_to_another_host(
    host: PagesHost, browser: httpx.AsyncClient
) -> None:
    await add(host, "Sam")
    done = await sign_in(browser, "sam", "//elsewhere.example")
    assert done.headers["location"] == "/"
    assert (await browser.get("/login?next=https://e.example")).headers["location"] == "/"


@SQLITE_ALONE
async def test_a_wrong_password_keeps_the_address_and_forgets_the_password(
    host: PagesHost, browser: httpx.AsyncClient
) -> None:
    await add(host, "Sam")
    for email in ("sam@example.com", "nobody@example.com"):
        refused = await browser.post("/login", data={"email": email, "password": "wrong-pass-99"})
        assert refused.status_code == 401
        assert "do not belong together" in refused.text
        assert f'value="{email}"' in refused.text
        assert "wrong-pass-99" not in refused.text
        assert "set-cookie" not in refused.headers


@SQLITE_ALONE
async def test_too_many_wrong_passwords_are_answered_429_with_a_time_to_wait(
    host: PagesHost, browser: httpx.AsyncClient
) -> None:
    await add(host, "Sam")
    for _ in range(10):
        await browser.post("/login", data={"email": "sam@example.com", "password": "x"})
    refused = await sign_in(browser, "sam")
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "900"
    assert "Try again in 15 minutes." in refused.text


@SQLITE_ALONE
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Sec-Fetch-Site": "cross-site"}, id="another site"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, id="a neighbouring subdomain"),
        pytest.param(
            {"Sec-Fetch-Site": "cross-site", "Origin": BASE}, id="an origin cannot help it"
        ),
        pytest.param({"Origin": "https://elsewhere.example"}, id="another origin"),
        pytest.param({"Origin": "null"}, id="a sandboxed page"),
    ],
)
async def test_a_form_sent_from_elsewhere_does_nothing(
    host: PagesHost, headers: dict[str, str]
) -> None:
    await add(host, "Sam")
    async with open_browser(host) as browser:
        del browser.headers["Sec-Fetch-Site"]
        refused = await browser.post(
            "/login", data={"email": "sam@example.com", "password": GOOD}, headers=headers
        )
        assert refused.status_code == 403
        assert "set-cookie" not in refused.headers


async def test_a_browser_without_fetch_metadata_is_known_by_its_origin(host: PagesHost) -> None:
    await add(host, "Sam")
    async with open_browser(host) as browser:
        del browser.headers["Sec-Fetch-Site"]
        browser.headers["Origin"] = BASE
        assert (await sign_in(browser, "sam")).status_code == 303


async def test_signing_out_ends_the_login_session_itself(
    host: PagesHost, browser: httpx.AsyncClient
) -> None:
    await add(host, "Sam")
    await sign_in(browser, "sam")
    cookie = browser.cookies["farebox_login"]
    assert "sam@example.com" in (await browser.get("/logout")).text
    out = await browser.post("/logout")
    assert out.headers["location"] == "/login?notice=out"
    assert "Max-Age=0" in out.headers["set-cookie"]
    assert await host.login_sessions.find(cookie) is None
    assert "You are signed out." in (await browser.get("/login?notice=out")).text
    assert (await browser.get("/logout")).headers["location"] == "/login"


@SQLITE_ALONE
async def test_a_mistake_in_a_form_is_explained_beside_its_field(
    browser: httpx.AsyncClient,
) -> None:
    refused = await browser.post(
        "/signup", data={"name": "Ada", "email": "ada@example.com", "password": "short-99"}
    )
    assert refused.status_code == 422
    assert 'id="password-wrong" role="alert">Use at least 10 characters' in refused.text
    assert 'aria-invalid="true"' in refused.text
    assert 'value="Ada"' in refused.text
    assert "short-99" not in refused.text


@SQLITE_ALONE
async def test_what_people_type_is_never_markup(browser: httpx.AsyncClient) -> None:
    name = '"><script>alert(1)</script>'
    refused = await browser.post(
        "/signup", data={"name": name, "email": f"{name}@example.com", "password": "x"}
    )
    assert not FOREIGN_SCRIPT.search(refused.text)
    await browser.post(
        "/signup", data={"name": name, "email": "ada@example.com", "password": GOOD}
    )
    shown = await browser.get("/account")
    assert "&lt;script&gt;" in shown.text
    assert not FOREIGN_SCRIPT.search(shown.text)


async def test_open_sign_up_signs_in(browser: httpx.AsyncClient) -> None:
    done = await browser.post(
        "/signup", data={"name": "Ada", "email": "ada@example.com", "password": GOOD}
    )
    assert done.headers["location"] == "/"
    assert "You have no plan yet" in (await browser.get("/account")).text


async def test_an_invitation_opens_a_closed_door_once(
    database: Database, clock: ManualClock
) -> None:
    host = PagesHost(database, clock, Settings(public_url=BASE))
    async with open_browser(host) as browser:
        closed = await browser.get("/signup")
        assert "By invitation" in closed.text
        assert "<form" not in closed.text
        key = key_of(await host.accounts.invite("ada@example.com", Role.BUILDER))
        form = await browser.get("/signup", params={"key": key})
        assert 'value="ada@example.com"' in form.text
        fields = {"key": key, "name": "Ada", "password": GOOD, "email": "eve@example.com"}
        short = await browser.post("/signup", data=fields | {"password": "short"})
        assert short.status_code == 422
        assert (await browser.post("/signup", data=fields)).status_code == 303
        account = (await browser.get("/account")).text
        assert "ada@example.com" in account
        assert "Builder" in account
        assert (await browser.post("/signup", data=fields)).status_code == 403
        spent = await browser.get("/signup", params={"key": key})
        assert "no longer works" in spent.text


async def test_a_closed_door_opens_for_no_invitation_either(
    database: Database, clock: ManualClock
) -> None:
    host = PagesHost(database, clock, Settings(public_url=BASE))
    key = key_of(await host.accounts.invite("ada@example.com", Role.SUBSCRIBER))
    closed = PagesHost(database, clock, Settings(public_url=BASE, signup="closed"))
    async with open_browser(closed) as browser:
        page = await browser.get("/signup")
        assert (page.status_code, "<form" in page.text) == (200, False)
        assert "takes no new accounts" in page.text
        assert "Create an account" not in (await browser.get("/login")).text
        fields = {"name": "Ada", "email": "ada@example.com", "password": GOOD}
        for form in (fields, fields | {"key": key}):
            assert (await browser.post("/signup", data=form)).status_code == 403
        assert (await browser.get("/signup", params={"key": key})).status_code == 403
    assert await closed.accounts.list() == []
    with pytest.raises(InvalidInput, match="FAREBOX_SIGNUP"):
        await closed.accounts.invite("bob@example.com", Role.SUBSCRIBER)


async def test_the_terms_are_there_for_everybody_and_the_operators_own_if_they_wrote_some(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    host = PagesHost(database, clock, Settings(public_url=BASE, signup="open"))
    async with open_browser(host) as browser:
        for page in ("/login", "/signup", "/reset"):
            assert 'href="/terms"' in (await browser.get(page)).text
        terms = await browser.get("/terms")
        assert terms.status_code == 200
        assert "You stop it after the first word" in terms.text
        assert 'href="/login"' in terms.text
    path = tmp_path / "terms.md"
    path.write_text("# Our terms\n\n<script>alert(1)</script>", encoding="utf-8")
    host = PagesHost(database, clock, Settings(public_url=BASE, terms_file=path))
    await add(host, "Sam")
    async with open_browser(host) as browser:
        await sign_in(browser, "sam")
        page = (await browser.get("/terms")).text
        assert "<h1>Our terms</h1>" in page
        assert not FOREIGN_SCRIPT.search(page)
        assert 'href="/account"' in page
        path.write_text("# Newer terms", encoding="utf-8")
        assert "<h1>Newer terms</h1>" in (await browser.get("/terms")).text


async def test_the_setup_link_makes_the_first_operator(
    host: PagesHost, browser: httpx.AsyncClient
) -> None:
    assert (await browser.get("/setup")).status_code == 403
    link = await host.accounts.setup_link()
    assert link is not None
    fields = {"key": key_of(link), "name": "Olga", "email": "olga@example.com", "password": GOOD}
    assert (await browser.get("/setup", params={"key": key_of(link)})).status_code == 200
    short = await browser.post("/setup", data=fields | {"password": "short"})
    assert short.status_code == 422
    assert (await browser.post("/setup", data=fields)).headers["location"] == "/"
    assert "Operator" in (await browser.get("/account")).text
    assert (await browser.get("/setup", params={"key": key_of(link)})).status_code == 403


async def test_a_reset_link_sets_a_new_password(
    host: PagesHost, browser: httpx.AsyncClient
) -> None:
    await add(host, "Sam")
    await sign_in(browser, "sam")
    assert "Ask its operator for a reset link" in (await browser.get("/reset")).text
    key = key_of(await host.accounts.reset_link("sam@example.com"))
    assert "sam@example.com" in (await browser.get("/reset", params={"key": key})).text
    short = await browser.post("/reset", data={"key": key, "password": "short"})
    assert short.status_code == 422
    done = await browser.post("/reset", data={"key": key, "password": "an even better one"})
    assert done.headers["location"] == "/login?notice=reset"
    assert (await browser.get("/account")).status_code == 303
    assert (await sign_in(browser, "sam")).status_code == 401
    spent = await browser.post("/reset", data={"key": key, "password": "an even better one"})
    assert spent.status_code == 403


async def test_the_account_page_shows_what_is_left_and_where_one_is_signed_in(
    host: PagesHost, browser: httpx.AsyncClient
) -> None:
    account_id = await add(host, "Sam")
    await paid_message(host, account_id)
    browser.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"
    await sign_in(browser, "sam")
    page = (await browser.get("/account")).text
    assert re.search(r"Pack 100</h3>\s*<p class=\"figure\">95<span> credits", page)
    assert "They do not expire." in page
    page = (await browser.get("/account/sign-in")).text
    assert re.search(r"Firefox on Linux.*This one", page)


async def test_a_browser_elsewhere_can_be_signed_out_by_its_owner_only(
    host: PagesHost, browser: httpx.AsyncClient
) -> None:
    sam, _ = await add(host, "Sam"), await add(host, "Eve")
    async with open_browser(host) as phone, open_browser(host) as stranger:
        await sign_in(phone, "sam")
        (phones,) = await host.login_sessions.list(sam)
        await sign_in(browser, "sam")
        await sign_in(stranger, "eve")
        await stranger.post(f"/account/logins/{phones.id}/end")
        assert (await phone.get("/account")).status_code == 200
        await browser.post(f"/account/logins/{phones.id}/end")
        assert (await phone.get("/account")).status_code == 303
        assert (await browser.get("/account")).status_code == 200


async def test_an_access_token_is_shown_once_and_can_be_revoked(
    host: PagesHost, browser: httpx.AsyncClient
) -> None:
    account_id = await add(host, "Sam")
    await paid_message(host, account_id)
    await sign_in(browser, "sam")
    form = {"offering": "math-tutor", "name": "work machine", "days": "30"}
    issued = await browser.post("/account/tokens", data=form)
    found = re.search(r"eyJ[\w-]+\.[\w-]+\.[\w-]+", issued.text)
    assert found is not None
    (line,) = await host.access_tokens.list(account_id)
    (purchased,) = await host.catalogue.purchased(account_id)
    verified = host.access_tokens.verify(found[0], purchased.offering.id)
    assert verified.account_id == account_id
    later = (await browser.get("/account/tokens")).text
    assert "work machine" in later
    assert found[0] not in later
    await browser.post(f"/account/tokens/{line.jti}/revoke")
    assert "work machine" not in (await browser.get("/account/tokens")).text


@pytest.mark.parametrize(
    ("wrong", "status", "words"),
    [
        ({"offering": "something-else"}, 404, "There is no offering"),
        ({"offering": "a-draft"}, 404, "There is no offering"),
        ({"offering": "not-mine"}, 403, "No plan of this account"),
        ({"days": "36500"}, 422, "Choose how long"),
        ({"days": "x"}, 422, "Choose how long"),
        ({"name": "x" * 61}, 422, "at most 60"),
    ],
)
async def test_a_token_is_made_only_for_what_a_plan_covers_and_not_for_ever(
    host: PagesHost, browser: httpx.AsyncClient, wrong: dict[str, str], status: int, words: str
) -> None:
    account_id = await add(host, "Sam")
    await paid_message(host, account_id)
    other = await add(host, "Bob", Role.BUILDER)

    def offer(unit: Unit) -> None:
        add_offering(unit.session, other, slug="a-draft", state=OfferingState.DRAFT)
        add_offering(unit.session, other, slug="not-mine")

    await host.database.run(offer)
    await sign_in(browser, "sam")
    form = {"offering": "math-tutor", "name": "laptop", "days": "30"} | wrong
    refused = await browser.post("/account/tokens", data=form)
    assert refused.status_code == status
    assert words in refused.text
    assert await host.access_tokens.list(account_id) == []


@pytest.mark.parametrize("number", [str(2**63), "9" * 5000, "-1", "\u0663"])
async def test_a_number_that_no_row_has_is_nothing_of_ours(
    host: PagesHost, browser: httpx.AsyncClient, number: str
) -> None:
    await add(host, "Sam")
    await sign_in(browser, "sam")
    answer = await browser.post(f"/account/logins/{number}/end")
    assert answer.status_code == 404
    assert "Not found" in answer.text


async def test_what_the_database_cannot_hold_is_a_page_that_says_so(
    host: PagesHost, browser: httpx.AsyncClient
) -> None:
    await add(host, "Sam")
    await sign_in(browser, "sam")
    answer = await browser.get("/receipts/%00")
    assert answer.status_code in {400, 404}  # SQLite can hold it, and has none
    assert answer.headers["content-type"].startswith("text/html")


@SQLITE_ALONE
async def test_a_fault_of_ours_is_a_page_without_its_words(
    host: PagesHost, browser: httpx.AsyncClient
) -> None:
    await add(host, "Sam")
    await sign_in(browser, "sam")
    del host.catalogue
    answer = await browser.get("/account")
    assert answer.status_code == 500
    assert "It has been noted" in answer.text
    assert "attribute" not in answer.text


async def test_a_receipt_says_what_was_charged_when_for_what_and_from_which_plan(
    host: PagesHost, browser: httpx.AsyncClient
) -> None:
    receipt_id = await paid_message(host, await add(host, "Sam"))
    await sign_in(browser, "sam")
    page = (await browser.get(f"/receipts/{receipt_id}")).text
    for fact in ("−5 credits", "Math &lt;Tutor&gt;", "Pack 100", date(START), receipt_id):
        assert fact in page


async def test_a_refund_a_daily_limit_and_a_plan_taken_back_are_told(
    host: PagesHost, browser: httpx.AsyncClient
) -> None:
    account_id = await add(host, "Sam")
    receipt_id = await paid_message(host, account_id)
    corrections = Corrections(host.database, host.clock)
    part = RefundRequest(receipt_id=receipt_id, request="ticket-1", credits=MilliCredits(2_000))
    await corrections.refund(None, part)
    await corrections.set_cap(None, account_id, MilliCredits(20_000))
    await sign_in(browser, "sam")
    page = (await browser.get(f"/receipts/{receipt_id}")).text
    assert '<p class="amount">−3 credits</p>' in page
    rows = re.findall(r"<dt>([^<]+)</dt><dd>(.*?)</dd>", page)
    row = {name: re.sub("<[^>]+>", "", value) for name, value in rows}
    assert row["Charged at first"] == "−5 credits"
    assert row["Refunded"] == f"+2 credits, {date(START)}"
    assert row["Charged in the end"] == "3 credits"
    assert "Charged once, for one message; 2 refunded on 18 November 2026." in page
    page = (await browser.get("/account")).text
    assert "2 refunded · <a href" in page
    told = "5 spent or set aside today, so 15 more until midnight UTC."
    assert f"Daily limit: 20 credits. {told}" in page
    await corrections.set_cap(None, account_id, MilliCredits(1_000))
    page = (await browser.get("/account")).text
    told = "5 spent or set aside today, so nothing more until midnight UTC."
    assert f"Daily limit: 1 credit. {told}" in page

    (plan,) = await host.catalogue.plans()
    taken = RevokeRequest(account_id=account_id, plan_slug=plan.slug, request="ticket-2")
    assert (await corrections.revoke(None, taken)).taken == 97_000
    page = (await browser.get("/account")).text
    assert re.search(r"card-ended.*Pack 100</h3>\s*<p class=\"figure\">0<span>", page, re.DOTALL)
    assert "Taken back by the operator." in page


async def test_somebody_elses_receipt_is_answered_like_one_that_never_was(
    host: PagesHost, browser: httpx.AsyncClient
) -> None:
    receipt_id = await paid_message(host, await add(host, "Sam"))
    signed_out = await browser.get(f"/receipts/{receipt_id}")
    assert signed_out.headers["location"].startswith("/login?next=%2Freceipts%2F")
    await add(host, "Eve")
    await sign_in(browser, "eve")
    theirs = await browser.get(f"/receipts/{receipt_id}")
    nobodys = await browser.get("/receipts/no-such-receipt")
    assert theirs.status_code == nobodys.status_code == 404
    assert theirs.text == nobodys.text


@SQLITE_ALONE
async def test_every_page_keeps_itself_and_its_address_to_itself(
    host: PagesHost, browser: httpx.AsyncClient
) -> None:
    await add(host, "Sam")
    pages = [await browser.get(p) for p in ("/login", "/signup", "/setup", "/reset", "/terms")]
    pages.append(await sign_in(browser, "sam"))
    pages += [await browser.get(p) for p in ("/receipts/x", "/logout")]
    parts = ("", "/usage", "/purchases", "/tokens", "/sign-in", "/data", "/usage.csv")
    pages += [await browser.get(f"/account{part}") for part in parts]
    for page in pages:
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["referrer-policy"] == "strict-origin"
        assert page.headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert not FOREIGN_SCRIPT.search(page.text)
        assert "style=" not in page.text


@SQLITE_ALONE
@pytest.mark.parametrize(
    ("content", "kind"),
    [
        pytest.param(b"email=" + b"x" * 20_000, "application/x-www-form-urlencoded", id="large"),
        pytest.param(b"email=%ff\xff", "application/x-www-form-urlencoded", id="not UTF-8"),
        pytest.param(b"a=1&" * 20, "application/x-www-form-urlencoded", id="many fields"),
        pytest.param(b'{"password": "planted"}', "application/json", id="no form"),
    ],
)
async def test_what_is_no_form_of_ours_is_refused_without_being_repeated(
    browser: httpx.AsyncClient, content: bytes, kind: str
) -> None:
    refused = await browser.post("/login", content=content, headers={"Content-Type": kind})
    assert refused.status_code == 400
    assert "planted" not in refused.text


@SQLITE_ALONE
async def test_the_style_sheet_and_the_mark_are_served(browser: httpx.AsyncClient) -> None:
    styles = await browser.get("/static/pages.css")
    assert styles.headers["content-type"].startswith("text/css")
    assert "--primary: 168 60% 30%" in styles.text
    assert (await browser.get("/static/mark.svg")).headers["content-type"] == "image/svg+xml"
    page = await browser.get("/login")
    assert re.search(r"/static/pages\.css\?v=[0-9a-f]{12}", page.text)
