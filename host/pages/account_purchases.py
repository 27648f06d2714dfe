"""What one got, what one was charged, and what one asked about it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from host.pages.order_receipts import order_words
from host.pages.own import OwnPages
from host.purchase.orders import GIVEN
from storage.cards import SubscriptionView
from storage.charges import recent_charges
from storage.concerns import concerns_of
from storage.moments import NEVER, Micros
from storage.order_states import OrderState
from storage.orders import OrderView

RECEIPTS_SHOWN: Final = 25
_DIGITS_MAX: Final = 18
_TAKEN: Final = frozenset({OrderState.REFUNDED, OrderState.LOST})
"""The order's own words say where what it gave has gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseLine:
    """One time that a plan was got, or that somebody meant to buy it."""

    title: str
    plan_slug: str
    how: str
    at: Micros
    ends_at: Micros | None
    """The end of what was got, where it ends by time."""
    is_taken_back: bool
    receipt_id: str
    gives: str
    price: str = ""
    pay_path: str | None = None
    """Where it can still be paid."""


class PurchasePages(OwnPages):
    """The page of purchases and receipts."""

    async def show(self, request: Request) -> Response:
        """Every purchase, one page of receipts, and every report and request for a refund."""
        visitor, host = await self._visitor(request), self._host
        before = _number(request.query_params.get("before", ""))
        charges, asked = await host.database.read(
            lambda s: (
                recent_charges(s, visitor.account_id, most=RECEIPTS_SHOWN + 1, before=before),
                concerns_of(s, visitor.account_id),
            )
        )
        shown = charges[:RECEIPTS_SHOWN]
        return self._renderer.page(
            "account_purchases.html",
            visitor=visitor,
            purchases=purchase_lines(
                await host.purchases.orders(visitor.account_id),
                await host.catalogue.subscriptions(visitor.account_id),
                pay_path=host.purchases.pay_path,
            ),
            charges=shown,
            asked=asked[::-1],
            is_first=before is None,
            older=shown[-1].number if len(charges) > len(shown) else None,
        )


def purchase_lines(
    orders: Iterable[OrderView],
    subscriptions: Iterable[SubscriptionView],
    *,
    pay_path: Callable[[OrderView], str | None],
) -> list[PurchaseLine]:
    """Every order, with what it gave; in their order."""
    given = {got.id: got for got in subscriptions}
    return [
        _of_order(order, given.get(order.subscription_id or 0), pay_path(order))
        for order in orders
    ]


def _of_order(
    order: OrderView, given: SubscriptionView | None, pay_path: str | None
) -> PurchaseLine:
    words = order_words(order)
    lasts = order.state in GIVEN - _TAKEN
    return PurchaseLine(
        title=order.plan_title,
        plan_slug=order.plan_slug,
        how=words.how,
        at=order.created_at,
        ends_at=_end(given) if given and lasts else None,
        is_taken_back=given is not None and given.is_cancelled and lasts,
        receipt_id=order.id,
        gives=words.gives,
        price=words.price,
        pay_path=pay_path,
    )


def _end(got: SubscriptionView) -> Micros | None:
    return got.ends_at if got.ends_at < NEVER else None


def _number(written: str) -> int | None:
    """Where the page begins; what is no number begins at the newest."""
    is_number = written.isascii() and written.isdigit() and len(written) <= _DIGITS_MAX
    return int(written) if is_number else None
