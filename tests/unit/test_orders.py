"""What may become of an order: the whole table, and nothing besides."""

from itertools import product

import pytest

from host.purchase.orders import (
    GIVEN,
    ORDER_TRANSITIONS,
    OrderClosedError,
    OrderStep,
    next_state,
)
from storage.order_states import OrderState

S, E = OrderState, OrderStep
AFTER_PAYMENT = (S.FULFILLED, S.PARTIALLY_REFUNDED, S.WON)
TABLE = {
    (S.CREATED, E.COMPLETE_CHECKOUT): S.PENDING,
    (S.CREATED, E.CONFIRM_PAYMENT): S.PAID,
    (S.PENDING, E.CONFIRM_PAYMENT): S.PAID,
    (S.EXPIRED, E.CONFIRM_PAYMENT): S.PAID,
    (S.CREATED, E.EXPIRE): S.EXPIRED,
    (S.CREATED, E.CANCEL): S.CANCELLED,
    (S.PENDING, E.FAIL_PAYMENT): S.CANCELLED,
    (S.PAID, E.FULFIL): S.FULFILLED,
    (S.PAID, E.REFUND_ALL): S.REFUNDED,
    **{(state, E.REFUND_PART): S.PARTIALLY_REFUNDED for state in AFTER_PAYMENT},
    **{(state, E.REFUND_ALL): S.REFUNDED for state in AFTER_PAYMENT},
    (S.FULFILLED, E.DISPUTE): S.DISPUTED,
    (S.PARTIALLY_REFUNDED, E.DISPUTE): S.DISPUTED,
    (S.DISPUTED, E.WIN): S.WON,
    (S.DISPUTED, E.LOSE): S.LOST,
}


@pytest.mark.parametrize(("state", "step"), list(product(OrderState, OrderStep)))
def test_every_step_from_every_state_leads_where_the_table_says_or_nowhere(
    state: OrderState, step: OrderStep
) -> None:
    if (state, step) in TABLE:
        assert next_state(state, step) is TABLE[state, step]
        return
    with pytest.raises(OrderClosedError, match=state):
        next_state(state, step)


@pytest.mark.parametrize("state", [S.REFUNDED, S.CANCELLED, S.LOST])
def test_what_is_over_stays_over(state: OrderState) -> None:
    assert not [step for before, step in ORDER_TRANSITIONS if before is state]


def test_what_was_given_never_becomes_ungiven() -> None:
    for (before, _), after in ORDER_TRANSITIONS.items():
        assert before not in GIVEN or after in GIVEN
