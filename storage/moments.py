"""Points in time, as every table stores them: microseconds since 1970, UTC.

One integer for both databases: it sorts alike in SQLite and PostgreSQL, cannot lose a time zone,
and goes into a hash without a format to agree on. People see dates; only pages and wording turn
a `Micros` into one.
"""

from datetime import UTC, datetime, timedelta
from typing import Final, NewType

Micros = NewType("Micros", int)
"""Microseconds since 1970-01-01T00:00:00Z."""

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def to_micros(moment: datetime) -> Micros:
    """The moment as stored; naive datetimes are refused, because they name no moment."""
    if moment.tzinfo is None:
        raise ValueError("a datetime without a time zone is not a moment")
    return Micros((moment - _EPOCH) // timedelta(microseconds=1))


def to_datetime(moment: Micros) -> datetime:
    """The stored moment as an aware datetime in UTC."""
    return _EPOCH + timedelta(microseconds=moment)


NEVER: Final = to_micros(datetime(9999, 12, 31, tzinfo=UTC))
"""When something that never expires expires. Not NULL: the two databases sort NULL differently."""
