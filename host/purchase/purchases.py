"""Buying a plan, in the words of who buys and who runs the host.

Every way to get a plan goes through here and leaves an order: bought, tried, or given by hand;
vouchers are `host.purchase.vouchers`. What is decided and written is in `host.purchase.ordering`
and `host.purchase.refunding`, each verb one unit of work. No provider is waited for inside one.
"""

from functools import partial

import structlog

from host.catalogue.registering import By
from host.catalogue.subscribing import Subscribed, SubscribeRequest, subscribe
from host.clock import Clock
from host.config import Settings
from host.identity.former import FormerPeople
from host.purchase.ordering import (
    Given,
    Ordered,
    WantedOrder,
    add_given,
    cancel,
    fulfil,
    own_order,
    place,
)
from host.purchase.payments.demo import DemoPayments
from host.purchase.payments.manual import ManualPayments
from host.purchase.payments.trial import TrialPayments
from host.purchase.refunding import OrderRefunded, refund_order
from storage import orders as kept
from storage.catalogue import find_plan_as_sold
from storage.database import Database, Unit
from storage.order_states import OrderState
from storage.orders import OrderView

log = structlog.get_logger(__name__)


class Purchases:
    """Orders; an actor of None is the operator at the machine itself."""

    def __init__(
        self, database: Database, clock: Clock, settings: Settings, former: FormerPeople
    ) -> None:
        self._database = database
        self._clock = clock
        self._former = former
        self._free = TrialPayments()
        self._manual = ManualPayments()
        self._paid = DemoPayments() if settings.payments == "demo" else None

    @property
    def takes_payments(self) -> bool:
        """Whether a plan that costs money can be bought here."""
        return self._paid is not None

    def pay_path(self, order: OrderView) -> str | None:
        """Where to pay an order; None where nothing is to be paid, or not any more."""
        if self._paid is None or order.provider is not self._paid.name:
            return None
        return self._paid.pay_path(order.id) if order.state is OrderState.CREATED else None

    async def order(self, wanted: WantedOrder) -> Ordered:
        """Order a plan for oneself; what costs nothing is given at once.

        Raises:
            UnknownPlan: there is no such plan, or it is no longer offered.
            PaymentsOff: it costs money, and nobody takes any here.
            AlreadyHad: it is given once for each person, and was.
            IdempotencyConflict: the key was used for another plan.
            RateLimited: too many orders are left unpaid.
        """
        now = self._clock.now()
        return await self._database.run(
            lambda unit: place(
                unit, now, wanted, former=self._former, free=self._free, paid=self._paid
            )
        )

    async def had_before(self, account_id: int) -> frozenset[int]:
        """Free plans that are not for this account: had under its address by one since deleted."""
        return await self._database.read(lambda s: self._former.plans_had(s, account_id))

    async def find(self, account_id: int | None, order_id: str) -> OrderView:
        """One of one's own orders; anybody's for the operator at the machine.

        Raises:
            UnknownOrder: there is no such order, or it is somebody else's.
        """
        now = self._clock.now()
        found = await self._database.read(lambda s: kept.find_order(s, order_id, now))
        return own_order(found, account_id)

    async def orders(self, account_id: int) -> tuple[OrderView, ...]:
        """One's own orders, the newest first."""
        now = self._clock.now()
        return await self._database.read(lambda s: kept.orders_of(s, account_id, now))

    async def all_orders(self) -> tuple[OrderView, ...]:
        """Everybody's newest orders."""
        return await self._database.read(partial(kept.newest_orders, now=self._clock.now()))

    async def cancel(self, account_id: int, order_id: str, reason: str) -> OrderView:
        """Give up an order of one's own that is not paid; twice is like once.

        Raises:
            UnknownOrder: there is no such order, or it is somebody else's.
            OrderClosed: it is paid, or over.
        """
        by = By(account_id, self._clock.now())
        return await self._database.run(lambda unit: cancel(unit, by, order_id, reason))

    async def fulfil(
        self, order_id: str, provider_ref: str, *, only_in_time: bool = False
    ) -> Ordered:
        """Give what a payment paid for, once however often it is told, and also when it is late.

        Raises:
            UnknownOrder: there is no such order.
            OrderClosed: it was cancelled; or it has expired, and it is `only_in_time` to be paid.
            IdempotencyConflict: order or payment belong to another one.
        """
        now = self._clock.now()
        done = await self._database.run(
            lambda unit: fulfil(unit, now, order_id, provider_ref, only_in_time=only_in_time),
            must_land=True,
        )
        if done.is_new:
            log.info("order.fulfilled", order_id=order_id, provider=done.order.provider)
        return done

    async def give(self, actor: int | None, request: SubscribeRequest) -> Subscribed:
        """Give a plan by hand, as `host.catalogue.subscribing` does, and leave its order.

        Raises:
            NotAllowed: the actor is no operator.
            UnknownPlan: there is no such plan.
            InvalidInput: it gives time, and credits were named.
            IdempotencyConflict: the request has given another plan.
        """
        by = By(actor, self._clock.now())
        return await self._database.run(lambda unit: self._give(unit, by, request))

    async def refund(self, actor: int | None, order_id: str, in_all: int | None) -> OrderRefunded:
        """Refund an order until `in_all` minor units (None: its price) have been given back.

        Raises:
            NotAllowed: the actor is no operator.
            UnknownOrder: there is no such order.
            InvalidInput: nothing was paid for it, or less than that.
            OrderClosed: it is not paid, or disputed.
        """
        by = By(actor, self._clock.now())
        return await self._database.run(lambda unit: refund_order(unit, by, order_id, in_all))

    async def expire_due(self) -> int:
        """Write down which orders were not paid in time. Returns how many."""
        now = self._clock.now()
        expired = await self._database.run(lambda unit: kept.expire_due(unit.session, now))
        if expired:
            log.info("orders.expired", orders=expired)
        return expired

    def _give(self, unit: Unit, by: By, request: SubscribeRequest) -> Subscribed:
        given = subscribe(unit, by, request)
        if given.is_new:
            plan = find_plan_as_sold(unit.session, given.subscription.version_id)
            assert plan is not None, "it has just been given"
            how = Given(
                provider=self._manual,
                request_key=f"grant:{request.source_ref}",
                credits=request.credits,
            )
            add_given(unit, by.now, plan, how, given.subscription)
        return given
