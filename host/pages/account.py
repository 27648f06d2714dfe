"""One's own account at a glance: what is left of each plan, what runs low, the limit for the day.

The parts of an account have pages of their own beside this one: usage, purchases, access tokens,
sign-in and one's data. All of them share a navigation, and work without a script.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from host.errors import FareboxError
from host.identity.login_sessions import Visitor
from host.metering.corrections import credits_entered
from host.pages.own import OwnPages
from host.pages.rendering import go
from host.pages.requests import read_form
from host.writing import plain_amount
from storage.cards import PurchasedOffering, SubscriptionView
from storage.charges import recent_charges
from storage.credits import BalanceMark, MilliCredits, balance_mark
from storage.ledger import PlanBalance, balances, daily_cap
from storage.models.catalogue import OfferingKind, PlanKind
from storage.moments import NEVER, Micros
from storage.standings import last_grants

CHARGES_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanLine:
    """One plan as its subscriber sees it: credits left, or time left."""

    title: str
    slug: str
    is_time: bool
    is_sold: bool
    """Whether more of it can be bought: some are given once, or no longer sold."""
    available: MilliCredits
    held: MilliCredits
    ends_at: Micros
    is_running: bool
    is_taken_back: bool

    @property
    def has_end(self) -> bool:
        """Whether it ends by time at all."""
        return self.ends_at < NEVER


@dataclass(frozen=True, slots=True, kw_only=True)
class LowLine:
    """One offering for which credits run low, or have run out."""

    title: str
    is_assistant: bool
    left: int
    """For how many more messages, or calls of a service, the credits do."""
    plan_slug: str | None
    """The plan to get more from, if one is for sale."""


class AccountPages(OwnPages):
    """The first page of an account, and the limit that is set on it."""

    async def show(self, request: Request) -> Response:
        """What one has."""
        return await self._page(await self._visitor(request))

    async def set_cap(self, request: Request) -> Response:
        """Set one's own limit for the day, or lift it."""
        visitor, form = await self._visitor(request), await read_form(request)
        written = form.get("credits", "")
        try:
            cap = None if "lift" in form else credits_entered(written, read=plain_amount)
            await self._host.corrections.set_own_cap(visitor.account_id, cap)
        except FareboxError as error:
            return await self._page(visitor, error=error, written=written)
        return go("/account#limit")

    async def _page(
        self, visitor: Visitor, *, error: FareboxError | None = None, written: str = ""
    ) -> Response:
        host, account_id, now = self._host, visitor.account_id, self._host.clock.now()
        left, cap, charges, newest = await host.database.read(
            lambda s: (
                balances(s, account_id, now),
                daily_cap(s, account_id, now),
                recent_charges(s, account_id, most=CHARGES_SHOWN),
                last_grants(s, account_id, now),
            )
        )
        purchased = await host.catalogue.purchased(account_id)
        shelf = await host.catalogue.shelf()
        sold = {plan.slug for plan in shelf.plans.values() if not plan.is_free}
        return self._renderer.page(
            "account_overview.html",
            visitor=visitor,
            plans=plan_lines(
                await host.catalogue.subscriptions(account_id), left, sold=sold, now=now
            ),
            low=low_lines(purchased, newest),
            cap=cap,
            has_own_cap=cap is not None and cap.own is not None,
            charges=charges,
            written=written,
            error=error,
        )


def plan_lines(
    subscriptions: Iterable[SubscriptionView],
    left: Iterable[PlanBalance],
    *,
    sold: Collection[str],
    now: Micros,
) -> list[PlanLine]:
    """One line for each plan, however often it was got: those that run first, then the newest.

    `sold`: the plans, by their slugs, of which more can be bought.
    """
    by_plan: dict[int, list[SubscriptionView]] = {}
    for subscription in subscriptions:
        by_plan.setdefault(subscription.plan_id, []).append(subscription)
    balance_of = {balance.plan_id: balance for balance in left}
    lines = [_plan_line(got, balance_of.get(id_), sold, now) for id_, got in by_plan.items()]
    return sorted(lines, key=lambda line: not line.is_running)


def low_lines(
    purchased: Iterable[PurchasedOffering], newest: Mapping[int, tuple[int, int]]
) -> list[LowLine]:
    """What runs low: too little for five more, and less than a fifth of what was last got.

    `newest` is each plan's newest grant, by its id and its amount.
    """
    lines = []
    for item in purchased:
        entitled, price = item.standing.entitlement, item.offering.price
        if entitled.included_until is not None or not entitled.is_running or not price:
            continue
        last = max((newest[id_] for id_ in entitled.plan_ids if id_ in newest), default=(0, 0))
        mark = balance_mark(item.standing.available, price=price, last_grant=last[1])
        if mark is not BalanceMark.FINE:
            lines.append(_low_line(item))
    return lines


def _low_line(item: PurchasedOffering) -> LowLine:
    plan = item.offering.plan_to_buy()
    return LowLine(
        title=item.offering.title,
        is_assistant=item.offering.kind is OfferingKind.ASSISTANT,
        left=item.standing.available // item.offering.price,
        plan_slug=None if plan is None else plan.slug,
    )


def _plan_line(
    got: list[SubscriptionView], left: PlanBalance | None, sold: Collection[str], now: Micros
) -> PlanLine:
    kept = [subscription for subscription in got if not subscription.is_cancelled]
    ends_at = Micros(max(subscription.ends_at for subscription in kept or got))
    return PlanLine(
        title=got[0].plan_title,
        slug=got[0].plan_slug,
        is_sold=got[0].plan_slug in sold,
        is_time=got[0].kind is PlanKind.TIME,
        available=left.available if left else MilliCredits(0),
        held=left.held if left else MilliCredits(0),
        ends_at=ends_at,
        is_running=bool(kept) and now < ends_at,
        is_taken_back=not kept,
    )
