"""Find and save orders: what somebody is getting or got, what for, and what became of it.

Every function works inside the unit or the read that lends its `Session`. Which step an order may
take is decided by `host.purchase.orders` before. An order is seen as it is *now*: one that was
not paid in time has expired, whether or not somebody has written that down yet; and what was held
when it was refunded is taken back, or written off, once the ledger has ended the hold.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import ColumnElement, update
from sqlalchemy import select as select_columns  # SQLModel's own stops at four
from sqlmodel import Session, col, func, select

from storage.catalogue import stored
from storage.credits import MilliCredits
from storage.ids import is_id
from storage.models.catalogue import Plan, PlanKind, PlanVersion, Subscription
from storage.models.money import CreditGrant, Wallet
from storage.models.purchase import OrderRefund, PurchaseOrder
from storage.moments import Micros
from storage.order_states import OrderState, ProviderName

LISTED_MOST: Final = 500
"""Orders in one listing, the newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderView:
    """An order as everyone else may keep and share it."""

    id: str
    account_id: int
    plan_id: int
    plan_slug: str
    plan_title: str
    version_id: int
    kind: PlanKind
    provider: ProviderName
    request_key: str
    state: OrderState
    amount_minor: int
    currency: str
    credits: MilliCredits
    duration_s: int | None
    return_to: str
    subscription_id: int | None
    """What it gave, once it has."""
    refunded_minor: int
    taken_back: int
    """By refunds: milli-credits, or seconds of a time plan."""
    written_off: int
    """What was refunded of what it gave, and was no longer there to take back."""
    reason: str
    created_at: Micros
    expires_at: Micros
    paid_at: Micros | None
    fulfilled_at: Micros | None

    @property
    def gives(self) -> int:
        """How much it gives, in what refunds are reckoned in: milli-credits, or seconds."""
        return (self.duration_s or 0) if self.kind is PlanKind.TIME else self.credits

    def as_of(self, now: Micros) -> "OrderView":
        """The order at `now`, if nothing was done to it since it was read."""
        if self.state is OrderState.CREATED and self.expires_at <= now:
            return replace(self, state=OrderState.EXPIRED)
        return self


def add_order(session: Session, order: PurchaseOrder) -> OrderView:
    """Save a new order."""
    session.add(order)
    session.flush()
    found = find_order(session, order.id, Micros(order.created_at))
    assert found is not None, "it has just been written"
    return found


