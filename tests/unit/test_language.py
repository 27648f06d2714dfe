"""In which language somebody is spoken to, and how sentences, amounts and days are said in it."""

import re

import pytest

from host.language import Language, _, _n, of_browser, page_words, speaking, spoken
from host.writing import (
    amount,
    credits_written,
    day,
    long_day,
    plain_amount,
    seconds,
    short_day,
    time_of_day,
)
from storage.moments import Micros

AT = Micros(1_795_000_000_000_000)
"""18 November 2026, 11:06:40 UTC."""


@pytest.mark.parametrize(
    ("cookies", "accepted", "language"),
    [
        pytest.param("", "", Language.ENGLISH, id="nothing said"),
        pytest.param("", "es", Language.SPANISH, id="asked for"),
        pytest.param("", "es-MX,es;q=0.9,en;q=0.8", Language.SPANISH, id="of a country"),
        pytest.param("", "en;q=0.8, es;q=0.9", Language.SPANISH, id="dearest first"),
        pytest.param("", "de, en;q=0.5, es;q=0.2", Language.ENGLISH, id="the first that is there"),
        pytest.param("", "fr, es;q=0", Language.ENGLISH, id="not wanted"),
        pytest.param("", "ES", Language.SPANISH, id="in capitals"),
        pytest.param("", "EN-GB,en;Q=0.9,es;Q=0.1", Language.ENGLISH, id="in capitals too"),
        pytest.param("", "Es-es", Language.SPANISH, id="in both"),
        pytest.param('a={"x":1}; farebox_language=es', "", Language.SPANISH, id="beside others"),
        pytest.param("x=é; farebox_language=es", "", Language.SPANISH, id="beside odd ones"),
        pytest.param("", "es;q=much", Language.ENGLISH, id="no weight"),
        pytest.param("farebox_language=es", "en", Language.SPANISH, id="chosen"),
        pytest.param("a=b; farebox_language=en", "es", Language.ENGLISH, id="chosen back"),
        pytest.param("farebox_language=xx", "es", Language.SPANISH, id="chosen, but not there"),
        pytest.param("farebox_language", "es", Language.SPANISH, id="no cookie"),
        pytest.param("", "de," * 10 + "es", Language.ENGLISH, id="far too much"),
    ],
)
def test_what_is_chosen_comes_before_what_the_browser_asks_for(
    cookies: str, accepted: str, language: Language
) -> None:
    assert of_browser(cookies, accepted) is language


def test_a_language_is_spoken_inside_and_not_after() -> None:
    assert spoken() is Language.ENGLISH
    with speaking(Language.SPANISH):
        assert credits_written(2_500) == "2,5 créditos"
        with speaking(Language.ENGLISH):
            assert credits_written(2_500) == "2.5 credits"
        assert spoken() is Language.SPANISH
    assert spoken() is Language.ENGLISH


def test_what_no_catalogue_has_is_said_in_english() -> None:
    with speaking(Language.SPANISH):
        assert _("A {thing} that nobody translated.", thing="{brace}") == (
            "A {brace} that nobody translated."
        )
        assert _n("{n} untold", "{n} untolds", 1, n=1) == "1 untold"


@pytest.mark.parametrize(
    ("language", "written"),
    [
        (Language.ENGLISH, ["0.125", "1 credit", "18 Nov", "18 Nov 2026", "18 November 2026"]),
        (
            Language.SPANISH,
            ["0,125", "1 crédito", "18 nov", "18 nov 2026", "18 de noviembre de 2026"],
        ),
    ],
)
def test_amounts_and_days_are_written_as_people_write_them(
    language: Language, written: list[str]
) -> None:
    with speaking(language):
        assert [
            amount(125),
            credits_written(1_000),
            short_day(AT),
            day(AT),
            long_day(AT),
        ] == written
        assert time_of_day(AT) == "11:06\N{NO-BREAK SPACE}UTC"


def test_a_short_time_has_the_decimals_that_are_asked_for() -> None:
    assert (seconds(1.25), seconds(12.4, decimals=0)) == ("1.2 s", "12 s")
    with speaking(Language.SPANISH):
        assert seconds(0.04) == "0,0 s"


@pytest.mark.parametrize(
    ("language", "written", "read"),
    [
        (Language.ENGLISH, "2.5", "2.5"),
        (Language.ENGLISH, "1.000", "1.000"),
        (Language.SPANISH, "2,5", "2.5"),
        (Language.SPANISH, "2.5", "2.5"),
        (Language.SPANISH, "1.0005", "1.0005"),
    ],
)
def test_an_amount_is_read_as_people_write_it(language: Language, written: str, read: str) -> None:
    with speaking(language):
        assert plain_amount(written) == read


@pytest.mark.parametrize("written", ["1.000", "10.000", "1.000,5"])
def test_what_may_be_thousands_is_no_amount(written: str) -> None:
    with speaking(Language.SPANISH), pytest.raises(ValueError, match=re.escape(written)):
        plain_amount(written)


def test_english_pages_need_no_words() -> None:
    assert page_words(Language.ENGLISH) == {}
