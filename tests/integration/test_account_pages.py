"""The parts of one's own account: limit, password, tokens, usage, and never somebody else's."""

import csv
import html
import io
import re

import httpx
import pytest
import pytest_asyncio

from host.errors import InvalidToken
from host.metering.corrections import RefundRequest
from storage.books import EndHold, HoldOpened
from storage.credits import MilliCredits
from storage.database import Unit
from storage.ledger import balances, daily_cap
from storage.models.people import ConcernKind
from storage.moments import DAY, HOUR, MINUTE
from tests.builders import PlanIds, Shop, hold_of
from tests.databases import SQLITE_ALONE
from tests.fakes.clock import START, ManualClock
from tests.integration.test_pages import (
    BASE,
    GOOD,
    PagesHost,
    add,
    browser,
    host,
    open_browser,
    paid_message,
    sign_in,
)

__all__ = ["browser", "host"]
PARTS = ["", "/usage", "/purchases", "/tokens", "/sign-in", "/data"]
DOORS = [
    "/account/cap",
    "/account/password",
    "/account/tokens",
    "/account/tokens/{jti}/replace",
    "/account/tokens/{jti}/revoke",
    "/account/logins/end-others",
    "/account/data/copy",
    "/account/delete",
    "/receipts/{receipt}/report",
    "/receipts/{receipt}/refund",
]
FORM = {
    "credits": "1",
    "current": GOOD,
    "new": "an even better one",
    "email": "sam@example.com",
    "report": "wrong",
    "refund": "wrong",
    "offering": "math-tutor",
    "days": "30",
}


@pytest_asyncio.fixture
async def sam(host: PagesHost, browser: httpx.AsyncClient) -> int:
    """Sam, signed in, with one paid message."""
    account_id = await add(host, "Sam")
    await sign_in(browser, "sam")
    return account_id


async def cap_of(host: PagesHost, account_id: int) -> int | None:
    cap = await host.database.read(lambda s: daily_cap(s, account_id, host.clock.now()))
    return None if cap is None else cap.cap


async def make_token(host: PagesHost, browser: httpx.AsyncClient, account_id: int) -> str:
    await paid_message(host, account_id)
    await browser.post("/account/tokens", data={"offering": "math-tutor", "days": "30"})
    (line,) = await host.access_tokens.list(account_id)
    return line.jti


@SQLITE_ALONE
@pytest.mark.parametrize("part", PARTS)
async def test_every_part_is_there_for_who_has_nothing_yet_and_leads_to_the_others(
    sam: int, browser: httpx.AsyncClient, part: str
) -> None:
    page = await browser.get(f"/account{part}")
    assert page.status_code == 200
    assert sam
    for other in PARTS:
        assert f'href="/account{other}"' in page.text
    assert page.text.count('aria-current="page"') == 1


@SQLITE_ALONE
@pytest.mark.parametrize("part", [*PARTS, "/usage.csv"])
async def test_no_part_is_told_to_who_is_not_signed_in(
    browser: httpx.AsyncClient, part: str
) -> None:
    asked = await browser.get(f"/account{part}")
    assert asked.status_code == 303
    assert asked.headers["location"].startswith("/login?next=%2Faccount")


