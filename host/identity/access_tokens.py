"""Access tokens: signed proof that a subscriber may call one offering.

A token is an EdDSA JWT: issuer us, audience the offering, subject the account, a number, an end.
It carries no secret and no credits; what may be spent is asked of the ledger at every call.
Whoever holds a `VerifiedToken` need not check again. Checking touches no database: public keys and
revoked numbers are in memory (`refresh` reads them anew), and a signature found good is remembered
under a hash of the token, while its end and its revocation are looked at each time. That a token
was used is noted in memory too, and kept about once a minute (`keep_uses`): no call waits for it.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import jwt
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from host.clock import Clock
from host.errors import InvalidInput, InvalidToken, UnknownAddress
from host.identity.signing import Signing
from host.language import _
from host.vault.vault import Vault
from storage import audit, tokens
from storage.database import Database, Unit
from storage.errors import StorageError
from storage.ids import new_id
from storage.models.accounts import AccessToken
from storage.moments import DAY, NEVER, SECOND, Micros
from storage.tokens import AccessTokenLine

ALGORITHM: Final = "EdDSA"
CLAIMS: Final = ("iss", "aud", "sub", "jti", "iat", "exp")
REMEMBERED_MAX: Final = 10_000
"""Good signatures kept in memory, some 3 MB; the least recently used is forgotten first."""
LONGEST: Final = 2048
"""Characters of a token worth looking at; ours have about 400."""
DAYS_MAX: Final = 366
OVERLAP: Final = DAY
"""How long a token that was replaced is still good: time to put the new one in its places."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedToken:
    """A token whose signature, issuer, audience, end and standing have been checked."""

    account_id: int
    offering_id: int
    jti: str
    expires_at: Micros


@dataclass(frozen=True, slots=True)
class _Made:
    """A token that is signed and not saved yet."""

    encoded: str
    row: AccessToken


class AccessTokens:
    """Issues, verifies, replaces, lists and revokes access tokens."""

    def __init__(self, database: Database, clock: Clock, vault: Vault, issuer: str) -> None:
        self._database = database
        self._clock = clock
        self._issuer = issuer
        self._signing = Signing(database, clock, vault)
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._ends: dict[str, Micros] = {}  # from when on some are good no longer
        self._used: dict[str, Micros] = {}
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
        # Never later: one revoked while we were reading must stay so.
        for jti, at in facts.revoked.items():
            self._end(jti, at)

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
        made = await self._make(account_id, offering_id, days=days, name=name)
        await self._database.run(lambda unit: self._save(unit, made, actor))
        return made.encoded

    async def replace(
        self, jti: str, *, account_id: int, actor: int | None = None
    ) -> tuple[str, AccessTokenLine]:
        """A new token in place of this account's old one, which is good for another day.

        It lasts as long as the old one was to last. Returns it with what is known of the old one.

        Raises:
            UnknownAddress: the account has no live token of this number.
            InvalidInput: it was replaced already.
        """
        now = self._clock.now()
        old = await self._database.read(lambda s: tokens.find_access_token(s, jti, account_id))
        if old is None or old.ends_at <= now:
            raise UnknownAddress(_("You have no live access token with this number."))
        made = await self._make(account_id, old.offering_id, days=old.days, name=old.name)
        ends = Micros(now + OVERLAP)

        def work(unit: Unit) -> None:
            if not tokens.end_when_replaced(unit.session, jti, account_id=account_id, at=ends):
                raise InvalidInput(_("This access token was replaced already. Use the new one."))
            self._save(unit, made, actor)
            self._note(unit, "replaced", jti, actor)

        await self._database.run(work)
        self._end(jti, ends)
        return made.encoded, old

    async def _make(self, account_id: int, offering_id: int, *, days: int, name: str) -> _Made:
        key, now, jti = await self._signing.key(), self._clock.now(), new_id()
        issued_s = now // SECOND
        expires_s = issued_s + days * DAY // SECOND
        claims = {
            "iss": self._issuer,
            "aud": _audience(offering_id),
            "sub": str(account_id),
            "jti": jti,
            "iat": issued_s,
            "exp": expires_s,
        }
        row = AccessToken(
            jti=jti,
            account_id=account_id,
            offering_id=offering_id,
            name=name,
            created_at=now,
            expires_at=expires_s * SECOND,
        )
        self._keys.setdefault(key.kid, key.private.public_key())
        headers = {"kid": key.kid}
        return _Made(jwt.encode(claims, key.private, algorithm=ALGORITHM, headers=headers), row)

    def _save(self, unit: Unit, made: _Made, actor: int | None) -> None:
        jti = made.row.jti
        tokens.add_access_token(unit.session, made.row)
        self._note(unit, "issued", jti, actor)

    def _note(self, unit: Unit, deed: str, jti: str, actor: int | None) -> None:
        audit.note(
            unit.session,
            f"access_token.{deed}",
            f"access_token:{jti}",
            at=self._clock.now(),
            actor_id=actor,
        )

    def _end(self, jti: str, at: Micros) -> None:
        self._ends[jti] = min(at, self._ends.get(jti, NEVER))

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
        now = self._clock.now()
        is_good = (
            token.offering_id == offering_id
            and now < token.expires_at
            and now < self._ends.get(token.jti, NEVER)
        )
        if not is_good:
            raise _refused()
        self._used[token.jti] = now
        return token

    async def keep_uses(self) -> None:
        """Save when tokens were last used, as far as it is not saved; now and then is enough."""
        uses, self._used = self._used, {}
        try:
            if uses:
                await self._database.run(lambda unit: tokens.note_uses(unit.session, uses))
        except StorageError:
            return  # it is not worth failing for; the next use is noted again

    async def list(self, account_id: int | None = None) -> list[AccessTokenLine]:
        """One account's tokens, or everybody's, the newest first, with every use known here."""
        await self.keep_uses()
        return await self._database.read(lambda s: tokens.list_access_tokens(s, account_id))

    async def revoke(
        self, jti: str, *, account_id: int | None = None, actor: int | None = None
    ) -> bool:
        """End a token before its time, of this account if one is named; False if there is none."""
        now = self._clock.now()

        def work(unit: Unit) -> bool:
            revoked = tokens.revoke_access_token(unit.session, jti, account_id=account_id, now=now)
            if revoked:
                self._note(unit, "revoked", jti, actor)
            return revoked

        revoked = await self._database.run(work)
        if revoked:
            self._end(jti, now)
        return revoked

    def forget(self, revoked: Iterable[str]) -> None:
        """These were revoked by a unit of work of somebody else's: they are good no longer."""
        for jti in revoked:
            self._end(jti, self._clock.now())

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
