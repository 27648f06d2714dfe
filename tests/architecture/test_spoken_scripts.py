"""Scripts and cards in the browser say everything by `t` or `tn`, or it could not be translated.

What they say past these is looked for by its looks, without a parser of JavaScript: text between
tags, what is shown or read aloud of an element, and strings that read like prose.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.sentences import PAGE, ROOT, said

ENGLISH: Final = {"KeyForm.jsx", "DraftReview.jsx"}
"""Cards of the setup bot, which speaks English."""
SCRIPTS: Final = sorted(
    path
    for place in (ROOT / "public", ROOT / "host" / "pages" / "static")
    for path in place.rglob("*.js*")
    if path.suffix in {".js", ".jsx"} and path.name not in ENGLISH
)
ALLOWED: Final = {
    *(
        "use strict",
        "Enter",
        "Escape",
        "PlanCards",
        "BroadcastChannel",
        "Content-Type",
        "If-None-Match",
        "quiet calm copy",  # classes
    ),
    *("catch", "const", "finally"),  # of the language, between the ends of two blocks
    '<path d="M12 3v12"/><path d="m7 10 5 5 5-5"/><path d="M5 21h14"/></svg>',
    "⋯",
}
COMMENT: Final = re.compile(r"(?:^|\s)//.*$", re.MULTILINE)
CLASSES: Final = re.compile(r"className=(?:\"[^\"]*\"|\{[^}]*\})")
CALL: Final = re.compile(r"(?<![\w.])tn?\(")
SAID: Final = re.compile(CALL.pattern + r"'([^']*)'(?:, '[^']*')?")
"""What is said, without its facts; what is said of many stands beside what is said of one."""
FACT: Final = re.compile(r"\$\{[^}]*\}")
STRING: Final = re.compile(r"'([^'\n]*)'|\"([^\"\n]*)\"|`([^`]*)`")
PROSE: Final = re.compile(
    r"^[A-Z][a-z]"
    r"|(?<![\w-])[a-z]+[,:.]? [a-z]+(?![\w-])"  # two words in a row
    r"|\$\{[^}]*\} [a-z]|[a-z]:? \$\{"  # a word beside a fact
)
SHOWN: Final = re.compile(
    r"(?:aria-label|title|placeholder|alt|textContent)'?[ ,:=]+(['\"`])(.*?)\1"
)
BETWEEN_TAGS: Final = re.compile(r"(?:(?<!=)>|\})\s*([\w⋯][\w\s.,:;…!?’%·&/⋯-]*)[<{]")


def past_t(script: str) -> Iterator[str]:
    """What a script says without having it translated."""
    rest = CLASSES.sub("", SAID.sub("", COMMENT.sub("", script)))
    strings = [text for found in STRING.findall(rest) for text in found if PROSE.search(text)]
    shown = [
        text for _quote, text in SHOWN.findall(rest) if re.search("[a-z]", FACT.sub("", text))
    ]
    between = [text.strip() for text in BETWEEN_TAGS.findall(rest)]
    return (text for text in strings + shown + between if text not in ALLOWED)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_says_nothing_that_could_not_be_translated(path: Path) -> None:
    assert list(past_t(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("<p className='a'>Kept for you</p>", id="text"),
        pytest.param("<p>With {files}</p>", id="text before a fact"),
        pytest.param("<p>{files} kept</p>", id="text after a fact"),
        pytest.param("<Check aria-hidden='true' /> Copied\n</Button>", id="text after a picture"),
        pytest.param("<h4>{isMine ? t('Get more') : 'Choose'}</h4>", id="a word that is chosen"),
        pytest.param('<section aria-label="cards">', id="a name"),
        pytest.param("<Input placeholder='search' />", id="a placeholder"),
        pytest.param("button.title = 'export';", id="a title"),
        pytest.param("input.setAttribute('aria-label', 'files');", id="a name that is set"),
        pytest.param("show({ words: 'it was sent and paid for' });", id="a sentence"),
        pytest.param("const label = `${number} matches`;", id="a word beside a fact"),
        pytest.param("const label = `for ${price}`;", id="a fact beside a word"),
    ],
)
def test_what_is_said_past_t_would_be_noticed(script: str) -> None:
    assert list(past_t(script)) != []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_what_t_is_asked_to_say_stands_there(path: Path) -> None:
    script = COMMENT.sub("", path.read_text(encoding="utf-8"))
    assert len(CALL.findall(script)) == len(SAID.findall(script)), (
        "only literals can be translated"
    )


def test_the_catalogue_has_every_sentence_of_the_scripts() -> None:
    written = {text for path in SCRIPTS for text in SAID.findall(path.read_text(encoding="utf-8"))}
    found = {one.id if isinstance(one.id, str) else one.id[0] for one in said(PAGE) if one.id}
    assert found == written
