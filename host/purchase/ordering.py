"""How orders are placed, cancelled and fulfilled, each inside one unit of work.

An attempt has a name, its key: the same one makes one order however often it comes, and so does
the same payment give once. Locks are taken in one order everywhere: the order's row, then the
wallet, which also keeps one person's attempts in line.
"""

from dataclasses import dataclass
from typing import Final

from host.catalogue.offering_fields import shown
from host.catalogue.registering import By, find_plan, note
from host.catalogue.subscribing import SubscribeRequest, subscribe
from host.errors import (
    AlreadyHad,
    IdempotencyConflict,
    OrderClosed,
    PaymentsOff,
    RateLimited,
    UnknownOrder,
    UnknownPlan,
)
from host.identity.former import FormerPeople
from host.language import _
from host.purchase.orders import GIVEN, ORDER_LIVES, OrderClosedError, OrderStep, next_state
from host.purchase.payments.base import PaymentProvider
from storage import orders as kept
from storage import subscriptions as got
from storage.cards import PlanView, SubscriptionView
from storage.credits import MilliCredits
from storage.database import Unit
from storage.ids import new_id
from storage.models.money import GrantSource
from storage.models.purchase import PurchaseOrder
from storage.moments import SECOND, Micros
from storage.order_states import OrderState, ProviderName
from storage.orders import OrderView

