"""A wallet's history as its owner reads it: each entry with the plan and the offering it is about.

Reading only. The entries themselves are written by `storage.books`; what they come to over a
period is `storage.statements`.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, func
from sqlalchemy import select as select_columns  # SQLModel's own stops at four
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from storage.models.catalogue import Offering, Plan
from storage.models.money import (
    CreditGrant,
    Entry,
    EntryKind,
    GrantSource,
    Hold,
    Operation,
    Wallet,
)
from storage.moments import Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageLine:
    """One entry, in words: what it was for, and under which receipt it can be quoted."""

    seq: int
    kind: EntryKind
    amount: int
    """Signed milli-credits; 0 for what a time plan included."""
    balance_after: int
    created_at: Micros
    operation: Operation | None
    receipt_id: str | None
    """Of a refund: the receipt of the charge that it gives back."""
    offering_slug: str | None
    offering_title: str | None
    plan_slug: str | None
    plan_title: str | None
    source: GrantSource | None
    """Why the credits it is about were in the wallet."""


def usage_of(
    session: Session, account_id: int, *, before: int | None, most: int
) -> tuple[UsageLine, ...]:
    """At most so many of the account's entries, the newest first, older than `before`."""
    statement = (
        history()
        .join(Wallet, col(Wallet.id) == col(Entry.wallet_id))
        .where(col(Wallet.subscriber_id) == account_id)
        .order_by(col(Entry.seq).desc())
        .limit(most)
    )
    if before is not None:
        statement = statement.where(col(Entry.seq) < before)
    return tuple(line_of(row) for row in session.connection().execute(statement))


def usage_after(
    session: Session, account_id: int, *, after: int, most: int
) -> tuple[UsageLine, ...]:
    """At most so many of the account's entries, the oldest first, younger than `after`."""
    statement = (
        history()
        .join(Wallet, col(Wallet.id) == col(Entry.wallet_id))
        .where(col(Wallet.subscriber_id) == account_id, col(Entry.seq) > after)
        .order_by(col(Entry.seq))
        .limit(most)
    )
    return tuple(line_of(row) for row in session.connection().execute(statement))


def history() -> Select[*tuple[Any, ...]]:
    """Entries with what they are about; whose and in which order is added. Rows for `line_of`."""
    reversed_ = aliased(Entry)
    return (
        select_columns(
            col(Entry.seq),
            col(Entry.kind),
            col(Entry.amount),
            col(Entry.balance_after),
            col(Entry.created_at),
            col(Hold.operation),
            col(Hold.public_id).label("receipt_id"),
            col(Offering.slug).label("offering_slug"),
            col(Offering.title).label("offering_title"),
            col(Plan.slug).label("plan_slug"),
            col(Plan.title).label("plan_title"),
            col(CreditGrant.source),
        )
        .select_from(Entry)
        .join(
            reversed_,
            (col(reversed_.wallet_id) == col(Entry.wallet_id))
            & (col(reversed_.seq) == col(Entry.reverses)),
            isouter=True,
        )
        .join(
            Hold,
            col(Hold.id) == func.coalesce(col(Entry.hold_id), col(reversed_.hold_id)),
            isouter=True,
        )
        .join(Offering, col(Offering.id) == col(Hold.offering_id), isouter=True)
        .join(CreditGrant, col(CreditGrant.id) == col(Entry.grant_id), isouter=True)
        .join(Plan, col(Plan.id) == col(CreditGrant.plan_id), isouter=True)
    )


def line_of(row: Row[Any]) -> UsageLine:
    """What a row of `history` says."""
    return UsageLine(
        seq=row.seq,
        kind=EntryKind(row.kind),
        amount=row.amount,
        balance_after=row.balance_after,
        created_at=Micros(row.created_at),
        operation=None if row.operation is None else Operation(row.operation),
        receipt_id=row.receipt_id,
        offering_slug=row.offering_slug,
        offering_title=row.offering_title,
        plan_slug=row.plan_slug,
        plan_title=row.plan_title,
        source=None if row.source is None else GrantSource(row.source),
    )
