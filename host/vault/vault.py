"""Where builders' keys rest: stored sealed, revealed for one call, replaced, discarded.

A plaintext comes in once and goes out only through `reveal`, to the code that is about to use it;
it is never logged, put in an error, or kept in memory between calls. How it is sealed is
`host.vault.envelope`; who may ask for it is decided by who holds a `Vault`.
"""

from dataclasses import asdict, dataclass
from typing import Final

from host.clock import Clock
from host.vault.envelope import MasterKey, Place, Sealed, SecretUnreadable, open_sealed, seal
from storage import secrets
from storage.database import Database
from storage.ids import new_id
from storage.models.vault import Secret

SHOWN: Final = 4
LONG_ENOUGH_TO_SHOW: Final = 16
"""Of a shorter secret, four characters would give away too much."""


@dataclass(frozen=True, slots=True)
class SecretRef:
    """A stored secret by name: what may be shown of it, and nothing that opens it."""

    id: str
    last4: str


class Vault:
    """Keeps secrets sealed under the master key."""

    def __init__(self, database: Database, clock: Clock, master_key: MasterKey) -> None:
        self._database = database
        self._clock = clock
        self._master_key = master_key

    async def store(
        self, owner_id: int | None, purpose: str, plaintext: str, bound_to: str = ""
    ) -> SecretRef:
        """Seal and save a secret; `bound_to` is the address it may be sent to."""
        secret = self.seal(
            purpose, plaintext, owner_id=owner_id, bound_to=bound_to, last4=_last4(plaintext)
        )
        await self._database.run(lambda unit: secrets.add_secret(unit.session, secret))
        return SecretRef(secret.id, secret.last4)

    async def reveal(self, secret_id: str) -> str:
        """The plaintext, for the one call that needs it.

        Raises:
            SecretUnreadable: it is gone, or does not open.
        """
        secret = await self._database.read(lambda s: secrets.find_secret(s, secret_id))
        if secret is None:
            raise SecretUnreadable
        return self.open(secret)

    async def replace(
        self, secret_id: str, plaintext: str, bound_to: str | None = None
    ) -> SecretRef:
        """Put a new value in place of the old, under the same id and the next version.

        Raises:
            SecretUnreadable: it is gone, or somebody else replaced it just now.
        """
        old = await self._database.read(lambda s: secrets.find_secret(s, secret_id))
        if old is None:
            raise SecretUnreadable
        version = old.version + 1
        new = Secret(
            id=old.id,
            owner_id=old.owner_id,
            purpose=old.purpose,
            version=version,
            last4=_last4(plaintext),
            bound_to=old.bound_to if bound_to is None else bound_to,
            created_at=old.created_at,
            replaced_at=self._clock.now(),
            **asdict(seal(plaintext, _place(old.id, version), self._master_key)),
        )
        if not await self._database.run(lambda u: secrets.replace_secret(u.session, new)):
            raise SecretUnreadable
        return SecretRef(new.id, new.last4)

    async def discard(self, secret_id: str) -> None:
        """Forget a secret. Whatever referred to it must have let go of it before."""
        await self._database.run(lambda unit: secrets.delete_secret(unit.session, secret_id))

    async def is_usable(self) -> bool:
        """Whether this master key is the one that everything stored was sealed under."""
        fingerprint = self._master_key.fingerprint
        others = await self._database.read(
            lambda s: secrets.count_secrets_of_other_keys(s, fingerprint)
        )
        return others == 0

    def seal(
        self,
        purpose: str,
        plaintext: str,
        *,
        owner_id: int | None = None,
        bound_to: str = "",
        last4: str = "",
        secret_id: str | None = None,
    ) -> Secret:
        """A sealed row, for a caller that saves it together with what refers to it.

        `secret_id` is for the one secret of its kind; any other has a name of its own.
        """
        secret_id, version = secret_id or new_id(), 1
        return Secret(
            id=secret_id,
            owner_id=owner_id,
            purpose=purpose,
            version=version,
            last4=last4,
            bound_to=bound_to,
            created_at=self._clock.now(),
            **asdict(seal(plaintext, _place(secret_id, version), self._master_key)),
        )

    def open(self, secret: Secret) -> str:
        """The plaintext of a row.

        Raises:
            SecretUnreadable: it does not open.
        """
        sealed = Sealed(
            secret.ciphertext,
            secret.nonce,
            secret.wrapped_key,
            secret.wrap_nonce,
            secret.master_key_id,
        )
        return open_sealed(sealed, _place(secret.id, secret.version), self._master_key)


def _place(secret_id: str, version: int) -> Place:
    return Place("secret", secret_id, version)


def _last4(plaintext: str) -> str:
    return plaintext[-SHOWN:] if len(plaintext) >= LONG_ENOUGH_TO_SHOW else ""
