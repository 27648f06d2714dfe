"""How an offering is shown to one person before anything is chosen: decided from facts, no I/O.

What a message costs, what a hundred credits buy, what somebody has of it already, and which plans
would bring it: said here once for the catalogue in the chat, for its search and for programs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from host.catalogue.prices import at_least, between, price_of_one
from host.language import N_, _, _n
from host.writing import counted, credits_written, day
from storage.cards import PlanView, Standing
from storage.credits import PER_CREDIT, MilliCredits
from storage.moments import NEVER, Micros
from storage.shelf import Possessions, Shelf, ShelfItem

EXAMPLE: Final = MilliCredits(100 * PER_CREDIT)
"""In `100 credits = 20 messages`: a round number that most packs have."""
TIME_ALONE: Final = N_("Included while its plan runs")
"""Where a price in credits would say nothing, because no plan for it gives any."""


class Tone(StrEnum):
    """What a badge is about."""

    MINE = "mine"
    TRY = "try"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Badge:
    """A few words on the corner of a card."""

    tone: Tone
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One offering, as one person sees it."""

    item: ShelfItem
    price: str
    buys: str
    """What a hundred credits buy; empty where credits buy nothing of it."""
    badge: Badge | None
    is_mine: bool
    """Whether a message or call could begin now, were it paid for: a plan of theirs runs."""
    plans: tuple[PlanView, ...]
    """Plans that would bring it, the free ones first, then the cheapest; no free one twice."""


def shown_to(shelf: Shelf, mine: Possessions, account_id: int) -> tuple[Shown, ...]:
    """What this person sees, theirs first; what is paused, only if they have or had it."""
    shown = [
        _shown(item, shelf, mine, account_id)
        for item in shelf.items
        if not item.is_paused or item.id in mine.standings
    ]
    return tuple(sorted(shown, key=lambda one: not one.is_mine))


def plans_for(item: ShelfItem, shelf: Shelf, mine: Possessions) -> tuple[PlanView, ...]:
    """The plans that would bring this offering to somebody who has what they have."""
    plans = [shelf.plans[plan_id] for plan_id in item.plan_ids]
    open_to_them = [p for p in plans if not (p.is_free and p.id in mine.had)]
    return tuple(sorted(open_to_them, key=_free_first))


def price_words(item: ShelfItem) -> str:
    """What one message or call costs: `5 credits per message`, `1–2 credits per call`."""
    return price_of_one(item.kind, item.least, item.most)


def buys_words(item: ShelfItem) -> str:
    """`100 credits = 20 messages`."""
    if not item.most:
        return ""
    least = EXAMPLE // item.most
    if item.least:
        bought = between(item.kind, least, EXAMPLE // item.least)
    else:
        bought = at_least(item.kind, least)
    return f"{credits_written(EXAMPLE)} = {bought}"


def left_words(available: MilliCredits) -> str:
    """`95 credits left`."""
    return _n(
        "{credits} left", "{credits} left", counted(available), credits=credits_written(available)
    )


def day_words(moment: Micros) -> str:
    """`27 Nov 2026`, or that it never comes."""
    return _("never") if moment >= NEVER else day(moment)


def _shown(item: ShelfItem, shelf: Shelf, mine: Possessions, account_id: int) -> Shown:
    plans = plans_for(item, shelf, mine)
    standing = mine.standings.get(item.id)
    takes_credits = _takes_credits(item, plans, standing)
    return Shown(
        item=item,
        price=price_words(item) if takes_credits else _(TIME_ALONE),
        buys=buys_words(item) if takes_credits else "",
        badge=_badge(item, plans, standing, account_id),
        is_mine=standing is not None and standing.entitlement.is_running,
        plans=plans,
    )


def _takes_credits(item: ShelfItem, plans: Sequence[PlanView], standing: Standing | None) -> bool:
    """Whether somebody can have credits for it at all: some things come with a pass alone."""
    has_some = standing is not None and bool(standing.available)
    return not plans or has_some or not item.most or any(plan.version.credits for plan in plans)


def _badge(
    item: ShelfItem, plans: Sequence[PlanView], standing: Standing | None, account_id: int
) -> Badge | None:
    if item.is_paused:
        return Badge(Tone.OVER, _("Paused by its builder"))
    if standing is not None and standing.entitlement.is_running:
        return Badge(Tone.MINE, _what_is_left(standing))
    if item.owner_id == account_id:
        return Badge(Tone.MINE, _("Made by you"))
    if any(plan.is_free for plan in plans):
        return Badge(Tone.TRY, _("Free to try"))
    return None if standing is None else Badge(Tone.OVER, _("Your plan has ended"))


def _what_is_left(standing: Standing) -> str:
    until = standing.entitlement.included_until
    if until is None:
        left = left_words(standing.available)
        return left[:1].upper() + left[1:]  # not everywhere does it begin with a number
    return _("Included until {day}", day=day_words(until))


def _free_first(plan: PlanView) -> tuple[bool, int, str]:
    return (not plan.is_free, plan.version.price_minor, plan.title)
