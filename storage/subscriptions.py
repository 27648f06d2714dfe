"""Find and save who got which plan, and what that entitles them to.

Each time somebody gets a plan there is one row: a time plan got again begins where the one before
ends. What is taken back is cancelled: its period ends at that moment, and it pays for nothing any
more. When part of a time plan is refunded its period is shortened, and what was to follow moves up
to it. Otherwise a period never changes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, bindparam, update
from sqlalchemy import select as select_columns  # SQLModel's own stops at four
from sqlmodel import Session, col, select

from storage.cards import SubscriptionView
from storage.catalogue import stored
from storage.entitlement import Period
from storage.models.accounts import Account, AccountState
from storage.models.catalogue import (
    Offering,
    Plan,
    PlanKind,
    PlanOffering,
    PlanVersion,
    Subscription,
    SubscriptionState,
)
from storage.models.money import GrantSource, Wallet
from storage.moments import SECOND, Micros

# Put together once, and columns instead of ORM rows: it stands in the way of every metered call.
_COVERING: Final = (
    select_columns(
        col(Subscription.account_id).label("account_id"),
        col(Subscription.plan_id).label("plan_id"),
        col(PlanVersion.kind).label("kind"),
        col(Subscription.starts_at).label("starts_at"),
        col(Subscription.ends_at).label("ends_at"),
        col(Subscription.state).label("state"),
    )
    .join(PlanOffering, col(PlanOffering.plan_id) == col(Subscription.plan_id))
    .join(PlanVersion, col(PlanVersion.id) == col(Subscription.plan_version_id))
    .where(
        col(Subscription.account_id) == bindparam("account_id"),
        col(PlanOffering.offering_id) == bindparam("offering_id"),
    )
    .subquery()
)
_ADMISSION_FACTS: Final = (
    select_columns(
        col(Account.state),
        col(Offering.state),
        col(Wallet.id),
        _COVERING.c.plan_id,
        _COVERING.c.kind,
        _COVERING.c.starts_at,
        _COVERING.c.ends_at,
        _COVERING.c.state,
    )
    .select_from(Account)
    .join(Offering, col(Offering.id) == bindparam("offering_id"))
    .join(Wallet, col(Wallet.subscriber_id) == col(Account.id), isouter=True)
    .join(_COVERING, _COVERING.c.account_id == col(Account.id), isouter=True)
    .where(col(Account.id) == bindparam("account_id"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionFacts:
    """All that the tables say about one account and one offering, before a hold is opened."""

    is_suspended: bool
    offering_state: str
    wallet_id: int | None
    periods: tuple[Period, ...]


def admission_facts(
    session: Session, *, account_id: int, offering_id: int
) -> AdmissionFacts | None:
    """Read them in one statement, for this is asked before every message and call.

    None when there is no such account or offering.
    """
    given = {"account_id": account_id, "offering_id": offering_id}
    rows = session.connection().execute(_ADMISSION_FACTS, given).all()
    if not rows:
        return None
    account_state, offering_state, wallet_id = rows[0][:3]
    return AdmissionFacts(
        is_suspended=account_state != AccountState.ACTIVE,
        offering_state=offering_state,
        wallet_id=wallet_id,
        periods=tuple(
            Period(
                plan_id=plan_id,
                is_time=kind == PlanKind.TIME,
                starts_at=Micros(starts_at),
                ends_at=Micros(ends_at),
                is_taken_back=state == SubscriptionState.CANCELLED,
            )
            for *_, plan_id, kind, starts_at, ends_at, state in rows
            if plan_id is not None
        ),
    )


def lock_wallet(session: Session, wallet_id: int) -> None:
    """Let nobody else change what this subscriber has, until the unit ends.

    Two payments for one pass must extend it twice, and each sees the period of the other.
    """
    session.connection().execute(
        select_columns(col(Wallet.id))
        .where(col(Wallet.id) == wallet_id)
        .with_for_update(key_share=True)
    )


def find_by_source(
    session: Session, *, account_id: int, source: GrantSource, source_ref: str
) -> SubscriptionView | None:
    """What the account got for this order, voucher use, trial or request."""
    found = _views(
        session,
        col(Subscription.account_id) == account_id,
        col(Subscription.source) == source.value,
        col(Subscription.source_ref) == source_ref,
    )
    return found[0] if found else None


def last_of_plan(session: Session, *, account_id: int, plan_id: int) -> SubscriptionView | None:
    """What the account last got of a plan, also when it was taken back since."""
    of_plan = col(Subscription.plan_id) == plan_id
    found = _views(session, col(Subscription.account_id) == account_id, of_plan)
    return found[-1] if found else None


def subscriptions_of(session: Session, account_id: int) -> tuple[SubscriptionView, ...]:
    """All that the account ever got, the newest first."""
    return _views(session, col(Subscription.account_id) == account_id)[::-1]


def end_of_time(session: Session, *, account_id: int, plan_id: int) -> Micros | None:
    """When the account's time on this plan ends, or ended; None when it never had any."""
    last = session.exec(
        select(Subscription.ends_at)
        .join(PlanVersion, col(PlanVersion.id) == col(Subscription.plan_version_id))
        .where(
            Subscription.account_id == account_id,
            Subscription.plan_id == plan_id,
            Subscription.state != SubscriptionState.CANCELLED.value,
            PlanVersion.kind == PlanKind.TIME.value,
        )
        .order_by(col(Subscription.ends_at).desc())
    ).first()
    return None if last is None else Micros(last)


