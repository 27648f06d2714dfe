"""The line that a search shows of a message: around the first of its words, as it is read."""

import pytest

from storage.search import EXCERPT_MAX, excerpt


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("It is **very** *far* away", "It is very far away"),
        ("# Head\n\n- one `far`\n- two", "Head one far two"),
        ("| place | far |\n|---|--:|\n| Bern | yes |", "place far Bern yes"),
        ("> as [far](https://example.org/x) as ![a hill](/p.png)", "as far as a hill"),
        ("17 * 23 is far_more than 3 * 4", "17 * 23 is far_more than 3 * 4"),
        ("~~not~~ __far__", "not far"),
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
