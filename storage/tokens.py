"""Find and save access tokens' numbers, and the keys that sign them.

The tokens themselves are not kept: a row is what lets one be listed and revoked.
"""

from dataclasses import dataclass

from sqlmodel import Session, col, select, update

from storage.models.accounts import AccessToken, SigningKey
from storage.models.catalogue import Offering
from storage.models.vault import Secret
from storage.moments import Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessTokenLine:
    """One line of the list of an account's access tokens."""

    jti: str
    name: str
    offering_id: int
    offering_slug: str
    offering_title: str
    created_at: Micros
    expires_at: Micros
    revoked_at: Micros | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """What a signature is checked with."""

    kid: str
    public_key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessTokenFacts:
    """All that checking access tokens needs to know from the tables."""

    keys: tuple[PublicKey, ...]
    revoked: frozenset[str]


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
    return [
        AccessTokenLine(
            jti=token.jti,
            name=token.name,
            offering_id=token.offering_id,
            offering_slug=offering.slug,
            offering_title=offering.title,
            created_at=Micros(token.created_at),
            expires_at=Micros(token.expires_at),
            revoked_at=None if token.revoked_at is None else Micros(token.revoked_at),
        )
        for token, offering in session.exec(rows)
    ]


def revoke_access_token(
    session: Session, jti: str, *, account_id: int | None, now: Micros
) -> bool:
    """Revoke a token, of this account if one is named; False when there is none to revoke."""
    statement = (
        update(AccessToken)
        .where(col(AccessToken.jti) == jti, col(AccessToken.revoked_at).is_(None))
        .values(revoked_at=now)
    )
    if account_id is not None:
        statement = statement.where(col(AccessToken.account_id) == account_id)
    return session.exec(statement).rowcount == 1


def token_facts(session: Session, now: Micros) -> AccessTokenFacts:
    """The public keys in use, and what was revoked before its time."""
    keys = session.exec(select(SigningKey).where(col(SigningKey.retired_at).is_(None)))
    revoked = session.exec(
        select(AccessToken.jti).where(
            col(AccessToken.revoked_at).is_not(None), AccessToken.expires_at > now
        )
    )
    return AccessTokenFacts(
        keys=tuple(PublicKey(kid=key.kid, public_key=key.public_key) for key in keys),
        revoked=frozenset(revoked),
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
