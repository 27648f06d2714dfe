"""The cards and the header, where the browser asks for Spanish: what our scripts say is Spanish.

What is said in the browser is looked at here, also what is only read aloud; what the server says,
and the badge of a card is its words, is tested where it is said.
"""

import re
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Locator, Page, expect

from host.language import Language
from tests.acceptance.browser import Person
from tests.acceptance.conftest import PHONE, PICTURES, People, operate
from tests.sentences import PAGE, forms, known

SPAIN: Final = "es-ES"
OURS: Final = ".farebox-shop, .farebox-topup, .farebox-receipt, #farebox-balance, #farebox-export"
SEEN: Final = """(ours) => {
    const texts = (part) => [...part.childNodes].filter((node) => node instanceof Text);
    const read = ['aria-label', 'title', 'placeholder'];
    const parts = [...document.querySelectorAll(`:is(${ours}), :is(${ours}) *`)];
    return parts.filter((part) => !part.matches('.farebox-badge')).flatMap((part) => [
        ...texts(part).map((text) => text.data.trim()),
        ...read.map((name) => part.getAttribute(name)),
    ]).filter(Boolean);
}"""
"""What stands in our parts of the page, and what is read aloud of them, piece by piece."""
FACT: Final = re.compile(r"\\\{\w+\\\}")


def english_sentences() -> list[re.Pattern[str]]:
    """How what our scripts say looks in English, where Spanish says it otherwise."""
    return [
        re.compile(FACT.sub(".+", re.escape(english)))
        for message in known(PAGE, Language.SPANISH)
        for english, spanish in zip(
            [message.id] if isinstance(message.id, str) else message.id,
            forms(message),
            strict=True,
        )
        if english and english != spanish
    ]


ENGLISH: Final = english_sentences()


def expect_no_english(person: Person) -> None:
    """Nothing in our parts of the page is in English, and there is something."""
    seen = person.page.evaluate(SEEN, OURS)
    assert seen
    assert [text for text in seen if any(one.fullmatch(text) for one in ENGLISH)] == []


def plan(person: Person, slug: str) -> Locator:
    return person.page.locator(f'[data-plan="{slug}"]').last


def press(window: Page, what: str) -> None:
    """Pay or decline on the demonstration's pay page, whatever its buttons say."""
    window.wait_for_url("**/pay/*")
    window.locator(f"form[action$='/{what}'] button").click()


@pytest.mark.browser
def test_somebody_looks_around_in_spanish(people: People, newcomer: str) -> None:
    eva = people.person(locale=SPAIN)
    eva.sign_in(newcomer)
    page = eva.page
    expect(page.locator("[data-offering]")).to_have_count(3)
    expect(eva.balance).to_have_accessible_name("Tu cuenta")
    expect_no_english(eva)
    eva.picture("browse-es-1280", PICTURES)

    page.get_by_label("Buscar asistentes y servicios").fill("ciudades en un día")
    expect(page.get_by_text("Nada coincide con esa búsqueda.")).to_be_visible()
    expect_no_english(eva)
    page.get_by_role("button", name="Mostrar todo").click()
    page.get_by_role("button", name="Probar Math Tutor").click()
    expect(plan(eva, "trial-20").get_by_role("button")).to_have_text("Probar gratis")
    page.get_by_role("button", name="Canjear un vale").click()
    code = page.get_by_label("Código del vale")
    expect(code).to_be_focused()
    code.press("Enter")
    expect(page.get_by_text("Escribe el código de tu vale.")).to_be_visible()
    expect_no_english(eva)


@pytest.mark.browser
def test_somebody_buys_in_spanish(people: People, newcomer: str) -> None:
    eva = people.person(locale=SPAIN)
    eva.sign_in(newcomer)
    page, travel = eva.page, plan(eva, "travel-pass")
    page.get_by_role("button", name="Comprar Travel Helper").click()
    with page.expect_popup() as declined:
        travel.get_by_role("button", name="Comprar por $9.00").click()
    expect(travel).to_contain_text("Esperando tu pago en la otra ventana.")
    expect_no_english(eva)
    press(declined.value, "decline")
    expect(travel).to_contain_text("no se ha cobrado nada")
    expect_no_english(eva)
    with page.expect_popup() as paid:
        travel.get_by_role("button", name="Comprar por $9.00").click()
    press(paid.value, "pay")
    expect(page.get_by_text("Listo: ya tienes 7-day travel pass.")).to_be_visible()
    expect(travel.get_by_role("button")).to_have_text("Comprar de nuevo por $9.00")
    expect(page.get_by_role("button", name="Abrir Travel Helper")).to_be_focused()
    expect_no_english(eva)
    eva.picture("bought-es-1280", PICTURES)


@pytest.mark.browser
def test_a_kept_message_is_paid_for_and_sent_in_spanish_on_a_phone(
    people: People, newcomer: str, demo_dir: Path
) -> None:
    facts = {"email": newcomer, "plan": "pack-100", "note": "", "request": newcomer}
    operate(demo_dir, "grant", **facts, credits_="3")
    eva = people.person(locale=SPAIN, size=PHONE)
    eva.sign_in(newcomer)
    eva.say("What is 17 * 23?")
    kept = eva.page.get_by_role("region", name="Tu mensaje queda guardado")
    expect(kept).to_contain_text("Guardado para ti")
    expect(eva.balance).to_have_accessible_name("Saldo. Quedan 3 créditos. Abre tu cuenta.")
    expect_no_english(eva)
    eva.picture("kept-es-390", PICTURES)
    width = "Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)"
    assert eva.page.evaluate(width) <= PHONE["width"]

    with eva.page.expect_popup() as paid:
        plan(eva, "pack-100").get_by_role("button", name="Comprar por $5.00").click()
    press(paid.value, "pay")
    send = kept.locator(".farebox-send button")
    expect(send).to_be_focused()
    expect_no_english(eva)
    send.press("Enter")
    expect(eva.answers.last).to_contain_text("391")
    eva.settled()
    eva.receipts.last.get_by_role("button", name="Qué puedes hacer con este recibo").click()
    expect(eva.balance).to_have_accessible_name("Saldo. Quedan 98 créditos. Abre tu cuenta.")
    expect(eva.page.locator("#farebox-export summary")).to_have_accessible_name(
        "Exportar esta conversación"
    )
    expect_no_english(eva)
    assert eva.page.evaluate(width) <= PHONE["width"]
    eva.picture("receipt-es-390", PICTURES)
