"""What can be corrected: charges to give back, and grants to take back.

Reading only, in the unit of work that then corrects them through `storage.books`. Columns and not
rows are read, so that what is read again under the wallet's lock is what is true by then.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select as select_columns  # SQLModel's own stops at four
from sqlmodel import Session, col, select

from storage.catalogue import stored
from storage.credits import GrantState, HoldState, MilliCredits
from storage.ids import is_id
from storage.ledger import refunded_of_hold
from storage.models.catalogue import Plan, Subscription, SubscriptionState
from storage.models.money import CreditGrant, Entry, EntryKind, Hold, Refund, Wallet
from storage.moments import Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What one message or call was charged, and how much of it was given back."""

    wallet_id: int
    hold_id: int
    account_id: int
    state: HoldState
    charged: MilliCredits
    refunded: MilliCredits

    @property
    def left(self) -> MilliCredits:
        """What can still be refunded."""
        return MilliCredits(self.charged - self.refunded)


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingGrant:
    """A grant that has neither expired nor been revoked, and where its credits are."""

    grant_id: int
    amount: MilliCredits
    unspent: MilliCredits
    held: MilliCredits
    spent: MilliCredits
    origin_id: int | None
    """Of a refund: the grant whose credits came back, which counts them as spent."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to take back, now or later."""
        return not (self.unspent or self.held)


def spent_in_all(grants: Iterable[StandingGrant]) -> MilliCredits:
    """What was spent of these grants and not given back."""
    known = {grant.grant_id: grant for grant in grants}
    came_back = sum(g.amount for g in known.values() if g.origin_id in known)
    return MilliCredits(sum(grant.spent for grant in known.values()) - came_back)


def find_charge(session: Session, receipt_id: str) -> Charge | None:
    """What stands under this receipt."""
    if not is_id(receipt_id):
        return None
    statement = (
        select_columns(
            col(Hold.wallet_id),
            col(Hold.id),
            col(Wallet.subscriber_id),
            col(Hold.state),
            col(Hold.captured),
            refunded_of_hold(),
        )
        .join(Wallet, col(Wallet.id) == col(Hold.wallet_id))
        .where(col(Hold.public_id) == receipt_id)
    )
    row = session.connection().execute(statement).first()
    if row is None:
        return None
    wallet_id, hold_id, account_id, state, captured, given_back = row
    return Charge(
        wallet_id=wallet_id,
        hold_id=stored(hold_id),
        account_id=account_id,
        state=HoldState(state),
        charged=MilliCredits(captured),
        refunded=MilliCredits(int(given_back)),
    )


def refund_of_key(session: Session, wallet_id: int, key: str) -> tuple[int, MilliCredits] | None:
    """Which hold this key gave back, and how much of it; None when it was never used."""
    row = session.exec(
        select(Refund.hold_id, Refund.amount).where(
            Refund.wallet_id == wallet_id, Refund.idempotency_key == key
        )
    ).first()
    return None if row is None else (row[0], MilliCredits(row[1]))


@dataclass(frozen=True, slots=True)
class LostPlan:
    """A plan that somebody has no longer."""

    slug: str
    title: str


def plans_no_longer_had(session: Session, charge: Charge) -> tuple[LostPlan, ...]:
    """The plans that paid and were taken away since: what comes back cannot be spent."""
    is_had = (
        select_columns(col(Subscription.id))
        .where(
            col(Subscription.account_id) == charge.account_id,
            col(Subscription.plan_id) == col(Plan.id),
            col(Subscription.state) != SubscriptionState.CANCELLED.value,
        )
        .exists()
    )
    statement = (
        select_columns(col(Plan.slug), col(Plan.title))
        .join(CreditGrant, col(CreditGrant.plan_id) == col(Plan.id))
        .join(Entry, col(Entry.grant_id) == col(CreditGrant.id))
        .where(
            col(Entry.hold_id) == charge.hold_id,
            col(Entry.kind) == EntryKind.CHARGE.value,
            ~is_had,
        )
        .distinct()
        .order_by(col(Plan.title))
    )
    return tuple(LostPlan(*row) for row in session.connection().execute(statement))


def standing_grants(
    session: Session, wallet_id: int, plan_id: int, now: Micros
) -> tuple[StandingGrant, ...]:
    """The grants of one plan that have neither expired nor been revoked, the oldest first."""
    statement = (
        select_columns(
            col(CreditGrant.id),
            col(CreditGrant.amount),
            col(CreditGrant.remaining),
            col(CreditGrant.held),
            col(CreditGrant.revoked),
            col(CreditGrant.origin_id),
        )
        .where(
            col(CreditGrant.wallet_id) == wallet_id,
            col(CreditGrant.plan_id) == plan_id,
            col(CreditGrant.state).in_([GrantState.ACTIVE.value, GrantState.FROZEN.value]),
            col(CreditGrant.expires_at) > now,
        )
        .order_by(col(CreditGrant.id))
    )
    return tuple(
        StandingGrant(
            grant_id=stored(grant_id),
            amount=MilliCredits(amount),
            unspent=MilliCredits(remaining),
            held=MilliCredits(held),
            spent=MilliCredits(amount - remaining - held - revoked),
            origin_id=origin_id,
        )
        for grant_id, amount, remaining, held, revoked, origin_id in session.connection().execute(
            statement
        )
    )
