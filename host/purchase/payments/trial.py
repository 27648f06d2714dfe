"""A plan that costs nothing: one takes it by oneself, once for each person."""

from typing import ClassVar

from typing_extensions import override

from host.purchase.payments.base import PaymentProvider
from storage.cards import PlanVersionView
from storage.models.money import GrantSource
from storage.order_states import ProviderName


class TrialPayments(PaymentProvider):
    """Takes no money: its orders are fulfilled at once."""

    name: ClassVar[ProviderName] = ProviderName.TRIAL
    source: ClassVar[GrantSource] = GrantSource.TRIAL

    @override
    def asks(self, terms: PlanVersionView) -> int:
        """Nothing."""
        return 0

    @override
    def pay_path(self, order_id: str) -> None:
        """None: there is nothing to pay."""
