"""Which credits are spent first: what was a gift before what was paid for."""

import pytest

from host.catalogue.subscribing import FREE_FIRST, PAID_AFTER, priority_of
from storage.models.money import GrantSource


def test_a_gift_is_spent_before_what_was_paid_for() -> None:
    assert FREE_FIRST < PAID_AFTER


@pytest.mark.parametrize(
    ("source", "price_minor", "is_paid"),
    [
        (GrantSource.ORDER, 500, True),
        (GrantSource.VOUCHER, 500, True),
        (GrantSource.ORDER, 0, False),
        (GrantSource.VOUCHER, 0, False),
        (GrantSource.TRIAL, 0, False),
        (GrantSource.TRIAL, 500, False),
        (GrantSource.OPERATOR, 500, False),
    ],
)
def test_what_was_paid_for_is_what_an_order_or_voucher_bought_at_a_price(
    source: GrantSource, price_minor: int, is_paid: bool
) -> None:
    assert priority_of(source, price_minor=price_minor) == (PAID_AFTER if is_paid else FREE_FIRST)
