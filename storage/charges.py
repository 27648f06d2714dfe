"""What somebody was charged lately, and which time plans stood for what cost no credits.

A hold under a time plan is of zero credits and names no grant, so the plan that included it is
found by the period in which the hold was opened. Reading only; `storage.ledger` has the receipts
themselves.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select
from sqlalchemy import select as select_columns  # SQLModel's own stops at four
from sqlmodel import Session, col

from storage.catalogue import stored
from storage.credits import HoldState, MilliCredits
from storage.ledger import Receipt, refunded_of_hold
from storage.models.catalogue import Offering, Plan, PlanKind, PlanOffering, PlanVersion
from storage.models.catalogue import Subscription as Got
from storage.models.money import Hold, Operation, Wallet
from storage.moments import Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeLine:
    """One delivered message or call, as a line that leads to its receipt."""

    number: int
    """Where it stands in the list: later ones have higher numbers."""
    receipt_id: str
    operation: Operation
    amount: MilliCredits
    refunded: MilliCredits
    """What was given back of it."""
    is_included: bool
    """Whether a time plan stood for it."""
    offering_title: str | None
    created_at: Micros


def recent_charges(
    session: Session, account_id: int, *, most: int, before: int | None = None
) -> tuple[ChargeLine, ...]:
    """The account's last messages and calls that were delivered, the newest first.

    `before`: only those with lower numbers, for the next page of the list.
    """
    statement = (
        select_columns(
            col(Hold.id),
            col(Hold.public_id),
            col(Hold.operation),
            col(Hold.captured),
            refunded_of_hold(),
            _is_included(),
            col(Offering.title),
            col(Hold.created_at),
        )
        .join(Wallet, col(Wallet.id) == col(Hold.wallet_id))
        .join(Offering, col(Offering.id) == col(Hold.offering_id), isouter=True)
        .where(
            col(Wallet.subscriber_id) == account_id,
            col(Hold.state) == HoldState.CAPTURED.value,
        )
        .order_by(col(Hold.id).desc())
        .limit(most)
    )
    if before is not None:
        statement = statement.where(col(Hold.id) < before)
    return tuple(
        ChargeLine(
            number=stored(number),
            receipt_id=receipt_id,
            operation=Operation(operation),
            amount=MilliCredits(captured),
            refunded=MilliCredits(int(back)),
            is_included=bool(is_included),
            offering_title=title,
            created_at=Micros(created_at),
        )
        for number, receipt_id, operation, captured, back, is_included, title, created_at in (
            session.connection().execute(statement)
        )
    )


def including_plans(session: Session, found: Receipt) -> tuple[str, ...]:
    """The titles of the time plans that stood for what this receipt is about; none if it cost."""
    if found.held or found.offering_id is None:
        return ()
    statement = _time_plans().where(
        col(Got.account_id) == found.account_id,
        col(PlanOffering.offering_id) == found.offering_id,
        col(Got.starts_at) <= found.created_at,
        col(Got.ends_at) > found.created_at,
    )
    titles = session.connection().execute(statement).scalars().all()
    return tuple(dict.fromkeys(titles))


def _is_included() -> ColumnElement[bool]:
    """Whether a time plan stood for a hold, as a column for a query over holds and wallets."""
    return (
        _time_plans()
        .where(
            col(Got.account_id) == col(Wallet.subscriber_id),
            col(PlanOffering.offering_id) == col(Hold.offering_id),
            col(Got.starts_at) <= col(Hold.created_at),
            col(Got.ends_at) > col(Hold.created_at),
            col(Hold.amount) == 0,
        )
        .correlate(Hold, Wallet)
        .exists()
    )


def _time_plans() -> Select[str]:
    """Titles of time plans that somebody got, with what they cover; whose and when is added."""
    return (
        select_columns(col(Plan.title))
        .select_from(Got)
        .join(Plan, col(Plan.id) == col(Got.plan_id))
        .join(PlanVersion, col(PlanVersion.id) == col(Got.plan_version_id))
        .join(PlanOffering, col(PlanOffering.plan_id) == col(Plan.id))
        .where(col(PlanVersion.kind) == PlanKind.TIME.value)
        .order_by(col(Plan.title))
    )
