"""Usage by day and offering, and the limit for a day, as programs read and set them."""

from datetime import date

from pydantic import Field, StrictFloat, StrictInt

from host.api.views import Body, Credits, View
from host.errors import credits_number
from storage.ledger import DailyCap
from storage.periods import Dates, date_of
from storage.usage_days import UsageDay


class UsageOnDay(View):
    """What one offering came to on one day of UTC."""

    day: date
    offering: str | None
    title: str | None
    charged: Credits
    refunded: Credits
    count: int
    """Messages and calls that were delivered, those that a time plan included too."""


class UsageByDay(View):
    """The days with usage from `since`, until before `until`."""

    since: date = Field(serialization_alias="from")
    until: date = Field(serialization_alias="to")
    days: list[UsageOnDay]


class NewCap(Body):
    """A limit for the day that is wanted: credits, at most three decimals; null is none."""

    credits: StrictInt | StrictFloat | str | None


class CapView(View):
    """The limits for the day, and what counts against the smaller of them."""

    credits: Credits | None
    """One's own."""
    operator_credits: Credits | None
    spent_today: Credits | None
    left_today: Credits | None


def usage_by_day_view(used: tuple[UsageDay, ...], dates: Dates) -> UsageByDay:
    """Usage by day for its owner."""
    days = [
        UsageOnDay(
            day=date_of(line.day),
            offering=line.offering_slug,
            title=line.offering_title,
            charged=credits_number(line.charged),
            refunded=credits_number(line.refunded),
            count=line.count,
        )
        for line in used
    ]
    return UsageByDay(since=dates.since, until=dates.until, days=days)


def cap_view(cap: DailyCap | None) -> CapView:
    """The limit for its owner."""
    if cap is None:
        return CapView(credits=None, operator_credits=None, spent_today=None, left_today=None)
    return CapView(
        credits=None if cap.own is None else credits_number(cap.own),
        operator_credits=None if cap.operators is None else credits_number(cap.operators),
        spent_today=credits_number(cap.spent),
        left_today=credits_number(cap.left),
    )
