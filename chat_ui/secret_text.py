"""Which words of a message are taken for a secret before anything keeps them.

In a subscriber's chat only known shapes of keys; people paste code, digests and ids there, and
none of these may be touched. In the setup bot's chat, where keys are what is being talked about,
any long word that looks drawn at random is taken too. UUIDs and hex digests never are.
"""

import math
import re
from collections import Counter
from typing import Final

from host.redaction import STAND_IN, redact

LONG_WORD: Final = 24
RANDOM_BITS: Final = 3.7
"""Bits of surprise in a character: English is below 3.5 at this length, a random key above 4."""

_WORD: Final = re.compile(rf"[A-Za-z0-9._~+/=-]{{{LONG_WORD},}}")
_PLAIN: Final = re.compile(
    r"[0-9a-fA-F]+|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9.,_-]+"
)


def without_secrets(text: str, *, is_setup: bool) -> str:
    """The text with a stand-in where a secret was."""
    cleaned = redact(text)
    if not is_setup:
        return cleaned
    return _WORD.sub(lambda match: STAND_IN if looks_random(match[0]) else match[0], cleaned)


def looks_random(word: str) -> bool:
    """Whether a word is long, mixed, and too surprising to be a name, an address or a digest."""
    if _PLAIN.fullmatch(word) or "/" in word:
        return False
    has_mix = any(c.isdigit() for c in word) and any(c.isalpha() for c in word)
    return len(word) >= LONG_WORD and has_mix and _bits(word) >= RANDOM_BITS


def _bits(word: str) -> float:
    counts = Counter(word)
    return -sum(n / len(word) * math.log2(n / len(word)) for n in counts.values())
