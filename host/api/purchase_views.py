"""Orders and vouchers, as programs read and write them."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from host.api.views import Body, Credits, View, moment_or_none
from host.catalogue.currencies import format_price
from host.errors import credits_number
from host.purchase.ordering import Ordered
from host.purchase.voucher_codes import WRITTEN_MAX
from storage.moments import to_datetime
from storage.orders import OrderView

PATH_MAX = 500
"""Characters of a path to return to."""


class NewOrder(Body):
    """A plan to order; `key` is the caller's name for this attempt."""

    plan: Annotated[str, Field(max_length=100)]
    key: UUID
    return_to: Annotated[str, Field(max_length=PATH_MAX)] = ""


class EnteredCode(Body):
    """A voucher's code."""

    code: Annotated[str, Field(min_length=1, max_length=WRITTEN_MAX)]


class Order(View):
    """One attempt to get a plan."""

    id: str
    plan: str
    title: str
    state: str
    amount_minor: int
    currency: str
    price: str
    provider: str
    credits: Credits | None
    duration_s: int | None
    refunded_minor: int
    pay_url: str | None
    """Where to pay, while that is still to be done."""
    return_to: str
    created_at: datetime
    expires_at: datetime
    fulfilled_at: datetime | None


class Redeemed(View):
    """What a voucher gave."""

    plan: str
    title: str
    order: str
    is_new: bool
    """False where the same person redeemed it before, and nothing was added now."""
    redeemed_at: datetime


def order_view(order: OrderView, pay_path: str | None) -> Order:
    """An order for its owner."""
    return Order(
        id=order.id,
        plan=order.plan_slug,
        title=order.plan_title,
        state=order.state,
        amount_minor=order.amount_minor,
        currency=order.currency,
        price=format_price(order.amount_minor, order.currency),
        provider=order.provider,
        credits=credits_number(order.credits) if order.credits else None,
        duration_s=order.duration_s,
        refunded_minor=order.refunded_minor,
        pay_url=pay_path,
        return_to=order.return_to,
        created_at=to_datetime(order.created_at),
        expires_at=to_datetime(order.expires_at),
        fulfilled_at=moment_or_none(order.fulfilled_at),
    )


def redeemed_view(done: Ordered) -> Redeemed:
    """What a voucher gave, now or before."""
    order = done.order
    return Redeemed(
        plan=order.plan_slug,
        title=order.plan_title,
        order=order.id,
        is_new=done.is_new,
        redeemed_at=to_datetime(order.created_at),
    )