def add_subscription(session: Session, subscription: Subscription) -> int:
    """Save that somebody got a plan. Returns its id."""
    session.add(subscription)
    session.flush()
    return stored(subscription.id)


def cancel(session: Session, *, account_id: int, plan_id: int, now: Micros) -> int:
    """End at once what the account has of this plan.

    Returns how many subscriptions that ended.
    """
    return (
        session.connection()
        .execute(
            update(Subscription)
            .where(
                col(Subscription.account_id) == account_id,
                col(Subscription.plan_id) == plan_id,
                col(Subscription.state) != SubscriptionState.CANCELLED.value,
                col(Subscription.ends_at) > now,
            )
            .values(state=SubscriptionState.CANCELLED.value, ends_at=now)
        )
        .rowcount
    )


def end_subscription(session: Session, subscription_id: int, now: Micros) -> None:
    """End one subscription at once, as `cancel` ends all of a plan's."""
    row = _fresh(session, subscription_id)
    if row.state != SubscriptionState.CANCELLED and row.ends_at > now:
        row.state, row.ends_at = SubscriptionState.CANCELLED.value, max(row.starts_at, now)
        session.flush()


def take_time(session: Session, subscription_id: int, seconds: int, now: Micros) -> int:
    """Shorten one period of a time plan by so much, or end it if no more is left.

    What the account has of the same plan afterwards moves up to it, so that no gap is left.
    Returns how many seconds were taken.
    """
    row = _fresh(session, subscription_id)
    left = row.ends_at - max(now, row.starts_at)
    if row.state == SubscriptionState.CANCELLED or left <= 0 or not seconds:
        return 0
    ended_before, taken = row.ends_at, min(seconds * SECOND, left)
    row.ends_at -= taken
    if taken == left:
        row.state = SubscriptionState.CANCELLED.value
    session.flush()
    session.connection().execute(
        update(Subscription)
        .where(
            col(Subscription.account_id) == row.account_id,
            col(Subscription.plan_id) == row.plan_id,
            col(Subscription.state) != SubscriptionState.CANCELLED.value,
            col(Subscription.starts_at) >= ended_before,
        )
        .values(
            starts_at=col(Subscription.starts_at) - taken,
            ends_at=col(Subscription.ends_at) - taken,
        )
    )
    return -(-taken // SECOND)


def _fresh(session: Session, subscription_id: int) -> Subscription:
    """The row as it is now, whatever this unit has read before."""
    return session.get_one(Subscription, subscription_id, populate_existing=True)


def periods_by_offering(
    session: Session, account_id: int
) -> Mapping[int, tuple[tuple[Period, str], ...]]:
    """For each offering that the account's plans cover: the periods, and the plans' titles.

    Without what was taken back: that is not among what somebody has or had.
    """
    rows = session.connection().execute(
        select_columns(
            col(PlanOffering.offering_id),
            col(Subscription.plan_id),
            col(PlanVersion.kind),
            col(Subscription.starts_at),
            col(Subscription.ends_at),
            col(Plan.title),
        )
        .join(PlanOffering, col(PlanOffering.plan_id) == col(Subscription.plan_id))
        .join(PlanVersion, col(PlanVersion.id) == col(Subscription.plan_version_id))
        .join(Plan, col(Plan.id) == col(Subscription.plan_id))
        .where(
            col(Subscription.account_id) == account_id,
            col(Subscription.state) != SubscriptionState.CANCELLED.value,
        )
        .order_by(col(Subscription.id))
    )
    found: dict[int, tuple[tuple[Period, str], ...]] = {}
    for offering_id, plan_id, kind, starts_at, ends_at, title in rows:
        period = Period(
            plan_id=plan_id,
            is_time=kind == PlanKind.TIME.value,
            starts_at=Micros(starts_at),
            ends_at=Micros(ends_at),
        )
        found[offering_id] = (*found.get(offering_id, ()), (period, title))
    return found


def _views(session: Session, *conditions: ColumnElement[bool]) -> tuple[SubscriptionView, ...]:
    rows = session.exec(
        select(Subscription, Plan, PlanVersion)
        .join(Plan, col(Plan.id) == col(Subscription.plan_id))
        .join(PlanVersion, col(PlanVersion.id) == col(Subscription.plan_version_id))
        .where(*conditions)
        .order_by(col(Subscription.id))
    )
    return tuple(
        SubscriptionView(
            id=stored(row.id),
            account_id=row.account_id,
            plan_id=row.plan_id,
            plan_slug=plan.slug,
            plan_title=plan.title,
            version_id=row.plan_version_id,
            kind=PlanKind(version.kind),
            source=GrantSource(row.source),
            is_cancelled=row.state == SubscriptionState.CANCELLED,
            starts_at=Micros(row.starts_at),
            ends_at=Micros(row.ends_at),
        )
        for row, plan, version in rows
    )
