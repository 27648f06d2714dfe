"""Orders and what was refunded of them, and the vouchers that stand for a paid order.

An order is one attempt to get a plan, on the terms it had at that moment: bought, redeemed, tried
or given by hand, so that purchases are one list. What it gave is its subscription; credits stand
in the ledger under the same source. Of a voucher's code only a hash is kept.
"""

from sqlalchemy import CheckConstraint, text
from sqlmodel import Field, Index, SQLModel, UniqueConstraint

from storage.models.base import BigInt


class PurchaseOrder(SQLModel, table=True):
    """One attempt to get a plan. Named so because ORDER is a reserved word."""

    __tablename__ = "purchase_order"
    __table_args__ = (
        UniqueConstraint("account_id", "request_key"),
        UniqueConstraint("provider", "provider_ref"),
        CheckConstraint("amount_minor >= 0", name="amount_not_negative"),
        CheckConstraint(
            "refunded_minor >= 0 AND refunded_minor <= amount_minor", name="refunded_within_amount"
        ),
        CheckConstraint("taken_back >= 0 AND written_off >= 0", name="taken_back_not_negative"),
        CheckConstraint(
            "(subscription_id IS NULL) = (fulfilled_at IS NULL)", name="fulfilled_gave_something"
        ),
        Index(
            "ix_purchase_order_unpaid",
            "expires_at",
            sqlite_where=text("state = 'created'"),
            postgresql_where=text("state = 'created'"),
        ),
    )

    id: str = Field(primary_key=True, description="the receipt's number, a UUIDv7")
    account_id: int = Field(foreign_key="account.id", sa_type=BigInt)
    plan_id: int = Field(foreign_key="plan.id", sa_type=BigInt)
    plan_version_id: int = Field(foreign_key="plan_version.id", sa_type=BigInt)
    provider: str
    provider_ref: str | None = Field(default=None, description="the provider's name for a payment")
    request_key: str = Field(description="whose attempt, and its name there: one order for each")
    state: str
    amount_minor: int = Field(sa_type=BigInt, description="what is to be paid, in minor units")
    currency: str = Field(description="ISO 4217")
    credits: int = Field(sa_type=BigInt, description="milli-credits that it gives; 0 for time")
    duration_s: int | None = Field(default=None, sa_type=BigInt)
    return_to: str = Field(default="", description="a path of this host, after paying")
    subscription_id: int | None = Field(
        default=None, unique=True, foreign_key="subscription.id", sa_type=BigInt
    )
    refunded_minor: int = Field(default=0, sa_type=BigInt)
    taken_back: int = Field(
        default=0, sa_type=BigInt, description="by refunds: milli-credits, or seconds of time"
    )
    written_off: int = Field(
        default=0, sa_type=BigInt, description="refunded and not taken back then: spent, or held"
    )
    reason: str = Field(default="", description="why it was cancelled")
    created_at: int = Field(sa_type=BigInt)
    expires_at: int = Field(sa_type=BigInt, description="when it is no longer waited for")
    paid_at: int | None = Field(default=None, sa_type=BigInt)
    fulfilled_at: int | None = Field(default=None, sa_type=BigInt)
    ended_at: int | None = Field(
        default=None, sa_type=BigInt, description="when it was cancelled, or seen to be expired"
    )


class OrderRefund(SQLModel, table=True):
    """Money given back for an order: each step, so that earnings know the day."""

    __tablename__ = "order_refund"
    __table_args__ = (CheckConstraint("amount_minor > 0", name="amount_positive"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInt)
    order_id: str = Field(foreign_key="purchase_order.id", index=True)
    amount_minor: int = Field(sa_type=BigInt)
    created_at: int = Field(sa_type=BigInt)


class Voucher(SQLModel, table=True):
    """A code that stands for a paid order. It was issued, then redeemed once or made void."""

    __tablename__ = "voucher"
    __table_args__ = (
        CheckConstraint("order_id IS NULL OR voided_at IS NULL", name="redeemed_or_void"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInt)
    plan_id: int = Field(foreign_key="plan.id", sa_type=BigInt)
    plan_version_id: int = Field(foreign_key="plan_version.id", sa_type=BigInt)
    code_hash: bytes = Field(unique=True, description="SHA-256 of the code, without its dashes")
    order_id: str | None = Field(default=None, unique=True, foreign_key="purchase_order.id")
    note: str = ""
    created_at: int = Field(sa_type=BigInt)
    expires_at: int = Field(sa_type=BigInt)
    voided_at: int | None = Field(default=None, sa_type=BigInt)
