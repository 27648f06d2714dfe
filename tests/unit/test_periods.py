"""Periods as people write them."""

from datetime import UTC, date, datetime

import pytest

from storage.moments import DAY, to_micros
from storage.periods import Dates, date_of, day_number, read_dates

NOW = to_micros(datetime(2026, 11, 18, 9, 6, tzinfo=UTC))


@pytest.mark.parametrize(
    ("since", "until", "meant"),
    [
        (None, None, Dates(date(2026, 11, 1), date(2026, 12, 1))),
        ("2026-11-05", None, Dates(date(2026, 11, 5), date(2026, 12, 1))),
        ("2025-12-31", None, Dates(date(2025, 12, 31), date(2026, 12, 1))),
        (None, "2026-03-01", Dates(date(2026, 2, 1), date(2026, 3, 1))),
        (None, "2026-03-15", Dates(date(2026, 3, 1), date(2026, 3, 15))),
        ("2024-02-28", "2024-03-01", Dates(date(2024, 2, 28), date(2024, 3, 1))),
    ],
)
def test_what_is_left_out_means_this_month(
    since: str | None, until: str | None, meant: Dates
) -> None:
    assert read_dates(since, until, NOW) == meant


@pytest.mark.parametrize(
    ("since", "until", "why"),
    [
        ("yesterday", None, "`from` must be a date such as 2026-11-01"),
        (None, "2026-02-30", "`to` must be a date"),
        (None, "20260301", "`to` must be a date"),
        ("1969-12-31", None, "`from` must be after 1970-01-01"),
        ("2026-11-05", "2026-11-05", "2026-11-05 is not before 2026-11-05"),
        ("2027-01-01", None, "2027-01-01 is not before 2026-12-01"),
    ],
)
def test_no_period_is_refused_with_its_reason(
    since: str | None, until: str | None, why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        read_dates(since, until, NOW)


def test_a_period_is_from_midnight_to_midnight_in_utc() -> None:
    dates = Dates(date(2026, 11, 18), date(2026, 11, 19))
    assert dates.starts_at <= NOW < dates.ends_at == dates.starts_at + DAY
    assert dates.starts_at == to_micros(datetime(2026, 11, 18, tzinfo=UTC))


def test_a_day_is_counted_from_1970() -> None:
    assert day_number(date(1970, 1, 2)) == 1
    assert day_number(date(2026, 11, 18)) == NOW // DAY
    assert date_of(NOW // DAY) == date(2026, 11, 18)
