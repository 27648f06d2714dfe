"""In which language people are spoken to: the choice on a page, requests side by side, refusals
from the threads that write, what is taken away; and that programs are told the same in each.
"""

import asyncio
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from farebox.demo.upstream.server import serve
from host.config import Settings
from host.errors import CreditsExhausted
from host.language import Language, _, speaking
from host.pages.router import pages_router
from host.pages.speaking import Speaking
from storage.database import Database, Unit
from tests.databases import SQLITE_ALONE
from tests.fakes.clock import ManualClock
from tests.integration.test_pages import BASE, SAME_ORIGIN, PagesHost, add, sign_in
from tests.integration.test_threads_api import ask
from tests.proxy_world import World, problem_of

SPANISH = {"Accept-Language": "es-MX,es;q=0.9,en;q=0.5"}
WAIT_S = 10
SAID = {Language.ENGLISH: "Sign in first.", Language.SPANISH: "Primero inicia sesión."}
EVIL = "evil.example"


async def greet(scope: Scope, receive: Receive, send: Send) -> None:
    """Say something, and repeat what was asked."""
    body = await Request(scope, receive).body()
    said = f"{_('Sign in first.')} {scope['query_string'].decode()} {body.decode()}"
    await PlainTextResponse(said.strip())(scope, receive, send)


@asynccontextmanager
async def browsing(app: ASGIApp = greet) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=Speaking(app))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as browser:
        yield browser


async def test_what_chainlits_page_says_of_its_browser_is_no_choice() -> None:
    async with browsing() as browser:
        browser.cookies.set("farebox_language", "en")
        answer = await browser.get("/project/translations?language=es", headers=SPANISH)
    assert (answer.status_code, "set-cookie" in answer.headers) == (200, False)
    assert answer.text.startswith(SAID[Language.ENGLISH])


async def test_a_choice_is_remembered_and_leads_back_to_the_same_page() -> None:
    async with browsing() as browser:
        chosen = await browser.get("/buy/a%20pack?return_to=/a/b%26c&speak=es&x=&x=ñ")
        assert chosen.status_code == 303
        cookie = chosen.headers["set-cookie"].lower()
        assert cookie.startswith("farebox_language=es; httponly; max-age=31536000; path=/;")
        assert "samesite=lax" in cookie
        back = urlsplit(chosen.headers["location"])
        assert (back.netloc, back.path) == ("", "/buy/a%20pack")
        assert parse_qsl(back.query, keep_blank_values=True) == [
            ("return_to", "/a/b&c"), ("x", ""), ("x", "ñ"),
        ]  # fmt: skip
        english = {"Accept-Language": "en"}
        assert (await browser.get(chosen.headers["location"], headers=english)).text.startswith(
            SAID[Language.SPANISH]
        )
        again = await browser.get("/terms?speak=en")
        assert again.headers["location"] == "/terms"
        assert (await browser.get("/terms", headers=SPANISH)).text == SAID[Language.ENGLISH]


@pytest.mark.parametrize("wanted", ["xx", "", "ES", "es-MX", "es&speak=xx"])
async def test_a_language_that_is_not_there_is_no_choice(wanted: str) -> None:
    async with browsing() as browser:
        page = await browser.get(f"/terms?speak={wanted}", headers=SPANISH)
        assert page.status_code == 200
        assert page.text.startswith(SAID[Language.SPANISH])
        assert "set-cookie" not in page.headers


@pytest.mark.parametrize(
    "path",
    [f"//{EVIL}/", f"///{EVIL}", f"/\\{EVIL}", f"/%5C{EVIL}", f"/%09/{EVIL}", f"/%2F{EVIL}"],
)
async def test_a_choice_leads_nowhere_else(path: str) -> None:
    async with browsing() as browser:
        chosen = await browser.get(f"{BASE}{path}?speak=es")
        assert chosen.status_code == 303
        location = chosen.headers["location"]
        assert urlsplit(urljoin(f"{BASE}/terms", location)).netloc == urlsplit(BASE).netloc
        assert not location.startswith(("//", "/\\"))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_what_is_sent_is_not_taken_for_a_choice(method: str) -> None:
    async with browsing() as browser:
        answer = await browser.request(method, "/login?speak=es", content=b"password=x")
    assert answer.status_code == 200
    assert answer.text == f"{SAID[Language.ENGLISH]} speak=es password=x"
    assert "set-cookie" not in answer.headers


