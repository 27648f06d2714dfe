"""The words for where an order is and who took its money, as they are stored."""

from enum import StrEnum


class OrderState(StrEnum):
    """Where an order is; `host.purchase.orders` has the table of what may become of it."""

    CREATED = "created"
    PENDING = "pending"
    PAID = "paid"
    FULFILLED = "fulfilled"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    DISPUTED = "disputed"
    WON = "won"
    LOST = "lost"


class ProviderName(StrEnum):
    """Who took the money, or stands for why none was taken."""

    MANUAL = "manual"
    VOUCHER = "voucher"
    TRIAL = "trial"
    DEMO = "demo"
