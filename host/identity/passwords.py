"""Passwords, kept as argon2id and checked in the same time whether or not there is one.

One check costs 64 MiB and about a fifth of a second of a core, on purpose. So it happens in a
thread, few at a time: a crowd at the door waits instead of taking the machine down.
"""

import asyncio
import secrets
from dataclasses import dataclass
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

AT_ONCE: Final = 2
"""Checks under way at a time: 128 MiB at most."""


@dataclass(frozen=True, slots=True)
class Checked:
    """Whether a password was right, and its hash under today's parameters if the old is dated."""

    is_right: bool
    rehashed: str | None = None


class Passwords:
    """Hashes and checks passwords, a few at a time."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._nobodys: str | None = None

    async def hash(self, password: str) -> str:
        """The argon2id hash to keep."""
        async with self._gate:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def check(self, password: str, kept: str | None) -> Checked:
        """Compare with what was kept; without anything kept, take as long and say no."""
        if kept is None:
            kept = await self._hash_of_nobody()
        async with self._gate:
            return await asyncio.to_thread(self._check, password, kept)

    def _check(self, password: str, kept: str) -> Checked:
        try:
            self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return Checked(is_right=False)
        if not self._hasher.check_needs_rehash(kept):
            return Checked(is_right=True)
        return Checked(is_right=True, rehashed=self._hasher.hash(password))

    async def _hash_of_nobody(self) -> str:
        """A hash that no password fits, so that unknown accounts cost what known ones do."""
        if self._nobodys is None:
            self._nobodys = await self.hash(secrets.token_hex(32))
        return self._nobodys
