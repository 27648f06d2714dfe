"""A plan in words, for every page that shows one: what it gives, costs, covers and buys."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from host.writing import credits_written
from storage.cards import OfferingCard, PlanView
from storage.credits import MilliCredits, format_credits
from storage.models.catalogue import OfferingKind, PlanKind

SPANS: Final = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverLine:
    """One offering that a plan covers, what using it costs then, and how far the plan goes."""

    title: str
    description: str
    price: str
    buys: str
    """`20 messages`, if all of the plan goes there; empty where nothing is counted."""


def gives(kind: PlanKind, credits_: MilliCredits, duration_s: int | None) -> str:
    """What a plan gives: `100 credits`, or `7 days`."""
    return span(duration_s or 0) if kind is PlanKind.TIME else credits_written(credits_)


def plan_gives(plan: PlanView) -> str:
    """What a plan gives on its terms."""
    return gives(plan.version.kind, plan.version.credits, plan.version.duration_s)


def terms(plan: PlanView) -> str:
    """How long what it gives may be used, and how often it may be got."""
    version = plan.version
    once = "Once for each person. " if plan.is_free else ""
    if version.kind is PlanKind.TIME:
        lasts = "What it covers is included for that time."
    elif version.duration_s is None:
        lasts = "The credits do not expire."
    else:
        lasts = f"The credits can be used for {span(version.duration_s)}."
    return f"{once}{lasts}"


def span(seconds: int) -> str:
    """A length of time in the largest unit that divides it: `7 days`, `36 hours`."""
    size, unit = next(((size, unit) for size, unit in SPANS if seconds % size == 0), SPANS[-1])
    return counted(seconds // size, unit)


def counted(number: int, noun: str) -> str:
    """`1 message`, `20 messages`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def cover_line(card: OfferingCard, plan: PlanView) -> CoverLine:
    """An offering and its price, as it stands on the page of this plan."""
    unit = "message" if card.kind is OfferingKind.ASSISTANT else "call"
    if card.service is None:
        prices = [card.price]
    else:
        prices = sorted({end.price for end in card.service.endpoints if not end.is_open})
    is_time = plan.version.kind is PlanKind.TIME
    return CoverLine(
        title=card.title,
        description=card.description,
        price="Included" if is_time else _price(prices, unit),
        buys="" if is_time else _buys(plan.version.credits, prices, unit),
    )


def first_assistant(covered: Iterable[OfferingCard]) -> OfferingCard | None:
    """The assistant to open when somebody got the plan."""
    return next((card for card in covered if card.kind is OfferingKind.ASSISTANT), None)


def _price(prices: list[MilliCredits], unit: str) -> str:
    """`5 credits per message`; `1–2 credits per call` where calls differ."""
    if not prices or not prices[-1]:
        return "Free"
    if prices[0] == prices[-1]:
        return f"{credits_written(prices[0])} per {unit}"
    return f"{format_credits(prices[0])}–{credits_written(prices[-1])} per {unit}"


def _buys(credits_: MilliCredits, prices: list[MilliCredits], unit: str) -> str:
    """How far the credits go here; at the highest price where calls differ."""
    if not prices or not prices[-1]:
        return ""
    most = counted(credits_ // prices[-1], unit)
    return most if prices[0] == prices[-1] else f"at least {most}"
