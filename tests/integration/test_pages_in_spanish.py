"""Every page in Spanish, with nothing English on it, and the way from a language to another."""

import re
from collections.abc import AsyncIterator
from urllib.parse import urljoin

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from host.config import Settings
from host.language import Language
from host.metering.corrections import RefundRequest
from host.metering.revoking import RevokeRequest
from host.pages.router import pages_router
from host.pages.speaking import Speaking
from storage.credits import MilliCredits
from storage.database import Database
from storage.models.accounts import Role
from storage.moments import DAY
from tests.databases import SQLITE_ALONE
from tests.door import key_of
from tests.fakes.clock import ManualClock
from tests.heard import english_in
from tests.integration.test_account_pages import PARTS, many_messages
from tests.integration.test_buy_page import press, stock
from tests.integration.test_pages import (
    BASE,
    FOREIGN_SCRIPT,
    GOOD,
    SAME_ORIGIN,
    PagesHost,
    add,
    sign_in,
)

IN_SPANISH = {"Accept-Language": "es-MX,es;q=0.9,en;q=0.5"}
SWITCH = re.compile(r'<a href="([^"]*)" lang="(\w+)" hreflang="\2">([^<]+)</a>')


@pytest.fixture
def host(database: Database, clock: ManualClock) -> PagesHost:
    return PagesHost(database, clock, Settings(public_url=BASE, signup="open", payments="demo"))


@pytest_asyncio.fixture
async def reader(host: PagesHost) -> AsyncIterator[httpx.AsyncClient]:
    async with open_reader(host) as client:
        yield client


def open_reader(host: PagesHost) -> httpx.AsyncClient:
    """A browser that asks for Spanish, at an application that listens to it."""
    app = FastAPI()
    app.include_router(pages_router(host))
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=Speaking(app)),
        base_url=BASE,
        headers=SAME_ORIGIN | IN_SPANISH,
    )


def check(*answers: httpx.Response) -> None:
    """They are pages, in Spanish, and say nothing in English."""
    for answer in answers:
        page = f"{answer.request.method} {answer.request.url}"
        assert '<html lang="es">' in answer.text, (page, answer.status_code)
        assert english_in(answer.text, Language.SPANISH) == [], page


async def get(reader: httpx.AsyncClient, *addresses: str) -> list[httpx.Response]:
    return [await reader.get(address) for address in addresses]


@SQLITE_ALONE
async def test_the_door_is_in_spanish(host: PagesHost, reader: httpx.AsyncClient) -> None:
    setup = await host.accounts.setup_link()
    assert setup is not None
    check(*await get(reader, "/setup", f"/setup?key={key_of(setup)}", "/login", "/signup"))
    await add(host, "Sam")
    invited = key_of(await host.accounts.invite("ada@example.com", Role.BUILDER))
    reset = key_of(await host.accounts.reset_link("sam@example.com"))
    notices = [f"/login?notice={notice}" for notice in ("reset", "out", "deleted")]
    check(
        *await get(reader, *notices, f"/signup?key={invited}", "/reset", f"/reset?key={reset}"),
        *await get(reader, "/terms", "/signup?key=spent"),
        await reader.post("/login", data={"email": "sam@example.com", "password": "wrong"}),
        await reader.post("/signup", data={"name": "", "email": "x", "password": "x"}),
        await reader.post("/reset", data={"key": reset, "password": "short"}),
    )


@SQLITE_ALONE
@pytest.mark.parametrize("signup", ["invite", "closed"])
async def test_a_door_that_is_not_open_says_so_in_spanish(
    database: Database, clock: ManualClock, signup: str
) -> None:
    host = PagesHost(database, clock, Settings(public_url=BASE, signup=signup))
    async with open_reader(host) as reader:
        check(*await get(reader, "/login", "/signup"))


@SQLITE_ALONE
async def test_an_account_and_what_is_bought_are_in_spanish(
    host: PagesHost, reader: httpx.AsyncClient, clock: ManualClock
) -> None:
    sam = await add(host, "Sam", *Role)
    await stock(host)
    await sign_in(reader, "sam")
    parts = [f"/account{part}" for part in PARTS]
    plans = ["/buy/pack", "/buy/trial", "/buy/pass"]
    check(*await get(reader, *parts, *plans, "/buy/none", "/redeem", "/logout", "/terms"))

    paid, declined, left_open = [
        (await press(reader, "/buy/pack?return_to=/a/math")).headers["location"] for _ in range(3)
    ]
    check(await reader.get(paid))
    done = await reader.post(f"{paid}/pay")
    given_up = await reader.post(f"{declined}/decline")
    check(*await get(reader, done.headers["location"], given_up.headers["location"]))
    await host.database.run(lambda unit: many_messages(unit, sam, 17, credits_each=5_000))
    await reader.post("/account/cap", data={"credits": "120,5"})
    made = await reader.post(
        "/account/tokens", data={"offering": "math", "name": "mine", "days": "30"}
    )
    (token,) = await host.access_tokens.list(sam)
    replaced = await reader.post(f"/account/tokens/{token.jti}/replace")
    check(
        made,
        replaced,
        *await get(reader, *parts, *plans, paid, declined, left_open),
        *await get(reader, *(f"/receipts/{id_}" for id_ in await orders(host, sam))),
        *await get(reader, "/account/sign-in?notice=password", "/account/sign-in?notice=others"),
        await reader.post("/account/cap", data={"credits": "a few"}),
        await reader.post("/account/cap", data={"credits": "1.000"}),
        await reader.post("/account/password", data={"current": "wrong", "new": "short"}),
        await reader.post("/account/delete", data={"email": "x", "current": GOOD}),
        await reader.post("/account/tokens", data={"offering": "none", "days": "1"}),
        await reader.post("/redeem", data={"code": "WRONG"}),
        await reader.post("/redeem", data={"code": ""}),
    )

    for path in ("/buy/pass", "/buy/trial"):
        to_pay = (await press(reader, path)).headers["location"]
        await reader.post(f"{to_pay}/pay")
    check(*await get(reader, *parts, *plans))
    clock.advance(8 * DAY)
    await sign_in(reader, "sam")
    taken = RevokeRequest(account_id=sam, plan_slug="pack", request="a mistake")
    await host.corrections.revoke(None, taken)
    check(*await get(reader, *parts, *plans, left_open))


