"""What people ask of the operator about what they were charged, and who was here before."""

from enum import StrEnum

from sqlalchemy import CheckConstraint, Text, text
from sqlmodel import Field, Index, SQLModel, UniqueConstraint

from storage.models.base import BigInt


class ConcernKind(StrEnum):
    """What is asked for; of each kind a receipt has one at most."""

    REPORT = "report"
    REFUND = "refund"


class ConcernState(StrEnum):
    """open → closed · refunded: looked at and left as it is, or answered with credits."""

    OPEN = "open"
    CLOSED = "closed"
    REFUNDED = "refunded"


class Concern(SQLModel, table=True):
    """A subscriber's report of an answer, or their request to have its charge back."""

    __tablename__ = "concern"
    __table_args__ = (
        UniqueConstraint("hold_id", "kind"),
        CheckConstraint("(state = 'open') = (closed_at IS NULL)", name="closed_at_end"),
        Index(
            "ix_concern_open",
            "created_at",
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
    )

    id: str = Field(primary_key=True)
    account_id: int = Field(foreign_key="account.id", index=True, sa_type=BigInt)
    hold_id: int = Field(foreign_key="hold.id", sa_type=BigInt)
    kind: str
    state: str = ConcernState.OPEN
    text: str = Field(sa_type=Text, description="what the subscriber wrote")
    note: str = Field(default="", sa_type=Text, description="what the operator answered")
    created_at: int = Field(sa_type=BigInt)
    closed_at: int | None = Field(default=None, sa_type=BigInt)


class FormerTrial(SQLModel, table=True):
    """A plan that cost nothing, had by somebody whose account is deleted.

    No number, no date and, since it is ordered by the mark alone, no place leads to the account.
    """

    __tablename__ = "former_trial"
    __table_args__ = ({"sqlite_with_rowid": False},)

    mark: bytes = Field(
        primary_key=True, description="HMAC-SHA256 of the address, by `host.identity.former`"
    )
    plan_id: int = Field(primary_key=True, foreign_key="plan.id", sa_type=BigInt)
