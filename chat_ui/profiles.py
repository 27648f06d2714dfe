"""Whom somebody can talk to: the assistants they bought, Home, and for builders the setup bot.

The picker is a convenience and no permission: a browser may name any profile, so every message is
checked again, by `host.runs` for assistants and here for the setup bot.
"""

from typing import Final

from chainlit.types import ChatProfile

from chat_ui import cards
from chat_ui.wiring import wiring
from chat_ui.wording import WaysIn
from storage import chat_history
from storage.cards import PurchasedOffering
from storage.models.accounts import Role
from storage.models.catalogue import OfferingKind, OfferingState

REMEMBERED: Final = 10_000
"""People whose last `/a/…` link is remembered; a hint only, so the oldest may go."""

_preferred: dict[int, str] = {}


def prefer(account_id: int, slug: str) -> None:
    """Open the chat on this assistant next time, if it is theirs."""
    _preferred.pop(account_id, None)
    _preferred[account_id] = slug
    while len(_preferred) > REMEMBERED:
        del _preferred[next(iter(_preferred))]


async def assistants_of(account_id: int) -> list[PurchasedOffering]:
    """The assistants that somebody has a plan for."""
    purchased = await wiring.host.catalogue.purchased(account_id)
    return [one for one in purchased if one.offering.kind is OfferingKind.ASSISTANT]


async def ways_in(account_id: int) -> WaysIn:
    """How somebody can come by an assistant: plans, trials first, then the cheapest.

    Without the trials they have had: there is no second one.
    """
    got = await wiring.host.catalogue.subscriptions(account_id)
    had = {one.plan_id for one in got}
    offerings = await wiring.host.catalogue.offerings(state=OfferingState.PUBLISHED)
    assistants = [one for one in offerings if one.kind is OfferingKind.ASSISTANT]
    plans = {plan.id: plan for one in assistants for plan in one.plans if plan.is_sold}
    open_to_them = [p for p in plans.values() if not (p.version.is_trial and p.id in had)]
    open_to_them.sort(key=lambda p: (not p.version.is_trial, p.version.price_minor, p.title))
    lost = [one for one in got if one.is_cancelled]
    return WaysIn(open_to_them, max(lost, key=lambda one: one.ends_at, default=None))


async def profiles_of(account_id: int, roles: frozenset[Role]) -> list[ChatProfile]:
    """The picker's entries; the one to open first is marked."""
    assistants = await assistants_of(account_id)
    first = await _first(account_id, {one.offering.slug for one in assistants})
    if first is None and assistants:
        first = assistants[0].offering.slug
    profiles = [
        cards.assistant_profile(one, is_default=one.offering.slug == first) for one in assistants
    ]
    is_builder, has_none = Role.BUILDER in roles, not assistants
    ways = await ways_in(account_id) if has_none else None
    profiles.append(cards.home_profile(ways, is_default=has_none and not is_builder))
    if is_builder:
        profiles.append(cards.setup_profile(is_default=has_none))
    return profiles


async def _first(account_id: int, slugs: set[str]) -> str | None:
    """The assistant asked for by link, or else the one talked to last."""
    asked_for = _preferred.get(account_id)
    if asked_for in slugs:
        return asked_for
    last = await wiring.host.database.read(
        lambda s: chat_history.last_offering_slug(s, account_id)
    )
    return last if last in slugs else None
