"""Everything that is on offer, read for the catalogue in a few statements however much it is.

Columns and no ORM rows: hundreds of offerings are looked at by everybody who opens the chat.
`storage.catalogue` reads an offering with all that is needed to run it; here is what is shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import SQLColumnExpression, func
from sqlalchemy import select as select_columns  # SQLModel's own stops at four
from sqlmodel import Session, col

from storage.cards import PlanVersionView, PlanView, Standing
from storage.credits import MilliCredits
from storage.entitlement import Period
from storage.ledger import PlanBalance, balances
from storage.models.catalogue import (
    Endpoint,
    Offering,
    OfferingKind,
    OfferingState,
    Plan,
    PlanKind,
    PlanOffering,
    PlanState,
    PlanVersion,
    Subscription,
)
from storage.moments import Micros
from storage.standings import SHOWN, standing_of
from storage.subscriptions import periods_by_offering

_PLAN_COLUMNS: Final[tuple[SQLColumnExpression[Any], ...]] = (
    col(Plan.id),
    col(Plan.slug),
    col(Plan.owner_id),
    col(Plan.title),
    col(Plan.description),
    col(PlanVersion.id).label("version_id"),
    col(PlanVersion.number),
    col(PlanVersion.kind),
    col(PlanVersion.price_minor),
    col(PlanVersion.currency),
    col(PlanVersion.credits),
    col(PlanVersion.duration_s),
    col(PlanVersion.is_trial),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShelfItem:
    """An offering as people see it before they have it."""

    id: int
    slug: str
    owner_id: int
    kind: OfferingKind
    title: str
    description: str
    tags: tuple[str, ...]
    is_paused: bool
    least: MilliCredits
    most: MilliCredits
    """What a message or call may cost; the endpoints of a service differ."""
    plan_ids: tuple[int, ...]
    """Plans for sale that cover it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """All that is published or paused, by title, and the plans for sale by id, by title too."""

    items: tuple[ShelfItem, ...]
    plans: Mapping[int, PlanView]


@dataclass(frozen=True, slots=True, kw_only=True)
class Possessions:
    """What one subscriber has of what is on offer."""

    standings: Mapping[int, Standing]
    """By offering; only of those that a plan covers or covered."""
    plan_titles: Mapping[int, tuple[str, ...]]
    """By offering: the plans that cover or covered it."""
    balances: tuple[PlanBalance, ...]
    had: frozenset[int]
    """Every plan ever got, also one that was taken back: its trial is not for them any more."""
    runs_until: Mapping[int, Micros]
    """By plan: the end of what runs of it now."""


def read_shelf(session: Session) -> Shelf:
    """Everything on offer."""
    plans = _plans_for_sale(session)
    covering: dict[int, list[int]] = {}
    links = session.connection().execute(
        select_columns(col(PlanOffering.offering_id), col(PlanOffering.plan_id))
    )
    for offering_id, plan_id in links:
        if plan_id in plans:
            covering.setdefault(offering_id, []).append(plan_id)
    order = {plan_id: place for place, plan_id in enumerate(plans)}
    prices = _service_prices(session)
    rows = session.connection().execute(
        select_columns(
            col(Offering.id),
            col(Offering.slug),
            col(Offering.owner_id),
            col(Offering.kind),
            col(Offering.title),
            col(Offering.description),
            col(Offering.tags),
            col(Offering.state),
            col(Offering.price),
        )
        .where(col(Offering.state).in_([state.value for state in SHOWN]))
        .order_by(col(Offering.title), col(Offering.slug))
    )
    items = []
    for row in rows:
        least, most = prices.get(row.id, (row.price, row.price))
        items.append(
            ShelfItem(
                id=row.id,
                slug=row.slug,
                owner_id=row.owner_id,
                kind=OfferingKind(row.kind),
                title=row.title,
                description=row.description,
                tags=tuple(row.tags),
                is_paused=row.state == OfferingState.PAUSED,
                least=MilliCredits(least),
                most=MilliCredits(most),
                plan_ids=tuple(sorted(covering.get(row.id, ()), key=order.__getitem__)),
            )
        )
    return Shelf(items=tuple(items), plans=plans)


def read_possessions(session: Session, account_id: int, now: Micros) -> Possessions:
    """What the account has, all of it on one snapshot."""
    lines = balances(session, account_id, now)
    spendable = {line.plan_id: line.available for line in lines}
    periods = periods_by_offering(session, account_id)
    had = session.connection().execute(
        select_columns(col(Subscription.plan_id)).where(col(Subscription.account_id) == account_id)
    )
    return Possessions(
        standings={
            offering_id: standing_of([period for period, _ in known], spendable, now)
            for offering_id, known in periods.items()
        },
        plan_titles={
            offering_id: tuple(dict.fromkeys(title for _, title in known))
            for offering_id, known in periods.items()
        },
        balances=lines,
        had=frozenset(plan_id for (plan_id,) in had),
        runs_until=_running([period for known in periods.values() for period, _ in known], now),
    )


def _plans_for_sale(session: Session) -> dict[int, PlanView]:
    newest = (
        select_columns(col(PlanVersion.plan_id), func.max(col(PlanVersion.number)).label("number"))
        .group_by(col(PlanVersion.plan_id))
        .subquery()
    )
    rows = session.connection().execute(
        select_columns(*_PLAN_COLUMNS)
        .join(PlanVersion, col(PlanVersion.plan_id) == col(Plan.id))
        .join(
            newest,
            (newest.c.plan_id == col(Plan.id)) & (newest.c.number == col(PlanVersion.number)),
        )
        .where(col(Plan.state) == PlanState.PUBLISHED.value)
        .order_by(col(Plan.title), col(Plan.slug))
    )
    return {
        row.id: PlanView(
            id=row.id,
            slug=row.slug,
            owner_id=row.owner_id,
            title=row.title,
            description=row.description,
            state=PlanState.PUBLISHED,
            version=PlanVersionView(
                id=row.version_id,
                number=row.number,
                kind=PlanKind(row.kind),
                price_minor=row.price_minor,
                currency=row.currency,
                credits=MilliCredits(row.credits),
                duration_s=row.duration_s,
                is_trial=bool(row.is_trial),
            ),
        )
        for row in rows
    }


def _service_prices(session: Session) -> Mapping[int, tuple[int, int]]:
    rows = session.connection().execute(
        select_columns(
            col(Endpoint.offering_id), func.min(col(Endpoint.price)), func.max(col(Endpoint.price))
        )
        .where(col(Endpoint.is_open).is_(False))
        .group_by(col(Endpoint.offering_id))
    )
    return {offering_id: (least, most) for offering_id, least, most in rows}


def _running(periods: list[Period], now: Micros) -> Mapping[int, Micros]:
    """By plan, until when it runs without a gap: a pass got twice ends with its second part."""
    now_running = {period.plan_id for period in periods if period.runs(now)}
    ends: dict[int, Micros] = {}
    for period in periods:
        if period.plan_id in now_running:
            ends[period.plan_id] = max(ends.get(period.plan_id, period.ends_at), period.ends_at)
    return ends
