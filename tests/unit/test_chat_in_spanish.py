"""What the chat says in Spanish where a sentence is more than its words put in another's place."""

from collections.abc import Iterator

import pytest

from chat_ui import asides, wording
from chat_ui.browse import sentences
from chat_ui.browse.searching import is_about_balance, matches
from chat_ui.pictures import without_pictures
from host.language import Language, speaking
from host.providers.base import Tool
from host.runs.lifecycle import Reason
from host.writing import left_written
from storage.credits import MilliCredits
from storage.models.catalogue import PlanKind
from storage.moments import DAY, Micros
from storage.notices import AgainTerms, Ending
from tests.fakes.clock import START
from tests.unit.test_asides import crossing
from tests.unit.test_browse_words import got, left
from tests.unit.test_showing import item, show
from tests.unit.test_wording import outcome


@pytest.fixture(autouse=True)
def in_spanish() -> Iterator[None]:
    with speaking(Language.SPANISH):
        yield


@pytest.mark.parametrize(
    ("available", "said"),
    [(95_000, "quedan 95"), (1_000, "queda 1"), (1_500, "quedan 1,5"), (0, "quedan 0")],
)
def test_what_is_left_agrees_with_its_number(available: int, said: str) -> None:
    assert left_written(MilliCredits(available)) == said
    failed = outcome("", reason=Reason.EMPTY_ANSWER, available=available)
    assert wording.receipt_line(failed) == f"0 créditos · {said}"


@pytest.mark.parametrize(
    ("available", "said"),
    [
        (12_000, "Saldo de 12 créditos: alcanza para unos 2 mensajes."),
        (9_500, "Saldo de 9,5 créditos: alcanza para 1 mensaje."),
        (1_000, "Saldo de 1 crédito: no alcanza para otro mensaje."),
        (0, "No quedan créditos: no alcanza para otro mensaje."),
    ],
)
def test_how_far_what_is_left_will_go(available: int, said: str) -> None:
    assert asides.crossing_text(crossing(available)) == said


@pytest.mark.parametrize(
    ("took_s", "is_failed", "line"),
    [
        (None, False, "Buscando en la web"),
        (2.4, False, "Ha buscado en la web · 2 s"),
        (0.2, True, "No se ha podido buscar en la web · menos de 1 s"),
    ],
)
def test_a_tool_that_failed_is_told_in_a_sentence_of_its_own(
    took_s: float | None, is_failed: bool, line: str
) -> None:
    assert asides.tool_line(Tool.WEB_SEARCH, took_s, is_failed=is_failed) == line


@pytest.mark.parametrize(
    ("price", "is_included", "label"),
    [
        (1_000, False, "Preguntar de nuevo · 1 crédito"),
        (0, True, "Preguntar de nuevo · incluido"),
        (0, False, "Preguntar de nuevo · gratis"),
    ],
)
def test_the_price_is_on_the_button(price: int, is_included: bool, label: str) -> None:
    button = asides.again_button(AgainTerms("a", MilliCredits(price), is_included))
    assert button["label"] == label


def test_what_a_builder_wrote_is_no_place_for_a_fact() -> None:
    ending = Ending(1, "{day} {x}", True, Micros(START), Micros(START + 2 * DAY))
    assert asides.ending_text(ending) == "{day} {x} termina el 20 nov."
    picture = without_pictures("![{host} {x}](https://example.org/a.png)")
    assert picture == "[Imagen: {host} {x} (example.org)](https://example.org/a.png)"


def test_an_account_is_told_plan_by_plan() -> None:
    told = sentences.account(
        [got(2, "Mes"), got(3, "Pase", kind=PlanKind.TIME), got(6, "Error", is_cancelled=True)],
        [left(2, 4_500, START + 2 * DAY)],
        {3: Micros(START + 7 * DAY)},
    ).splitlines()
    assert told[0] == "Tienes **4,5 créditos** para gastar."
    assert told[2].endswith("; los primeros caducan el 20 nov 2026")
    assert told[3:5] == [
        "- **Pase**: hasta el 25 nov 2026",
        "- **Error**: retirado por el operador el 19 nov 2026",
    ]


def test_matches_are_counted() -> None:
    assert sentences.found("mates", 1, shown=1) == "1 resultado para “mates”:"
    assert sentences.found("mates", 2, shown=2) == "2 resultados para “mates”:"
    assert sentences.found("mates", 60, shown=12) == (
        "60 resultados para “mates”; estos son los 12 mejores:"
    )


@pytest.mark.parametrize(
    "text",
    [
        "saldo", "Mi saldo", "¿Cuál es mi saldo?", "muéstrame mi saldo, por favor", "créditos",
        "¿Cuántos créditos me quedan?", "cuantos creditos tengo", "¿cuánto me queda?",
        "¿Qué tengo?", "mis planes", "mi cuenta", "Por favor, dime mi saldo",
        "créditos disponibles", "/saldo", "balance", "what's my balance",
    ],
)  # fmt: skip
def test_a_question_about_ones_balance_is_understood(text: str) -> None:
    assert is_about_balance(text)


@pytest.mark.parametrize(
    "text",
    ["saldo del banco", "cuéntame un cuento", "un plan de viaje", "qué tengo que hacer", ""],
)
def test_words_that_only_look_like_it_are_searched_for(text: str) -> None:
    assert not is_about_balance(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("matematicas", [1]), ("Matemáticas", [1]), ("Necesito ayuda con las matemáticas", [1]),
        ("algo para mi viaje", [2]), ("¿Qué asistentes me puedes mostrar?", []), ("el de la", []),
    ],
)  # fmt: skip
def test_words_are_found_without_their_accents_and_small_ones_tell_nothing(
    text: str, found: list[int]
) -> None:
    offered = show(
        item(1, title="Tutor de Matemáticas", tags=(), description="Explica el álgebra."),
        item(2, title="Guía de viajes", tags=(), description="Planea días en una ciudad."),
    )
    assert [one.item.id for one in matches(offered, text)] == found
