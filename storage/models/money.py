"""The wallet and everything that explains it: grants, holds, allocations, entries, refunds.

Amounts are integers of milli-credits. The totals in `wallet` and `credit_grant` are caches of
`entry`, written in the same unit of work and checked by `storage.invariants`; entries are never
changed, and triggers made by the migrations see to it. Written only by `storage.books`; here the
tables are declared, for migrations and for reading, and whoever writes one of their rows through
the ORM all the same is refused, because each of them is a `BooksRow`. What is not of the ledger
but of its keeping stands last, as a plain table. It is one module, and longer than most, because
each of these tables is read only together with the one that it refers to.
"""

from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKeyConstraint, Text, text
from sqlmodel import Field, Index, SQLModel, UniqueConstraint

from storage.models.base import BigInt, CompactId
from storage.models.books_rows import BooksRow


class GrantSource(StrEnum):
    """Why there are credits."""

    ORDER = "order"
    VOUCHER = "voucher"
    TRIAL = "trial"
    OPERATOR = "operator"
    REFUND = "refund"


class EntryKind(StrEnum):
    """What a line of a wallet's history records."""

    GRANT = "grant"
    CHARGE = "charge"
    REFUND = "refund"
    EXPIRE = "expire"
    REVOKE = "revoke"


class WalletChangeKind(StrEnum):
    """What changed of a wallet although no credits moved."""

    FREEZE = "freeze"
    UNFREEZE = "unfreeze"
    REVOKE = "revoke"
    CAP = "cap"
    OPERATOR_CAP = "operator_cap"


class Operation(StrEnum):
    """What a hold pays for; part of the scope of its idempotency key."""

    MESSAGE = "message"
    CALL = "call"


class Wallet(BooksRow, table=True):
    """Where one subscriber's credits are."""

    __tablename__ = "wallet"
    __table_args__ = (
        CheckConstraint("credits >= 0 AND debits >= 0 AND held >= 0", name="not_negative"),
        CheckConstraint("credits - debits - held >= 0", name="available_not_negative"),
        CheckConstraint("daily_cap >= 0 AND spent >= 0", name="cap_not_negative"),
        CheckConstraint("operator_cap >= 0", name="operator_cap_not_negative"),
        {"sqlite_strict": True},
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInt)
    subscriber_id: int = Field(unique=True, foreign_key="account.id", sa_type=BigInt)
    credits: int = Field(default=0, sa_type=BigInt, description="sum of positive entries")
    debits: int = Field(default=0, sa_type=BigInt, description="sum of negative entries")
    held: int = Field(default=0, sa_type=BigInt, description="set aside by open holds")
    seq: int = Field(default=0, sa_type=BigInt, description="number of the last entry")
    version: int = Field(default=0, sa_type=BigInt, description="number of the last change")
    head: bytes = Field(default=bytes(32), description="hash of the last entry")
    last_at: int = Field(default=0, sa_type=BigInt, description="a history never runs backwards")
    spent_day: int = Field(
        default=0,
        sa_type=BigInt,
        sa_column_kwargs={"server_default": text("0")},
        description="the day of `spent`: days since 1970-01-01, UTC",
    )
    spent: int = Field(
        default=0,
        sa_type=BigInt,
        sa_column_kwargs={"server_default": text("0")},
        description="sum of that day's charges",
    )
    daily_cap: int | None = Field(
        default=None, sa_type=BigInt, description="the most its owner lets it spend in a day"
    )
    operator_cap: int | None = Field(
        default=None, sa_type=BigInt, description="the same by the operator; the smaller counts"
    )


