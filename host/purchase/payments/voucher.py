"""A voucher: somebody paid before, outside, and what that was is not known here."""

from typing import ClassVar

from typing_extensions import override

from host.purchase.payments.base import PaymentProvider
from storage.cards import PlanVersionView
from storage.models.money import GrantSource
from storage.order_states import ProviderName


class VoucherPayments(PaymentProvider):
    """Takes no money: its orders are fulfilled at once."""

    name: ClassVar[ProviderName] = ProviderName.VOUCHER
    source: ClassVar[GrantSource] = GrantSource.VOUCHER

    @override
    def asks(self, terms: PlanVersionView) -> int:
        """Nothing."""
        return 0

    @override
    def pay_path(self, order_id: str) -> None:
        """None: there is nothing to pay."""
