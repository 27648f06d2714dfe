"""The key that signs access tokens: made on first need, its private half sealed in the vault.

Anyone may know the public half, which is kept in clear beside its name. There is one key at a time
that signs; every one that is not retired verifies.
"""

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from host.clock import Clock
from host.vault.vault import Vault
from storage import tokens
from storage.database import Database
from storage.models.accounts import SigningKey

PURPOSE: Final = "signing_key"


@dataclass(frozen=True, slots=True)
class Signer:
    """A key that signs, under the name by which it is found again."""

    kid: str
    private: Ed25519PrivateKey = field(repr=False)


class Signing:
    """Finds the key that signs, or makes the first."""

    def __init__(self, database: Database, clock: Clock, vault: Vault) -> None:
        self._database = database
        self._clock = clock
        self._vault = vault
        self._making = asyncio.Lock()

    async def key(self) -> Signer:
        """The key to sign with now.

        Raises:
            SecretUnreadable: its private half was sealed under another master key.
        """
        async with self._making:
            found = await self._database.read(tokens.find_signing_secret)
            if found is None:
                return await self._make()
        kid, secret = found
        private = bytes.fromhex(self._vault.open(secret))
        return Signer(kid, Ed25519PrivateKey.from_private_bytes(private))

    async def _make(self) -> Signer:
        private = Ed25519PrivateKey.generate()
        public = private.public_key().public_bytes_raw()
        kid = hashlib.sha256(public).hexdigest()[:16]
        secret = self._vault.seal(PURPOSE, private.private_bytes_raw().hex())
        row = SigningKey(
            kid=kid, public_key=public, secret_id=secret.id, created_at=self._clock.now()
        )
        await self._database.run(lambda u: tokens.add_signing_key(u.session, row, secret))
        return Signer(kid, private)