async def test_two_requests_at_once_do_not_mix_their_languages() -> None:
    both_are_here = asyncio.Barrier(2)

    async def meet(_request: Request) -> PlainTextResponse:
        first = _("Sign in first.")
        await both_are_here.wait()
        then = await asyncio.to_thread(_, "Sign in first.")
        await both_are_here.wait()
        return PlainTextResponse(f"{first}|{then}")

    app = Speaking(Starlette(routes=[Route("/", meet)]))
    async with serve(app) as address, httpx.AsyncClient(base_url=address.url) as client:
        async with asyncio.timeout(WAIT_S):
            spanish, english = await asyncio.gather(
                client.get("/", headers=SPANISH),
                client.get("/", headers={"Accept-Language": "en"}),
            )
    assert spanish.text == "|".join([SAID[Language.SPANISH]] * 2)
    assert english.text == "|".join([SAID[Language.ENGLISH]] * 2)


async def test_a_socket_speaks_the_language_it_was_opened_in() -> None:
    heard: list[str] = []

    async def listen(_scope: Scope, _receive: Receive, _send: Send) -> None:
        heard.append(_("Sign in first."))

    async def nothing() -> Message:
        raise AssertionError("nobody asks")

    async def nowhere(_message: Message) -> None:
        raise AssertionError("nobody answers")

    scope = {"type": "websocket", "path": "/ws", "query_string": b"speak=en", "headers": [
        (b"cookie", b"a=b; farebox_language=es"), (b"accept-language", b"en")
    ]}  # fmt: skip
    await Speaking(listen)(scope, nothing, nowhere)
    assert heard == [SAID[Language.SPANISH]]


def exhausted(_unit: Unit) -> None:
    """A unit of work that is refused."""
    raise CreditsExhausted(
        offering="Math Tutor", required=5_000, available=2_500, topup_url="https://x.example/buy"
    )


async def test_a_unit_of_work_refuses_in_its_callers_language(database: Database) -> None:
    async def refused(language: Language) -> str:
        with speaking(language), pytest.raises(CreditsExhausted) as error:
            await database.run(exhausted)
        return error.value.reason

    languages = [Language.SPANISH, Language.ENGLISH] * 8
    async with asyncio.timeout(WAIT_S):
        told = await asyncio.gather(*map(refused, languages))
    assert (
        told
        == [
            "Tienes 2,5 créditos para Math Tutor; esto necesita 5.",
            "You have 2.5 credits left for Math Tutor; this needs 5.",
        ]
        * 8
    )


async def test_a_message_that_is_not_covered_is_refused_in_the_language_of_who_asks(
    each_world: World,
) -> None:
    await each_world.buy("pack", 3)
    with speaking(Language.SPANISH), pytest.raises(CreditsExhausted) as refused:
        await ask(each_world, "¿Cuánto es 6 * 7?")
    assert refused.value.reason == "Tienes 3 créditos para Math Tutor; esto necesita 5."


async def test_programs_are_told_the_same_code_in_every_language(world: World) -> None:
    headers = await world.sign_in(world.subscriber)
    path = "/api/v1/receipts/none"
    english = problem_of(await world.client.get(path, headers=headers), 404, "unknown_receipt")
    spanish = problem_of(
        await world.client.get(path, headers=headers | SPANISH), 404, "unknown_receipt"
    )
    assert english["detail"] == "There is no receipt with this number on your account."
    assert spanish["detail"] == "En tu cuenta no hay ningún recibo con este número."
    assert (english["title"], spanish["title"]) == ("Unknown receipt", "Recibo desconocido")
    nobody = problem_of(await world.client.get(path, headers=SPANISH), 401, "not_signed_in")
    assert nobody["detail"] == SAID[Language.SPANISH]
    unknown = await world.client.get("/api/v1/nowhere", headers=SPANISH)
    assert problem_of(unknown, 404, "not_found")["detail"] == "No hay nada en esta dirección."


