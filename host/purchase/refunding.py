"""Giving money back for an order: what is left of what it gave goes, in proportion.

How much is decided by `host.purchase.refunds`; here it is taken, in one unit of work under the
wallet's lock, and what is held is claimed, for the ledger to take when its hold ends. Moving the
money itself is the operator's: none of our providers holds any.
"""

from dataclasses import dataclass

from host.catalogue.currencies import format_money
from host.catalogue.registering import By, note
from host.errors import InvalidInput, OrderClosed
from host.metering.operators import require_operator
from host.purchase.ordering import locked
from host.purchase.orders import GIVEN, OrderClosedError, OrderStep, next_state
from host.purchase.refunds import Refunding, take_from
from storage import orders as kept
from storage import subscriptions as got
from storage.books import RevokeGrant
from storage.credits import MilliCredits
from storage.database import Unit
from storage.models.catalogue import PlanKind
from storage.models.purchase import PurchaseOrder
from storage.order_states import OrderState
from storage.orders import OrderGrant, OrderView


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRefunded:
    """How an order stands after its refund."""

    order: OrderView
    taken: int
    """What this request took back: milli-credits, or seconds."""
    claimed: int
    """What is held for work under way, and is taken back when that ends without using it."""
    is_new: bool
    """Whether it refunded more than had been before."""


def refund_order(unit: Unit, by: By, order_id: str, in_all: int | None) -> OrderRefunded:
    """Refund an order until `in_all` (None: all of it) has been given back.

    Raises:
        NotAllowed: the actor is no operator.
        UnknownOrder: there is no such order.
        InvalidInput: nothing was paid for it, or less than that.
        OrderClosed: it is not paid, or disputed.
    """
    require_operator(unit, by)
    row = locked(unit, order_id)
    before = kept.find_order(unit.session, order_id, by.now)
    assert before is not None, "its row is locked"
    _check(before, in_all)
    got.lock_wallet(unit.session, unit.books.open_wallet(row.account_id))
    assert row.subscription_id is not None, "what was given is a subscription"
    grants = kept.grants_of_order(unit.session, row.subscription_id)
    is_time = before.kind is PlanKind.TIME
    known = Refunding(
        gives=before.gives,
        amount_minor=before.amount_minor,
        refunded_minor=before.refunded_minor,
        # Credits are not taken twice, whoever took them: a refund, or the operator by hand.
        taken_back=before.taken_back if is_time else sum(grant.revoked for grant in grants),
        claimed=sum(grant.claimed for grant in grants),
    )
    wanted = known.told(before.amount_minor if in_all is None else in_all)
    more = wanted.refunded_minor - known.refunded_minor
    if more:
        _step(row, before.state, wanted)
    if is_time:
        done = _take_time(unit, by, row.subscription_id, wanted)
    else:
        done = _take_credits(unit, by, row.subscription_id, wanted, grants)
    row.refunded_minor, row.taken_back = done.refunded_minor, done.taken_back
    row.written_off = done.still_to_take
    if more:
        kept.add_refund(unit.session, order_id, more, by.now)
        money = format_money(done.refunded_minor, row.currency)
        note(unit, by, "order.refunded", f"order:{order_id}", in_all=money)
    after = kept.find_order(unit.session, order_id, by.now)
    assert after is not None
    standing = kept.grants_of_order(unit.session, row.subscription_id)
    return OrderRefunded(
        order=after,
        taken=done.taken_back - known.taken_back,
        claimed=sum(grant.claimed for grant in standing),
        is_new=more > 0,
    )


def _check(order: OrderView, in_all: int | None) -> None:
    if order.state not in GIVEN:
        raise _closed(order.state)
    if not order.amount_minor:
        raise InvalidInput(
            "Nothing was paid for this order. To take the plan back, use `farebox revoke`."
        )
    if in_all is not None and not 0 < in_all <= order.amount_minor:
        price = format_money(order.amount_minor, order.currency)
        raise InvalidInput(f"{price} was paid for this order: refund that, or a part of it.")


def _step(row: PurchaseOrder, state: OrderState, wanted: Refunding) -> None:
    step = OrderStep.REFUND_ALL if wanted.is_all else OrderStep.REFUND_PART
    try:
        row.state = next_state(state, step).value
    except OrderClosedError:
        raise _closed(state) from None


def _closed(state: OrderState) -> OrderClosed:
    return OrderClosed(f"This order is {state.replace('_', ' ')}; there is nothing to refund.")


def _take_credits(
    unit: Unit, by: By, subscription_id: int, wanted: Refunding, grants: tuple[OrderGrant, ...]
) -> Refunding:
    """Take back unspent credits, also those that refunds of charges have put back; then held ones.

    The target of a grant goes beyond what is unspent of it by what is to be claimed of it. All of
    it ends the grant.
    """
    unspent = take_from(tuple(grant.unspent for grant in grants), wanted.unclaimed)
    held = tuple(grant.held - grant.claimed for grant in grants)
    claims = take_from(held, wanted.unclaimed - sum(unspent))
    for grant, share, claim in zip(grants, unspent, claims, strict=True):
        part = grant.revoked + grant.claimed + share + claim
        target = grant.amount if wanted.is_all else MilliCredits(part)
        standing = unit.books.revoke(
            RevokeGrant(
                wallet_id=grant.wallet_id, grant_id=grant.grant_id, target=target, now=by.now
            )
        )
        wanted = wanted.took(standing.taken)
    if wanted.is_all:
        got.end_subscription(unit.session, subscription_id, by.now)
    return wanted


def _take_time(unit: Unit, by: By, subscription_id: int, wanted: Refunding) -> Refunding:
    seconds = got.take_time(unit.session, subscription_id, wanted.still_to_take, by.now)
    return wanted.took(seconds)
