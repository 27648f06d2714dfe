"""The shapes of the reports that `/api/v1` and the command line answer with.

Credits are decimal numbers of credits; money is in minor units of its currency and, beside them,
as people read it. Currencies are never added up together.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime

from pydantic import BaseModel, ConfigDict, Field

from host.api.views import Credits
from host.catalogue.currencies import format_money
from host.errors import credits_number
from storage.cards import PlanView
from storage.earnings import Earned, PlanDay
from storage.moments import to_datetime
from storage.periods import Dates, date_of
from storage.statements import Statement
from storage.usage import UsageLine


class _Report(BaseModel):
    model_config = ConfigDict(frozen=True)


class StatementLine(_Report):
    """One entry: what changed, what was left afterwards, and what it was about."""

    seq: int
    at: datetime
    kind: str
    amount: Credits
    balance_after: Credits
    operation: str | None
    receipt: str | None = Field(description="of a refund: the receipt of what it gives back")
    offering: str | None
    title: str | None
    plan: str | None
    plan_title: str | None
    source: str | None = Field(description="why these credits were in the wallet")


class StatementView(_Report):
    """A wallet's history over a period: opening, and all lines, make up closing.

    With the number and hash of the last entry before its end, the period is closed for good.
    """

    wallet: int | None
    since: date = Field(serialization_alias="from")
    until: date = Field(serialization_alias="to", description="the first day not told")
    plan: str | None = Field(description="when the balances are those of one plan")
    opening: Credits
    lines: list[StatementLine]
    totals: dict[str, Credits]
    closing: Credits
    head_seq: int
    head: str = Field(description="hexadecimal")


class EarnedLine(_Report):
    """What was earned in one currency; under none, credits that nobody paid for."""

    currency: str | None
    charged: Credits
    refunded: Credits
    expired: Credits
    earned_minor: int
    earned: str | None


class EarnedOnDay(EarnedLine):
    """What was earned on one day."""

    day: date


class PlanEarnings(_Report):
    """What one plan earned, day by day and together."""

    plan: str
    title: str
    days: list[EarnedOnDay]
    totals: list[EarnedLine]


class EarningsView(_Report):
    """What plans earned in a period; plans that earned nothing are left out."""

    since: date = Field(serialization_alias="from")
    until: date = Field(serialization_alias="to", description="the first day not told")
    plans: list[PlanEarnings]
    totals: list[EarnedLine]


def statement_view(found: Statement, dates: Dates, *, plan_slug: str | None) -> StatementView:
    """A statement for its owner."""
    return StatementView(
        wallet=found.wallet_id,
        since=dates.since,
        until=dates.until,
        plan=plan_slug,
        opening=credits_number(found.opening),
        lines=[_line(line) for line in found.lines],
        totals={kind.value: credits_number(total) for kind, total in found.totals.items()},
        closing=credits_number(found.closing),
        head_seq=found.head_seq,
        head=found.head.hex(),
    )


def earnings_view(
    found: Mapping[PlanDay, Earned], plans: Iterable[PlanView], dates: Dates
) -> EarningsView:
    """Earnings by plan, in the plans' order."""
    of_plans: dict[int, dict[PlanDay, Earned]] = {}
    for key in sorted(found):
        of_plans.setdefault(key.plan_id, {})[key] = found[key]
    return EarningsView(
        since=dates.since,
        until=dates.until,
        plans=[
            PlanEarnings(
                plan=plan.slug,
                title=plan.title,
                days=[_on_day(key, earned) for key, earned in of_plans[plan.id].items()],
                totals=_totals(of_plans[plan.id]),
            )
            for plan in plans
            if plan.id in of_plans
        ],
        totals=_totals(found),
    )


def _line(line: UsageLine) -> StatementLine:
    return StatementLine(
        seq=line.seq,
        at=to_datetime(line.created_at),
        kind=line.kind,
        amount=credits_number(line.amount),
        balance_after=credits_number(line.balance_after),
        operation=line.operation,
        receipt=line.receipt_id,
        offering=line.offering_slug,
        title=line.offering_title,
        plan=line.plan_slug,
        plan_title=line.plan_title,
        source=line.source,
    )


def _on_day(key: PlanDay, earned: Earned) -> EarnedOnDay:
    return EarnedOnDay(day=date_of(key.day), **_earned(key.currency, earned).model_dump())


def _totals(found: Mapping[PlanDay, Earned]) -> list[EarnedLine]:
    """By currency, for they cannot be added up together."""
    totals: dict[str, Earned] = {}
    for key, earned in found.items():
        totals[key.currency] = totals.get(key.currency, Earned()) + earned
    return [_earned(currency, totals[currency]) for currency in sorted(totals)]


def _earned(currency: str, earned: Earned) -> EarnedLine:
    return EarnedLine(
        currency=currency or None,
        charged=credits_number(earned.charged),
        refunded=credits_number(earned.refunded),
        expired=credits_number(earned.expired),
        earned_minor=earned.minor,
        earned=format_money(earned.minor, currency) if currency else None,
    )
