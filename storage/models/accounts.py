"""Who may come in: accounts, their roles, login sessions, one-time links and access tokens.

Nothing here can be turned back into a password, a cookie or a link: passwords are argon2id, all
else is kept as the SHA-256 of a random secret. Access tokens are signed, not stored; a row keeps
their number so that they can be listed and revoked.
"""

from enum import StrEnum
from typing import Any

from sqlalchemy import JSON
from sqlmodel import Field, Index, SQLModel

from storage.models.base import BigInt


class Role(StrEnum):
    """What an account may do; each role is given separately."""

    SUBSCRIBER = "subscriber"
    BUILDER = "builder"
    OPERATOR = "operator"


class AccountState(StrEnum):
    """A suspended account keeps its balance and cannot come in; a deleted one is nobody's."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    DELETED = "deleted"


class Account(SQLModel, table=True):
    """One person's login."""

    __tablename__ = "account"

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInt)
    email: str = Field(unique=True, description="lower case")
    name: str
    password_hash: str | None = None
    state: str = AccountState.ACTIVE
    created_at: int = Field(sa_type=BigInt)


class AccountRole(SQLModel, table=True):
    """One role of one account, and who gave it."""

    __tablename__ = "account_role"

    account_id: int = Field(primary_key=True, foreign_key="account.id", sa_type=BigInt)
    role: str = Field(primary_key=True)
    given_by: int | None = Field(default=None, foreign_key="account.id", sa_type=BigInt)
    given_at: int = Field(sa_type=BigInt)


class LoginSession(SQLModel, table=True):
    """One browser signed in; revoked by setting `ended_at`."""

    __tablename__ = "login_session"

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInt)
    account_id: int = Field(foreign_key="account.id", index=True, sa_type=BigInt)
    secret_hash: bytes = Field(unique=True, description="SHA-256 of the cookie's value")
    browser: str = Field(description="the User-Agent, shortened, for the list of login sessions")
    created_at: int = Field(sa_type=BigInt)
    seen_at: int = Field(sa_type=BigInt)
    expires_at: int = Field(sa_type=BigInt)
    ended_at: int | None = Field(default=None, sa_type=BigInt)


class LinkPurpose(StrEnum):
    """What a one-time link is good for."""

    SETUP = "setup"
    INVITE = "invite"
    RESET = "reset"


class OneTimeLink(SQLModel, table=True):
    """A link that works once: first operator's setup, an invitation, a password reset."""

    __tablename__ = "one_time_link"

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInt)
    purpose: str
    secret_hash: bytes = Field(unique=True)
    account_id: int | None = Field(default=None, foreign_key="account.id", sa_type=BigInt)
    email: str | None = None
    role: str | None = None
    created_by: int | None = Field(default=None, foreign_key="account.id", sa_type=BigInt)
    created_at: int = Field(sa_type=BigInt)
    expires_at: int = Field(sa_type=BigInt)
    used_at: int | None = Field(default=None, sa_type=BigInt)


class AccessToken(SQLModel, table=True):
    """The number of a signed token that lets one subscriber call one offering."""

    __tablename__ = "access_token"

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInt)
    jti: str = Field(unique=True)
    account_id: int = Field(foreign_key="account.id", index=True, sa_type=BigInt)
    offering_id: int = Field(foreign_key="offering.id", index=True, sa_type=BigInt)
    name: str = ""
    created_at: int = Field(sa_type=BigInt)
    expires_at: int = Field(sa_type=BigInt)
    revoked_at: int | None = Field(
        default=None, sa_type=BigInt, description="in the future: it was replaced and ends then"
    )
    last_used_at: int | None = Field(default=None, sa_type=BigInt, description="to the minute")


class SigningKey(SQLModel, table=True):
    """A key that signs access tokens; its private half is a sealed secret."""

    __tablename__ = "signing_key"

    kid: str = Field(primary_key=True)
    public_key: bytes
    secret_id: str = Field(foreign_key="secret.id")
    created_at: int = Field(sa_type=BigInt)
    retired_at: int | None = Field(default=None, sa_type=BigInt)


class AuditLine(SQLModel, table=True):
    """Who did what to whom, and why; never a secret, never the text of a message."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_subject_at", "subject", "at"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInt)
    at: int = Field(sa_type=BigInt)
    actor_id: int | None = Field(default=None, foreign_key="account.id", sa_type=BigInt)
    action: str = Field(description="a verb with its noun, as in `offering.published`")
    subject: str = Field(description="what it was done to, as in `offering:math-tutor`")
    detail: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