class CreditGrant(BooksRow, table=True):
    """Credits put in a wallet. Named so because GRANT is a reserved word."""

    __tablename__ = "credit_grant"
    __table_args__ = (
        UniqueConstraint("wallet_id", "source", "source_ref"),
        CheckConstraint("amount > 0", name="amount_positive"),
        CheckConstraint(
            "remaining >= 0 AND held >= 0 AND revoked >= 0"
            " AND remaining + held + revoked <= amount",
            name="within_amount",
        ),
        CheckConstraint("effective_at < expires_at", name="has_a_life"),
        CheckConstraint("state IN ('active', 'frozen') OR remaining = 0", name="ended_is_empty"),
        CheckConstraint("(cost_minor IS NULL) = (currency IS NULL)", name="cost_has_currency"),
        CheckConstraint("claimed >= 0 AND claimed <= held", name="claimed_is_held"),
        Index(
            "ix_credit_grant_live",
            "wallet_id",
            "priority",
            "expires_at",
            "id",
            sqlite_where=text("remaining + held > 0"),
            # PostgreSQL keeps a new version of a row in its page only if no index says otherwise.
            postgresql_where=text("state = 'active'"),
        ),
        Index(
            "ix_credit_grant_due",
            "expires_at",
            sqlite_where=text("state = 'active'"),
            postgresql_where=text("state = 'active'"),
        ),
        {"sqlite_strict": True},
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInt)
    wallet_id: int = Field(foreign_key="wallet.id", sa_type=BigInt)
    plan_id: int = Field(foreign_key="plan.id", sa_type=BigInt)
    plan_version_id: int = Field(foreign_key="plan_version.id", sa_type=BigInt)
    source: str = Field(sa_type=Text)
    source_ref: str = Field(sa_type=Text, description="the order, voucher use, plan or request")
    priority: int = Field(default=0, sa_type=BigInt, description="lower is spent first")
    effective_at: int = Field(sa_type=BigInt)
    expires_at: int = Field(sa_type=BigInt)
    amount: int = Field(sa_type=BigInt)
    remaining: int = Field(sa_type=BigInt)
    held: int = Field(default=0, sa_type=BigInt)
    revoked: int = Field(default=0, sa_type=BigInt)
    state: str = Field(default="active", sa_type=Text)
    cost_minor: int | None = Field(default=None, sa_type=BigInt)
    currency: str | None = Field(default=None, sa_type=Text)
    origin_id: int | None = Field(
        default=None,
        sa_type=BigInt,
        description="of a refund: the grant whose credits came back, whose cost they carry",
    )
    claimed: int = Field(
        default=0,
        sa_type=BigInt,
        sa_column_kwargs={"server_default": text("0")},
        description="of `held`: what is taken back as soon as it comes back",
    )


class Hold(BooksRow, table=True):
    """The most a message or call may cost, set aside before the work."""

    __tablename__ = "hold"
    __table_args__ = (
        UniqueConstraint("wallet_id", "operation", "idempotency_key"),
        CheckConstraint(
            "amount >= 0 AND captured >= 0 AND captured <= amount AND shortfall >= 0",
            name="within_amount",
        ),
        CheckConstraint("state = 'captured' OR captured = 0", name="only_captured_charges"),
        CheckConstraint(
            "state IN ('open', 'captured', 'released', 'expired')", name="known_state"
        ),
        CheckConstraint("(state = 'open') = (ended_at IS NULL)", name="ended_at_end"),
        CheckConstraint("(state = 'open') = (ended_version IS NULL)", name="ended_version_at_end"),
        Index(
            "ix_hold_open",
            "expires_at",
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
        {"sqlite_strict": True},
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInt)
    public_id: str = Field(
        unique=True, sa_type=CompactId, description="the receipt's id, a UUIDv7"
    )
    wallet_id: int = Field(foreign_key="wallet.id", sa_type=BigInt)
    operation: str = Field(sa_type=Text)
    idempotency_key: str = Field(sa_type=Text)
    fingerprint: bytes = Field(description="16 bytes over what the caller sent")
    offering_id: int | None = Field(default=None, foreign_key="offering.id", sa_type=BigInt)
    run_id: str | None = Field(default=None, sa_type=Text)
    owner: str = Field(sa_type=Text, description="the process that opened it")
    amount: int = Field(sa_type=BigInt)
    captured: int = Field(default=0, sa_type=BigInt)
    shortfall: int = Field(default=0, sa_type=BigInt)
    state: str = Field(default="open", sa_type=Text)
    created_at: int = Field(sa_type=BigInt)
    expires_at: int = Field(sa_type=BigInt)
    ended_at: int | None = Field(default=None, sa_type=BigInt)
    opened_version: int = Field(sa_type=BigInt)
    ended_version: int | None = Field(default=None, sa_type=BigInt)


class Allocation(BooksRow, table=True):
    """The part of a hold that one grant bears."""

    __tablename__ = "allocation"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount_positive"),
        {"sqlite_strict": True, "sqlite_with_rowid": False},
    )

    hold_id: int = Field(primary_key=True, foreign_key="hold.id", sa_type=BigInt)
    grant_id: int = Field(primary_key=True, foreign_key="credit_grant.id", sa_type=BigInt)
    wallet_id: int = Field(sa_type=BigInt)
    amount: int = Field(sa_type=BigInt)


