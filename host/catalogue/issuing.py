"""Who gets an access token, on what terms: one rule for the API, the page and the command line.

Whoever once had a plan that covers the offering gets one, and its owner. Whether a call is then
paid for is asked at each call. How the token is made and checked is `host.identity.access_tokens`.
"""

from dataclasses import dataclass
from typing import Final

from host.catalogue.catalogue import Catalogue
from host.errors import InvalidInput, NotInPlan
from host.identity.access_tokens import DAYS_MAX, AccessTokens
from host.language import _
from storage.cards import OfferingCard

NAME_MAX: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedToken:
    """An access token that somebody asks for."""

    account_id: int
    slug: str
    days: int
    name: str


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """What was issued, to be shown once, and for which offering."""

    encoded: str
    offering: OfferingCard
    days: int


async def issue_access_token(
    catalogue: Catalogue, access_tokens: AccessTokens, wanted: WantedToken, *, actor: int | None
) -> IssuedToken:
    """Issue what is wanted.

    Raises:
        UnknownOffering: there is none of that name, or it is a draft of somebody else.
        NotInPlan: no plan of this account ever covered it.
        InvalidInput: the name or the number of days does not follow its rule.
    """
    name = _checked_name(wanted.name)
    if not 1 <= wanted.days <= DAYS_MAX:
        raise InvalidInput(
            _("An access token may last 1 to {most} days, such as 30.", most=DAYS_MAX),
            facts={"field": "days"},
        )
    card = await catalogue.find_visible(wanted.slug, wanted.account_id)
    standing = await catalogue.standing(wanted.account_id, card.id)
    if card.owner_id != wanted.account_id and not standing.entitlement.had_plan:
        raise NotInPlan(
            _("No plan of this account covers {offering}. Get one first.", offering=card.title),
            facts={"field": "offering"},
        )
    encoded = await access_tokens.issue(
        wanted.account_id, card.id, days=wanted.days, name=name, actor=actor
    )
    return IssuedToken(encoded, card, wanted.days)


async def replace_access_token(
    catalogue: Catalogue, access_tokens: AccessTokens, jti: str, *, account_id: int
) -> IssuedToken:
    """A new access token in place of this account's own one, which is good for a day yet.

    Raises:
        UnknownAddress: the account has no live access token of this number.
        InvalidInput: it was replaced already.
    """
    encoded, old = await access_tokens.replace(jti, account_id=account_id, actor=account_id)
    return IssuedToken(encoded, await catalogue.get_offering(old.offering_id), old.days)


def _checked_name(written: str) -> str:
    name = " ".join(written.split())
    if len(name) > NAME_MAX or not name.isprintable():
        raise InvalidInput(
            _("Use at most {most} characters, such as: laptop.", most=NAME_MAX),
            facts={"field": "name"},
        )
    return name
