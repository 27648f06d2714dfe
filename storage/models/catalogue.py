"""What is for sale: plans with their immutable versions, offerings, and who subscribed to what.

A plan covers one or more offerings of one owner, and an offering may be in several plans. Terms
never change: a new price is a new version, and a subscription keeps the version it bought.
"""

from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, CheckConstraint
from sqlmodel import Field, Index, SQLModel, UniqueConstraint

from storage.file_kinds import Accepts
from storage.models.base import BigInt


class PlanState(StrEnum):
    """An archived plan is no longer sold; who holds it keeps it."""

    PUBLISHED = "published"
    ARCHIVED = "archived"


class PlanKind(StrEnum):
    """What a plan gives: credits to spend, or time in which everything is included."""

    CREDITS = "credits"
    TIME = "time"


class OfferingKind(StrEnum):
    """An assistant is answered in the chat; a service is an HTTP API behind our proxy."""

    ASSISTANT = "assistant"
    SERVICE = "service"


class OfferingState(StrEnum):
    """draft → published ⇄ paused → retired."""

    DRAFT = "draft"
    PUBLISHED = "published"
    PAUSED = "paused"
    RETIRED = "retired"


class SubscriptionState(StrEnum):
    """Ended by time, cancelled by someone."""

    ACTIVE = "active"
    CANCELLED = "cancelled"
    ENDED = "ended"


class Plan(SQLModel, table=True):
    """A price and what it gives, over offerings of one builder."""

    __tablename__ = "plan"

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInt)
    slug: str = Field(unique=True)
    owner_id: int = Field(foreign_key="account.id", index=True, sa_type=BigInt)
    title: str
    description: str = ""
    state: str = PlanState.PUBLISHED
    created_at: int = Field(sa_type=BigInt)


class PlanVersion(SQLModel, table=True):
    """The terms somebody bought. Rows are never changed."""

    __tablename__ = "plan_version"
    __table_args__ = (
        UniqueConstraint("plan_id", "number"),
        CheckConstraint("price_minor >= 0", name="price_not_negative"),
        CheckConstraint(
            "(kind = 'credits' AND credits > 0)"
            " OR (kind = 'time' AND credits = 0 AND duration_s > 0)",
            name="gives_credits_or_time",
        ),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInt)
    plan_id: int = Field(foreign_key="plan.id", sa_type=BigInt)
    number: int = Field(description="1, 2, 3 …")
    kind: str
    price_minor: int = Field(sa_type=BigInt, description="in minor units of `currency`")
    currency: str = Field(description="ISO 4217")
    credits: int = Field(default=0, sa_type=BigInt, description="milli-credits; 0 for time plans")
    duration_s: int | None = Field(
        default=None, sa_type=BigInt, description="life of credits or pass; NULL never ends"
    )
    is_trial: bool = Field(default=False, description="once per account and plan")
    created_at: int = Field(sa_type=BigInt)


class Offering(SQLModel, table=True):
    """What a builder offers: an assistant or a service."""

    __tablename__ = "offering"
    __table_args__ = (CheckConstraint("price >= 0", name="price_not_negative"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInt)
    slug: str = Field(unique=True, description="a DNS label; never changes")
    owner_id: int = Field(foreign_key="account.id", index=True, sa_type=BigInt)
    kind: str
    title: str
    description: str = ""
    tags: list[str] = Field(default_factory=list, sa_type=JSON)
    state: str = OfferingState.DRAFT
    price: int = Field(sa_type=BigInt, description="milli-credits per message or call")
    starters: list[str] = Field(default_factory=list, sa_type=JSON)
    created_at: int = Field(sa_type=BigInt)
    published_at: int | None = Field(default=None, sa_type=BigInt)


class Assistant(SQLModel, table=True):
    """How an assistant is run: everything its provider needs but the key itself."""

    __tablename__ = "assistant"

    offering_id: int = Field(primary_key=True, foreign_key="offering.id", sa_type=BigInt)
    provider: str = "responses"
    base_url: str = Field(description="the upstream its key is bound to")
    model: str
    instructions: str
    secret_id: str = Field(foreign_key="secret.id")
    accepts: str = Field(
        default=Accepts.NONE,
        sa_column_kwargs={"server_default": Accepts.NONE.value},
        description="which files may be sent to it",
    )


class Service(SQLModel, table=True):
    """Where a service lives and how it knows that a call comes from us."""

    __tablename__ = "service"

    offering_id: int = Field(primary_key=True, foreign_key="offering.id", sa_type=BigInt)
    upstream_url: str = Field(
        description="scheme, host and port; paths are forwarded as they came"
    )
    secret_id: str | None = Field(
        default=None, foreign_key="secret.id", description="sent upstream as a bearer credential"
    )


class Endpoint(SQLModel, table=True):
    """One method and path of a service: with a price, or open and free."""

    __tablename__ = "endpoint"
    __table_args__ = (
        UniqueConstraint("offering_id", "method", "path"),
        CheckConstraint("price >= 0", name="price_not_negative"),
        CheckConstraint("price = 0 OR NOT is_open", name="open_is_free"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInt)
    offering_id: int = Field(foreign_key="offering.id", sa_type=BigInt)
    method: str
    path: str = Field(description="anchored; `{name}` is one segment, `(.*)` the rest")
    is_open: bool = False
    price: int = Field(default=0, sa_type=BigInt, description="milli-credits per call")


class PlanOffering(SQLModel, table=True):
    """That a plan covers an offering."""

    __tablename__ = "plan_offering"

    plan_id: int = Field(primary_key=True, foreign_key="plan.id", sa_type=BigInt)
    offering_id: int = Field(
        primary_key=True, foreign_key="offering.id", index=True, sa_type=BigInt
    )


class Subscription(SQLModel, table=True):
    """One subscriber's standing with one plan for a period: one row for each time it was got."""

    __tablename__ = "subscription"
    __table_args__ = (
        Index("ix_subscription_account_id_plan_id", "account_id", "plan_id"),
        UniqueConstraint("account_id", "source", "source_ref"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInt)
    account_id: int = Field(foreign_key="account.id", sa_type=BigInt)
    plan_id: int = Field(foreign_key="plan.id", index=True, sa_type=BigInt)
    plan_version_id: int = Field(foreign_key="plan_version.id", sa_type=BigInt)
    source: str = Field(description="why, in the words of a grant's source")
    source_ref: str = Field(description="the order, voucher use, trial or request: once for each")
    state: str = SubscriptionState.ACTIVE
    starts_at: int = Field(sa_type=BigInt)
    ends_at: int = Field(sa_type=BigInt, description="NEVER for credits without an end")
    created_at: int = Field(sa_type=BigInt)


class Draft(SQLModel, table=True):
    """An offering being described to the setup bot."""

    __tablename__ = "draft"

    id: str = Field(primary_key=True)
    account_id: int = Field(foreign_key="account.id", index=True, sa_type=BigInt)
    thread_id: str | None = Field(default=None, index=True)
    state: str = "open"
    version: int = Field(
        default=1, description="advances with every change: two windows, one draft"
    )
    fields: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    secret_id: str | None = Field(default=None, foreign_key="secret.id")
    offering_id: int | None = Field(default=None, foreign_key="offering.id", sa_type=BigInt)
    created_at: int = Field(sa_type=BigInt)
    updated_at: int = Field(sa_type=BigInt)