class Entry(BooksRow, table=True):
    """One immutable line of a wallet's history, chained to the line before by its hash."""

    __tablename__ = "entry"
    __table_args__ = (
        ForeignKeyConstraint(["wallet_id", "reverses"], ["entry.wallet_id", "entry.seq"]),
        CheckConstraint("balance_after >= 0", name="balance_not_negative"),
        CheckConstraint(
            "(kind IN ('grant', 'refund') AND amount > 0) OR (kind = 'charge' AND amount <= 0)"
            " OR (kind IN ('expire', 'revoke') AND amount < 0)",
            name="sign_of_kind",
        ),
        CheckConstraint("(grant_id IS NULL) = (amount = 0)", name="amount_has_grant"),
        CheckConstraint("(kind = 'refund') = (reverses IS NOT NULL)", name="refund_reverses"),
        CheckConstraint("(kind = 'charge') = (hold_id IS NOT NULL)", name="charge_has_hold"),
        Index(
            "uq_entry_charge_leg",
            "hold_id",
            "grant_id",
            unique=True,
            sqlite_where=text("kind = 'charge'"),
            postgresql_where=text("kind = 'charge'"),
        ),
        Index(
            "uq_entry_idempotency_key",
            "wallet_id",
            "kind",
            "idempotency_key",
            unique=True,
            sqlite_where=text("idempotency_key IS NOT NULL"),
            postgresql_where=text("idempotency_key IS NOT NULL"),
        ),
        Index(
            "ix_entry_reverses",
            "wallet_id",
            "reverses",
            sqlite_where=text("reverses IS NOT NULL"),
            postgresql_where=text("reverses IS NOT NULL"),
        ),
        {"sqlite_strict": True},
    )

    wallet_id: int = Field(primary_key=True, foreign_key="wallet.id", sa_type=BigInt)
    seq: int = Field(primary_key=True, sa_type=BigInt)
    version: int = Field(sa_type=BigInt)
    kind: str = Field(sa_type=Text)
    amount: int = Field(sa_type=BigInt, description="signed")
    balance_after: int = Field(sa_type=BigInt)
    grant_id: int | None = Field(default=None, foreign_key="credit_grant.id", sa_type=BigInt)
    hold_id: int | None = Field(default=None, foreign_key="hold.id", sa_type=BigInt)
    reverses: int | None = Field(default=None, sa_type=BigInt)
    idempotency_key: str | None = Field(default=None, sa_type=Text)
    created_at: int = Field(sa_type=BigInt)
    hash: bytes


class Refund(BooksRow, table=True):
    """Credits of one charge given back, under a key; the entries that did it name its legs."""

    __tablename__ = "refund"
    __table_args__ = (
        UniqueConstraint("wallet_id", "idempotency_key"),
        CheckConstraint("amount > 0", name="amount_positive"),
        {"sqlite_strict": True},
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInt)
    wallet_id: int = Field(foreign_key="wallet.id", sa_type=BigInt)
    hold_id: int = Field(foreign_key="hold.id", index=True, sa_type=BigInt)
    idempotency_key: str = Field(sa_type=Text)
    amount: int = Field(sa_type=BigInt)
    version: int = Field(sa_type=BigInt, description="the wallet's after its last entry")
    created_at: int = Field(sa_type=BigInt)


class WalletChange(BooksRow, table=True):
    """A numbered change that moved no credits: a grant frozen, unfrozen, revoked; a cap set."""

    __tablename__ = "wallet_change"
    __table_args__ = (
        CheckConstraint(
            "(kind IN ('cap', 'operator_cap')) = (grant_id IS NULL)"
            " AND (kind IN ('cap', 'operator_cap') OR amount IS NULL)",
            name="about_a_grant_or_a_cap",
        ),
        {"sqlite_strict": True},
    )

    wallet_id: int = Field(primary_key=True, foreign_key="wallet.id", sa_type=BigInt)
    version: int = Field(primary_key=True, sa_type=BigInt)
    kind: str = Field(sa_type=Text)
    grant_id: int | None = Field(default=None, foreign_key="credit_grant.id", sa_type=BigInt)
    amount: int | None = Field(default=None, sa_type=BigInt, description="the cap; NULL is none")
    created_at: int = Field(sa_type=BigInt)


class EarningsDay(SQLModel, table=True):
    """What a plan earned on one day, UTC: a cache of entries and passes, made anew at will."""

    __tablename__ = "earnings_day"
    __table_args__ = ({"sqlite_strict": True},)

    plan_id: int = Field(primary_key=True, foreign_key="plan.id", sa_type=BigInt)
    day: int = Field(primary_key=True, sa_type=BigInt, description="days since 1970-01-01")
    currency: str = Field(
        primary_key=True, sa_type=Text, description="ISO 4217; '' for credits nobody paid for"
    )
    charged: int = Field(default=0, sa_type=BigInt, description="milli-credits")
    refunded: int = Field(default=0, sa_type=BigInt, description="milli-credits")
    expired: int = Field(default=0, sa_type=BigInt, description="milli-credits")
    earned_minor: int = Field(
        default=0, sa_type=BigInt, description="minor units; below zero when refunds exceed"
    )


class OutboxLine(SQLModel, table=True):
    """Something to tell the outside, written in the transaction that it announces."""

    __tablename__ = "outbox"

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInt)
    topic: str
    payload: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    created_at: int = Field(sa_type=BigInt)


class ProcessLease(SQLModel, table=True):
    """A process that drives runs and owns holds; once it is past, what it left is resolved."""

    __tablename__ = "process_lease"

    owner: str = Field(primary_key=True)
    started_at: int = Field(sa_type=BigInt)
    expires_at: int = Field(sa_type=BigInt)
