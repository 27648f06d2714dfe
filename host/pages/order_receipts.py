"""What one purchase came to, in words for its receipt and its line in the list."""

from dataclasses import dataclass
from typing import Final

from host.catalogue.currencies import format_price
from host.pages.plan_words import gives, span
from host.writing import credits_written
from storage.credits import MilliCredits
from storage.models.catalogue import PlanKind
from storage.order_states import OrderState, ProviderName
from storage.orders import OrderView

_SENTENCES: Final = {
    OrderState.CREATED: "Not paid yet.",
    OrderState.PENDING: "The payment is on its way.",
    OrderState.PAID: "Paid; what it bought is on its way.",
    OrderState.FULFILLED: "Paid once. What it bought is on your account.",
    OrderState.PARTIALLY_REFUNDED: "Part of it was refunded.",
    OrderState.REFUNDED: "All of it was refunded.",
    OrderState.EXPIRED: "It was not paid in time. Nothing was charged.",
    OrderState.CANCELLED: "It was cancelled. Nothing was charged.",
    OrderState.DISPUTED: "The payment is disputed; what is left waits for the decision.",
    OrderState.WON: "Paid once. What it bought is on your account.",
    OrderState.LOST: "The payment was taken back by the bank.",
}
_PAID_WITH: Final = {
    ProviderName.DEMO: "Demonstration: no money moved",
    ProviderName.VOUCHER: "A voucher",
    ProviderName.TRIAL: "Free, once for each person",
    ProviderName.MANUAL: "Given by the operator",
}
_HOW: Final = {
    OrderState.CREATED: "Not paid yet",
    OrderState.PENDING: "The payment is on its way",
    OrderState.EXPIRED: "Not paid in time",
    OrderState.CANCELLED: "Cancelled",
}
_HOW_GIVEN: Final = {
    ProviderName.VOUCHER: "Voucher",
    ProviderName.TRIAL: "Free trial",
    ProviderName.MANUAL: "Given by the operator",
}
_AND_THEN: Final = {
    OrderState.REFUNDED: " · refunded",
    OrderState.DISPUTED: " · disputed",
    OrderState.LOST: " · taken back by the bank",
}
_GIVEN: Final = {
    ProviderName.VOUCHER: "A voucher paid for it. What it bought is on your account.",
    ProviderName.TRIAL: "Free of charge. It is on your account.",
    ProviderName.MANUAL: "The operator of this site gave it to you.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderWords:
    """An order, as its receipt says it."""

    headline: str
    """What was paid; where that is nothing, what was got."""
    price: str
    sentence: str
    how: str
    """The same in a few words, for a line."""
    gives: str
    paid_with: str
    refunded: str
    """Empty when nothing was."""
    taken_back: str


def order_words(order: OrderView) -> OrderWords:
    """What the receipt of an order says."""
    is_given = order.state is OrderState.FULFILLED
    sentence = _GIVEN.get(order.provider) if is_given else None
    price = format_price(order.amount_minor, order.currency)
    refunded = format_price(order.refunded_minor, order.currency) if order.refunded_minor else ""
    got = gives(order.kind, order.credits, order.duration_s)
    return OrderWords(
        headline=price if order.amount_minor else got,
        price=price,
        sentence=sentence or _SENTENCES[order.state],
        how=_how(order, price, refunded),
        gives=got,
        paid_with=_PAID_WITH[order.provider],
        refunded=refunded,
        taken_back=_amount(order, order.taken_back) if order.taken_back else "",
    )


def _how(order: OrderView, price: str, refunded: str) -> str:
    if order.state in _HOW:
        return _HOW[order.state]
    how = _HOW_GIVEN.get(order.provider, f"Bought for {price}")
    if order.state is OrderState.PARTIALLY_REFUNDED:
        return f"{how} · {refunded} refunded"
    return how + _AND_THEN.get(order.state, "")


def _amount(order: OrderView, amount: int) -> str:
    return span(amount) if order.kind is PlanKind.TIME else credits_written(MilliCredits(amount))
