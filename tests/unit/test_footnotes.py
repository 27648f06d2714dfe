"""The sources of an answer: numbered where they are cited, listed at its end, harmless."""

from functools import reduce
from itertools import pairwise

import pytest

from host.language import Language, speaking
from host.providers.base import Cited, RunCompleted, RunEvent, RunStarted, TextDelta
from host.runs.footnotes import SOURCES_MAX, listed, noted, safe_url
from host.runs.lifecycle import Reason
from host.runs.transcript import Transcript

PAGE = Cited("The metre", "https://example.org/metre")
FILE = Cited("notes.pdf", None)


def folded(*events: RunEvent) -> Transcript:
    return reduce(Transcript.after, (RunStarted("resp_1"), *events), Transcript())


def test_a_source_is_numbered_where_it_is_cited_and_listed_at_the_end() -> None:
    done = folded(
        TextDelta("One."), PAGE, TextDelta(" Two."), FILE, TextDelta(" One."), PAGE, RunCompleted()
    )
    assert done.text == (
        "One.[\\[1\\]](https://example.org/metre) Two.\\[2\\] One.[\\[1\\]](https://example.org/metre)"
        "\n\n**Sources**\n\n1. [The metre](https://example.org/metre) · example.org\n2. notes.pdf"
    )
    assert done.is_payable


def test_what_stands_above_the_sources_is_in_the_language_of_who_asked() -> None:
    with speaking(Language.SPANISH):
        assert folded(TextDelta("Uno."), FILE, RunCompleted()).text == (
            "Uno.\\[1\\]\n\n**Fuentes**\n\n1. notes.pdf"
        )
        assert listed((Cited("", None),)).endswith("1. un archivo")


def test_the_text_only_grows() -> None:
    events: list[RunEvent] = [TextDelta("One."), PAGE, TextDelta(" Two."), FILE, RunCompleted()]
    texts = [folded(*events[:count]).text for count in range(len(events) + 1)]
    assert all(after.startswith(before) for before, after in pairwise(texts))


def test_a_stopped_answer_lists_what_it_cited() -> None:
    stopped = folded(TextDelta("One."), FILE).ended(Reason.STOPPED)
    assert stopped.text.endswith("1. notes.pdf")


def test_a_citation_is_no_answer() -> None:
    done = folded(PAGE, RunCompleted())
    assert (done.text, done.reason) == ("", Reason.EMPTY_ANSWER)
    assert not done.is_payable


def test_there_is_an_end_to_numbers() -> None:
    sources: tuple[Cited, ...] = ()
    marks = []
    for number in range(SOURCES_MAX + 1):
        sources, mark = noted(sources, Cited(str(number), None))
        marks.append(mark)
    assert len(sources) == SOURCES_MAX
    assert marks[-2:] == [f"\\[{SOURCES_MAX}\\]", ""]


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//example.org",
        "https://",
        "ftp://a/b",
        "http://[",
    ],
)
def test_what_is_no_web_address_is_not_linked(url: str) -> None:
    assert safe_url(url) is None
    assert "](" not in listed((Cited("x", url),))


@pytest.mark.parametrize(
    ("url", "linked"),
    [
        ("https://example.org/a(b) c", "https://example.org/a%28b%29%20c"),
        ('https://example.org/"><script>', "https://example.org/%22%3E%3Cscript%3E"),
        ("https://example.org/?q=1&r=2#there", "https://example.org/?q=1&r=2#there"),
    ],
)
def test_an_address_cannot_end_its_link(url: str, linked: str) -> None:
    assert safe_url(url) == linked


def test_a_title_stays_words() -> None:
    line = listed((Cited("![x](https://evil.example/a.png)\n# **h**", None),))
    assert line.splitlines()[-1] == "1. \\!\\[x\\](https://evil.example/a.png) \\# \\*\\*h\\*\\*"
