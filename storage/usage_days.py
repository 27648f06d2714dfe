"""What somebody used, day by day and offering by offering: charges, refunds, how often.

A day is one of UTC, as daily limits and statements count them. A charge counts on the day it was
made and a refund on its own, so that what a past day said never changes. Reading only.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ScalarSelect, Select, case, func
from sqlalchemy import select as select_columns  # SQLModel's own stops at four
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from storage.credits import MilliCredits
from storage.ledger import find_wallet
from storage.models.catalogue import Offering
from storage.models.money import Entry, EntryKind, Hold
from storage.moments import DAY, Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageDay:
    """What one offering came to on one day."""

    day: int
    """Days since 1970-01-01."""
    offering_slug: str | None
    """None for what has been removed from the catalogue."""
    offering_title: str | None
    charged: MilliCredits
    refunded: MilliCredits
    count: int
    """Messages and calls that were delivered, those that a time plan included too."""


def usage_by_day(
    session: Session, account_id: int, *, since: Micros, until: Micros
) -> tuple[UsageDay, ...]:
    """The account's days with usage from `since`, until before `until`, the oldest first."""
    wallet_id = find_wallet(session, account_id)
    if wallet_id is None:
        return ()
    period = (
        col(Entry.wallet_id) == wallet_id,
        col(Entry.seq) > func.coalesce(_last_before(wallet_id, since), 0),
        col(Entry.created_at) < until,
    )
    return tuple(
        UsageDay(
            day=int(on),
            offering_slug=slug,
            offering_title=title,
            charged=MilliCredits(int(charged)),
            refunded=MilliCredits(int(refunded)),
            count=int(count),
        )
        for on, slug, title, charged, refunded, count in session.connection().execute(
            _by_day().where(*period)
        )
    )


def _by_day() -> Select[*tuple[Any, ...]]:
    """Charges and refunds by day and offering; whose and of when is added."""
    reversed_ = aliased(Entry)
    is_charge = col(Entry.kind) == EntryKind.CHARGE.value
    day = (col(Entry.created_at) // DAY).label("day")
    return (
        select_columns(
            day,
            col(Offering.slug),
            col(Offering.title),
            func.sum(case((is_charge, -col(Entry.amount)), else_=0)),
            func.sum(case((is_charge, 0), else_=col(Entry.amount))),
            func.count(func.distinct(case((is_charge, col(Entry.hold_id))))),
        )
        .select_from(Entry)
        .join(
            reversed_,
            (col(reversed_.wallet_id) == col(Entry.wallet_id))
            & (col(reversed_.seq) == col(Entry.reverses)),
            isouter=True,
        )
        .join(Hold, col(Hold.id) == func.coalesce(col(Entry.hold_id), col(reversed_.hold_id)))
        .join(Offering, col(Offering.id) == col(Hold.offering_id), isouter=True)
        .where(col(Entry.kind).in_([EntryKind.CHARGE.value, EntryKind.REFUND.value]))
        .group_by(day, col(Offering.slug), col(Offering.title))
        .order_by(day, col(Offering.title), col(Offering.slug))
    )


def _last_before(wallet_id: int, since: Micros) -> ScalarSelect[Any]:
    """The number of the wallet's last entry before that moment.

    A wallet's times never run backwards, so a period is a run of numbers, found by the key.
    """
    return (
        select_columns(col(Entry.seq))
        .where(col(Entry.wallet_id) == wallet_id, col(Entry.created_at) < since)
        .order_by(col(Entry.seq).desc())
        .limit(1)
        .scalar_subquery()
    )
