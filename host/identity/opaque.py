"""Secrets that only have to be recognised: cookie values and the keys of one-time links.

256 random bits each, so they cannot be guessed and need no slow hash: what is kept is their
SHA-256, and a stolen table opens nothing.
"""

import hashlib
import secrets
from typing import Final

SECRET_BYTES: Final = 32
LONGEST: Final = 128
"""Characters of a secret worth hashing; ours have 43."""


def new_secret() -> str:
    """A fresh secret of 256 bits, in characters that URLs and cookies carry as they are."""
    return secrets.token_urlsafe(SECRET_BYTES)


def digest(secret: str) -> bytes:
    """What is kept of a secret."""
    return hashlib.sha256(secret[:LONGEST].encode("utf-8", "replace")).digest()
