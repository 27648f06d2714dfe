"""What `/api/v1` answers with: the shapes that programs are written against.

Credits are decimal numbers of credits, moments are ISO 8601 in UTC, and what never ends is null.
Which view is made when, and for whom, is `host.api.routes`'s.
"""

from datetime import datetime
from typing import Final, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from host.catalogue.issuing import NAME_MAX
from host.errors import credits_number
from host.identity.access_tokens import DAYS_MAX
from host.identity.login_sessions import Visitor
from storage.cards import OfferingCard, PlanView, PurchasedOffering, SubscriptionView
from storage.ledger import DailyCap, PlanBalance, Receipt
from storage.moments import NEVER, Micros, to_datetime
from storage.tokens import AccessTokenLine
from storage.usage import UsageLine

Credits: TypeAlias = int | float

KEY_ENTERED_MAX: Final = 2000
"""No upstream's keys are near this; what is too long to be one, `host.drafts` says better."""


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class _Body(BaseModel):
    # A field that is not understood is an error: it was meant to do something.
    model_config = ConfigDict(frozen=True, extra="forbid")


class Me(_View):
    """Who is signed in."""

    email: str
    name: str
    roles: list[str]


class OfferingBalance(_View):
    """What can be spent on one offering, and the time plan that includes it."""

    offering: str
    title: str
    balance: Credits
    included_until: datetime | None
    is_running: bool


class PlanCredits(_View):
    """What is left of one plan's credits."""

    plan: str
    available: Credits
    held: Credits
    expires_at: datetime | None


class Balance(_View):
    """All that can be spent: by offering, by plan, and in all."""

    offerings: list[OfferingBalance]
    plans: list[PlanCredits]
    available: Credits
    held: Credits
    daily_cap: Credits | None
    """The most that may be spent in a day of UTC; null when there is no limit."""
    spent_today: Credits | None
    """What counts against the limit: the day's charges, and what is held."""


class PlanOnSale(_View):
    """A plan and its terms."""

    slug: str
    title: str
    description: str
    kind: str
    price_minor: int
    currency: str
    credits: Credits | None
    duration_s: int | None
    is_trial: bool


class OfferingOnSale(_View):
    """An offering, what it costs and the plans that cover it."""

    slug: str
    kind: str
    title: str
    description: str
    tags: list[str]
    state: str
    price: Credits
    plans: list[str]
    proxy_url: str


class SubscriptionLine(_View):
    """One time that a plan was got."""

    plan: str
    title: str
    kind: str
    starts_at: datetime
    ends_at: datetime | None
    is_cancelled: bool


class RefundView(_View):
    """Part or all of a charge, given back."""

    credits: Credits
    at: datetime


class ReceiptView(_View):
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


class UsageEntry(_View):
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


class Usage(_View):
    """A page of the history, newest first; `next_before` leads to the page after it."""

    entries: list[UsageEntry]
    next_before: int | None


class NewToken(_Body):
    """An access token that is wanted."""

    offering: str
    days: int = Field(default=30, ge=1, le=DAYS_MAX)
    name: str = Field(default="", max_length=NAME_MAX)


class IssuedToken(_View):
    """A new access token. It is shown here and never again."""

    token: str
    offering: str
    proxy_url: str
    days: int


class TokenEntry(_View):
    """An access token by its number."""

    jti: str
    name: str
    offering: str
    title: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


class EnteredKey(_Body):
    """An upstream key from the masked form."""

    key: SecretStr = Field(min_length=1, max_length=KEY_ENTERED_MAX)


class KeyEntered(_View):
    """What may be shown of a key that was entered."""

    last4: str
    state: str
    sentence: str


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
                included_until=_moment(item.standing.entitlement.included_until),
                is_running=item.standing.entitlement.is_running,
            )
            for item in purchased
        ],
        plans=[
            PlanCredits(
                plan=plan_slugs[line.plan_id],
                available=credits_number(line.available),
                held=credits_number(line.held),
                expires_at=_moment(line.expires_at),
            )
            for line in balances
        ],
        available=credits_number(sum(line.available for line in balances)),
        held=credits_number(sum(line.held for line in balances)),
        daily_cap=None if cap is None else credits_number(cap.cap),
        spent_today=None if cap is None else credits_number(cap.spent),
    )


def plan_view(plan: PlanView) -> PlanOnSale:
    """A plan on the terms it is sold on now."""
    terms = plan.version
    return PlanOnSale(
        slug=plan.slug,
        title=plan.title,
        description=plan.description,
        kind=terms.kind,
        price_minor=terms.price_minor,
        currency=terms.currency,
        credits=credits_number(terms.credits) if terms.credits else None,
        duration_s=terms.duration_s,
        is_trial=terms.is_trial,
    )


def offering_view(card: OfferingCard, public_url: str) -> OfferingOnSale:
    """An offering as anybody may see it."""
    return OfferingOnSale(
        slug=card.slug,
        kind=card.kind,
        title=card.title,
        description=card.description,
        tags=list(card.tags),
        state=card.state,
        price=credits_number(card.price),
        plans=[plan.slug for plan in card.plans if plan.is_sold],
        proxy_url=proxy_url(public_url, card.slug),
    )


def subscription_view(line: SubscriptionView) -> SubscriptionLine:
    """One time that a plan was got."""
    return SubscriptionLine(
        plan=line.plan_slug,
        title=line.plan_title,
        kind=line.kind,
        starts_at=to_datetime(line.starts_at),
        ends_at=_moment(line.ends_at),
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
        included_until=_moment(found.included_until),
        created_at=to_datetime(found.created_at),
        ended_at=_moment(found.ended_at),
    )


def usage_view(lines: tuple[UsageLine, ...], *, most: int) -> Usage:
    """One page of the history."""
    entries = [
        UsageEntry(
            seq=line.seq,
            kind=line.kind,
            amount=_signed(line.amount),
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


def token_view(line: AccessTokenLine) -> TokenEntry:
    """An access token by its number."""
    return TokenEntry(
        jti=line.jti,
        name=line.name,
        offering=line.offering_slug,
        title=line.offering_title,
        created_at=to_datetime(line.created_at),
        expires_at=to_datetime(line.expires_at),
        revoked_at=_moment(line.revoked_at),
    )


def proxy_url(public_url: str, slug: str) -> str:
    """Where an offering is called."""
    return f"{public_url}/s/{slug}"


def _moment(moment: Micros | None) -> datetime | None:
    return None if moment is None or moment >= NEVER else to_datetime(moment)


def _signed(amount: int) -> Credits:
    return credits_number(amount) if amount >= 0 else -credits_number(-amount)
