"""The life of an order as a table. What is not in it cannot happen.

created → pending → paid → fulfilled → partially_refunded → REFUNDED; created → CANCELLED, and
→ expired, which a late payment still pays (docs/decisions/0017-a-late-payment-is-a-payment.md);
fulfilled → disputed → won · LOST.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from storage.moments import MINUTE
from storage.order_states import OrderState

ORDER_LIVES: Final = 30 * MINUTE
"""How long an order waits to be paid: as long as its price is promised."""


class OrderStep(StrEnum):
    """What may happen to an order."""

    COMPLETE_CHECKOUT = "complete the checkout"
    CONFIRM_PAYMENT = "be paid"
    FAIL_PAYMENT = "fail to be paid"
    EXPIRE = "expire"
    CANCEL = "be cancelled"
    FULFIL = "be fulfilled"
    REFUND_PART = "be refunded in part"
    REFUND_ALL = "be refunded"
    DISPUTE = "be disputed"
    WIN = "be decided for us"
    LOSE = "be decided against us"


_S: Final = OrderState
_STEP: Final = OrderStep
ORDER_TRANSITIONS: Final[Mapping[tuple[OrderState, OrderStep], OrderState]] = {
    (_S.CREATED, _STEP.COMPLETE_CHECKOUT): _S.PENDING,
    (_S.CREATED, _STEP.CONFIRM_PAYMENT): _S.PAID,
    (_S.PENDING, _STEP.CONFIRM_PAYMENT): _S.PAID,
    (_S.EXPIRED, _STEP.CONFIRM_PAYMENT): _S.PAID,
    (_S.CREATED, _STEP.EXPIRE): _S.EXPIRED,
    (_S.CREATED, _STEP.CANCEL): _S.CANCELLED,
    (_S.PENDING, _STEP.FAIL_PAYMENT): _S.CANCELLED,
    (_S.PAID, _STEP.FULFIL): _S.FULFILLED,
    (_S.PAID, _STEP.REFUND_ALL): _S.REFUNDED,
    (_S.FULFILLED, _STEP.REFUND_PART): _S.PARTIALLY_REFUNDED,
    (_S.PARTIALLY_REFUNDED, _STEP.REFUND_PART): _S.PARTIALLY_REFUNDED,
    (_S.WON, _STEP.REFUND_PART): _S.PARTIALLY_REFUNDED,
    (_S.FULFILLED, _STEP.REFUND_ALL): _S.REFUNDED,
    (_S.PARTIALLY_REFUNDED, _STEP.REFUND_ALL): _S.REFUNDED,
    (_S.WON, _STEP.REFUND_ALL): _S.REFUNDED,
    (_S.FULFILLED, _STEP.DISPUTE): _S.DISPUTED,
    (_S.PARTIALLY_REFUNDED, _STEP.DISPUTE): _S.DISPUTED,
    (_S.DISPUTED, _STEP.WIN): _S.WON,
    (_S.DISPUTED, _STEP.LOSE): _S.LOST,
}
UNPAID: Final = frozenset({_S.CREATED, _S.PENDING, _S.EXPIRED})
"""Nobody has paid, and a payment that comes is good."""
GIVEN: Final = frozenset(
    {_S.FULFILLED, _S.PARTIALLY_REFUNDED, _S.REFUNDED, _S.DISPUTED, _S.WON, _S.LOST}
)
"""What was ordered was given, whatever became of it since."""


class OrderClosedError(Exception):
    """That step is not in the table."""

    def __init__(self, state: OrderState, step: OrderStep) -> None:
        super().__init__(f"an order that is {state} cannot {step}")
        self.state, self.step = state, step


def next_state(state: OrderState, step: OrderStep) -> OrderState:
    """What becomes of an order.

    Raises:
        OrderClosedError: that step is not in the table.
    """
    try:
        return ORDER_TRANSITIONS[state, step]
    except KeyError:
        raise OrderClosedError(state, step) from None
