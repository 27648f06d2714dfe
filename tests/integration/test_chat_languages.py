"""The chat in the language of each page: what a socket was opened in is what is said over it."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from host.language import COOKIE
from tests.acceptance.servers import ServerProcess
from tests.chatting import MATH, Chat, Newcomer, give, newcomer, operate, page
from tests.integration.test_browse_socket import (
    TRAVEL,
    a_copy_of_math_tutor,
    card,
    hears,
    named,
    refused,
    told,
)
from tests.integration.test_chat_asides import composer, press
from tests.integration.test_chat_files import provider_out_of_reach

ROOT = Path(__file__).parents[2]
SPANISH = {"Accept-Language": "es-MX,es;q=0.9,en;q=0.8"}
DISCLOSED = "Lo que escribes aquí se envía a 127.0.0.1, que genera las respuestas de Math Tutor."


@pytest.fixture
async def ana(server: ServerProcess, folder: Path) -> AsyncIterator[Newcomer]:
    """Somebody whose browser asks for Spanish, and who has no plan yet."""
    async with newcomer(server, folder) as person:
        person.http.headers.update(SPANISH)
        yield person


def disclosed(chat: Chat) -> list[str]:
    """What stands on a page about who reads along; told again by a new socket, it stands once."""
    steps = chat.all("new_message")
    told = {one["id"]: str(one["output"]) for one in steps if one["type"] == "system_message"}
    return list(told.values())


def labels(receipt: dict[str, Any]) -> list[str]:
    return [str(action["label"]) for action in receipt["actions"]]


async def reopened(chat: Chat, language: str) -> list[dict[str, Any]]:
    """The receipts of a conversation as it is read by a browser that asks for this language."""
    answer = await chat.http.get(
        f"/project/thread/{chat.thread_id}", headers={"Accept-Language": language}
    )
    return [one["props"] for one in answer.json()["elements"]]


async def test_an_answer_and_what_stands_around_it_are_in_the_language_that_was_asked_for(
    server: ServerProcess, folder: Path, ana: Newcomer
) -> None:
    await give(folder, ana.email, "pack-100")
    async with page(server, ana.http, headers=SPANISH) as chat:
        await chat.say("/tool")
        receipt = await chat.receipt()
        tools = [one["name"] for one in chat.all("new_message") if one["type"] == "tool"]
        in_spanish, in_english = await reopened(chat, "es"), await reopened(chat, "en")
    assert re.fullmatch(r"−5 créditos · quedan 95 · \d+,\d s", receipt["line"])
    assert labels(receipt) == ["recibo", "reportar", "reembolso"]
    assert receipt["again"]["label"] == "Preguntar de nuevo · 5 créditos"
    assert tools[0] == "Buscando en la web"
    assert tools[-1].startswith("Ha ejecutado código · ")
    (said,) = disclosed(chat)
    assert said.startswith(DISCLOSED)
    assert said.endswith("[Condiciones](/terms)")
    assert in_spanish == [receipt]
    assert in_english[0]["again"]["label"] == "Ask again · 5 credits"
    assert in_english[0]["line"].startswith("−5 credits · 95 left")


async def test_what_was_chosen_comes_before_what_the_browser_asks_for(
    server: ServerProcess, folder: Path
) -> None:
    async with newcomer(server, folder, "pack-100") as eva:
        eva.http.cookies.set(COOKIE, "es")
        async with page(server, eva.http, headers={"Accept-Language": "en"}) as chat:
            await chat.say("What is 6 * 7?")
            assert labels(await chat.receipt()) == ["recibo", "reportar", "reembolso"]
            first = (await chat.receipt())["again"]
            await press(chat, first)
            await chat.receipt(2)
            assert (await press(chat, first))["said"].startswith("Ya se había preguntado")
        assert disclosed(chat)[0].startswith(DISCLOSED)


async def test_two_pages_of_a_conversation_each_get_their_own_words_for_the_same_answer(
    server: ServerProcess, folder: Path
) -> None:
    """Whichever of them asks."""
    async with (
        newcomer(server, folder, "pack-100") as eva,
        page(server, eva.http) as english,
    ):
        await english.say("What is 6 * 7?")
        await english.receipt()
        async with page(server, eva.http, thread_id=english.thread_id, headers=SPANISH) as spanish:
            await spanish.until(lambda c: bool(c.all("resume_thread")))
            (drawn,) = spanish.all("resume_thread")[0]["elements"]
            assert labels(drawn["props"]) == ["recibo", "reportar", "reembolso"]
            for number, asking in enumerate((english, spanish)):
                await asking.say("/error")
                theirs = await english.receipt(2 + number)
                ours = await spanish.receipt(1 + number)
                assert theirs["line"].startswith("0 credits · 95 left")
                assert ours["line"] == "0 créditos · quedan 95"
                assert labels(theirs) == ["receipt", "report"]
                assert labels(ours) == ["recibo", "reportar"]
            await english.told("Please try again.")
            assert (await spanish.told("Inténtalo de nuevo.")).startswith("Sin cargo: ")
            assert "Please try again." not in spanish.said()


async def test_a_page_that_asks_for_nothing_is_spoken_to_in_english(
    server: ServerProcess, folder: Path, ana: Newcomer
) -> None:
    """Also when others speak Spanish at the same time."""
    async with (
        newcomer(server, folder) as eva,
        page(server, ana.http, profile="home", headers=SPANISH) as hers,
        page(server, eva.http, profile="home") as chat,
    ):
        assert (await hears(hers)).startswith("**Te damos la bienvenida.**")
        assert (await hears(chat)).startswith("**Welcome.**")
        await hers.say("matematicas cuánticas")
        await chat.say("quantum")
        assert "Nothing here matches “quantum”." in await hears(chat, 2)
        assert "Aquí no hay nada que coincida con" in await hears(hers, 2)


async def test_browse_greets_finds_and_tells_an_account_in_spanish(
    server: ServerProcess, folder: Path, ana: Newcomer
) -> None:
    async with page(server, ana.http, profile="home", headers=SPANISH) as chat:
        await card(chat, "Catalogue")
        await chat.say("Necesito ayuda con travel")
        assert (await card(chat, "Catalogue", 2))["slugs"] == [TRAVEL]
        assert await hears(chat, 2) == "1 resultado para “Necesito ayuda con travel”:"
        await chat.say("¿Cuántos créditos me quedan?")
        assert (await hears(chat, 3)).startswith("Todavía no tienes ningún plan.")
        await give(folder, ana.email, "pack-100", "12.5")
        await give(folder, ana.email, "travel-pass")
        await chat.say("Mi saldo")
        said = await hears(chat, 4)
    assert "Tienes **12,5 créditos** para gastar." in said
    assert "- **7-day travel pass**: hasta el " in said
    assert "en [tu cuenta](/account)" in said


async def test_a_kept_message_says_in_spanish_what_sending_it_costs(
    server: ServerProcess, folder: Path, ana: Newcomer
) -> None:
    await give(folder, ana.email, "pack-100", "1.5")
    async with page(server, ana.http, headers=SPANISH) as chat:
        refusal = await refused(chat)
        assert await hears(chat) == (
            "Sin cargo. Tienes 1,5 créditos para Math Tutor; esto necesita 5. Tu mensaje queda"
            " guardado."
        )
        await give(folder, ana.email, "pack-100", "5")
        kept = await told(ana.http, chat, "kept_look", refusal=refusal)
        assert kept["price"] == "Cuesta 5 créditos al recibir la respuesta"
        assert (await told(ana.http, chat, "kept_send", refusal=refusal))["sentence"] == ""
        await card(chat, "Receipt")
        sent = await told(ana.http, chat, "kept_look", refusal=refusal)
    assert sent["sentence"] == "Este mensaje se ha enviado. Su respuesta está más abajo."
    assert labels(named(chat, "Receipt")[0]) == ["recibo", "reportar", "reembolso"]


async def test_what_is_refused_at_the_socket_is_said_in_spanish(
    server: ServerProcess, ana: Newcomer
) -> None:
    async with page(server, ana.http, headers=SPANISH) as chat:
        await chat.say(" ")
        await chat.told("Este mensaje está vacío. No se ha cobrado nada")
        await chat.say("word " * 50_000)
        await chat.told("en partes de 32000 caracteres como máximo")
        await chat.say("word " * 240_000)  # which the door keeps
        await chat.until(lambda c: len(c.toasts()) == 3)
        assert chat.toasts()[2] == chat.toasts()[1]
        await chat.say("use sk-proj-abcdEFGH1234567890ijklMNOP please")
        await chat.told("Se ha quitado una clave de tu mensaje")
    async with page(server, ana.http, profile="setup-bot", headers=SPANISH) as chat:
        await chat.told("Not charged. Only builders")  # the setup bot speaks English alone


async def test_running_low_is_said_in_spanish_under_the_answer_that_did_it(
    server: ServerProcess, folder: Path, ana: Newcomer
) -> None:
    await give(folder, ana.email, "trial-20", "5")
    async with page(server, ana.http, headers=SPANISH) as chat:
        await chat.say("What is 6 * 7?")
        (notice,) = (await chat.receipt())["notices"]
    assert notice["text"] == "No quedan créditos: no alcanza para otro mensaje."
    assert notice["label"] == "Conseguir más"


async def test_the_price_the_picker_and_chainlits_own_words_come_in_spanish(
    server: ServerProcess, folder: Path, ana: Newcomer
) -> None:
    await give(folder, ana.email, "pack-100", "1")
    before = await composer(ana.http)
    profiles = (await ana.http.get("/project/settings")).json()["chatProfiles"]
    math, home = ({p["name"]: p for p in profiles}[name] for name in (MATH, "home"))
    translated = (await ana.http.get("/project/translations?language=en-US")).json()
    assert before["line"] == "Math Tutor · 5 créditos por mensaje · queda 1"
    assert before["disclosure"]["text"].startswith(DISCLOSED)
    assert before["disclosure"]["link"] == "Condiciones"
    assert math["markdown_description"].endswith("`5 créditos por mensaje`")
    assert home["display_name"] == "Explorar"
    assert home["markdown_description"].startswith("**Todo lo que se ofrece aquí.**")
    es = json.loads((ROOT / ".chainlit/translations/es.json").read_text())
    assert translated == {"translation": es}


async def test_an_assistant_that_its_builder_paused_says_so_in_spanish(
    server: ServerProcess, folder: Path, ana: Newcomer
) -> None:
    slug = await a_copy_of_math_tutor(folder)
    await give(folder, ana.email, "pack-100")
    await operate(folder, "move_offering", slug=slug, step="pause")
    lines = (await ana.http.get("/composer")).json()["assistants"]
    async with page(server, ana.http, profile=slug, headers=SPANISH) as chat:
        await chat.say("What is 6 * 7?")
        await chat.told("Math Tutor está en pausa por su creador. No se ha cobrado nada")
    await operate(folder, "move_offering", slug=slug, step="retire")
    (line,) = [one["line"] for one in lines if one["slug"] == slug]
    assert line == "Math Tutor · en pausa por su creador"


async def test_a_notice_is_told_to_each_page_in_its_own_language(
    server: ServerProcess, folder: Path, ana: Newcomer
) -> None:
    await give(folder, ana.email, "pack-100")
    async with (
        page(server, ana.http, headers=SPANISH) as spanish,
        page(server, ana.http, profile="home", headers={"Accept-Language": "en"}) as english,
    ):
        await spanish.say("What is 2 * 21?")
        await spanish.receipt()
        with provider_out_of_reach(folder):
            thread = {"threadId": spanish.thread_id}
            await ana.http.request("DELETE", "/project/thread", json=thread)
        told = await english.told("The conversation"), await spanish.told("La conversación")
    assert told[0].startswith("The conversation is deleted here.")
    assert told[1].startswith("La conversación está eliminada aquí.")


async def test_a_link_and_a_file_that_lead_nowhere_are_refused_in_spanish(
    server: ServerProcess, ana: Newcomer
) -> None:
    link = await ana.http.get("/a/nothing-here", headers={"Accept": "text/html"})
    nowhere = await ana.http.get("/nothing-here", headers={"Accept": "application/json"})
    async with page(server, ana.http, profile="home", headers=SPANISH) as chat:
        file = {"file": ("a.png", b"x", "image/png")}
        sent = await ana.http.post(f"/project/file?session_id={chat.session_id}", files=file)
    assert "en el chat, Explorar muestra todo lo que hay." in link.text
    assert nowhere.json()["detail"] == "Aquí no hay nada."
    assert sent.json()["detail"].startswith("Los archivos se pueden enviar a un asistente")


async def test_the_setup_bot_speaks_english_throughout(
    server: ServerProcess, bea: httpx.AsyncClient
) -> None:
    """It has no other language yet, and amounts in another would stand out in what it says."""
    async with page(server, bea, profile="setup-bot", headers=SPANISH) as chat:
        await hears(chat)
        await chat.say("change the plan to Pack 100")
        await chat.say("show me")
        await chat.told("Pack 100 · ")
        await chat.say("discard")
        await chat.told("Shall I keep the draft or discard it?")
        await chat.say("discard")
        await chat.told("Discarded")
    assert "100 credits" in chat.said()
    assert "crédito" not in chat.said()
