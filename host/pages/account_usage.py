"""What one used: a chart of the last thirty days, the same as a table, and everything as CSV."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from host.pages.own import OwnPages
from host.pages.usage_chart import usage_chart
from storage.credits import day_of
from storage.moments import DAY, Micros
from storage.usage_days import usage_by_day

DAYS: Final = 30


class UsagePages(OwnPages):
    """The page of usage, and its file."""

    async def show(self, request: Request) -> Response:
        """The last thirty days, today included."""
        visitor, host = await self._visitor(request), self._host
        today = day_of(host.clock.now())
        first_day = today - DAYS + 1
        used = await host.database.read(
            lambda s: usage_by_day(
                s,
                visitor.account_id,
                since=Micros(first_day * DAY),
                until=Micros((today + 1) * DAY),
            )
        )
        return self._renderer.page(
            "account_usage.html",
            visitor=visitor,
            days=DAYS,
            used=used[::-1],
            chart=usage_chart(used, first_day=first_day, days=DAYS),
            charged=sum(line.charged for line in used),
            refunded=sum(line.refunded for line in used),
            count=sum(line.count for line in used),
            first_at=first_day * DAY,
            last_at=today * DAY,
        )

    async def csv(self, request: Request) -> Response:
        """Every line of one's history, from the first day on."""
        visitor = await self._visitor(request)
        pieces = self._host.download.usage_csv(visitor.account_id)
        return self._renderer.stream(
            pieces, kind="text/csv; charset=utf-8", name="farebox-usage.csv"
        )
