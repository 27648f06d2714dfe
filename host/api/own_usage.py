"""`/api/v1/usage/days` and `/api/v1/cap`: what one used day by day, and the most one lets oneself.

Dates are whole days, UTC, as on statements. The limit is the account's own: its owner sets and
lifts it here and on the account page. Beside it the operator may have set one, by `farebox account
cap`, which is told here and stays; of both the smaller counts.
"""

from typing import Annotated

from fastapi import APIRouter, Depends

from host.api.edge import signed_in
from host.api.parts import ApiHost
from host.api.reports import From, To, dates_asked
from host.api.usage_views import CapView, NewCap, UsageByDay, cap_view, usage_by_day_view
from host.identity.login_sessions import Visitor
from host.metering.corrections import credits_entered
from storage.ledger import daily_cap
from storage.usage_days import usage_by_day


def own_usage_routes(host: ApiHost) -> APIRouter:
    """The routes of both."""
    router = APIRouter()
    signed = Depends(signed_in(host.login_sessions, may_change=False))
    changing = Depends(signed_in(host.login_sessions, may_change=True))

    @router.get("/usage/days")
    async def usage_days(
        visitor: Annotated[Visitor, signed], since: From = None, until: To = None
    ) -> UsageByDay:
        """What one used in a period, by day and offering."""
        dates = dates_asked(since, until, host.clock.now())
        used = await host.database.read(
            lambda s: usage_by_day(
                s, visitor.account_id, since=dates.starts_at, until=dates.ends_at
            )
        )
        return usage_by_day_view(used, dates)

    @router.get("/cap")
    async def cap(visitor: Annotated[Visitor, signed]) -> CapView:
        """The most one lets oneself spend in a day."""
        now = host.clock.now()
        return cap_view(await host.database.read(lambda s: daily_cap(s, visitor.account_id, now)))

    @router.put("/cap")
    async def set_cap(wanted: NewCap, visitor: Annotated[Visitor, changing]) -> CapView:
        """Set it, or lift it with null."""
        cap = None if wanted.credits is None else credits_entered(str(wanted.credits))
        return cap_view(await host.corrections.set_own_cap(visitor.account_id, cap))

    return router
