"""Seal a secret so that only this installation, and only this place in its tables, can open it.

The story: every value gets a fresh data key; the value is encrypted under the data key, and the
data key under the master key, both with AES-256-GCM. Both ciphertexts are bound to the place they
are stored in (table, row, column, version), so somebody who can write the database gains nothing
by moving one row's ciphertext to another, or an older version's to a newer. What is not prevented:
a whole row of the past, put back as it was, opens as it did then. Nothing here reads a file, a
setting or a table; `host.vault.vault` does.
"""

import secrets
from base64 import b64encode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Final, NoReturn, SupportsIndex

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from typing_extensions import override

from host.errors import FareboxError
from host.language import N_, _

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
"""96 bits, as GCM wants them; random, because a data key encrypts once."""


class SecretUnreadable(FareboxError):
    """A sealed secret does not open: another master key, another place, or a changed bit."""

    # Nobody who asks can mend it, and trying again does not help: a fault of the installation.
    status, code, title = 500, "secret_unreadable", N_("A stored key cannot be opened")

    def __init__(self) -> None:
        super().__init__(
            _("A stored key cannot be opened on this host. Its operator has to look into it.")
        )


class MasterKey:
    """The key that wraps data keys. It is used through its verbs and never shown."""

    __slots__ = ("_key", "fingerprint")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError("a master key is 32 bytes")
        self._key = key
        self.fingerprint: Final = self.derive("fingerprint")[:8].hex()

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one other use, from which nothing can be learned about this key."""
        info = f"farebox/{purpose}".encode()
        return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(self._key)

    def is_shown_in(self, content: bytes) -> bool:
        """Whether these bytes give the key away: as it is, in base64 or in hex."""
        key = self._key
        # Without its last digits, which depend on padding.
        written = (b64encode(key)[:42], urlsafe_b64encode(key)[:42], key.hex().encode())
        return key in content or any(form in content for form in written)

    def wrap(self, data_key: bytes, associated: bytes) -> tuple[bytes, bytes]:
        """A nonce, and the data key encrypted under it."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce, AESGCM(self._key).encrypt(nonce, data_key, associated)

    def unwrap(self, nonce: bytes, wrapped: bytes, associated: bytes) -> bytes:
        """The data key.

        Raises:
            InvalidTag: it was wrapped by another key or for another place.
        """
        return AESGCM(self._key).decrypt(nonce, wrapped, associated)

    @override
    def __repr__(self) -> str:
        return f"MasterKey({self.fingerprint})"

    @override
    def __reduce_ex__(self, _protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a master key does not leave its process")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sealed value rests; a ciphertext opens nowhere else."""

    table: str
    row: str
    version: int

    def associated(self, column: str) -> bytes:
        """What AES-GCM authenticates beside the value of `column`."""
        parts = (self.table, self.row, column, str(self.version))
        # Lengths first, so that no two places are written alike whatever their names contain.
        return "|".join(f"{len(part)}:{part}" for part in parts).encode()


@dataclass(frozen=True, slots=True)
class Sealed:
    """A value encrypted under its data key, and the data key wrapped by the master key."""

    ciphertext: bytes
    nonce: bytes
    wrapped_key: bytes
    wrap_nonce: bytes
    master_key_id: str


def seal(plaintext: str, place: Place, master_key: MasterKey) -> Sealed:
    """Encrypt `plaintext` for one place, under a data key made for it alone."""
    data_key = secrets.token_bytes(KEY_BYTES)
    nonce = secrets.token_bytes(NONCE_BYTES)
    ciphertext = AESGCM(data_key).encrypt(
        nonce, plaintext.encode(), place.associated("ciphertext")
    )
    wrap_nonce, wrapped_key = master_key.wrap(data_key, place.associated("wrapped_key"))
    return Sealed(ciphertext, nonce, wrapped_key, wrap_nonce, master_key.fingerprint)


def open_sealed(sealed: Sealed, place: Place, master_key: MasterKey) -> str:
    """The plaintext again.

    Raises:
        SecretUnreadable: whatever the reason; the message does not say which.
    """
    try:
        data_key = master_key.unwrap(
            sealed.wrap_nonce, sealed.wrapped_key, place.associated("wrapped_key")
        )
        plaintext = AESGCM(data_key).decrypt(
            sealed.nonce, sealed.ciphertext, place.associated("ciphertext")
        )
    except (InvalidTag, ValueError):  # ValueError: a nonce or key of the wrong length
        raise SecretUnreadable from None
    return plaintext.decode()
