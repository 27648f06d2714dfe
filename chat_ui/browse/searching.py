"""What somebody may mean who types a few words into Browse. Pure.

No language model reads this, so little is understood, and in the same way each time: a question
about one's balance, or words to look for in what is on offer. English and Spanish are understood
alike, whichever is spoken, and words are compared without their accents.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from host.catalogue.showing import Shown

WORD: Final = re.compile(r"[^\W_]+")
HEARD_MAX: Final = 400
"""Characters that are listened to: what is looked for is said at the beginning, or nowhere."""
STEM_MIN: Final = 3
"""Letters that two words must share at their beginning to count as one: `math`, `maths`."""
BALANCE: Final = re.compile(
    r"\s*/?(?:(?:please\s+)?(?:show|see|check|what(?:'s|\s+is|\s+are)?)\s+)?(?:me\s+)?(?:my|the)?\s*"
    r"(?:balance|credits?|account|plans?|subscriptions?|(?:credits?|balance)\s+(?:left|remaining))"
    r"\s*(?:please)?\s*[?.!]*\s*"
    r"|\s*how\s+many\s+credits\s+(?:do\s+i\s+have|have\s+i|are)(?:\s+(?:left|got))?\s*[?.!]*\s*"
    r"|\s*what\s+do\s+i\s+have(?:\s+left)?\s*[?.!]*\s*"
    r"|[\s¿¡]*/?(?:por\s+favor,?\s+)?(?:(?:muestrame|dime|ver|cual\s+es|cuales\s+son)\s+)?"
    r"(?:mis?|el|los|las?)?\s*(?:saldo|creditos?|cuenta|planes|suscripcion(?:es)?)"
    r"(?:\s+(?:restantes?|disponibles?))?\s*(?:,?\s*por\s+favor)?\s*[?.!]*\s*"
    r"|[\s¿¡]*(?:cuantos\s+creditos|cuanto(?:\s+saldo)?|que)\s+(?:tengo|(?:me\s+)?quedan?)\s*[?.!]*\s*",
    re.IGNORECASE,
)
"""In words without accents."""
SAID_BY_THE_WAY: Final = frozenset(
    WORD.findall(
        "a an and any are assistant assistants can do find for from get give have help i in is it"
        " like looking me my need of on please service services show some something that the there"
        " to try use want what which with you"
        " al alguien algo alguna algun asistente asistentes ayuda ayudame busco como con cual de"
        " del el en es esta este la las los mi mis necesito para por puede puedes puedo que quiero"
        " servicio servicios sobre su un una unas unos usar y"
    )
)
"""Words that tell nothing about what is looked for."""


def is_about_balance(text: str) -> bool:
    """Whether somebody asks what they have."""
    return BALANCE.fullmatch(_heard(text)) is not None


def matches(offered: Iterable[Shown], text: str) -> list[Shown]:
    """What the words may mean, the best first; nothing where no word was found."""
    wanted = {word for word in _words(_heard(text)) if word not in SAID_BY_THE_WAY}
    scored = [(_score(one, wanted), one) for one in offered]
    found = [(score, one) for score, one in scored if score]
    return [one for _, one in sorted(found, key=lambda pair: -pair[0])]


def _score(one: Shown, wanted: set[str]) -> int:
    """How many of the words are in it; a word of the title or a tag counts more."""
    item = one.item
    named = _words(" ".join([item.title, *item.tags]))
    told = _words(item.description)
    return sum(3 * _has(named, word) or _has(told, word) for word in wanted)


def _has(words: Sequence[str], wanted: str) -> bool:
    return any(_is_same(word, wanted) for word in words)


def _is_same(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return one == other or (len(short) >= STEM_MIN and long.startswith(short))


def _heard(text: str) -> str:
    """The beginning, each gap one space: patterns must not wander through the longest message."""
    return _unaccented(" ".join(text[: 4 * HEARD_MAX].split())[:HEARD_MAX])


def _words(text: str) -> list[str]:
    return [word.casefold() for word in WORD.findall(_unaccented(text))]


def _unaccented(text: str) -> str:
    """The text as somebody types it who is in a hurry: `matematicas`."""
    letters = unicodedata.normalize("NFD", text)
    return "".join(letter for letter in letters if not unicodedata.combining(letter))
