"""What using an offering costs, and how much of it credits buy, in words.

An assistant is paid for by the message, a service by the call: each has phrases of its own, since
not every language would take the one for the other.
"""

from typing import Final

from host.language import _, _n
from host.writing import amount, credits_written
from storage.models.catalogue import OfferingKind

SEVERAL: Final = 2
"""A number that is not one, for words about a range."""


def price_of_one(kind: OfferingKind, least: int, most: int) -> str:
    """`5 credits per message`; `1–2 credits per call` where calls differ; `Free`."""
    if not most:
        return _("Free")
    price = credits_written(most)
    if least != most:
        price = f"{amount(least)}–{price}"
    if kind is OfferingKind.ASSISTANT:
        return _("{price} per message", price=price)
    return _("{price} per call", price=price)


def so_many(kind: OfferingKind, number: int) -> str:
    """`1 message`, `20 calls`."""
    return _worded(kind, number, str(number))


def between(kind: OfferingKind, least: int, most: int) -> str:
    """`20 messages`, `50–100 calls`."""
    return so_many(kind, most) if least == most else _worded(kind, SEVERAL, f"{least}–{most}")


def at_least(kind: OfferingKind, number: int) -> str:
    """`50 or more calls`."""
    if kind is OfferingKind.ASSISTANT:
        return _("{n} or more messages", n=number)
    return _("{n} or more calls", n=number)


def _worded(kind: OfferingKind, count: int, number: str) -> str:
    if kind is OfferingKind.ASSISTANT:
        return _n("{n} message", "{n} messages", count, n=number)
    return _n("{n} call", "{n} calls", count, n=number)
