"""A plan in words, for every page that shows one: what it gives, costs, covers and buys."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from host.catalogue.prices import price_of_one, so_many
from host.language import _, _n
from host.writing import credits_written
from storage.cards import OfferingCard, PlanView
from storage.credits import MilliCredits
from storage.models.catalogue import OfferingKind, PlanKind

DAY_S: Final = 86_400
HOUR_S: Final = 3_600
MINUTE_S: Final = 60


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
    if version.kind is PlanKind.TIME:
        lasts = _("What it covers is included for that time.")
    elif version.duration_s is None:
        lasts = _("The credits do not expire.")
    else:
        lasts = _("The credits can be used for {time}.", time=span(version.duration_s))
    return _("Once for each person.") + f" {lasts}" if plan.is_free else lasts


def span(seconds: int) -> str:
    """A length of time in the largest unit that divides it: `7 days`, `36 hours`."""
    if seconds % DAY_S == 0:
        number = seconds // DAY_S
        return _n("{n} day", "{n} days", number, n=number)
    if seconds % HOUR_S == 0:
        number = seconds // HOUR_S
        return _n("{n} hour", "{n} hours", number, n=number)
    if seconds % MINUTE_S == 0:
        number = seconds // MINUTE_S
        return _n("{n} minute", "{n} minutes", number, n=number)
    return _n("{n} second", "{n} seconds", seconds, n=seconds)


def cover_line(card: OfferingCard, plan: PlanView) -> CoverLine:
    """An offering and its price, as it stands on the page of this plan."""
    if card.service is None:
        prices = [card.price]
    else:
        prices = sorted({end.price for end in card.service.endpoints if not end.is_open})
    is_time = plan.version.kind is PlanKind.TIME
    return CoverLine(
        title=card.title,
        description=card.description,
        price=_("Included") if is_time else _price(card.kind, prices),
        buys="" if is_time else _buys(card.kind, prices, plan.version.credits),
    )


def first_assistant(covered: Iterable[OfferingCard]) -> OfferingCard | None:
    """The assistant to open when somebody got the plan."""
    return next((card for card in covered if card.kind is OfferingKind.ASSISTANT), None)


def _price(kind: OfferingKind, prices: list[MilliCredits]) -> str:
    """From the lowest to the highest; a service of open endpoints alone has none."""
    return price_of_one(kind, prices[0], prices[-1]) if prices else _("Free")


def _buys(kind: OfferingKind, prices: list[MilliCredits], credits_: MilliCredits) -> str:
    """How far the credits go here; at the highest price where calls differ."""
    if not prices or not prices[-1]:
        return ""
    fewest = so_many(kind, credits_ // prices[-1])
    return fewest if prices[0] == prices[-1] else _("at least {so_many}", so_many=fewest)