def lock_order(session: Session, order_id: str) -> PurchaseOrder | None:
    """The row of an order, for this unit alone to change."""
    if not is_id(order_id):
        return None
    return session.exec(
        select(PurchaseOrder)
        .where(PurchaseOrder.id == order_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).first()


def find_order(session: Session, order_id: str, now: Micros) -> OrderView | None:
    """The order of that number."""
    if not is_id(order_id):
        return None
    return _first(session, now, PurchaseOrder.id == order_id)


def find_by_key(
    session: Session, *, account_id: int, request_key: str, now: Micros
) -> OrderView | None:
    """The order that the account's attempt of this name made."""
    of_account = PurchaseOrder.account_id == account_id
    return _first(session, now, of_account, PurchaseOrder.request_key == request_key)


def find_by_payment(
    session: Session, *, provider: ProviderName, provider_ref: str, now: Micros
) -> OrderView | None:
    """The order that this payment paid."""
    of_provider = PurchaseOrder.provider == provider.value
    return _first(session, now, of_provider, PurchaseOrder.provider_ref == provider_ref)


def orders_of(session: Session, account_id: int, now: Micros) -> tuple[OrderView, ...]:
    """An account's orders, the newest first."""
    return _views(session, now, PurchaseOrder.account_id == account_id)


def newest_orders(session: Session, now: Micros) -> tuple[OrderView, ...]:
    """Everybody's orders, the newest first."""
    return _views(session, now)


def count_unpaid(session: Session, account_id: int, now: Micros) -> int:
    """How many orders of the account are still waited for."""
    return session.exec(
        select(func.count())
        .select_from(PurchaseOrder)
        .where(
            PurchaseOrder.account_id == account_id,
            PurchaseOrder.state == OrderState.CREATED.value,
            PurchaseOrder.expires_at > now,
        )
    ).one()


def expire_due(session: Session, now: Micros) -> int:
    """Write down which orders were not paid in time. Returns how many."""
    return (
        session.connection()
        .execute(
            update(PurchaseOrder)
            .where(
                col(PurchaseOrder.state) == OrderState.CREATED.value,
                col(PurchaseOrder.expires_at) <= now,
            )
            .values(state=OrderState.EXPIRED.value, ended_at=col(PurchaseOrder.expires_at))
        )
        .rowcount
    )


def add_refund(session: Session, order_id: str, amount_minor: int, now: Micros) -> None:
    """Save one step of what was given back for an order."""
    session.add(OrderRefund(order_id=order_id, amount_minor=amount_minor, created_at=now))
    session.flush()


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderGrant:
    """A grant that an order made, or one that gave back credits charged to it."""

    wallet_id: int
    grant_id: int
    amount: MilliCredits
    unspent: MilliCredits
    held: MilliCredits
    claimed: MilliCredits
    """Of what is held: it is revoked as soon as it comes back."""
    revoked: MilliCredits


def grants_of_order(session: Session, subscription_id: int) -> tuple[OrderGrant, ...]:
    """Where the credits of an order are: its grant first, then what refunds of charges put back.

    Columns and not rows are read, so that under the wallet's lock they are what is true by then.
    """
    is_its_own = (
        (col(Subscription.account_id) == col(Wallet.subscriber_id))
        & (col(CreditGrant.source) == col(Subscription.source))
        & (col(CreditGrant.source_ref) == col(Subscription.source_ref))
    )
    wallet_and_grant = session.exec(
        select(Wallet.id, CreditGrant.id)
        .join(CreditGrant, col(CreditGrant.wallet_id) == col(Wallet.id))
        .join(Subscription, is_its_own)
        .where(Subscription.id == subscription_id)
    ).first()
    if wallet_and_grant is None:
        return ()
    wallet_id, first_id = wallet_and_grant
    grants = session.connection().execute(
        select_columns(
            col(CreditGrant.id),
            col(CreditGrant.amount),
            col(CreditGrant.remaining),
            col(CreditGrant.held),
            col(CreditGrant.claimed),
            col(CreditGrant.revoked),
        )
        .where(
            col(CreditGrant.wallet_id) == wallet_id,
            (col(CreditGrant.id) == first_id) | (col(CreditGrant.origin_id) == first_id),
        )
        .order_by(col(CreditGrant.id))
    )
    return tuple(
        OrderGrant(
            wallet_id=stored(wallet_id),
            grant_id=stored(grant_id),
            amount=MilliCredits(amount),
            unspent=MilliCredits(remaining),
            held=MilliCredits(held),
            claimed=MilliCredits(claimed),
            revoked=MilliCredits(revoked),
        )
        for grant_id, amount, remaining, held, claimed, revoked in grants
    )


def _first(
    session: Session, now: Micros, *conditions: ColumnElement[bool] | bool
) -> OrderView | None:
    found = _views(session, now, *conditions)
    return found[0] if found else None


def _views(
    session: Session, now: Micros, *conditions: ColumnElement[bool] | bool
) -> tuple[OrderView, ...]:
    rows: Sequence[tuple[PurchaseOrder, Plan, PlanVersion]] = session.exec(
        select(PurchaseOrder, Plan, PlanVersion)
        .join(Plan, col(Plan.id) == col(PurchaseOrder.plan_id))
        .join(PlanVersion, col(PlanVersion.id) == col(PurchaseOrder.plan_version_id))
        .where(*conditions)
        .order_by(col(PurchaseOrder.created_at).desc(), col(PurchaseOrder.id).desc())
        .limit(LISTED_MOST)
    ).all()
    return tuple(_as_it_stands(session, _view(*row)).as_of(now) for row in rows)


def _as_it_stands(session: Session, order: OrderView) -> OrderView:
    """The order with what became since its refund of what was held then."""
    if not order.written_off or order.subscription_id is None:
        return order
    grants = grants_of_order(session, order.subscription_id)
    taken_since = max(0, sum(grant.revoked for grant in grants) - order.taken_back)
    still_held = sum(grant.claimed for grant in grants)
    return replace(
        order,
        taken_back=order.taken_back + taken_since,
        written_off=max(0, order.written_off - taken_since - still_held),
    )


def _view(row: PurchaseOrder, plan: Plan, version: PlanVersion) -> OrderView:
    return OrderView(
        id=row.id,
        account_id=row.account_id,
        plan_id=row.plan_id,
        plan_slug=plan.slug,
        plan_title=plan.title,
        version_id=row.plan_version_id,
        kind=PlanKind(version.kind),
        provider=ProviderName(row.provider),
        request_key=row.request_key,
        state=OrderState(row.state),
        amount_minor=row.amount_minor,
        currency=row.currency,
        credits=MilliCredits(row.credits),
        duration_s=row.duration_s,
        return_to=row.return_to,
        subscription_id=row.subscription_id,
        refunded_minor=row.refunded_minor,
        taken_back=row.taken_back,
        written_off=row.written_off,
        reason=row.reason,
        created_at=Micros(row.created_at),
        expires_at=Micros(row.expires_at),
        paid_at=None if row.paid_at is None else Micros(row.paid_at),
        fulfilled_at=None if row.fulfilled_at is None else Micros(row.fulfilled_at),
    )
