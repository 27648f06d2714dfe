"""A pay page of our own on which no money moves: for demonstrations and tests, never production.

It behaves as a hosted checkout does: a page with Pay, Decline and Close, told about once or often,
in time or late. The page itself is `host.pages.pay`.
"""

from typing import ClassVar

from typing_extensions import override

from host.purchase.payments.base import PaymentProvider
from storage.cards import PlanVersionView
from storage.models.money import GrantSource
from storage.order_states import ProviderName


class DemoPayments(PaymentProvider):
    """Asks the plan's price and believes whoever presses Pay."""

    name: ClassVar[ProviderName] = ProviderName.DEMO
    source: ClassVar[GrantSource] = GrantSource.ORDER

    @override
    def asks(self, terms: PlanVersionView) -> int:
        """The price."""
        return terms.price_minor

    @override
    def pay_path(self, order_id: str) -> str:
        """The page of this order."""
        return f"/pay/{order_id}"
