"""In which language somebody is spoken to, and what our sentences are in it.

English stands where it is said, marked by `_`: `_("You have {left} left.", left=…)`. What that is
in another language stands in `host/locale`, a catalogue for each, in gettext's own form;
`es.page.po` is the part that scripts in the browser need. What is missing is said in English.

Who is spoken to is known at the edge, which says so once for each request and each socket
(`speaking`); everything said below finds it here, also in the threads that read and write. Where
nobody has said, as on the command line and in metered calls, it is English.

How amounts and moments are written is `host.writing`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from functools import cache, lru_cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import Final

from babel.core import negotiate_locale
from babel.messages.catalog import Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po


class Language(StrEnum):
    """What people can be spoken to in."""

    ENGLISH = "en"
    SPANISH = "es"

    @property
    def name_in_it(self) -> str:
        """Its name, for those who read nothing else."""
        return {Language.ENGLISH: "English", Language.SPANISH: "Español"}[self]

    @property
    def of_chainlit(self) -> str:
        """What Chainlit calls it: the name of its file in `.chainlit/translations`."""
        return {Language.ENGLISH: "en-US", Language.SPANISH: "es"}[self]

    @property
    def culture(self) -> str:
        """Whose way of writing days and numbers goes with it."""
        return {Language.ENGLISH: "en_GB", Language.SPANISH: "es"}[self]


COOKIE: Final = "farebox_language"
"""Holds what somebody has chosen on this browser."""
CATALOGUES: Final = Path(__file__).parent / "locale"
WISHES_MAX: Final = 10
"""Languages of one browser that are looked at: it names a handful."""
WISHES_KNOWN: Final = 512
"""Browsers' wishes that are remembered: there are few, and each comes with every request."""

_spoken: ContextVar[Language] = ContextVar("spoken", default=Language.ENGLISH)


def spoken() -> Language:
    """The language that is spoken here and now."""
    return _spoken.get()


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    """Speak `language` inside of this, and to what is begun there."""
    token = _spoken.set(language)
    try:
        yield
    finally:
        _spoken.reset(token)


def _(sentence: str, /, **facts: object) -> str:
    """`sentence` as it is said here, its `{facts}` filled in."""
    said = _catalogue(spoken()).gettext(sentence)
    return said.format(**facts) if facts else said


def _n(one: str, many: str, number: int, /, **facts: object) -> str:
    """`one` or `many`, whichever goes with `number`, with its `{facts}` filled in."""
    said = _catalogue(spoken()).ngettext(one, many, number)
    return said.format(**facts) if facts else said


def N_(sentence: str) -> str:  # noqa: N802 - gettext's name for it
    """Mark a sentence that is kept in English, and said later, by `_`."""
    return sentence


def of_browser(cookies: str, accepted: str) -> Language:
    """What somebody chose, else what their browser asks for, else English.

    Takes the request's `Cookie` and `Accept-Language`.
    """
    chosen = _cookie(cookies)
    return Language(chosen) if chosen in list(Language) else _of_wishes(accepted)


def prepare() -> None:
    """Read every catalogue now, rather than when something is first said, and others wait."""
    for language in Language:
        _catalogue(language)
        page_words(language)


@cache
def page_words(language: Language) -> dict[str, str | list[str]]:
    """What scripts in the browser say, by its English; of one and of many where that differs."""
    if language is Language.ENGLISH:
        return {}
    with (CATALOGUES / f"{language}.page.po").open("rb") as file:
        return dict(_said_by_scripts(one) for one in read_po(file) if one.id and one.string)


def _said_by_scripts(message: Message) -> tuple[str, str | list[str]]:
    if isinstance(message.id, str):
        return message.id, str(message.string)
    return message.id[0], list(message.string or ())


@cache
def _catalogue(language: Language) -> NullTranslations:
    if language is Language.ENGLISH:
        return NullTranslations()
    compiled = BytesIO()
    with (CATALOGUES / f"{language}.po").open("rb") as file:
        write_mo(compiled, read_po(file))
    compiled.seek(0)
    return GNUTranslations(compiled)


def _cookie(cookies: str) -> str:
    """Our cookie's value, whatever others there are and however they are written."""
    pairs = (pair.strip().partition("=") for pair in cookies.split(";"))
    return next((value for name, _sign, value in pairs if name == COOKIE), "")


@lru_cache(maxsize=WISHES_KNOWN)
def _of_wishes(accepted: str) -> Language:
    found = negotiate_locale(_wishes(accepted), list(Language), sep="-")
    return Language(found.lower()) if found else Language.ENGLISH


def _wishes(accepted: str) -> list[str]:
    """The languages of an `Accept-Language`, the dearest first (RFC 9110, 12.5.4)."""
    wishes = []
    for part in accepted.split(",", WISHES_MAX)[:WISHES_MAX]:
        name, _semicolon, weight = part.partition(";")
        try:
            dearness = float(weight.strip().lower().removeprefix("q=") or 1)
        except ValueError:
            continue
        if name.strip() and dearness > 0:
            wishes.append((dearness, name.strip()))
    return [name for _dearness, name in sorted(wishes, key=lambda wish: -wish[0])]