@SQLITE_ALONE
@pytest.mark.parametrize("door", DOORS)
async def test_no_door_opens_from_another_site_or_without_signing_in(
    host: PagesHost, browser: httpx.AsyncClient, sam: int, door: str
) -> None:
    receipt = await paid_message(host, sam)
    await browser.post("/account/tokens", data={"offering": "math-tutor", "days": "30"})
    (token,) = await host.access_tokens.list(sam)
    path = door.format(jti=token.jti, receipt=receipt)
    foreign = await browser.post(path, data=FORM, headers={"Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code == 403
    async with open_browser(host) as nobody:
        answer = await nobody.post(path, data=FORM)
        assert (answer.status_code, answer.headers["location"]) == (
            303, "/login?next=%2Faccount"
        )  # fmt: skip
    assert await host.access_tokens.list(sam) == [token]
    assert await cap_of(host, sam) is None
    assert await host.concerns.list(with_closed=True) == []
    assert (await browser.get("/account")).status_code == 200
    async with open_browser(host) as other:
        assert (await sign_in(other, "sam")).headers["location"] == "/"


async def test_one_sets_changes_and_lifts_ones_own_limit(
    host: PagesHost, browser: httpx.AsyncClient, sam: int
) -> None:
    eve = await add(host, "Eve")
    assert (await browser.post("/account/cap", data={"credits": "2.5"})).status_code == 303
    assert await cap_of(host, sam) == 2_500
    assert "Daily limit: 2.5 credits." in (await browser.get("/account")).text
    await browser.post("/account/cap", data={"credits": "0"})
    assert await cap_of(host, sam) == 0
    await browser.post("/account/cap", data={"credits": "7", "lift": "1"})
    assert await cap_of(host, sam) is None
    assert await cap_of(host, eve) is None


async def test_the_operators_limit_stays_whatever_one_sets_and_the_page_says_whose_counts(
    host: PagesHost, browser: httpx.AsyncClient, sam: int
) -> None:
    await host.corrections.set_cap(None, sam, MilliCredits(20_000))
    page = (await browser.get("/account")).text
    assert "Daily limit: 20 credits." in page
    assert "The operator of this site has set this limit." in page
    assert ("Set limit" in page, "Lift limit" in page) == (True, False)
    for own, counts, is_operators in (("50", 20_000, True), ("5", 5_000, False)):
        await browser.post("/account/cap", data={"credits": own})
        assert await cap_of(host, sam) == counts
        page = (await browser.get("/account")).text
        assert f'value="{own}"' in page
        assert ("The operator of this site has set this limit." in page) is is_operators
        assert ("This is your own limit." in page) is not is_operators
    assert "has set one of 20 credits, which stays." in page
    await browser.post("/account/cap", data={"lift": "1"})
    assert await cap_of(host, sam) == 20_000
    await browser.post("/account/cap", data={"credits": "5"})
    await host.corrections.set_cap(None, sam, None)
    assert await cap_of(host, sam) == 5_000


@SQLITE_ALONE
@pytest.mark.parametrize("written", ["-1", "abc", "1e99", "", "1.2345", "9" * 40, "NaN", "٣"])
async def test_what_is_no_number_of_credits_sets_no_limit(
    host: PagesHost, browser: httpx.AsyncClient, sam: int, written: str
) -> None:
    await browser.post("/account/cap", data={"credits": "5"})
    refused = await browser.post("/account/cap", data={"credits": written})
    assert refused.status_code == 422
    assert 'id="credits-wrong" role="alert"' in refused.text
    assert await cap_of(host, sam) == 5_000


async def test_a_new_password_is_set_by_who_knows_the_old_one_and_ends_other_browsers(
    host: PagesHost, browser: httpx.AsyncClient, sam: int
) -> None:
    await add(host, "Eve")
    async with open_browser(host) as phone, open_browser(host) as stranger:
        await sign_in(phone, "sam")
        await sign_in(stranger, "eve")
        done = await browser.post(
            "/account/password", data={"current": GOOD, "new": "an even better one"}
        )
        assert done.headers["location"] == "/account/sign-in?notice=password"
        assert "is signed out" in (await browser.get(done.headers["location"])).text
        assert (await phone.get("/account")).status_code == 303
        assert (await stranger.get("/account")).status_code == 200
        assert (await sign_in(phone, "sam")).status_code == 401
        better = {"email": "sam@example.com", "password": "an even better one"}
        assert (await phone.post("/login", data=better)).status_code == 303
    assert len(await host.login_sessions.list(sam)) == 2


@SQLITE_ALONE
@pytest.mark.parametrize(
    ("form", "field", "words"),
    [
        ({"current": "wrong-pass-99", "new": "an even better one"}, "current", "not your current"),
        ({"current": "", "new": "an even better one"}, "current", "not your current"),
        ({"current": GOOD, "new": "short-99"}, "new", "at least 10"),
        ({"current": GOOD, "new": "x" * 257}, "new", "at most 256"),
        ({"current": GOOD, "new": "sam@example.com"}, "new", "not your e-mail"),
        ({"current": GOOD, "new": GOOD}, "new", "the password you have"),
        ({"new": "an even better one"}, "current", "not your current"),
    ],
)
async def test_a_password_that_will_not_do_changes_nothing(
    host: PagesHost,
    browser: httpx.AsyncClient,
    sam: int,
    form: dict[str, str],
    field: str,
    words: str,
) -> None:
    refused = await browser.post("/account/password", data=form)
    assert refused.status_code == 422
    assert re.search(rf'id="{field}-wrong" role="alert">[^<]*{words}', refused.text)
    assert "-99" not in refused.text
    async with open_browser(host) as other:
        assert (await sign_in(other, "sam")).status_code == 303
    assert len(await host.login_sessions.list(sam)) == 2


@SQLITE_ALONE
async def test_guesses_of_the_current_password_are_limited(
    browser: httpx.AsyncClient, sam: int, clock: ManualClock
) -> None:
    guess = {"current": "wrong-pass", "new": "an even better one"}
    for _ in range(10):
        assert (await browser.post("/account/password", data=guess)).status_code == 422
    right = guess | {"current": GOOD}
    refused = await browser.post("/account/password", data=right)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "900")
    clock.advance(15 * MINUTE)
    assert (await browser.post("/account/password", data=right)).status_code == 303
    assert sam


async def test_all_others_are_signed_out_but_nobody_else(
    host: PagesHost, browser: httpx.AsyncClient, sam: int
) -> None:
    await add(host, "Eve")
    async with open_browser(host) as phone, open_browser(host) as stranger:
        await sign_in(phone, "sam")
        await sign_in(stranger, "eve")
        await browser.post("/account/logins/end-others")
        assert (await phone.get("/account")).status_code == 303
        assert (await stranger.get("/account")).status_code == 200
    assert (await browser.get("/account")).status_code == 200
    assert len(await host.login_sessions.list(sam)) == 1


async def test_a_token_that_was_replaced_works_for_another_day(
    host: PagesHost, browser: httpx.AsyncClient, sam: int, clock: ManualClock
) -> None:
    await paid_message(host, sam)
    form = {"offering": "math-tutor", "name": "laptop", "days": "30"}
    old = token_in(await browser.post("/account/tokens", data=form))
    (before,) = await host.access_tokens.list(sam)
    clock.advance(10 * DAY)
    answer = await browser.post(f"/account/tokens/{before.jti}/replace")
    new = token_in(answer)
    assert "works for another day" in answer.text
    assert new not in (await browser.get("/account/tokens")).text
    after, _ = await host.access_tokens.list(sam)
    assert (after.name, after.days) == ("laptop", 30)

    offering = before.offering_id
    for token in (old, new):
        assert host.access_tokens.verify(token, offering).account_id == sam
    twice = await browser.post(f"/account/tokens/{before.jti}/replace")
    assert (twice.status_code, "replaced already" in twice.text) == (422, True)
    clock.advance(DAY)
    assert host.access_tokens.verify(new, offering).account_id == sam
    assert is_refused(host, old, offering)
    await host.access_tokens.refresh()
    assert is_refused(host, old, offering)
    assert (await browser.post(f"/account/tokens/{before.jti}/replace")).status_code == 404


async def test_another_process_learns_when_a_replaced_token_ends(
    host: PagesHost, browser: httpx.AsyncClient, sam: int, clock: ManualClock
) -> None:
    await paid_message(host, sam)
    form = {"offering": "math-tutor", "days": "7"}
    old = token_in(await browser.post("/account/tokens", data=form))
    (line,) = await host.access_tokens.list(sam)
    await browser.post(f"/account/tokens/{line.jti}/replace")
    other = PagesHost(host.database, clock, host.settings)
    await other.access_tokens.refresh()
    assert other.access_tokens.verify(old, line.offering_id).jti == line.jti
    clock.advance(DAY)
    assert is_refused(other, old, line.offering_id)


async def test_a_token_that_was_replaced_can_still_be_revoked_at_once(
    host: PagesHost, browser: httpx.AsyncClient, sam: int
) -> None:
    await paid_message(host, sam)
    form = {"offering": "math-tutor", "days": "7"}
    old = token_in(await browser.post("/account/tokens", data=form))
    (line,) = await host.access_tokens.list(sam)
    await browser.post(f"/account/tokens/{line.jti}/replace")
    await browser.post(f"/account/tokens/{line.jti}/revoke")
    assert is_refused(host, old, line.offering_id)


async def test_somebody_elses_token_cannot_be_replaced_or_revoked(
    host: PagesHost, browser: httpx.AsyncClient, sam: int
) -> None:
    jti = await make_token(host, browser, sam)
    before = await host.access_tokens.list()
    await add(host, "Eve")
    async with open_browser(host) as stranger:
        await sign_in(stranger, "eve")
        assert (await stranger.post(f"/account/tokens/{jti}/replace")).status_code == 404
        await stranger.post(f"/account/tokens/{jti}/revoke")
        assert (await stranger.post("/account/tokens/x/replace")).status_code == 404
        assert jti not in (await stranger.get("/account/tokens")).text
    assert await host.access_tokens.list() == before


async def test_when_a_token_was_last_used_is_kept_now_and_then(
    host: PagesHost, browser: httpx.AsyncClient, sam: int, clock: ManualClock
) -> None:
    await paid_message(host, sam)
    form = {"offering": "math-tutor", "days": "7"}
    token = token_in(await browser.post("/account/tokens", data=form))
    (line,) = await host.access_tokens.list(sam)
    assert "Not used yet" in (await browser.get("/account/tokens")).text
    clock.advance(HOUR)
    host.access_tokens.verify(token, line.offering_id)
    await host.access_tokens.keep_uses()
    slow = PagesHost(host.database, clock, host.settings)  # a process that saw an earlier use
    await slow.access_tokens.refresh()
    slow.access_tokens.verify(token, line.offering_id)
    clock.advance(MINUTE)
    host.access_tokens.verify(token, line.offering_id)
    assert is_refused(host, token, line.offering_id + 1)
    await host.access_tokens.keep_uses()
    await slow.access_tokens.keep_uses()
    (used,) = await host.access_tokens.list(sam)
    assert used.last_used_at == START + HOUR + MINUTE
    assert "Last used" in (await browser.get("/account/tokens")).text


@SQLITE_ALONE
async def test_a_token_that_was_just_used_says_so(
    host: PagesHost, browser: httpx.AsyncClient, sam: int
) -> None:
    await paid_message(host, sam)
    form = {"offering": "math-tutor", "days": "7"}
    token = token_in(await browser.post("/account/tokens", data=form))
    (line,) = await host.access_tokens.list(sam)
    host.access_tokens.verify(token, line.offering_id)
    page = (await browser.get("/account/tokens")).text
    assert ("Last used" in page, "Not used yet" in page) == (True, False)


@SQLITE_ALONE
async def test_a_new_token_comes_with_a_call_to_copy_and_a_revoked_one_is_said_to_be(
    host: PagesHost, browser: httpx.AsyncClient, sam: int
) -> None:
    await paid_message(host, sam)
    form = {"offering": "math-tutor", "days": "7"}
    made = await browser.post("/account/tokens", data=form)
    token = token_in(made)
    (call,) = re.findall(r'<textarea[^>]* data-copy="Copy call"[^>]*>([^<]+)<', made.text)
    assert html.unescape(call).split(" \\\n  ") == [
        f"curl -X POST {BASE}/s/math-tutor/ask",
        f'-H "Authorization: Bearer {token}"',
        '-H "Content-Type: application/json"',
        """-d '{"message": "Hello"}'""",
    ]
    assert 'data-copy="Copy token"' in made.text
    assert "hreflang" not in made.text, "it would be gone in another language"
    (line,) = await host.access_tokens.list(sam)
    revoked = await browser.post(f"/account/tokens/{line.jti}/revoke")
    page = (await browser.get(revoked.headers["location"])).text
    assert "The access token is revoked: what uses it is refused from now on." in page


@SQLITE_ALONE
async def test_more_of_a_plan_is_one_click_away_and_so_is_what_else_there_is(
    host: PagesHost, browser: httpx.AsyncClient, sam: int, clock: ManualClock
) -> None:
    empty = (await browser.get("/account")).text
    assert ('href="/browse"' in empty, 'href="/redeem"' in empty) == (True, True)
    assert "/buy/" not in empty
    await paid_message(host, sam)
    clock.advance(MINUTE)  # what is on offer is remembered for a moment
    (plan,) = await host.catalogue.plans()
    page = (await browser.get("/account")).text
    assert re.search(rf'<a href="/buy/{plan.slug}" aria-label="More credits on Pack 100">', page)
    await host.catalogue.archive_plan(None, plan.slug)
    assert f'href="/buy/{plan.slug}"' not in (await browser.get("/account")).text


async def test_what_was_asked_about_receipts_is_listed_with_what_became_of_it(
    host: PagesHost, browser: httpx.AsyncClient, sam: int
) -> None:
    receipt = await paid_message(host, sam)
    assert "requests for a refund" not in (await browser.get("/account/purchases")).text
    await host.concerns.ask(sam, receipt, ConcernKind.REPORT, "wrong")
    asked = await host.concerns.ask(sam, receipt, ConcernKind.REFUND, "wrong")

    async def listed() -> list[str]:
        page = (await browser.get("/account/purchases")).text
        lines = page.partition('id="asked"')[2].partition("</section>")[0].split("<li>")[1:]
        assert all(f'href="/receipts/{receipt}#' in line for line in lines)
        return re.findall(r'<div class="sum"><p>([^<]+)</p>', "".join(lines))

    assert await listed() == ["Refund asked for", "Reported"]
    await host.concerns.close(asked.id, note="It was right.")
    assert await listed() == ["Refund declined", "Reported"]
    await host.corrections.refund(None, RefundRequest(receipt_id=receipt, request="r"))
    assert await listed() == ["Refunded", "Reported"]
    await add(host, "Eve")
    async with open_browser(host) as stranger:
        await sign_in(stranger, "eve")
        assert receipt not in (await stranger.get("/account/purchases")).text


async def test_usage_is_drawn_told_as_a_table_and_written_as_csv(
    host: PagesHost, browser: httpx.AsyncClient, sam: int
) -> None:
    receipt = await paid_message(host, sam)
    page = (await browser.get("/account/usage")).text
    assert page.count('<rect class="series-0" x=') == 2  # for wide screens, and for narrow ones
    assert re.search(r'role="img" aria-labelledby="(\S+) (\S+)"', page)
    assert re.search(r'<th scope="row">18.Nov</th><td>Math &lt;Tutor&gt;</td>', page)
    answer = await browser.get("/account/usage.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["content-disposition"]
    assert answer.headers["cache-control"] == "no-store"
    grant, charge = csv.DictReader(io.StringIO(answer.text))
    assert (grant["kind"], grant["credits"], grant["plan_title"]) == ("grant", "100", "Pack 100")
    assert (charge["credits"], charge["receipt"], charge["title"]) == (
        "-5", receipt, "Math <Tutor>"
    )  # fmt: skip
    await add(host, "Eve")
    async with open_browser(host) as stranger:
        await sign_in(stranger, "eve")
        theirs = (await stranger.get("/account/usage.csv")).text
        assert theirs.splitlines()[1:] == []
        assert "Nothing in the last 30 days" in (await stranger.get("/account/usage")).text


async def test_a_history_of_many_pages_is_written_to_its_last_line(
    host: PagesHost, browser: httpx.AsyncClient, sam: int
) -> None:
    await paid_message(host, sam)
    await host.database.run(lambda unit: many_messages(unit, sam, 1_200))
    text = (await browser.get("/account/usage.csv")).text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["kind"] for row in rows] == ["grant", *["charge"] * 1_201]
    assert len({row["receipt"] for row in rows[1:]}) == 1_201
    page = (await browser.get("/account/usage")).text
    assert '<dd class="figure">1201</dd>' in page


async def test_receipts_go_on_page_by_page(
    host: PagesHost, browser: httpx.AsyncClient, sam: int
) -> None:
    await paid_message(host, sam)
    await host.database.run(lambda unit: many_messages(unit, sam, 30))
    first = (await browser.get("/account/purchases")).text
    (older,) = re.findall(r'href="(/account/purchases\?before=\d+)#receipts"', first)
    second = (await browser.get(older)).text
    links = [re.findall(r'href="/receipts/([^"]+)"', page) for page in (first, second)]
    assert [len(page) for page in links] == [25, 6]
    assert len({*links[0], *links[1]}) == 31
    assert (await browser.get("/account/purchases?before=x")).status_code == 200


async def test_what_runs_low_is_said_with_where_to_get_more(
    host: PagesHost, browser: httpx.AsyncClient, sam: int
) -> None:
    await paid_message(host, sam)
    assert "runs low" not in (await browser.get("/account")).text
    await host.database.run(lambda unit: many_messages(unit, sam, 16, credits_each=5_000))
    page = (await browser.get("/account")).text
    assert re.search(r"Math &lt;Tutor&gt;</strong> runs low: 3 more messages", page)
    (plan,) = await host.catalogue.plans()
    assert f'href="/buy/{plan.slug}"' in page
    await host.database.run(lambda unit: many_messages(unit, sam, 3, credits_each=5_000))
    assert "has no credits left for another message" in (await browser.get("/account")).text


def many_messages(unit: Unit, account_id: int, number: int, *, credits_each: int = 10) -> None:
    """So many more messages of the plan that `paid_message` bought."""
    (line,) = balances(unit.session, account_id, START)
    wallet_id = unit.books.open_wallet(account_id)
    plan = (line.plan_id,)
    shop = Shop(0, account_id, wallet_id, offering_id=1, plan=PlanIds(line.plan_id, 0))
    for _ in range(number):
        hold = unit.books.open_hold(hold_of(shop, credits_each))
        assert isinstance(hold, HoldOpened)
        end = EndHold(wallet_id=wallet_id, hold_id=hold.hold_id, plan_ids=plan, now=START)
        unit.books.capture(end, MilliCredits(credits_each))


def token_in(answer: httpx.Response) -> str:
    found = re.search(r"eyJ[\w-]+\.[\w-]+\.[\w-]+", answer.text)
    assert found is not None, answer.text
    return found[0]


def is_refused(host: PagesHost, token: str, offering_id: int) -> bool:
    try:
        host.access_tokens.verify(token, offering_id)
    except InvalidToken:
        return True
    return False
