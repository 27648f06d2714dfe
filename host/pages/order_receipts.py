"""What one purchase came to, in words for its receipt and its line in the list."""

from dataclasses import dataclass
from typing import Final

from host.catalogue.currencies import format_price
from host.language import N_, _
from host.pages.plan_words import gives, span
from host.writing import credits_written
from storage.credits import MilliCredits
from storage.models.catalogue import PlanKind
from storage.order_states import OrderState, ProviderName
from storage.orders import OrderView

_SENTENCES: Final = {
    OrderState.CREATED: N_("Not paid yet."),
    OrderState.PENDING: N_("The payment is on its way."),
    OrderState.PAID: N_("Paid; what it bought is on its way."),
    OrderState.FULFILLED: N_("Paid once. What it bought is on your account."),
    OrderState.PARTIALLY_REFUNDED: N_("Part of it was refunded."),
    OrderState.REFUNDED: N_("All of it was refunded."),
    OrderState.EXPIRED: N_("It was not paid in time. Nothing was charged."),
    OrderState.CANCELLED: N_("It was cancelled. Nothing was charged."),
    OrderState.DISPUTED: N_("The payment is disputed; what is left waits for the decision."),
    OrderState.WON: N_("Paid once. What it bought is on your account."),
    OrderState.LOST: N_("The payment was taken back by the bank."),
}
_PAID_WITH: Final = {
    ProviderName.DEMO: N_("Demonstration: no money moved"),
    ProviderName.VOUCHER: N_("A voucher"),
    ProviderName.TRIAL: N_("Free, once for each person"),
    ProviderName.MANUAL: N_("Given by the operator"),
}
_HOW: Final = {
    OrderState.CREATED: N_("Not paid yet"),
    OrderState.PENDING: N_("The payment is on its way"),
    OrderState.EXPIRED: N_("Not paid in time"),
    OrderState.CANCELLED: N_("Cancelled"),
}
_HOW_GIVEN: Final = {
    ProviderName.VOUCHER: N_("Voucher"),
    ProviderName.TRIAL: N_("Free trial"),
    ProviderName.MANUAL: N_("Given by the operator"),
}
_AND_THEN: Final = {
    OrderState.REFUNDED: N_("refunded"),
    OrderState.DISPUTED: N_("disputed"),
    OrderState.LOST: N_("taken back by the bank"),
}
_GIVEN: Final = {
    ProviderName.VOUCHER: N_("A voucher paid for it. What it bought is on your account."),
    ProviderName.TRIAL: N_("Free of charge. It is on your account."),
    ProviderName.MANUAL: N_("The operator of this site gave it to you."),
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
        sentence=_(sentence or _SENTENCES[order.state]),
        how=_how(order, price, refunded),
        gives=got,
        paid_with=_(_PAID_WITH[order.provider]),
        refunded=refunded,
        taken_back=_amount(order, order.taken_back) if order.taken_back else "",
    )


def _how(order: OrderView, price: str, refunded: str) -> str:
    if order.state in _HOW:
        return _(_HOW[order.state])
    given = _HOW_GIVEN.get(order.provider)
    how = _("Bought for {price}", price=price) if given is None else _(given)
    if order.state is OrderState.PARTIALLY_REFUNDED:
        return f"{how} · " + _("{sum} refunded", sum=refunded)
    then = _AND_THEN.get(order.state)
    return how if then is None else f"{how} · {_(then)}"


def _amount(order: OrderView, amount: int) -> str:
    return span(amount) if order.kind is PlanKind.TIME else credits_written(MilliCredits(amount))
