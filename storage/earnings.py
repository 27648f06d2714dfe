"""What plans earned, derived: no charge writes to a builder's row, so no wallet waits for another.

Per plan, day (UTC) and currency. In credits it is what entries on the plan's grants charged, gave
back and let expire. In money it is the price of passes, when they are got by an order, less what
is refunded of them, when it is; and the value of the credits used of a paid grant, which is its
cost in proportion: after `used` of `amount` credits it has earned floor(cost × used / amount), and
a day earns what that grew by. So days add up, and a grant that is used up has earned its cost to
the cent. Refunded credits come back as new grants that name the first as their origin; they carry
its cost, so what is used of them counts as used of it. What nobody paid for earns nothing, under
no currency ('').

`earnings_day` keeps whole days, so that years need not be read again. It is a cache, made by
`roll_up` and compared with the entries by `reconcile`. How much of a grant was used before some
day is reckoned back from how it stands now, so that a day is told from the entries since.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, groupby
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import Row, insert, text
from sqlmodel import Session, col, delete, func, select

from storage.credits import day_of
from storage.models.money import EarningsDay
from storage.moments import DAY, Micros

EARNINGS: Final = "12 rolled-up earnings are their entries"
RECOMPUTED: Final = 2
"""Whole days that are rolled up again: an entry may land after the midnight that it is before."""
NO_CURRENCY: Final = ""


@dataclass(frozen=True, slots=True, order=True)
class PlanDay:
    """Which earnings: of a plan, on a day (days since 1970-01-01, UTC), in a currency."""

    plan_id: int
    day: int
    currency: str


@dataclass(frozen=True, slots=True)
class Earned:
    """Milli-credits, all positive, and what they are worth."""

    charged: int = 0
    refunded: int = 0
    expired: int = 0
    minor: int = 0
    """In minor units of the currency; below zero when more was given back than charged."""

    def __add__(self, other: "Earned") -> "Earned":
        return Earned(
            self.charged + other.charged,
            self.refunded + other.refunded,
            self.expired + other.expired,
            self.minor + other.minor,
        )


@dataclass(frozen=True, slots=True)
class RolledUp:
    """Whole days as the entries tell them: from `since`, until before `until`."""

    since: int
    until: int
    earned: Mapping[PlanDay, Earned]


@dataclass(frozen=True, slots=True)
class DayOfGrant:
    """What moved on one day on a grant and on those that came from it. Milli-credits."""

    day: int
    charged: int
    refunded: int
    expired: int

    @property
    def used(self) -> int:
        """What it used up of the grant; below zero when more came back."""
        return self.charged - self.refunded + self.expired


def value_of(used: int, *, amount: int, cost_minor: int) -> int:
    """What a grant of `amount` that cost so much has earned once so much of it is used."""
    return cost_minor * used // amount


def value_by_day(
    days: Iterable[DayOfGrant], *, used: int, amount: int, cost_minor: int
) -> Iterator[int]:
    """What each day earned: the newest first, `used` after it. Together: the value of `used`."""
    for day in days:
        before = used - day.used
        yield value_of(used, amount=amount, cost_minor=cost_minor) - value_of(
            before, amount=amount, cost_minor=cost_minor
        )
        used = before


def earnings(
    session: Session, now: Micros, *, since: int, until: int, owner_id: int | None = None
) -> Mapping[PlanDay, Earned]:
    """What the plans of one owner, or of all, earned from day `since`, until before `until`.

    Whole days are read as they were rolled up; what is after the last of them, from the entries.
    """
    live_from = max(since, _next_to_roll(session, day_of(now)))
    found = dict(_kept(session, since, min(until, live_from)))
    if live_from < until:
        found |= {k: e for k, e in _derived(session, live_from).items() if k.day < until}
    if owner_id is None:
        return found
    own = set(session.execute(text(_PLANS_OF), {"owner": owner_id}).scalars())
    return {key: earned for key, earned in found.items() if key.plan_id in own}


def whole_days(session: Session, now: Micros) -> RolledUp:
    """What is to be rolled up: the last whole days, and any before them that never were."""
    today = day_of(now)
    since = min(_next_to_roll(session, today), today - RECOMPUTED)
    earned = _derived(session, since)
    return RolledUp(since, today, {key: e for key, e in earned.items() if key.day < today})


def roll_up(session: Session, days: RolledUp) -> None:
    """Write these days down in place of what was kept of them: often, or by many, is like once."""
    if session.get_bind().dialect.name == "postgresql":
        # Two who replace the same days must take turns. Reading goes on meanwhile.
        session.execute(text("LOCK TABLE earnings_day IN SHARE ROW EXCLUSIVE MODE"))
    session.exec(
        delete(EarningsDay).where(
            col(EarningsDay.day) >= days.since, col(EarningsDay.day) < days.until
        )
    )
    if days.earned:
        session.execute(insert(EarningsDay), [_row(*item) for item in days.earned.items()])


def reconcile(session: Session, now: Micros) -> tuple[str, ...]:
    """The rolled-up days older than two whole days that are not what the entries say, by name."""
    today = day_of(now)
    settled = today - RECOMPUTED
    if settled <= 0:  # no clock says so; tests verify at the beginning of time
        return ()
    until = min(settled, _next_to_roll(session, today))
    if until == 0:
        return ()
    kept = _kept(session, 0, until)
    derived = {key: e for key, e in _derived(session, 0).items() if key.day < until}
    return tuple(
        f"plan {key.plan_id} day {key.day} {key.currency}".rstrip()
        for key in sorted(kept.keys() | derived.keys())
        if kept.get(key) != derived.get(key)
    )


def _next_to_roll(session: Session, before: int) -> int:
    """The day after the last one before `before` that is kept; 0 when none is."""
    query = select(func.coalesce(func.max(EarningsDay.day), -1)).where(EarningsDay.day < before)
    return session.exec(query).one() + 1


def _kept(session: Session, since: int, until: int) -> dict[PlanDay, Earned]:
    rows = session.exec(
        select(EarningsDay).where(EarningsDay.day >= since, EarningsDay.day < until)
    )
    return {
        PlanDay(row.plan_id, row.day, row.currency): Earned(
            row.charged, row.refunded, row.expired, row.earned_minor
        )
        for row in rows
    }


def _row(key: PlanDay, earned: Earned) -> dict[str, int | str]:
    return {
        "plan_id": key.plan_id,
        "day": key.day,
        "currency": key.currency,
        "charged": earned.charged,
        "refunded": earned.refunded,
        "expired": earned.expired,
        "earned_minor": earned.minor,
    }


def _derived(session: Session, since: int) -> dict[PlanDay, Earned]:
    """All earnings since a day, from entries and passes."""
    found: dict[PlanDay, Earned] = {}
    for key, earned in chain(_of_credits(session, since), _of_passes(session, since)):
        found[key] = found.get(key, Earned()) + earned
    return {key: earned for key, earned in found.items() if earned != Earned()}


def _of_credits(session: Session, since: int) -> Iterator[tuple[PlanDay, Earned]]:
    moved = session.connection().execute(_MOVED, {"since": since * DAY, "a_day": DAY})
    for _, of_grant in groupby(moved, attrgetter("origin_id")):
        rows = list(of_grant)
        days = [_day_of_grant(row) for row in rows]
        first = rows[0]
        values = value_by_day(
            days, used=int(first.used), amount=first.amount, cost_minor=first.cost_minor or 0
        )
        for day, minor in zip(days, values, strict=True):
            key = PlanDay(first.plan_id, day.day, first.currency or NO_CURRENCY)
            yield key, Earned(day.charged, day.refunded, day.expired, minor)


def _day_of_grant(row: Row[Any]) -> DayOfGrant:
    # PostgreSQL sums whole numbers to a Decimal, exactly.
    return DayOfGrant(row.day, int(row.charged), int(row.refunded), int(row.expired))


def _of_passes(session: Session, since: int) -> Iterator[tuple[PlanDay, Earned]]:
    passes = session.connection().execute(_PASSES, {"since": since * DAY, "a_day": DAY})
    for row in passes:
        yield PlanDay(row.plan_id, row.day, row.currency), Earned(minor=int(row.minor))


_PLANS_OF: Final = "SELECT id FROM plan WHERE owner_id = :owner"

_MOVED: Final = text("""
    WITH RECURSIVE search (wallet_id, lo, hi) AS (
      SELECT id, CAST(0 AS BIGINT), seq FROM wallet WHERE last_at >= :since
      UNION ALL
      SELECT s.wallet_id,
        CASE WHEN e.created_at < :since THEN e.seq ELSE s.lo END,
        CASE WHEN e.created_at < :since THEN s.hi ELSE e.seq - 1 END
      FROM search s
      JOIN entry e ON e.wallet_id = s.wallet_id AND e.seq = (s.lo + s.hi + 1) / 2
      WHERE s.lo < s.hi
    ), recent AS (
      SELECT wallet_id, lo AS seq FROM search WHERE lo = hi
    ), moved AS (
      SELECT COALESCE(g.origin_id, g.id) AS origin_id, e.created_at / :a_day AS day,
        SUM(CASE WHEN e.kind = 'charge' THEN -e.amount ELSE 0 END) AS charged,
        SUM(CASE WHEN e.kind = 'refund' THEN e.amount ELSE 0 END) AS refunded,
        SUM(CASE WHEN e.kind = 'expire' THEN -e.amount ELSE 0 END) AS expired
      FROM recent r
      JOIN entry e ON e.wallet_id = r.wallet_id AND e.seq > r.seq
      JOIN credit_grant g ON g.id = e.grant_id
      WHERE e.kind IN ('charge', 'refund', 'expire')
      GROUP BY 1, 2
    ), unused AS (
      SELECT COALESCE(g.origin_id, g.id) AS origin_id,
        SUM(g.remaining + g.held + g.revoked) AS amount
      FROM recent r JOIN credit_grant g ON g.wallet_id = r.wallet_id
      GROUP BY 1
    )
    SELECT m.origin_id, m.day, m.charged, m.refunded, m.expired,
      g.plan_id, g.amount, g.cost_minor, g.currency, g.amount - u.amount AS used
    FROM moved m
    JOIN unused u ON u.origin_id = m.origin_id
    JOIN credit_grant g ON g.id = m.origin_id
    ORDER BY m.origin_id, m.day DESC""").execution_options(yield_per=1000)
"""The entries since a moment by grant and day, and what of each grant is used by now.

There is no index on when an entry was made, because every message would pay for it. A wallet's
entries are numbered in the order of their times, so the first one since is found by halving.
Credits that came back as a new grant are in `unused` as long as they are unspent, and were used
of the first grant before: so the amount of the first, less all that is unused, is what is used.
"""

_PASSES: Final = text("""
    SELECT s.plan_id, s.created_at / :a_day AS day, v.currency, SUM(v.price_minor) AS minor
    FROM subscription s JOIN plan_version v ON v.id = s.plan_version_id
    WHERE s.source = 'order' AND v.kind = 'time' AND s.created_at >= :since
    GROUP BY 1, 2, 3
    UNION ALL
    SELECT o.plan_id, r.created_at / :a_day AS day, o.currency, -SUM(r.amount_minor) AS minor
    FROM order_refund r JOIN purchase_order o ON o.id = r.order_id
    JOIN plan_version v ON v.id = o.plan_version_id
    WHERE v.kind = 'time' AND r.created_at >= :since
    GROUP BY 1, 2, 3""")
"""The price of passes on the day they were got, less what was given back, on the day it was.

Credits that a refund took back were never used, so they never earned anything; those that were
used before are the builder's, also when the host gave their price back.
"""
