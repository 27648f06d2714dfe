"""A plan's own page, where every refusal for want of a plan or of credits leads.

It says what the plan gives, costs, covers and buys, and how to get it: what is free at the press
of a button, anything else on the pay page, or, where nobody takes payments, by a voucher or from
the operator. The form carries a key that is used once, so that pressing twice orders once. Whether
somebody may have a plan is decided by `host.purchase`.
"""

from collections.abc import Iterable, Set
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from host.catalogue.currencies import format_price
from host.errors import AlreadyHad, MalformedRequest, NotSignedIn
from host.identity.login_sessions import Visitor
from host.language import _
from host.pages.parts import PageHost
from host.pages.plan_words import cover_line, first_assistant, plan_gives, terms
from host.pages.rendering import Renderer, go
from host.pages.requests import HOME, local_path, read_form
from host.purchase.ordering import WantedOrder, no_longer_offered
from storage.cards import OfferingCard, PlanView, SubscriptionView
from storage.ids import is_id, new_id
from storage.models.catalogue import OfferingState, PlanKind
from storage.moments import Micros

RETURN_MAX: Final = 500


class BuyPages:
    """The page of one plan, and its button."""

    def __init__(self, host: PageHost, renderer: Renderer) -> None:
        self._host = host
        self._renderer = renderer

    async def show(self, request: Request) -> Response:
        """The plan, and how to get it."""
        visitor = await self._visitor(request)
        if visitor is None:
            raise NotSignedIn(_("Sign in to see this plan."))
        plan = await self._plan(request)
        covered = await covered_by(self._host, plan.id)
        got = await self._host.catalogue.subscriptions(visitor.account_id)
        now = self._host.clock.now()
        of_this = [one for one in got if one.plan_id == plan.id]
        had_before = await self._host.purchases.had_before(visitor.account_id)
        return self._renderer.page(
            "buy.html",
            visitor=visitor,
            plan=plan,
            gives=plan_gives(plan),
            price=format_price(plan.version.price_minor, plan.version.currency),
            terms=terms(plan),
            covers=[cover_line(card, plan) for card in covered],
            was_had=bool(of_this),
            was_had_before=plan.id in had_before,
            is_running=any(
                not one.is_cancelled and one.starts_at <= now < one.ends_at for one in of_this
            ),
            runs_until=_runs_until(plan, of_this, now),
            opens=first_assistant(covered),
            trials=(
                [] if plan.is_free else _trials(covered, had_before | {one.plan_id for one in got})
            ),
            takes_payments=self._host.purchases.takes_payments,
            key=new_id(),
            return_to=_return_to(request.query_params.get("return_to")),
        )

    async def buy(self, request: Request) -> Response:
        """Order the plan, and go where it is paid, or to what it is for."""
        visitor = await self._visitor(request)
        slug: str = request.path_params["slug"]
        if visitor is None:
            return go(f"/buy/{slug}")  # which asks them to sign in, and brings them back
        form = await read_form(request)
        if not is_id(form.get("key", "")):
            raise MalformedRequest(
                _("This form is not complete. Open the page of the plan again.")
            )
        return_to = _return_to(form.get("return_to"))
        wanted = WantedOrder(
            account_id=visitor.account_id, plan_slug=slug, key=form["key"], return_to=return_to
        )
        try:
            order = (await self._host.purchases.order(wanted)).order
        except AlreadyHad:
            return go(f"/buy/{slug}")  # which says so, and leads to what is left of it
        if order.fulfilled_at is None:
            return go(f"/pay/{order.id}")
        opens = first_assistant(await covered_by(self._host, order.plan_id))
        return go(order.return_to or (HOME if opens is None else f"/a/{opens.slug}"))

    async def _visitor(self, request: Request) -> Visitor | None:
        sessions = self._host.login_sessions
        return await sessions.find(sessions.read_cookie(request.headers.raw))

    async def _plan(self, request: Request) -> PlanView:
        slug: str = request.path_params["slug"]
        plan = await self._host.catalogue.find_plan(slug)
        if not plan.is_sold:
            raise no_longer_offered(plan)
        return plan


async def covered_by(host: PageHost, plan_id: int) -> list[OfferingCard]:
    """The published offerings that a plan covers."""
    cards = await host.catalogue.offerings(state=OfferingState.PUBLISHED)
    return [card for card in cards if any(one.id == plan_id for one in card.plans)]


def _return_to(wanted: str | None) -> str:
    """Where to go afterwards; nowhere in particular, unless it is a path of this host."""
    path = local_path((wanted or "")[:RETURN_MAX])
    return "" if path == HOME else path


def _runs_until(plan: PlanView, of_this: Iterable[SubscriptionView], now: Micros) -> Micros | None:
    """Until when a time plan runs already, from when on it would be extended."""
    ends = [one.ends_at for one in of_this if not one.is_cancelled and one.ends_at > now]
    return max(ends, default=None) if plan.version.kind is PlanKind.TIME else None


def _trials(covered: Iterable[OfferingCard], known: Set[int]) -> list[PlanView]:
    """Free plans over the same things that this person has not had yet."""
    plans = {plan.id: plan for card in covered for plan in card.plans}
    wanted = [p for p in plans.values() if p.is_sold and p.is_free and p.id not in known]
    return sorted(wanted, key=lambda plan: plan.title)
