"""Names that follow from a program's idempotency key, so that the same key finds the same answer.

They are drawn under a key of this host's, because the name of a thread is also an address:
whoever could work one out beforehand would sit in the thread before its owner comes. For questions
without an idempotency key, and in the chat, names are drawn at random. What upstreams call a
subscriber is drawn likewise: an account's number without the key is guessed by counting.
"""

import hmac
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final
from uuid import UUID

UUID_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class KeyedNames:
    """The thread and the message of one idempotency key."""

    thread_id: str
    message_id: str


@dataclass(frozen=True, slots=True)
class Naming:
    """Draws names from idempotency keys; two hosts draw different ones."""

    secret: bytes = field(repr=False)

    def of(self, account_id: int, key: str) -> KeyedNames:
        """The names for this key of this account's, equal each time."""
        return KeyedNames(
            thread_id=self._name(f"thread:{account_id}:{key}"),
            message_id=self._name(f"message:{account_id}:{key}"),
        )

    def again(self, answer_id: str) -> str:
        """The message that asks again what this answer answered: there is one, however often."""
        return self._name(f"again:{answer_id}")

    def copy(self, file_id: str, message_id: str) -> str:
        """The copy of a file that goes with a message once more: one for each message."""
        return self._name(f"copy:{file_id}:{message_id}")

    def subscriber(self, account_id: int) -> str:
        """Who asks, so that an upstream can tell people apart and learn nothing about them."""
        return hmac.digest(self.secret, f"subscriber:{account_id}".encode(), sha256).hex()

    def _name(self, of_what: str) -> str:
        digest = hmac.digest(self.secret, of_what.encode(), sha256)
        return str(UUID(bytes=digest[:UUID_BYTES], version=4))
