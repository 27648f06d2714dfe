"""What the ledger tells: receipts, balances, and holds that nobody is working on any more.

Reading only; what is written down goes through `storage.books`. What a plan's terms or an
offering are is `storage.catalogue`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import ScalarSelect, func
from sqlmodel import Session, col, exists, select

from storage.catalogue import stored
from storage.credits import HoldState, MilliCredits, day_of
from storage.ids import is_id
from storage.models.catalogue import Offering, Plan
from storage.models.conversations import Run
from storage.models.money import (
    Allocation,
    CreditGrant,
    Entry,
    EntryKind,
    Hold,
    Operation,
    ProcessLease,
    Refund,
    Wallet,
)
from storage.moments import Micros


@dataclass(frozen=True, slots=True)
class RefundLine:
    """Part or all of a charge, given back."""

    amount: MilliCredits
    at: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What one message or call cost, under an id people can quote."""

    public_id: str
    account_id: int
    operation: Operation
    state: HoldState
    held: MilliCredits
    captured: MilliCredits
    shortfall: MilliCredits
    offering_id: int | None
    offering_slug: str | None
    offering_title: str | None
    plan_titles: tuple[str, ...]
    """The plans that paid; for what was not charged, those that would have."""
    run_id: str | None
    balance_after: MilliCredits | None
    """What could still be spent on the offering afterwards, where a run wrote it down."""
    included_until: Micros | None
    """The end of the time plan that included it."""
    refunds: tuple[RefundLine, ...]
    """What was given back of it, the first first."""
    created_at: Micros
    ended_at: Micros | None

    @property
    def refunded(self) -> MilliCredits:
        """What was given back in all."""
        return MilliCredits(sum(refund.amount for refund in self.refunds))

    @property
    def kept(self) -> MilliCredits:
        """What was charged in the end."""
        return MilliCredits(self.captured - self.refunded)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenHoldLine:
    """A hold still to be ended, and whose it is."""

    wallet_id: int
    hold_id: int
    public_id: str
    operation: Operation
    run_id: str | None
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanBalance:
    """What a subscriber can spend now from the grants of one plan."""

    plan_id: int
    available: MilliCredits
    held: MilliCredits
    expires_at: Micros
    """When the first of it expires."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyCap:
    """The most a subscriber may spend in a day of UTC, and what counts against it today.

    There is their own limit, or the operator's, or both, of which the smaller counts.
    """

    own: MilliCredits | None
    operators: MilliCredits | None
    spent: MilliCredits
    """The day's charges and all open holds, as when a hold is opened; refunds change nothing."""

    @property
    def cap(self) -> MilliCredits:
        """The limit that counts."""
        return min(cap for cap in (self.own, self.operators) if cap is not None)

    @property
    def is_operators(self) -> bool:
        """Whether it is the operator's, so that lifting one's own would not help."""
        return self.operators == self.cap

    @property
    def left(self) -> MilliCredits:
        """What may still be spent today; a limit can be set below what is spent already."""
        return MilliCredits(max(0, self.cap - self.spent))


def receipt(session: Session, public_id: str) -> Receipt | None:
    """The receipt with this id. Whether the reader may see it is for the caller to ask."""
    if not is_id(public_id):
        return None
    statement = (
        select(Hold, Wallet.subscriber_id, Refund)
        .join(Wallet, col(Wallet.id) == col(Hold.wallet_id))
        .join(Refund, col(Refund.hold_id) == col(Hold.id), isouter=True)
        .where(Hold.public_id == public_id)
        .order_by(col(Refund.id))
    )
    rows = session.exec(statement).all()  # one for each refund, or a single one without
    if not rows:
        return None
    hold, account_id, _ = rows[0]
    offering = session.get(Offering, hold.offering_id) if hold.offering_id is not None else None
    run = session.get(Run, hold.run_id) if hold.run_id is not None else None
    balance = run.balance_after if run else None
    included = run.included_until if run else None
    return Receipt(
        public_id=hold.public_id,
        account_id=account_id,
        operation=Operation(hold.operation),
        state=HoldState(hold.state),
        held=MilliCredits(hold.amount),
        captured=MilliCredits(hold.captured),
        shortfall=MilliCredits(hold.shortfall),
        offering_id=hold.offering_id,
        offering_slug=offering.slug if offering else None,
        offering_title=offering.title if offering else None,
        plan_titles=_plan_titles(session, hold),
        run_id=hold.run_id,
        balance_after=None if balance is None else MilliCredits(balance),
        included_until=None if included is None else Micros(included),
        refunds=refund_lines(refund for _, _, refund in rows),
        created_at=Micros(hold.created_at),
        ended_at=None if hold.ended_at is None else Micros(hold.ended_at),
    )


