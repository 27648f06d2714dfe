"""What is on sale, as programs read it: plans and offerings."""

from host.api.views import Credits, View
from host.errors import credits_number
from storage.cards import OfferingCard, PlanView


class PlanOnSale(View):
    """A plan and its terms."""

    slug: str
    title: str
    description: str
    kind: str
    price_minor: int
    currency: str
    credits: Credits | None
    duration_s: int | None
    is_trial: bool


class OfferingOnSale(View):
    """An offering, what it costs and the plans that cover it."""

    slug: str
    kind: str
    title: str
    description: str
    tags: list[str]
    state: str
    price: Credits
    plans: list[str]
    proxy_url: str


def plan_view(plan: PlanView) -> PlanOnSale:
    """A plan on the terms it is sold on now."""
    terms = plan.version
    return PlanOnSale(
        slug=plan.slug,
        title=plan.title,
        description=plan.description,
        kind=terms.kind,
        price_minor=terms.price_minor,
        currency=terms.currency,
        credits=credits_number(terms.credits) if terms.credits else None,
        duration_s=terms.duration_s,
        is_trial=terms.is_trial,
    )


def offering_view(card: OfferingCard, public_url: str) -> OfferingOnSale:
    """An offering as anybody may see it."""
    return OfferingOnSale(
        slug=card.slug,
        kind=card.kind,
        title=card.title,
        description=card.description,
        tags=list(card.tags),
        state=card.state,
        price=credits_number(card.price),
        plans=[plan.slug for plan in card.plans if plan.is_sold],
        proxy_url=proxy_url(public_url, card.slug),
    )


def proxy_url(public_url: str, slug: str) -> str:
    """Where an offering is called."""
    return f"{public_url}/s/{slug}"
