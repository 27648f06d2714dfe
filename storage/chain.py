"""The hash chain of a wallet: each entry vouches for the one before.

Whoever changes, removes or reorders an entry must make every later hash of that wallet anew, and
the wallet's head with them. A tail rewound consistently can only be seen from outside, by a head
written down elsewhere. PostgreSQL computes the same in `ledger_append`; a test vector binds both.
"""

import hashlib
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

FIRST_HEAD: Final = bytes(32)
"""What the first entry of a wallet follows."""
_SEPARATOR: Final = "\x1f"


@dataclass(frozen=True, slots=True)
class EntryLine:
    """What an entry says, in the order in which it is hashed."""

    wallet_id: int
    seq: int
    version: int
    kind: str
    amount: int
    balance_after: int
    grant_id: int | None
    hold_id: int | None
    reverses: int | None
    idempotency_key: str | None
    created_at: int


_PARTS: Final = attrgetter(*EntryLine.__slots__)  # `astuple` copies every part: ten times slower


def entry_hash(head: bytes, line: EntryLine) -> bytes:
    """The hash of an entry that follows `head`."""
    text = _SEPARATOR.join(["" if part is None else str(part) for part in _PARTS(line)])
    return hashlib.sha256(head + text.encode()).digest()
