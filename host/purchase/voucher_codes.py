"""What a voucher's code looks like: eighty random bits in letters that are not mistaken.

Only a hash of it is kept. One that is guessed is one in 2**80, so a plain hash is enough: there is
nothing to try out. How people write it does not matter: case, dashes, an O for a zero.
"""

import hashlib
import secrets
from typing import Final

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: without I, L, O and U."""
LENGTH: Final = 16
GROUP: Final = 4
WRITTEN_MAX: Final = 64
"""Characters of what somebody may type."""
_MISTAKEN: Final = str.maketrans({"O": "0", "I": "1", "L": "1", "-": "", " ": ""})


def new_code() -> str:
    """A fresh code, as it is shown once: `XXXX-XXXX-XXXX-XXXX`."""
    code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    return "-".join(code[at : at + GROUP] for at in range(0, LENGTH, GROUP))


def code_hash(written: str) -> bytes:
    """What is kept of a code, however it was written."""
    code = "".join(written[:WRITTEN_MAX].split()).upper().translate(_MISTAKEN)
    return hashlib.sha256(code.encode()).digest()
