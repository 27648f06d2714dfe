"""Periods of whole days, UTC, as people write them: from a date until before another.

Half-open, so that one month's closing balance is the next one's opening balance. What is not
given is filled in so that nothing asked for means this month.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from storage.credits import day_of
from storage.moments import Micros, to_datetime, to_micros

_WRITTEN: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_FIRST: Final = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Dates:
    """The days from `since`, until before `until`."""

    since: date
    until: date

    @property
    def starts_at(self) -> Micros:
        """The first moment that belongs to the period."""
        return _midnight(self.since)

    @property
    def ends_at(self) -> Micros:
        """The first moment that no longer does."""
        return _midnight(self.until)


def read_dates(
    since: str | None, until: str | None, now: Micros, *, names: tuple[str, str] = ("from", "to")
) -> Dates:
    """A period from two dates such as 2026-11-01, either of which may be left out.

    Without the second it ends with this month, without the first it begins with its last month.
    `names` are what errors call the two.

    Raises:
        ValueError: one is no date, or the period would not be a day long; says which.
    """
    ends = _read(names[1], until) if until else _after_month(to_datetime(now).date())
    starts = _read(names[0], since) if since else (ends - timedelta(days=1)).replace(day=1)
    if starts >= ends:
        raise ValueError(
            f"the period must begin before it ends, and {starts} is not before {ends}"
        )
    return Dates(starts, ends)


def day_number(day: date) -> int:
    """Days since 1970-01-01, as tables keep them."""
    return day_of(_midnight(day))


def date_of(day: int) -> date:
    """The date of a day, given in days since 1970-01-01."""
    return _FIRST + timedelta(days=day)


def _read(name: str, written: str) -> date:
    try:
        # More than this notation would be understood, and mean something else elsewhere.
        found = date.fromisoformat(written if _WRITTEN.fullmatch(written) else "")
    except ValueError:
        raise ValueError(f"`{name}` must be a date such as 2026-11-01") from None
    if found <= _FIRST:
        raise ValueError(f"`{name}` must be after {_FIRST}")
    return found


def _after_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def _midnight(day: date) -> Micros:
    return to_micros(datetime(day.year, day.month, day.day, tzinfo=UTC))