@SQLITE_ALONE
async def test_receipts_and_what_is_asked_about_them_are_in_spanish(
    host: PagesHost, reader: httpx.AsyncClient
) -> None:
    sam = await add(host, "Sam")
    await stock(host)
    await sign_in(reader, "sam")
    to_pay = (await press(reader, "/buy/pack")).headers["location"]
    await reader.post(f"{to_pay}/pay")
    await host.database.run(lambda unit: many_messages(unit, sam, 30, credits_each=1_000))
    first = await reader.get("/account/purchases")
    (older,) = re.findall(r'href="(/account/purchases\?before=\d+)#receipts"', first.text)
    one, another = re.findall(r'href="/receipts/([^"]+)" aria-label', first.text)[-2:]
    check(
        first,
        *await get(reader, older, f"/receipts/{one}", "/receipts/none"),
        await reader.post(f"/receipts/{one}/report", data={"report": ""}),
        await reader.post(f"/receipts/{one}/refund", data={"refund": ""}),
    )
    for receipt in (one, another):
        for kind in ("report", "refund"):
            await reader.post(f"/receipts/{receipt}/{kind}", data={kind: "17 × 7"})
    check(await reader.get(f"/receipts/{one}"))
    part = RefundRequest(receipt_id=one, request="ticket", credits=MilliCredits(500))
    await host.corrections.refund(None, part)
    for concern in await host.concerns.list(with_closed=False):
        await host.concerns.close(concern.id, note="−1")
    check(*await get(reader, f"/receipts/{one}", f"/receipts/{another}", "/account/usage"))
    check(await reader.get("/account/purchases"))


@SQLITE_ALONE
@pytest.mark.parametrize(
    "address",
    [
        "/login?next=%2Faccount",
        "/terms",
        "/redeem",
        "/buy/none?return_to=%2Fa%2Fx&b=",
        "/account/data",
    ],
)
async def test_a_page_leads_to_itself_in_the_other_language_and_back(
    host: PagesHost, reader: httpx.AsyncClient, address: str
) -> None:
    await add(host, "Sam")
    if "login" not in address:
        await sign_in(reader, "sam")
    asked = BASE + address
    for name, language in (("English", "en"), ("Español", "es")):
        page = await reader.get(asked)
        ((href, code, shown),) = SWITCH.findall(page.text)
        assert (code, shown) == (language, name)
        chosen = await reader.get(urljoin(asked, href.replace("&amp;", "&")))
        assert (chosen.status_code, urljoin(asked, chosen.headers["location"])) == (303, asked)
        assert f'<html lang="{language}">' in (await reader.get(asked)).text


@SQLITE_ALONE
async def test_a_page_that_answers_a_form_leads_to_the_same_page_in_another_language(
    host: PagesHost, reader: httpx.AsyncClient
) -> None:
    await add(host, "Sam")
    wrong = {"email": "sam@example.com", "password": "wrong", "next": "/account"}
    refused = await reader.post("/login?next=%2Faccount", data=wrong)
    assert SWITCH.findall(refused.text)[0][0] == "?next=%2Faccount&amp;speak=en"
    await sign_in(reader, "sam")
    unknown = await reader.post("/redeem", data={"code": "WRONG"})
    assert SWITCH.findall(unknown.text)[0][0] == "?speak=en"
    foreign = await reader.post("/redeem", headers={"Sec-Fetch-Site": "cross-site"})
    assert (foreign.status_code, SWITCH.findall(foreign.text)[0][0]) == (403, "?speak=en")
    for path, form, shown_at in (
        ("/account/cap", {"credits": "x"}, "/account"),
        ("/account/password", {"current": "x", "new": "x"}, "/account/sign-in"),
        ("/account/delete", {"email": "x"}, "/account/data"),
        ("/account/tokens/%3Cx%3E/replace", {}, "/account/tokens"),
        ("/receipts/%22%3Ex/report", {"report": "x"}, "/receipts/%22%3Ex"),
    ):
        told = await reader.post(path, data=form)
        assert SWITCH.findall(told.text)[0][0] == f"{shown_at}?speak=en", path
        assert (await reader.get(f"{shown_at}?speak=es")).status_code == 303


@SQLITE_ALONE
async def test_what_stands_in_an_address_leads_nowhere_else_in_another_language(
    reader: httpx.AsyncClient,
) -> None:
    page = await reader.get('/terms?//evil.example="><script>')
    ((href, _code, _name),) = SWITCH.findall(page.text)
    assert href.startswith("?")
    assert not FOREIGN_SCRIPT.search(page.text)


async def orders(host: PagesHost, account_id: int) -> list[str]:
    return [one.id for one in await host.purchases.orders(account_id)]
