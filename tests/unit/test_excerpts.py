"""The line that a search shows of a message: around the first of its words, as it is read."""

import time
from typing import Final

import pytest

from storage.search import _LINK, _MARKS, EXCERPT_MAX, excerpt

AT_ONCE_S: Final = 5
"""A hundred times what it takes; a pattern that goes back and forth takes minutes."""


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("It is **very** *far* away", "It is very far away"),
        ("# Head\n\n- one `far`\n- two", "Head one far two"),
        ("| place | far |\n|---|--:|\n| Bern | yes |", "place far Bern yes"),
        ("> as [far](https://example.org/x) as ![a hill](/p.png)", "as far as a hill"),
        ("17 * 23 is far_more than 3 * 4", "17 * 23 is far_more than 3 * 4"),
        ("~~not~~ __far__", "not far"),
        ("2**10 is far, and so is `__init__`", "2**10 is far, and so is __init__"),
    ],
)
def test_what_markdown_adds_is_left_out(body: str, line: str) -> None:
    assert excerpt(body, ("far",)) == line


def test_a_long_message_is_shown_around_the_word_and_says_that_there_is_more() -> None:
    line = excerpt("word " * 50 + "xylophone" + " word" * 50, ("xylo",))
    assert line.startswith("…")
    assert line.endswith("…")
    assert "xylophone" in line
    assert len(line) <= EXCERPT_MAX + 2


@pytest.mark.parametrize(
    "hostile",
    [
        "[" * 200_000,
        "[far](" * 50_000,
        "\n" * 200_000 + "far",
        " " * 200_000 + "far",
        "`" * 200_000,
        "```a" * 50_000,
        "*" * 200_000,
    ],
)
def test_whatever_was_written_its_line_is_found_at_once(hostile: str) -> None:
    began = time.process_time()
    for pattern in (_LINK, _MARKS):
        pattern.sub("", hostile)
    assert len(excerpt(hostile + " far", ("far",))) <= EXCERPT_MAX + 2
    assert time.process_time() - began < AT_ONCE_S
