"""What a page says to people, and which of it is still English on a page that is not."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from html.parser import HTMLParser
from typing import Final

from babel.messages.catalog import Message
from typing_extensions import override

from host.language import Language
from tests.sentences import PLACE, SERVER, forms, known

INLINE: Final = frozenset({"a", "code", "span", "strong", "time"})
"""What stands in the middle of a line."""
SPOKEN: Final = ("alt", "aria-label", "placeholder", "title")
"""Attributes that people read or hear."""
UNSEEN: Final = frozenset({"script", "style"})
WORDS_LEAST: Final = 3
"""A sentence is known anywhere by so many words of its own; with fewer it has to stand alone."""
OF_PAGES: Final = ("host/pages/templates/", "host/pages/rendering.py", "host/writing.py")
"""Where sentences are said that are looked for."""
IN_PYTHON: Final = frozenset({"Free", "Included", "What it covers", "{title} is on your account."})
"""What templates and, in English alone, other modules say."""


def heard(html: str) -> set[str]:
    """Every line of a page, each piece of text by itself, and what attributes say."""
    ear = _Ear()
    ear.feed(html)
    ear.close()
    return ear.lines - {""}


def english_in(html: str, language: Language) -> list[str]:
    """Sentences of the catalogue that stand on the page, though `language` says them otherwise."""
    lines = heard(html)
    return [
        english
        for english, pattern in _differing(language).items()
        if any(pattern.search(line) for line in lines)
    ]


@cache
def _differing(language: Language) -> Mapping[str, re.Pattern[str]]:
    return dict(
        found
        for message in known(SERVER, language)
        if message.id and _is_looked_at(message)
        for found in _patterns(message)
    )


def _is_looked_at(message: Message) -> bool:
    files = [file for file, _line in message.locations]
    return message.id not in IN_PYTHON and any(file.startswith(OF_PAGES) for file in files)


def _patterns(message: Message) -> Iterator[tuple[str, re.Pattern[str]]]:
    """A sentence in each of its forms that differs, and what it looks like when it is said."""
    english = (message.id,) if isinstance(message.id, str) else message.id
    for one, translated in zip(english, forms(message), strict=True):
        own = [_joined(text) for text in PLACE.split(one)[::2]]
        is_known_anywhere = len(re.findall(r"\w+", " ".join(own))) >= WORDS_LEAST
        said = ".+".join(re.escape(text) for text in own)
        if one != translated and (is_known_anywhere or len(own) == 1):
            yield one, re.compile(said if is_known_anywhere else f"^{said}$")


class _Ear(HTMLParser):
    """Reads a page as somebody does who cannot see it."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: set[str] = set()
        self._line = ""
        self._is_unseen = False

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.lines |= {_joined(value or "") for name, value in attrs if name in SPOKEN}
        self._is_unseen = tag in UNSEEN
        self._end_line(tag)

    @override
    def handle_endtag(self, tag: str) -> None:
        self._is_unseen = False
        self._end_line(tag)

    @override
    def handle_data(self, data: str) -> None:
        if not self._is_unseen:
            self.lines.add(_joined(data))
            self._line += data

    def _end_line(self, tag: str) -> None:
        if tag not in INLINE:
            self.lines.add(_joined(self._line))
            self._line = ""


def _joined(text: str) -> str:
    """As a browser shows it: in one line, however it was written."""
    return " ".join(text.split())