async def test_metered_calls_are_answered_in_english_whatever_a_program_asks_for(
    world: World,
) -> None:
    await world.buy("pack", 1)
    headers = SPANISH | await world.bearer("tutor")
    refused = await world.client.post("/s/tutor/ask", headers=headers, json={"message": "Hola"})
    problem = problem_of(refused, 402, "credits_exhausted")
    assert problem["title"] == "Out of credits"
    assert problem["detail"].startswith("You have 1 credit left for Math Tutor; this needs 5.")


async def test_a_catalogue_seen_in_one_language_is_not_taken_for_another(world: World) -> None:
    await world.buy("pack")
    headers, path = await world.sign_in(world.subscriber), "/api/v1/catalogue"
    english = await world.client.get(path, headers=headers)
    spanish = await world.client.get(path, headers=headers | SPANISH)
    assert english.headers["etag"] != spanish.headers["etag"]
    card = next(one for one in spanish.json()["offerings"] if one["slug"] == "tutor")
    assert (card["price"], card["badge"]["text"]) == (
        "5 créditos por mensaje", "Quedan 100 créditos",
    )  # fmt: skip
    note = next(plan["note"] for plan in spanish.json()["plans"] if plan["slug"] == "pack")
    assert note == "Te quedan 100 créditos; si lo consigues de nuevo, sumas 100 créditos."
    known = headers | {"If-None-Match": english.headers["etag"]}
    assert (await world.client.get(path, headers=known)).status_code == 304
    assert (await world.client.get(path, headers=known | SPANISH)).status_code == 200


@pytest.mark.parametrize(
    ("written", "spoken", "status"),
    [("2,5", SPANISH, 422), ("2.5", SPANISH, 200), ("2.5", {}, 200), ("2,5", {}, 422)],
)
async def test_programs_write_a_limit_alike_in_every_language(
    world: World, written: str, spoken: dict[str, str], status: int
) -> None:
    headers = await world.sign_in(world.subscriber) | spoken
    answer = await world.client.put("/api/v1/cap", headers=headers, json={"credits": written})
    assert answer.status_code == status, answer.text


async def test_a_conversation_is_taken_away_in_the_language_of_who_takes_it(world: World) -> None:
    await world.buy("pack")
    with speaking(Language.SPANISH):
        thread = await ask(world, "/cite")
    await ask(world, "/error", thread_id=thread)
    headers = await world.sign_in(world.subscriber) | SPANISH
    address = f"/api/v1/threads/{thread}"
    read = (await world.client.get(address, headers=headers)).json()
    charges = [one["charge"]["sentence"] for one in read["messages"] if one["charge"]]
    assert charges[0].startswith("−5 créditos · quedan 95 · ")
    assert charges[1].startswith("Sin cargo: ha fallado el proveedor del asistente (id ")
    assert [one["speaker"] for one in read["messages"]] == ["you", "Math Tutor"] * 2
    written = (await world.client.get(f"{address}/export?format=md", headers=headers)).text
    lines = written.splitlines()
    assert lines[2].startswith("Con Math Tutor, empezada el ")
    assert lines[4].startswith("## Tú, ")
    assert "**Fuentes**" in written  # said when it was asked, which was in Spanish
    assert f"> {charges[0]} · [recibo](" in written
    assert lines[-1] == "5 créditos en total."


@SQLITE_ALONE
async def test_pages_and_what_is_downloaded_from_them_are_in_the_chosen_language(
    database: Database, clock: ManualClock
) -> None:
    host = PagesHost(database, clock, Settings(public_url=BASE, signup="open"))
    app = FastAPI()
    app.include_router(pages_router(host))
    await add(host, "Sam")
    async with browsing(app) as browser:
        browser.headers.update(SAME_ORIGIN)
        spent = await browser.get("/reset?key=spent", headers=SPANISH)
        assert spent.status_code == 403
        assert "<h1>Este enlace ya no funciona</h1>" in spent.text
        assert "Pide uno nuevo al operador." in spent.text
        await sign_in(browser, "sam")
        await browser.get("/terms?speak=es")
        copy = await browser.post("/account/data/copy")
    archive = zipfile.ZipFile(BytesIO(copy.content))
    about = archive.read("farebox/about.txt").decode()
    assert about.startswith(f"Este archivo contiene lo que {BASE} guarda sobre la cuenta sam@")
    assert archive.read("farebox/receipts.csv").decode().startswith("receipt,operation,state,")
