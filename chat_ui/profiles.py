"""Whom somebody can talk to: the assistants they bought, Browse, and for builders the setup bot.

The picker is a convenience and no permission: a browser may name any profile, so every message is
checked again, by `host.runs` for assistants and here for the setup bot.
"""

from typing import Final

from chainlit.types import ChatProfile

from chat_ui import cards
from chat_ui.cards import HOME, SETUP_BOT
from chat_ui.wiring import wiring
from storage import chat_history
from storage.cards import PurchasedOffering
from storage.models.accounts import Role
from storage.models.catalogue import OfferingKind

REMEMBERED: Final = 10_000
"""People whose last `/a/…` link is remembered; a hint only, so the oldest may go."""

_preferred: dict[int, str] = {}


def prefer(account_id: int, slug: str) -> None:
    """Open the chat on this assistant next time, if it is theirs; or on Browse."""
    _preferred.pop(account_id, None)
    _preferred[account_id] = slug
    while len(_preferred) > REMEMBERED:
        del _preferred[next(iter(_preferred))]


def forget_preference(account_id: int) -> None:
    """A conversation has begun: next time it is the assistant talked to last, not the link."""
    _preferred.pop(account_id, None)


async def assistants_of(account_id: int) -> list[PurchasedOffering]:
    """The assistants that somebody has a plan for."""
    purchased = await wiring.host.catalogue.purchased(account_id)
    return [one for one in purchased if one.offering.kind is OfferingKind.ASSISTANT]


async def profiles_of(account_id: int, roles: frozenset[Role]) -> list[ChatProfile]:
    """The picker's entries; the one to open first is marked."""
    assistants = await assistants_of(account_id)
    first = await _first(account_id, {one.offering.slug for one in assistants})
    is_builder = Role.BUILDER in roles
    if first is None:
        first = assistants[0].offering.slug if assistants else SETUP_BOT if is_builder else HOME
    profiles = [
        cards.assistant_profile(one, is_default=one.offering.slug == first) for one in assistants
    ]
    profiles.append(cards.home_profile(is_default=first == HOME))
    if is_builder:
        profiles.append(cards.setup_profile(is_default=first == SETUP_BOT))
    return profiles


async def _first(account_id: int, slugs: set[str]) -> str | None:
    """What was asked for by link, or else the assistant talked to last."""
    asked_for = _preferred.get(account_id)
    if asked_for == HOME or asked_for in slugs:
        return asked_for
    last = await wiring.host.database.read(
        lambda s: chat_history.last_offering_slug(s, account_id)
    )
    return last if last in slugs else None
