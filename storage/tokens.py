"""Find and save access tokens' numbers, and the keys that sign them.

The tokens themselves are not kept: a row is what lets one be listed and revoked.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, or_
from sqlmodel import Session, col, select, update

from storage.models.accounts import AccessToken, SigningKey
from storage.models.catalogue import Offering
from storage.models.vault import Secret
from storage.moments import DAY, Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessTokenLine:
    """One line of the list of an account's access tokens."""

    jti: str
    account_id: int
    name: str
    offering_id: int
    offering_slug: str
    offering_title: str
    created_at: Micros
    expires_at: Micros
    revoked_at: Micros | None
    """In the future: it was replaced, and is good until then."""
    last_used_at: Micros | None

    @property
    def days(self) -> int:
        """How long it was to last."""
        return max(1, round((self.expires_at - self.created_at) / DAY))

    @property
    def ends_at(self) -> Micros:
        """From when on it is good no longer."""
        return (
            self.expires_at if self.revoked_at is None else min(self.expires_at, self.revoked_at)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """What a signature is checked with."""

    kid: str
    public_key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessTokenFacts:
    """All that checking access tokens needs to know from the tables."""

    keys: tuple[PublicKey, ...]
    revoked: Mapping[str, Micros]
    """From when on these are good no longer, whatever they say themselves."""


def add_access_token(session: Session, token: AccessToken) -> None:
    """Save the number of a new access token."""
    session.add(token)
    session.flush()


def list_access_tokens(session: Session, account_id: int | None = None) -> list[AccessTokenLine]:
    """One account's access tokens, or everybody's, the newest first."""
    rows = (
        select(AccessToken, Offering)
        .join(Offering, col(Offering.id) == col(AccessToken.offering_id))
        .order_by(col(AccessToken.id).desc())
    )
    if account_id is not None:
        rows = rows.where(AccessToken.account_id == account_id)
    return [_line(token, offering) for token, offering in session.exec(rows)]


def find_access_token(session: Session, jti: str, account_id: int) -> AccessTokenLine | None:
    """The access token of this number, if it is this account's."""
    row = session.exec(
        select(AccessToken, Offering)
        .join(Offering, col(Offering.id) == col(AccessToken.offering_id))
        .where(AccessToken.jti == jti, AccessToken.account_id == account_id)
    ).first()
    return None if row is None else _line(*row)


def revoke_access_token(
    session: Session, jti: str, *, account_id: int | None, now: Micros
) -> bool:
    """Revoke a token, of this account if one is named; False when there is none to revoke."""
    statement = (
        update(AccessToken)
        .where(col(AccessToken.jti) == jti, _is_not_over(now))
        .values(revoked_at=now)
    )
    if account_id is not None:
        statement = statement.where(col(AccessToken.account_id) == account_id)
    return session.exec(statement).rowcount == 1


def revoke_access_tokens_of(session: Session, account_id: int, now: Micros) -> tuple[str, ...]:
    """Revoke every access token of this account. Returns their numbers."""
    statement = (
        update(AccessToken)
        .where(col(AccessToken.account_id) == account_id, _is_not_over(now))
        .values(revoked_at=now)
        .returning(col(AccessToken.jti))
    )
    return tuple(session.execute(statement).scalars())


def end_when_replaced(session: Session, jti: str, *, account_id: int, at: Micros) -> bool:
    """Let a token end by then; False when it is not this account's, or is ending already."""
    statement = (
        update(AccessToken)
        .where(
            col(AccessToken.jti) == jti,
            col(AccessToken.account_id) == account_id,
            col(AccessToken.revoked_at).is_(None),
        )
        .values(revoked_at=at)
    )
    return session.exec(statement).rowcount == 1


def note_uses(session: Session, uses: Mapping[str, Micros]) -> None:
    """Keep when these were last used; what is later already stays."""
    for jti, at in sorted(uses.items()):  # in one order, so that two processes cannot deadlock
        used = col(AccessToken.last_used_at)
        session.exec(
            update(AccessToken)
            .where(col(AccessToken.jti) == jti, or_(used.is_(None), used < at))
            .values(last_used_at=at)
        )


def token_facts(session: Session, now: Micros) -> AccessTokenFacts:
    """The public keys in use, and what was revoked before its time."""
    keys = session.exec(select(SigningKey).where(col(SigningKey.retired_at).is_(None)))
    revoked = session.exec(
        select(AccessToken.jti, AccessToken.revoked_at).where(
            col(AccessToken.revoked_at).is_not(None), AccessToken.expires_at > now
        )
    )
    return AccessTokenFacts(
        keys=tuple(PublicKey(kid=key.kid, public_key=key.public_key) for key in keys),
        revoked={jti: Micros(at) for jti, at in revoked if at is not None},
    )


def find_signing_secret(session: Session) -> tuple[str, Secret] | None:
    """The newest signing key's name and its sealed private half."""
    row = session.exec(
        select(SigningKey, Secret)
        .join(Secret, col(Secret.id) == col(SigningKey.secret_id))
        .where(col(SigningKey.retired_at).is_(None))
        .order_by(col(SigningKey.created_at).desc())
    ).first()
    return None if row is None else (row[0].kid, row[1])


def add_signing_key(session: Session, key: SigningKey, secret: Secret) -> None:
    """Save a key that signs, together with its sealed private half."""
    session.add(secret)
    session.flush()  # the key refers to it
    session.add(key)
    session.flush()


def _line(token: AccessToken, offering: Offering) -> AccessTokenLine:
    return AccessTokenLine(
        jti=token.jti,
        account_id=token.account_id,
        name=token.name,
        offering_id=token.offering_id,
        offering_slug=offering.slug,
        offering_title=offering.title,
        created_at=Micros(token.created_at),
        expires_at=Micros(token.expires_at),
        revoked_at=None if token.revoked_at is None else Micros(token.revoked_at),
        last_used_at=None if token.last_used_at is None else Micros(token.last_used_at),
    )


def _is_not_over(now: Micros) -> ColumnElement[bool]:
    """Neither revoked nor replaced long enough ago."""
    ends = col(AccessToken.revoked_at)
    return or_(ends.is_(None), ends > now)
