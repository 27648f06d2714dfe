"""Access tokens: signed proof that a subscriber may call one offering.

A token is an EdDSA JWT: issuer us, audience the offering, subject the account, a number, an end.
It carries no secret and no credits; what may be spent is asked of the ledger at every call.
Whoever holds a `VerifiedToken` need not check again. Checking touches no database: public keys and
revoked numbers are in memory (`refresh` reads them anew), and a signature found good is remembered
under a hash of the token, while its end and its revocation are looked at each time.
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final

import jwt
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from host.clock import Clock
from host.errors import InvalidToken
from host.identity.signing import Signing
from host.vault.vault import Vault
from storage import audit, tokens
from storage.database import Database, Unit
from storage.ids import new_id
from storage.models.accounts import AccessToken
from storage.moments import DAY, SECOND, Micros
from storage.tokens import AccessTokenLine

ALGORITHM: Final = "EdDSA"
CLAIMS: Final = ("iss", "aud", "sub", "jti", "iat", "exp")
REMEMBERED_MAX: Final = 10_000
"""Good signatures kept in memory, some 3 MB; the least recently used is forgotten first."""
LONGEST: Final = 2048
"""Characters of a token worth looking at; ours have about 400."""
DAYS_MAX: Final = 366


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedToken:
    """A token whose signature, issuer, audience, end and standing have been checked."""

    account_id: int
    offering_id: int
    jti: str
    expires_at: Micros


class AccessTokens:
    """Issues, verifies, lists and revokes access tokens."""

    def __init__(self, database: Database, clock: Clock, vault: Vault, issuer: str) -> None:
        self._database = database
        self._clock = clock
        self._issuer = issuer
        self._signing = Signing(database, clock, vault)
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._revoked: set[str] = set()
        self._remembered: OrderedDict[bytes, VerifiedToken] = OrderedDict()

    async def refresh(self) -> None:
        """Read keys and revocations; at the start, and again while others may write them."""
        now, known = self._clock.now(), frozenset(self._keys)
        facts = await self._database.read(lambda s: tokens.token_facts(s, now))
        keys = {key.kid: key.public_key for key in facts.keys}
        # One that we began to use while we were reading stays: what it signed is out already.
        ours = {kid: key for kid, key in self._keys.items() if kid not in known}
        if keys.keys() != known:
            self._remembered.clear()  # what a retired key signed is good no longer
            self._keys = {
                kid: Ed25519PublicKey.from_public_bytes(key) for kid, key in keys.items()
            } | ours
        # Never fewer: one revoked while we were reading must stay so.
        self._revoked |= facts.revoked

    async def issue(
        self,
        account_id: int,
        offering_id: int,
        *,
        days: int = 30,
        name: str = "",
        actor: int | None = None,
    ) -> str:
        """A new token, which nobody can see again."""
        assert 0 < days <= DAYS_MAX, "callers check what people enter"
        key = await self._signing.key()
        now, jti = self._clock.now(), new_id()
        issued_s = now // SECOND
        expires_s = issued_s + days * DAY // SECOND
        row = AccessToken(
            jti=jti,
            account_id=account_id,
            offering_id=offering_id,
            name=name,
            created_at=now,
            expires_at=expires_s * SECOND,
        )

        def work(unit: Unit) -> None:
            tokens.add_access_token(unit.session, row)
            audit.note(
                unit.session, "access_token.issued", f"access_token:{jti}", at=now, actor_id=actor
            )

        await self._database.run(work)
        self._keys.setdefault(key.kid, key.private.public_key())
        claims = {
            "iss": self._issuer,
            "aud": _audience(offering_id),
            "sub": str(account_id),
            "jti": jti,
            "iat": issued_s,
            "exp": expires_s,
        }
        return jwt.encode(claims, key.private, algorithm=ALGORITHM, headers={"kid": key.kid})

    def verify(self, encoded: str, offering_id: int) -> VerifiedToken:
        """Check signature, issuer, audience, end and revocation.

        Raises:
            InvalidToken: any of them; the message does not say which.
        """
        if len(encoded) > LONGEST:
            raise _refused()
        name = hashlib.sha256(encoded.encode("utf-8", "replace")).digest()
        token = self._remembered.get(name)
        if token is None:
            token = self._read(encoded)
            self._remembered[name] = token
            if len(self._remembered) > REMEMBERED_MAX:
                self._remembered.popitem(last=False)
        else:
            self._remembered.move_to_end(name)
        is_good = (
            token.offering_id == offering_id
            and self._clock.now() < token.expires_at
            and token.jti not in self._revoked
        )
        if not is_good:
            raise _refused()
        return token

    async def list(self, account_id: int | None = None) -> list[AccessTokenLine]:
        """One account's tokens, or everybody's, the newest first."""
        return await self._database.read(lambda s: tokens.list_access_tokens(s, account_id))

    async def revoke(
        self, jti: str, *, account_id: int | None = None, actor: int | None = None
    ) -> bool:
        """End a token before its time, of this account if one is named; False if there is none."""
        now = self._clock.now()

        def work(unit: Unit) -> bool:
            revoked = tokens.revoke_access_token(unit.session, jti, account_id=account_id, now=now)
            if revoked:
                subject = f"access_token:{jti}"
                audit.note(unit.session, "access_token.revoked", subject, at=now, actor_id=actor)
            return revoked

        revoked = await self._database.run(work)
        if revoked:
            self._revoked.add(jti)
        return revoked

    def _read(self, encoded: str) -> VerifiedToken:
        """What the token says, if we said it."""
        try:
            key = self._keys[jwt.get_unverified_header(encoded)["kid"]]
            claims = jwt.decode(
                encoded,
                key,
                algorithms=[ALGORITHM],
                issuer=self._issuer,
                # The end is checked against our clock at every use; the audience by the caller's.
                options={
                    "require": list(CLAIMS),
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_aud": False,
                },
            )
            return _parsed(claims)
        except (jwt.PyJWTError, InvalidSignature, UnsupportedAlgorithm):
            raise _refused() from None
        except (KeyError, TypeError, ValueError):  # not what we write, whoever signed it
            raise _refused() from None


def _parsed(claims: dict[str, Any]) -> VerifiedToken:
    offering_id = int(str(claims["aud"]).removeprefix("offering:"))
    if claims["aud"] != _audience(offering_id):
        raise ValueError("the audience is one offering")
    return VerifiedToken(
        account_id=int(claims["sub"]),
        offering_id=offering_id,
        jti=str(claims["jti"]),
        expires_at=Micros(int(claims["exp"]) * SECOND),
    )


def _audience(offering_id: int) -> str:
    return f"offering:{offering_id}"


def _refused() -> InvalidToken:
    return InvalidToken(
        "The access token is missing, or it is not valid here. Get one on your account page.",
        headers={"WWW-Authenticate": 'Bearer realm="farebox", error="invalid_token"'},
    )
