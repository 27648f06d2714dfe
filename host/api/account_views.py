"""What is one's own, as programs read it: who one is, what one has, what one spent."""

from datetime import datetime

from host.api.views import Credits, View, moment_or_none
from host.errors import credits_number
from host.identity.login_sessions import Visitor
from storage.cards import PurchasedOffering, SubscriptionView
from storage.ledger import DailyCap, PlanBalance, Receipt
from storage.moments import to_datetime
from storage.usage import UsageLine


class Me(View):
    """Who is signed in."""

    email: str
    name: str
    roles: list[str]


class OfferingBalance(View):
    """What can be spent on one offering, and the time plan that includes it."""

    offering: str
    title: str
    balance: Credits
    included_until: datetime | None
    is_running: bool
    accepts: str
    """Which files may be sent to it: `none`, `images`, `documents` or `both`."""


class PlanCredits(View):
    """What is left of one plan's credits."""

    plan: str
    available: Credits
    held: Credits
    expires_at: datetime | None


class Balance(View):
    """All that can be spent: by offering, by plan, and in all."""

    offerings: list[OfferingBalance]
    plans: list[PlanCredits]
    available: Credits
    held: Credits
    daily_cap: Credits | None
    """The most that may be spent in a day of UTC; null when there is no limit."""
    spent_today: Credits | None
    """What counts against the limit: the day's charges, and what is held."""


class SubscriptionLine(View):
    """One time that a plan was got."""

    plan: str
    title: str
    kind: str
    starts_at: datetime
    ends_at: datetime | None
    is_cancelled: bool


class RefundView(View):
    """Part or all of a charge, given back."""

    credits: Credits
    at: datetime


class ReceiptView(View):
    """What one message or call cost."""

    receipt: str
    operation: str
    state: str
    offering: str | None
    title: str | None
    charged: Credits
    refunded: Credits
    refunds: list[RefundView]
    held: Credits
    plans: list[str]
    run_id: str | None
    included_until: datetime | None
    created_at: datetime
    ended_at: datetime | None


class UsageEntry(View):
    """One line of the wallet's history; amounts are signed."""

    seq: int
    kind: str
    amount: Credits
    balance_after: Credits
    at: datetime
    operation: str | None
    receipt: str | None
    offering: str | None
    title: str | None
    plan: str | None


class Usage(View):
    """A page of the history, newest first; `next_before` leads to the page after it."""

    entries: list[UsageEntry]
    next_before: int | None


def me_view(visitor: Visitor) -> Me:
    """Who is signed in."""
    return Me(email=visitor.email, name=visitor.name, roles=sorted(visitor.roles))


def balance_view(
    purchased: tuple[PurchasedOffering, ...],
    balances: tuple[PlanBalance, ...],
    plan_slugs: dict[int, str],
    cap: DailyCap | None,
) -> Balance:
    """What can be spent. Offerings share plans, so theirs do not add up; the totals are plans'."""
    return Balance(
        offerings=[
            OfferingBalance(
                offering=item.offering.slug,
                title=item.offering.title,
                balance=credits_number(item.standing.available),
                included_until=moment_or_none(item.standing.entitlement.included_until),
                is_running=item.standing.entitlement.is_running,
                accepts=item.offering.assistant.accepts if item.offering.assistant else "none",
            )
            for item in purchased
        ],
        plans=[
            PlanCredits(
                plan=plan_slugs[line.plan_id],
                available=credits_number(line.available),
                held=credits_number(line.held),
                expires_at=moment_or_none(line.expires_at),
            )
            for line in balances
        ],
        available=credits_number(sum(line.available for line in balances)),
        held=credits_number(sum(line.held for line in balances)),
        daily_cap=None if cap is None else credits_number(cap.cap),
        spent_today=None if cap is None else credits_number(cap.spent),
    )


def subscription_view(line: SubscriptionView) -> SubscriptionLine:
    """One time that a plan was got."""
    return SubscriptionLine(
        plan=line.plan_slug,
        title=line.plan_title,
        kind=line.kind,
        starts_at=to_datetime(line.starts_at),
        ends_at=moment_or_none(line.ends_at),
        is_cancelled=line.is_cancelled,
    )


def receipt_view(found: Receipt) -> ReceiptView:
    """A receipt for its owner."""
    return ReceiptView(
        receipt=found.public_id,
        operation=found.operation,
        state=found.state,
        offering=found.offering_slug,
        title=found.offering_title,
        charged=credits_number(found.captured),
        refunded=credits_number(found.refunded),
        refunds=[
            RefundView(credits=credits_number(refund.amount), at=to_datetime(refund.at))
            for refund in found.refunds
        ],
        held=credits_number(found.held),
        plans=list(found.plan_titles),
        run_id=found.run_id,
        included_until=moment_or_none(found.included_until),
        created_at=to_datetime(found.created_at),
        ended_at=moment_or_none(found.ended_at),
    )


def usage_view(lines: tuple[UsageLine, ...], *, most: int) -> Usage:
    """One page of the history."""
    entries = [
        UsageEntry(
            seq=line.seq,
            kind=line.kind,
            amount=credits_number(line.amount),
            balance_after=credits_number(line.balance_after),
            at=to_datetime(line.created_at),
            operation=line.operation,
            receipt=line.receipt_id,
            offering=line.offering_slug,
            title=line.offering_title,
            plan=line.plan_slug,
        )
        for line in lines
    ]
    return Usage(entries=entries, next_before=lines[-1].seq if len(lines) == most else None)