def refund_lines(refunds: Iterable[Refund | None]) -> tuple[RefundLine, ...]:
    """The refunds as they are told; where there is none, no line."""
    return tuple(
        RefundLine(MilliCredits(refund.amount), Micros(refund.created_at))
        for refund in refunds
        if refund is not None
    )


def refunded_of_hold() -> ScalarSelect[int]:
    """What was given back so far of what a hold captured, as a column for a query over holds."""
    return (
        select(func.coalesce(func.sum(col(Refund.amount)), 0))
        .where(col(Refund.hold_id) == col(Hold.id))
        .scalar_subquery()
    )


def find_wallet(session: Session, account_id: int) -> int | None:
    """The account's wallet; None when it never got anything."""
    return session.exec(select(Wallet.id).where(Wallet.subscriber_id == account_id)).first()


def daily_cap(session: Session, account_id: int, now: Micros) -> DailyCap | None:
    """The account's limits for a day; None when it has none."""
    wallet = session.exec(select(Wallet).where(Wallet.subscriber_id == account_id)).first()
    if wallet is None or (wallet.daily_cap is None and wallet.operator_cap is None):
        return None
    is_today = wallet.spent_day == day_of(max(now, wallet.last_at))
    return DailyCap(
        own=None if wallet.daily_cap is None else MilliCredits(wallet.daily_cap),
        operators=None if wallet.operator_cap is None else MilliCredits(wallet.operator_cap),
        spent=MilliCredits(wallet.held + (wallet.spent if is_today else 0)),
    )


def open_holds_of_dead_owners(session: Session, now: Micros) -> tuple[OpenHoldLine, ...]:
    """The open holds whose process has no living lease."""
    living = exists().where(
        col(ProcessLease.owner) == col(Hold.owner), col(ProcessLease.expires_at) > now
    )
    statement = (
        select(Hold).where(Hold.state == HoldState.OPEN.value, ~living).order_by(col(Hold.id))
    )
    return tuple(
        OpenHoldLine(
            wallet_id=hold.wallet_id,
            hold_id=stored(hold.id),
            public_id=hold.public_id,
            operation=Operation(hold.operation),
            run_id=hold.run_id,
            owner=hold.owner,
        )
        for hold in session.exec(statement)
    )


def balances(session: Session, account_id: int, now: Micros) -> tuple[PlanBalance, ...]:
    """What the subscriber can spend now, plan by plan; plans with nothing live are left out.

    One total over all of them would promise too much: an offering is paid only by its plans.
    """
    statement = (
        select(
            CreditGrant.plan_id,
            func.sum(col(CreditGrant.remaining)),
            func.sum(col(CreditGrant.held)),
            func.min(col(CreditGrant.expires_at)),
        )
        .join(Wallet, col(Wallet.id) == col(CreditGrant.wallet_id))
        .where(
            Wallet.subscriber_id == account_id,
            CreditGrant.state == "active",
            col(CreditGrant.effective_at) <= now,
            col(CreditGrant.expires_at) > now,
        )
        .group_by(col(CreditGrant.plan_id))
        .order_by(col(CreditGrant.plan_id))
    )
    return tuple(
        PlanBalance(
            plan_id=plan_id,
            available=MilliCredits(int(remaining)),
            held=MilliCredits(int(held)),
            expires_at=Micros(expires_at),
        )
        for plan_id, remaining, held, expires_at in session.exec(statement)
    )


def _plan_titles(session: Session, hold: Hold) -> tuple[str, ...]:
    """The plans whose grants were charged, else those whose grants were held."""
    bearing = (
        select(Entry.grant_id).where(
            Entry.hold_id == hold.id, Entry.kind == EntryKind.CHARGE.value, col(Entry.amount) < 0
        )
        if hold.captured
        else select(Allocation.grant_id).where(Allocation.hold_id == hold.id)
    )
    statement = (
        select(Plan.title)
        .join(CreditGrant, col(CreditGrant.plan_id) == col(Plan.id))
        .where(col(CreditGrant.id).in_(bearing))
        .distinct()
        .order_by(col(Plan.title))
    )
    return tuple(session.exec(statement))
