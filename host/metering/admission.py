"""May this message or call begin, and what must be held for it? Decided without I/O.

The facts are read on a snapshot, or in the unit that opens the hold (`host.metering.meter`): what
is suspended, paused or ended by somebody else in between lets one more message or call through, as
if it had come a moment earlier. Whether the credits suffice is for the ledger alone to say: it
counts and takes in one step.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

from host.errors import (
    AccountSuspended,
    FareboxError,
    NotInPlan,
    OfferingPaused,
    PlanEnded,
    UnknownOffering,
    credits_number,
)
from host.language import _
from host.writing import long_day
from storage.credits import MilliCredits
from storage.entitlement import Entitlement
from storage.moments import Micros

NOTHING: Final = MilliCredits(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who asks for what, and how they stand."""

    title: str
    """The offering's, for the words of a refusal."""
    is_draft: bool
    is_paused: bool
    is_retired: bool
    is_owner: bool
    is_suspended: bool
    price: MilliCredits
    """The most it may cost."""
    entitlement: Entitlement
    ended_plan: str | None
    """The title of the plan that ended last, where none runs."""
    buy_url: str | None
    """Where a plan can be got; None when no plan that covers the offering is for sale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """It may begin once `amount` is held."""

    amount: MilliCredits
    is_free: bool
    """The owner's own: no hold, no receipt."""
    plan_ids: tuple[int, ...] = ()
    included_until: Micros | None = None
    """The end of the time plan that includes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """It may not; nothing has been held."""

    error: FareboxError


Admission: TypeAlias = Admitted | Refused


def admit(asked: Asked) -> Admission:
    """Let it begin, or say why not and what to do.

    The owner's own messages and calls are free at every stage but the last, so that a draft can be
    tried. A time plan is used before credits.
    """
    closed = _closed(asked)
    if closed is not None:
        return Refused(error=closed)
    if asked.is_owner:
        return Admitted(amount=NOTHING, is_free=True)
    entitlement = asked.entitlement
    if not entitlement.had_plan:
        return Refused(error=_not_in_plan(asked))
    if not entitlement.is_running:
        return Refused(error=_plan_ended(asked))
    return Admitted(
        amount=asked.price if entitlement.included_until is None else NOTHING,
        is_free=False,
        plan_ids=entitlement.plan_ids,
        included_until=entitlement.included_until,
    )


def suspended() -> AccountSuspended:
    """The refusal of a suspended account, also where nothing new is asked for."""
    return AccountSuspended(
        _("Your account is suspended; your balance stays. Please ask the operator of this host.")
    )


def _closed(asked: Asked) -> FareboxError | None:
    """Why nobody, or not this account, may use the offering at all."""
    if asked.is_suspended:
        return suspended()
    if asked.is_retired:
        return OfferingPaused(
            _("{offering} has been withdrawn. Nothing was charged.", offering=asked.title),
            says_charge=True,
        )
    if asked.is_owner:
        return None
    if asked.is_draft:
        return UnknownOffering(_("There is no published offering of that name."))
    if asked.is_paused:
        return OfferingPaused(
            _(
                "{offering} is paused by its builder. Nothing was charged; try again later.",
                offering=asked.title,
            ),
            says_charge=True,
        )
    return None


def _not_in_plan(asked: Asked) -> NotInPlan:
    why = _("None of your plans covers {offering}.", offering=asked.title)
    return NotInPlan(
        _unless_sold(why, asked),
        advice=_where(asked),
        headers=_link(asked),
        facts={"topup_url": asked.buy_url},
    )


def _plan_ended(asked: Asked) -> PlanEnded:
    last = asked.entitlement.ended
    assert last is not None, "a plan that was had and does not run has ended"
    why = _taken_back(asked, last.ends_at) if last.is_taken_back else _ended(asked, last.ends_at)
    return PlanEnded(
        _unless_sold(why, asked),
        advice=_where(asked),
        headers=_link(asked),
        facts={
            "balance": credits_number(NOTHING),
            "required": credits_number(asked.price),
            "topup_url": asked.buy_url,
        },
    )


def _ended(asked: Asked, at: Micros) -> str:
    if asked.ended_plan is None:
        return _(
            "Your plan for {offering} ended on {day}.", offering=asked.title, day=long_day(at)
        )
    return _("{plan} ended on {day}.", plan=asked.ended_plan, day=long_day(at))


def _taken_back(asked: Asked, at: Micros) -> str:
    if asked.ended_plan is None:
        return _(
            "Your plan for {offering} was taken back by the operator on {day}.",
            offering=asked.title,
            day=long_day(at),
        )
    return _(
        "{plan} was taken back by the operator on {day}.",
        plan=asked.ended_plan,
        day=long_day(at),
    )


def _unless_sold(why: str, asked: Asked) -> str:
    """Why it may not begin; where no plan can be got, that as well."""
    if asked.buy_url is not None:
        return why
    return f"{why} " + _("No plan that covers it is for sale right now.")


def _where(asked: Asked) -> str:
    if asked.buy_url is None:
        return ""
    return _("Get a plan at {address} and try again.", address=asked.buy_url)


def _link(asked: Asked) -> dict[str, str]:
    return {} if asked.buy_url is None else {"Link": f'<{asked.buy_url}>; rel="payment"'}
