"""What is on offer, as the catalogue in the chat draws it: every price and word decided here."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from host.api.catalogue_views import proxy_url
from host.api.views import View
from host.catalogue.currencies import format_price
from host.catalogue.showing import Shown, day_words, left_words, shown_to
from host.language import _
from host.pages.plan_words import plan_gives, terms
from storage.cards import PlanView
from storage.credits import MilliCredits
from storage.models.catalogue import PlanKind
from storage.shelf import Possessions, Shelf

TAGS_MAX = 12
"""Tags to choose from above the cards: more of them than cards would help nobody."""


class Way(StrEnum):
    """How somebody gets a plan."""

    TRY = "try"
    FREE = "free"
    PAY = "pay"
    ASK = "ask"
    HAD = "had"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What of a host decides how it sells."""

    public_url: str
    takes_payments: bool


class BadgeView(View):
    """A few words on the corner of a card."""

    tone: str
    text: str


class ShownOffering(View):
    """One card."""

    slug: str
    kind: str
    title: str
    description: str
    tags: list[str]
    price: str
    buys: str
    badge: BadgeView | None
    is_mine: bool
    is_paused: bool
    plans: list[str]
    """Plans that would bring it, by slug, the free ones first."""
    proxy_url: str | None
    """Where programs call it; only of a service that is theirs."""


class ShownPlan(View):
    """One way to come by offerings."""

    slug: str
    title: str
    description: str
    gives: str
    price: str
    terms: str
    way: Way
    note: str
    """What somebody who has it, or had it, is to know."""
    covers: list[str]
    """Offerings, by slug."""


class CatalogueView(View):
    """Everything on offer, to one person."""

    offerings: list[ShownOffering]
    plans: list[ShownPlan]
    tags: list[str]


def catalogue_view(
    shelf: Shelf, mine: Possessions, account_id: int, place: Place
) -> CatalogueView:
    """The catalogue as this person sees it."""
    shown = shown_to(shelf, mine, account_id)
    covers: dict[int, list[str]] = {}
    for one in shown:
        for plan_id in one.item.plan_ids:
            covers.setdefault(plan_id, []).append(one.item.slug)
    return CatalogueView(
        offerings=[_offering(one, place.public_url) for one in shown],
        plans=[
            _plan(plan, covers[plan.id], mine, place)
            for plan in shelf.plans.values()
            if plan.id in covers
        ],
        tags=_tags(shown),
    )


def _offering(shown: Shown, public_url: str) -> ShownOffering:
    item, badge = shown.item, shown.badge
    is_service = item.kind == "service"
    return ShownOffering(
        slug=item.slug,
        kind=item.kind,
        title=item.title,
        description=item.description,
        tags=list(item.tags),
        price=shown.price,
        buys=shown.buys,
        badge=None if badge is None else BadgeView(tone=badge.tone, text=badge.text),
        is_mine=shown.is_mine,
        is_paused=item.is_paused,
        plans=[plan.slug for plan in shown.plans],
        proxy_url=proxy_url(public_url, item.slug) if is_service and shown.is_mine else None,
    )


def _plan(plan: PlanView, covers: Sequence[str], mine: Possessions, place: Place) -> ShownPlan:
    return ShownPlan(
        slug=plan.slug,
        title=plan.title,
        description=plan.description,
        gives=plan_gives(plan),
        price=format_price(plan.version.price_minor, plan.version.currency),
        terms=terms(plan),
        way=_way(plan, mine, place),
        note=_note(plan, mine),
        covers=list(covers),
    )


def _way(plan: PlanView, mine: Possessions, place: Place) -> Way:
    if not plan.is_free:
        return Way.PAY if place.takes_payments else Way.ASK
    if plan.id in mine.had:
        return Way.HAD
    return Way.TRY if plan.version.is_trial else Way.FREE


def _note(plan: PlanView, mine: Possessions) -> str:
    until = mine.runs_until.get(plan.id)
    if until is None or plan.is_free:
        return ""
    if plan.version.kind is PlanKind.TIME:
        return _(
            "Yours until {day}; getting it again adds {gives}.",
            day=day_words(until),
            gives=plan_gives(plan),
        )
    left = next((line.available for line in mine.balances if line.plan_id == plan.id), 0)
    if not left:
        return ""
    return _(
        "{left}; getting it again adds {gives}.",
        left=left_words(MilliCredits(left)),
        gives=plan_gives(plan),
    )


def _tags(shown: Sequence[Shown]) -> list[str]:
    """The tags that most offerings have, those first."""
    counted = Counter(tag for one in shown for tag in one.item.tags)
    return [
        tag for tag, _number in sorted(counted.items(), key=lambda t: (-t[1], t[0]))[:TAGS_MAX]
    ]
