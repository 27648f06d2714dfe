"""A plan's own page, where every refusal for want of a plan or of credits leads.

It says what the plan gives, costs and covers, and how to get it: a trial at the press of a button,
anything else from the operator, because taking payments is not part of this version. Whether
somebody may have a plan is decided by `host.catalogue.subscribing`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from host.catalogue.currencies import format_money
from host.catalogue.offering_fields import shown
from host.catalogue.subscribing import SubscribeRequest
from host.errors import NotSignedIn, UnknownPlan
from host.identity.login_sessions import Visitor
from host.pages.parts import PageHost
from host.pages.rendering import Renderer, go
from host.pages.requests import HOME
from storage.cards import OfferingCard, PlanView
from storage.credits import MilliCredits, credits_written, format_credits
from storage.models.catalogue import OfferingKind, OfferingState, PlanKind
from storage.models.money import GrantSource

SPANS: Final = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverLine:
    """One offering that a plan covers, and what using it costs then."""

    title: str
    description: str
    price: str


class BuyPages:
    """The page of one plan, and its button."""

    def __init__(self, host: PageHost, renderer: Renderer) -> None:
        self._host = host
        self._renderer = renderer

    async def show(self, request: Request) -> Response:
        """The plan, and how to get it."""
        visitor = await self._visitor(request)
        if visitor is None:
            raise NotSignedIn("Sign in to see this plan.")
        plan = await self._plan(request)
        covered = await self._covered(plan)
        got = await self._host.catalogue.subscriptions(visitor.account_id)
        now = self._host.clock.now()
        of_this = [one for one in got if one.plan_id == plan.id]
        known = {one.plan_id for one in got}
        return self._renderer.page(
            "buy.html",
            visitor=visitor,
            plan=plan,
            gives=gives(plan),
            terms=terms(plan),
            covers=[cover_line(card, plan.version.kind) for card in covered],
            was_had=bool(of_this),
            is_running=any(
                not one.is_cancelled and one.starts_at <= now < one.ends_at for one in of_this
            ),
            opens=_first_assistant(covered),
            trials=[] if plan.version.is_trial else _trials(covered, known),
        )

    async def start_trial(self, request: Request) -> Response:
        """Take a trial for oneself and go to what it is for."""
        visitor, plan = await self._visitor(request), await self._plan(request)
        here = f"/buy/{plan.slug}"
        if visitor is None:
            return go(here)  # which asks them to sign in, and brings them back
        taken = await self._host.catalogue.subscribe(
            visitor.account_id,
            SubscribeRequest(
                account_id=visitor.account_id,
                plan_slug=plan.slug,
                source=GrantSource.TRIAL,
                source_ref=plan.slug,
            ),
        )
        if not taken.is_new:
            return go(here)
        opens = _first_assistant(await self._covered(plan))
        return go(HOME if opens is None else f"/a/{opens.slug}")

    async def _visitor(self, request: Request) -> Visitor | None:
        sessions = self._host.login_sessions
        return await sessions.find(sessions.read_cookie(request.headers.raw))

    async def _plan(self, request: Request) -> PlanView:
        slug: str = request.path_params["slug"]
        plan = await self._host.catalogue.find_plan(slug)
        if not plan.is_sold:
            raise UnknownPlan(f"The plan “{shown(plan.title)}” is no longer offered.")
        return plan

    async def _covered(self, plan: PlanView) -> list[OfferingCard]:
        cards = await self._host.catalogue.offerings(state=OfferingState.PUBLISHED)
        return [card for card in cards if any(one.id == plan.id for one in card.plans)]


def gives(plan: PlanView) -> str:
    """What the plan gives: `100 credits`, or `7 days`."""
    version = plan.version
    if version.kind is PlanKind.TIME:
        return span(version.duration_s or 0)
    return credits_written(version.credits)


def terms(plan: PlanView) -> str:
    """What it costs, and how long what it gives may be used."""
    version = plan.version
    price = format_money(version.price_minor, version.currency) if version.price_minor else "Free"
    once = ", once for each person" if version.is_trial else ""
    if version.kind is PlanKind.TIME:
        lasts = "What it covers is included for that time."
    elif version.duration_s is None:
        lasts = "The credits do not expire."
    else:
        lasts = f"The credits can be used for {span(version.duration_s)}."
    return f"{price}{once}. {lasts}"


def span(seconds: int) -> str:
    """A length of time in the largest unit that divides it: `7 days`, `36 hours`."""
    size, unit = next(((size, unit) for size, unit in SPANS if seconds % size == 0), SPANS[-1])
    number = seconds // size
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def cover_line(card: OfferingCard, kind: PlanKind) -> CoverLine:
    """An offering and its price, as it stands on the page of a plan of this kind."""
    unit = "message" if card.kind is OfferingKind.ASSISTANT else "call"
    if card.service is None:
        prices = [card.price]
    else:
        prices = sorted({end.price for end in card.service.endpoints if not end.is_open})
    price = "Included" if kind is PlanKind.TIME else _price(prices, unit)
    return CoverLine(title=card.title, description=card.description, price=price)


def _price(prices: list[MilliCredits], unit: str) -> str:
    """`5 credits per message`; `1–2 credits per call` where calls differ."""
    if not prices or not prices[-1]:
        return "Free"
    if prices[0] == prices[-1]:
        return f"{credits_written(prices[0])} per {unit}"
    return f"{format_credits(prices[0])}–{credits_written(prices[-1])} per {unit}"


def _first_assistant(covered: Iterable[OfferingCard]) -> OfferingCard | None:
    return next((card for card in covered if card.kind is OfferingKind.ASSISTANT), None)


def _trials(covered: Iterable[OfferingCard], known: set[int]) -> list[PlanView]:
    """Trials of the same things that this person has not had yet."""
    plans = {plan.id: plan for card in covered for plan in card.plans}
    wanted = [p for p in plans.values() if p.is_sold and p.version.is_trial and p.id not in known]
    return sorted(wanted, key=lambda plan: plan.title)
