"""Templates say nothing that cannot be said in another language."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from jinja2 import Environment, nodes

from tests.heard import heard

TEMPLATES: Final = Path(__file__).parents[2] / "host" / "pages" / "templates"
SAYING: Final = frozenset({"_", "_n"})
FACT: Final = "0"
"""Stands for what a template puts in."""
WORD: Final = re.compile(r"[^\W\d_]{2,}")
SENTENCE: Final = re.compile(r"^[A-Z].*[a-z]|[a-z] [a-z]")
ALIKE: Final = frozenset(
    {
        "Farebox",
        f"{FACT}Farebox",
        f"{FACT} · Farebox",
        "XXXX-XXXX-XXXX-XXXX",
        "Authorization: Bearer …",
    }
)
"""What is the same in every language."""

EACH = pytest.mark.parametrize("path", sorted(TEMPLATES.iterdir()), ids=lambda path: path.name)


@EACH
def test_no_words_stand_in_a_page_as_they_are(path: Path) -> None:
    page = FACT.join(one.data for one in _parsed(path).find_all(nodes.TemplateData))
    said = {line for line in heard(page) if WORD.search(line)}
    assert said <= ALIKE


@EACH
def test_no_sentence_is_put_in_that_was_not_marked(path: Path) -> None:
    assert {text for text in _unmarked(_parsed(path)) if SENTENCE.search(text)} <= ALIKE


def _parsed(path: Path) -> nodes.Template:
    return Environment(autoescape=True).parse(path.read_text(encoding="utf-8"))


def _unmarked(node: nodes.Node) -> Iterator[str]:
    """Every text in what templates compute, but what is said."""
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        yield node.value
    is_said = (
        isinstance(node, nodes.Call)
        and isinstance(node.node, nodes.Name)
        and node.node.name in SAYING
    )
    for field, value in node.iter_fields():
        if not (is_said and field == "args"):
            parts = value if isinstance(value, list) else [value]
            for part in parts:
                if isinstance(part, nodes.Node):
                    yield from _unmarked(part)
