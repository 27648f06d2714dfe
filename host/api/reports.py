"""`/api/v1/statement` and `/api/v1/earnings`: what a period came to, for whoever it concerns.

The command line reads the same reports and prints them; dates are whole days, UTC.
"""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query
from sqlmodel import Session

from host.api.edge import signed_in
from host.api.parts import ApiHost
from host.api.report_views import EarningsView, StatementView, earnings_view, statement_view
from host.catalogue.offering_fields import shown
from host.errors import MalformedRequest, UnknownPlan
from host.identity.login_sessions import Visitor
from host.language import _
from storage.catalogue import find_plan, find_plans
from storage.earnings import earnings
from storage.moments import Micros
from storage.periods import Dates, day_number, read_dates
from storage.statements import TooManyLines, statement

LINES_MAX: Final = 10_000
"""What one answer tells of a history."""

From = Annotated[
    str | None,
    Query(
        alias="from", description="The first day, such as 2026-11-01, UTC. By default, a month."
    ),
]
To = Annotated[
    str | None,
    Query(alias="to", description="The day before which it ends. By default, with this month."),
]
OfPlan = Annotated[
    str | None, Query(alias="plan", description="The slug of a plan, to be told of it alone.")
]


def report_routes(host: ApiHost) -> APIRouter:
    """The routes of both reports."""
    router = APIRouter()
    signed = Depends(signed_in(host.login_sessions, may_change=False))

    @router.get("/statement")
    async def own_statement(
        visitor: Annotated[Visitor, signed],
        since: From = None,
        until: To = None,
        plan: OfPlan = None,
    ) -> StatementView:
        """One's own history over a period, between what there was before and after it."""
        dates = dates_asked(since, until, host.clock.now())
        try:
            return await host.database.read(
                lambda s: statement_of(
                    s, visitor.account_id, dates, plan_slug=plan, most=LINES_MAX
                )
            )
        except TooManyLines as error:
            raise MalformedRequest(
                _(
                    "This period has {number} entries, and at most {most} are told at once. Ask"
                    " for a shorter one.",
                    number=error.lines,
                    most=LINES_MAX,
                )
            ) from None

    @router.get("/earnings")
    async def own_earnings(
        visitor: Annotated[Visitor, signed], since: From = None, until: To = None
    ) -> EarningsView:
        """What one's own plans earned in a period, day by day, today included."""
        now = host.clock.now()
        dates = dates_asked(since, until, now)
        return await host.database.read(
            lambda s: earnings_of(s, now, dates, owner_id=visitor.account_id)
        )

    return router


def statement_of(
    session: Session,
    account_id: int,
    dates: Dates,
    *,
    plan_slug: str | None = None,
    most: int | None = None,
) -> StatementView:
    """The account's statement; of one plan, if told.

    Raises:
        UnknownPlan: there is no such plan.
        TooManyLines: it would have more than `most`.
    """
    plan = None if plan_slug is None else find_plan(session, plan_slug)
    if plan_slug is not None and plan is None:
        raise UnknownPlan(_("There is no plan {plan}.", plan=shown(plan_slug)))
    found = statement(
        session,
        account_id,
        since=dates.starts_at,
        until=dates.ends_at,
        plan_id=plan.id if plan else None,
        most=most,
    )
    return statement_view(found, dates, plan_slug=plan_slug)


def earnings_of(
    session: Session, now: Micros, dates: Dates, *, owner_id: int | None = None
) -> EarningsView:
    """What the plans of one owner, or of all, earned."""
    since, until = day_number(dates.since), day_number(dates.until)
    found = earnings(session, now, since=since, until=until, owner_id=owner_id)
    return earnings_view(found, find_plans(session, owner_id=owner_id, with_archived=True), dates)


def dates_asked(since: str | None, until: str | None, now: Micros) -> Dates:
    """The period that was asked for.

    Raises:
        MalformedRequest: it is none; says why.
    """
    try:
        return read_dates(since, until, now)
    except ValueError as error:
        raise MalformedRequest(f"The dates cannot be used: {error}.") from None
