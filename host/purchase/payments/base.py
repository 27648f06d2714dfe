"""What a payment provider must be: who it is, what it asks for a plan, and where one pays.

Some take money (`demo`, for demonstrations); the others stand for why nothing is to be paid here:
a trial, a voucher, the operator's own decision. A plan that is given without a payment leaves an
order all the same, so that what somebody got is one list.
"""

from typing import ClassVar, Protocol

from storage.cards import PlanVersionView
from storage.models.money import GrantSource
from storage.order_states import ProviderName


class PaymentProvider(Protocol):
    """Takes money for orders, or stands for why none is taken."""

    name: ClassVar[ProviderName]
    source: ClassVar[GrantSource]
    """Under which source the ledger knows what its orders give."""

    def asks(self, terms: PlanVersionView) -> int:
        """What is to be paid for these terms, in minor units of their currency."""
        ...

    def pay_path(self, order_id: str) -> str | None:
        """The page to pay an order on; None where nothing is to be paid."""
        ...
