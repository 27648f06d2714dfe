"""Giving somebody what a plan gives, once: credits in their wallet, or time.

The subscription and the grant are one unit of work, under the wallet's lock. The same order,
voucher use, trial or request gives once however often it comes. A plan that costs nothing is taken
by oneself, as a trial: nobody takes it who ever had it, in whatever way, also when it was taken
back.
"""

from dataclasses import dataclass, replace
from typing import Final

from host.catalogue.offering_fields import credits_in_range
from host.catalogue.registering import By, find_plan, note
from host.errors import IdempotencyConflict, InvalidInput, NotAllowed
from host.language import _
from storage import accounts
from storage import subscriptions as got
from storage.books import GrantCredits
from storage.cards import PlanView, SubscriptionView
from storage.catalogue import find_plan_as_sold
from storage.credits import MilliCredits, format_credits
from storage.database import Unit
from storage.models.accounts import AccountState, Role
from storage.models.catalogue import PlanKind, Subscription
from storage.models.money import GrantSource
from storage.moments import NEVER, SECOND, Micros

FREE_FIRST: Final = 0
PAID_AFTER: Final = 10
PAID: Final = frozenset({GrantSource.ORDER, GrantSource.VOUCHER})


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribeRequest:
    """Who gets which plan, and why."""

    account_id: int
    plan_slug: str
    source: GrantSource
    source_ref: str
    """The order, voucher use or request: the same one gives only once. Not needed for a trial."""
    credits: MilliCredits | None = None
    """Other than the plan's own number, when an operator gives them by hand."""
    note: str = ""
    version_id: int | None = None
    """The terms that were ordered, where they may no longer be what the plan is sold on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribed:
    """What was got, and whether by this request."""

    subscription: SubscriptionView
    is_new: bool


def subscribe(unit: Unit, by: By, request: SubscribeRequest) -> Subscribed:
    """Give what the plan gives.

    `by` nobody is the host fulfilling an order or a voucher, or the operator at the machine.

    Raises:
        UnknownPlan: there is no such plan.
        NotAllowed: only a trial is taken by oneself, and only an operator gives.
        InvalidInput: the plan is no trial, is not for sale, or gives no credits.
        IdempotencyConflict: the source has given another plan.
    """
    plan = _plan_of(unit, request)
    _authorise(unit, by, request)
    _check(request, plan)
    if request.source is GrantSource.TRIAL:
        request = replace(request, source_ref=plan.slug)  # so there is no second one
    wallet_id = unit.books.open_wallet(request.account_id)
    got.lock_wallet(unit.session, wallet_id)
    before = _found(unit, request, plan)
    if before is not None:
        if before.plan_id != plan.id:
            raise IdempotencyConflict(
                _("This was already used for {plan}.", plan=before.plan_title)
            )
        return Subscribed(subscription=before, is_new=False)
    _give(unit, request, plan, wallet_id, by.now)
    note(
        unit,
        by,
        "subscription.opened",
        f"account:{request.account_id}",
        plan=plan.slug,
        source=request.source.value,
        source_ref=request.source_ref,
        credits="" if request.credits is None else format_credits(request.credits),
        note=request.note,
    )
    opened = _found(unit, request, plan)
    assert opened is not None, "it has just been written"
    return Subscribed(subscription=opened, is_new=True)


def priority_of(source: GrantSource, *, price_minor: int) -> int:
    """Where a grant stands in draw-down, which takes the lower number first.

    What was a gift (a trial, a free plan, what an operator gave) is spent before what was paid
    for. The refund of a charge asks nobody: it keeps the priority of the grant it came from.
    """
    return PAID_AFTER if source in PAID and price_minor > 0 else FREE_FIRST


def _plan_of(unit: Unit, request: SubscribeRequest) -> PlanView:
    """The plan, on the terms that were ordered or else on those it is sold on now."""
    plan = find_plan(unit, request.plan_slug)
    if request.version_id is None:
        return plan
    as_sold = find_plan_as_sold(unit.session, request.version_id)
    assert as_sold is not None, "versions are never deleted"
    assert as_sold.id == plan.id, "an order keeps its plan's version"
    return as_sold


def _found(unit: Unit, request: SubscribeRequest, plan: PlanView) -> SubscriptionView | None:
    if request.source is GrantSource.TRIAL:
        return got.last_of_plan(unit.session, account_id=request.account_id, plan_id=plan.id)
    return got.find_by_source(
        unit.session,
        account_id=request.account_id,
        source=request.source,
        source_ref=request.source_ref,
    )


def _authorise(unit: Unit, by: By, request: SubscribeRequest) -> None:
    subscriber = accounts.find_account(unit.session, request.account_id)
    if subscriber is None:
        raise InvalidInput("There is no such account.")
    is_own_trial = request.source is GrantSource.TRIAL and by.account_id == request.account_id
    if by.account_id is None or (is_own_trial and subscriber.state is AccountState.ACTIVE):
        return
    actor = accounts.find_account(unit.session, by.account_id)
    is_operator = (
        actor is not None and actor.state is AccountState.ACTIVE and Role.OPERATOR in actor.roles
    )
    if not is_operator or request.source in PAID:
        raise NotAllowed("Only an operator can give plans, and only orders fulfil themselves.")


def _check(request: SubscribeRequest, plan: PlanView) -> None:
    version = plan.version
    if request.source is GrantSource.TRIAL and not plan.is_free:
        raise InvalidInput(_("{plan} is not free.", plan=plan.title))
    if request.source is GrantSource.TRIAL and not plan.is_sold:
        raise InvalidInput(_("{plan} is no longer offered.", plan=plan.title))
    if request.credits is not None:
        if version.kind is PlanKind.TIME:
            raise InvalidInput(f"{plan.title} gives time, not credits.")
        credits_in_range(request.credits)


def _give(
    unit: Unit, request: SubscribeRequest, plan: PlanView, wallet_id: int, now: Micros
) -> None:
    version = plan.version
    starts_at = now
    if version.kind is PlanKind.TIME:
        before = got.end_of_time(unit.session, account_id=request.account_id, plan_id=plan.id)
        starts_at = max(now, before or now)
    ends_at = (
        NEVER if version.duration_s is None else Micros(starts_at + version.duration_s * SECOND)
    )
    got.add_subscription(
        unit.session,
        Subscription(
            account_id=request.account_id,
            plan_id=plan.id,
            plan_version_id=version.id,
            source=request.source.value,
            source_ref=request.source_ref,
            starts_at=starts_at,
            ends_at=ends_at,
            created_at=now,
        ),
    )
    if version.kind is PlanKind.CREDITS:
        grant = _grant_of(request, plan, wallet_id, effective_at=now, expires_at=ends_at)
        unit.books.grant(grant)


def _grant_of(
    request: SubscribeRequest,
    plan: PlanView,
    wallet_id: int,
    *,
    effective_at: Micros,
    expires_at: Micros,
) -> GrantCredits:
    """The credits of a plan; what was bought tells what it cost, for its earnings."""
    version = plan.version
    was_bought = request.source is GrantSource.ORDER
    return GrantCredits(
        wallet_id=wallet_id,
        plan_id=plan.id,
        plan_version_id=version.id,
        source=request.source,
        source_ref=request.source_ref,
        amount=version.credits if request.credits is None else request.credits,
        priority=priority_of(request.source, price_minor=version.price_minor),
        effective_at=effective_at,
        expires_at=expires_at,
        now=effective_at,
        cost_minor=version.price_minor if was_bought else None,
        currency=version.currency if was_bought else None,
    )