UNPAID_MOST: Final = 20
"""Orders that somebody may leave unpaid at a time: a person has one or two."""
REASON_MAX: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedOrder:
    """What somebody wants to buy."""

    account_id: int
    plan_slug: str
    key: str
    """The caller's name for this attempt."""
    return_to: str = ""
    """A path of this host, to go to after paying."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """An order, and whether it was made (or fulfilled) by this request."""

    order: OrderView
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """How something was got that needs no paying, for the order that it leaves."""

    provider: PaymentProvider
    request_key: str
    provider_ref: str | None = None
    credits: MilliCredits | None = None
    return_to: str = ""


def place(
    unit: Unit,
    now: Micros,
    wanted: WantedOrder,
    *,
    former: FormerPeople,
    free: PaymentProvider,
    paid: PaymentProvider | None,
) -> Ordered:
    """Order a plan; what costs nothing is given at once.

    Raises:
        UnknownPlan: there is no such plan, or it is no longer offered.
        PaymentsOff: it costs money, and nobody takes any here.
        AlreadyHad: it is given once for each person, and was, be it to an account since deleted.
        IdempotencyConflict: the key was used for another plan.
        RateLimited: too many orders are left unpaid.
    """
    key = f"buy:{wanted.key}"
    got.lock_wallet(unit.session, unit.books.open_wallet(wanted.account_id))
    before = kept.find_by_key(unit.session, account_id=wanted.account_id, request_key=key, now=now)
    if before is not None:
        if before.plan_slug != wanted.plan_slug:
            raise IdempotencyConflict(
                _("This key was already used to order {plan}.", plan=before.plan_title)
            )
        return Ordered(order=before, is_new=False)
    plan = find_plan(unit, wanted.plan_slug)
    if not plan.is_sold:
        raise no_longer_offered(plan)
    if plan.is_free:
        _check_not_had_before(unit, former, wanted.account_id, plan)
        return Ordered(order=_give_free(unit, now, wanted, plan, free, key), is_new=True)
    if paid is None:
        raise PaymentsOff(
            _(
                "Payments are not set up on this site. Ask its operator for {plan}, or for a"
                " voucher.",
                plan=plan.title,
            )
        )
    _check_not_too_many(unit, now, wanted.account_id)
    row = _row(wanted.account_id, plan, paid, key, now)
    row.return_to = wanted.return_to
    return Ordered(order=kept.add_order(unit.session, row), is_new=True)


def fulfil(
    unit: Unit, now: Micros, order_id: str, provider_ref: str, *, only_in_time: bool = False
) -> Ordered:
    """Give what a payment paid for, once, on the terms that were ordered.

    A payment that comes after the order expired is as good as one in time: somebody has paid.
    `only_in_time` is for a page of our own, on which nobody has paid before it is asked here.

    Raises:
        UnknownOrder: there is no such order.
        OrderClosed: it was cancelled, or has expired where only a payment in time is good.
        IdempotencyConflict: it was paid by another payment, or this one has paid another order.
    """
    row = locked(unit, order_id)
    state, provider = OrderState(row.state), ProviderName(row.provider)
    if state in GIVEN:
        if row.provider_ref != provider_ref:
            raise IdempotencyConflict(_("This order has been paid by another payment."))
        return Ordered(order=_view(unit, order_id, now), is_new=False)
    if kept.find_by_payment(unit.session, provider=provider, provider_ref=provider_ref, now=now):
        raise IdempotencyConflict(_("This payment has paid another order."))
    ordered = _view(unit, order_id, now)
    if only_in_time and ordered.state is OrderState.EXPIRED:
        raise OrderClosed(_("This order has expired. Nothing was paid; begin again."))
    try:
        row.state = next_state(next_state(state, OrderStep.CONFIRM_PAYMENT), OrderStep.FULFIL)
    except OrderClosedError:
        raise OrderClosed(_("This order was cancelled. Nothing was paid; begin again.")) from None
    opened = subscribe(
        unit,
        By(None, now),
        SubscribeRequest(
            account_id=row.account_id,
            plan_slug=ordered.plan_slug,
            source=GrantSource.ORDER,
            source_ref=order_id,
            version_id=row.plan_version_id,
        ),
    )
    row.provider_ref, row.subscription_id = provider_ref, opened.subscription.id
    row.paid_at = row.fulfilled_at = now
    note(unit, By(None, now), "order.fulfilled", f"order:{order_id}", provider_ref=provider_ref)
    return Ordered(order=_view(unit, order_id, now), is_new=True)


def cancel(unit: Unit, by: By, order_id: str, reason: str) -> OrderView:
    """Give up an order that nobody has paid; twice is like once.

    Raises:
        UnknownOrder: there is no such order, or it is somebody else's.
        OrderClosed: it is paid, or over.
    """
    row = locked(unit, order_id)
    if by.account_id not in {None, row.account_id}:
        raise _unknown()
    order = _view(unit, order_id, by.now)
    if order.state is OrderState.CANCELLED:
        return order
    try:
        row.state = next_state(order.state, OrderStep.CANCEL)
    except OrderClosedError:
        if order.state is OrderState.EXPIRED:
            why = _("This order has expired; there is nothing to cancel.")
        else:
            why = _("This order is paid; there is nothing to cancel.")
        raise OrderClosed(why) from None
    row.reason, row.ended_at = reason[:REASON_MAX], by.now
    note(unit, by, "order.cancelled", f"order:{order_id}", reason=row.reason)
    return _view(unit, order_id, by.now)


def add_given(
    unit: Unit, now: Micros, plan: PlanView, given: Given, opened: SubscriptionView
) -> OrderView:
    """The order of what was given without a payment: fulfilled from the beginning."""
    row = _row(
        opened.account_id, plan, given.provider, given.request_key, now, gives=given.credits
    )
    row.state = next_state(
        next_state(OrderState(row.state), OrderStep.CONFIRM_PAYMENT), OrderStep.FULFIL
    ).value
    row.provider_ref, row.return_to = given.provider_ref, given.return_to
    row.subscription_id = opened.id
    row.paid_at = row.fulfilled_at = now
    return kept.add_order(unit.session, row)


def locked(unit: Unit, order_id: str) -> PurchaseOrder:
    """The order, for this unit alone to change.

    Raises:
        UnknownOrder: there is none.
    """
    row = kept.lock_order(unit.session, order_id)
    if row is None:
        raise _unknown()
    return row


def own_order(order: OrderView | None, account_id: int | None) -> OrderView:
    """The order, if there is one and it is this account's; None may see any.

    Raises:
        UnknownOrder: there is none, or that is how it has to look.
    """
    if order is None or account_id not in {None, order.account_id}:
        raise _unknown()
    return order


def no_longer_offered(plan: PlanView) -> UnknownPlan:
    """The refusal of a plan that is not sold any more."""
    return UnknownPlan(_("The plan “{plan}” is no longer offered.", plan=shown(plan.title)))


def _give_free(
    unit: Unit, now: Micros, wanted: WantedOrder, plan: PlanView, free: PaymentProvider, key: str
) -> OrderView:
    request = SubscribeRequest(
        account_id=wanted.account_id,
        plan_slug=plan.slug,
        source=free.source,
        source_ref=plan.slug,
        version_id=plan.version.id,
    )
    opened = subscribe(unit, By(wanted.account_id, now), request)
    if not opened.is_new:
        raise AlreadyHad(
            _("You have already had {plan}. It is given once for each person.", plan=plan.title)
        )
    given = Given(provider=free, request_key=key, return_to=wanted.return_to)
    return add_given(unit, now, plan, given, opened.subscription)


def _check_not_had_before(
    unit: Unit, former: FormerPeople, account_id: int, plan: PlanView
) -> None:
    """Refuse what the same person had under an account that they have deleted."""
    if plan.id in former.plans_had(unit.session, account_id):
        raise AlreadyHad(
            _(
                "You had {plan} before, with an account of this address that was deleted."
                " It is given once for each person.",
                plan=plan.title,
            )
        )


def _row(
    account_id: int,
    plan: PlanView,
    provider: PaymentProvider,
    key: str,
    now: Micros,
    *,
    gives: MilliCredits | None = None,
) -> PurchaseOrder:
    terms = plan.version
    return PurchaseOrder(
        id=new_id(),
        account_id=account_id,
        plan_id=plan.id,
        plan_version_id=terms.id,
        provider=provider.name.value,
        request_key=key,
        state=OrderState.CREATED.value,
        amount_minor=provider.asks(terms),
        currency=terms.currency,
        credits=terms.credits if gives is None else gives,
        duration_s=terms.duration_s,
        created_at=now,
        expires_at=now + ORDER_LIVES,
    )


def _check_not_too_many(unit: Unit, now: Micros, account_id: int) -> None:
    if kept.count_unpaid(unit.session, account_id, now) >= UNPAID_MOST:
        wait_s = ORDER_LIVES // SECOND
        raise RateLimited(
            _("You have many orders that are not paid yet. Pay or cancel one of them first."),
            headers={"Retry-After": str(wait_s)},
        )


def _view(unit: Unit, order_id: str, now: Micros) -> OrderView:
    order = kept.find_order(unit.session, order_id, now)
    assert order is not None, "its row is locked"
    return order


def _unknown() -> UnknownOrder:
    return UnknownOrder(_("There is no order with this number on your account."))
