"""Text that looks like a secret, and what stands in its place: one rule for chats and logs.

Only shapes that nothing else has: API keys that begin with `sk-`, and what follows `Bearer`.
UUIDs and hex digests are never touched, so receipts and logs stay readable.
"""

import re
from typing import Final

STAND_IN: Final = "[secret removed]"

_SHAPES: Final = re.compile(
    # OpenAI and those who copy its shape; a line break before it may be written as an escape.
    r"(?:\b|(?<=\\[nrt]))sk-[A-Za-z0-9_-]{16,}"
    r"|(?<=Bearer )[A-Za-z0-9._~+/=-]{16,}",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """The text without anything that has the shape of a key."""
    return _SHAPES.sub(STAND_IN, text)


def has_secret(text: str) -> bool:
    """Whether `redact` would change the text."""
    return _SHAPES.search(text) is not None
