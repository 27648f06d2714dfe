"""Taking a plan back from somebody: what is unspent of it goes, what is spent stays spent.

One unit of work under the wallet's lock, and the same request does it once however often it comes:
the audit, and nothing else, remembers what it did when it first came.
"""

from dataclasses import dataclass
from typing import Final

from host.catalogue.registering import By, find_plan, note
from host.errors import IdempotencyConflict, InvalidInput
from host.metering.operators import require_operator
from storage import audit, correctable
from storage import subscriptions as got
from storage.books import RevokeGrant
from storage.cards import PlanView
from storage.credits import MilliCredits, format_credits, parse_credits
from storage.database import Unit
from storage.ledger import find_wallet

REVOKED: Final = "plan.revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeRequest:
    """Whom to take which plan back from, and why."""

    account_id: int
    plan_slug: str
    request: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRevoked:
    """What became of a plan's credits when it was taken back."""

    plan_title: str
    taken: MilliCredits
    held: MilliCredits
    """Held for work under way; what that does not use is taken back when it ends."""
    spent: MilliCredits
    """Spent and not given back: it stays spent."""
    ended: int
    """How many subscriptions to the plan this ended."""
    is_new: bool


def revoke(unit: Unit, by: By, request: RevokeRequest) -> PlanRevoked:
    """Take a plan back, inside a unit of work.

    Raises:
        NotAllowed: the actor is no operator.
        UnknownPlan: there is no such plan.
        InvalidInput: the account never had it.
        IdempotencyConflict: the request took back another plan.
    """
    require_operator(unit, by)
    plan = find_plan(unit, request.plan_slug)
    wallet_id = find_wallet(unit.session, request.account_id)
    if wallet_id is None or not _ever_had(unit, request, plan):
        raise InvalidInput(f"This account never had {plan.title}.")
    got.lock_wallet(unit.session, wallet_id)
    before = _revoked_before(unit, request, plan)
    if before is not None:
        return before
    grants = correctable.standing_grants(unit.session, wallet_id, plan.id, by.now)
    standings = [
        unit.books.revoke(
            RevokeGrant(
                wallet_id=wallet_id, grant_id=grant.grant_id, target=grant.amount, now=by.now
            )
        )
        for grant in grants
        if not grant.is_empty
    ]
    revoked = PlanRevoked(
        plan_title=plan.title,
        taken=MilliCredits(sum(standing.taken for standing in standings)),
        held=MilliCredits(sum(grant.held for grant in grants)),
        spent=correctable.spent_in_all(grants),
        ended=got.cancel(unit.session, account_id=request.account_id, plan_id=plan.id, now=by.now),
        is_new=True,
    )
    _note_revoked(unit, by, request, plan, revoked)
    return revoked


def _ever_had(unit: Unit, request: RevokeRequest, plan: PlanView) -> bool:
    had = got.subscriptions_of(unit.session, request.account_id)
    return any(one.plan_id == plan.id for one in had)


def _revoked_before(unit: Unit, request: RevokeRequest, plan: PlanView) -> PlanRevoked | None:
    """What this request did when it first came, as the audit tells."""
    subject = _subject(request.account_id)
    told = audit.noted(unit.session, REVOKED, subject, request=request.request)
    if told is None:
        return None
    if told["plan"] != plan.slug:
        raise IdempotencyConflict("This request has taken back another plan; use a new one.")
    return PlanRevoked(
        plan_title=plan.title,
        taken=parse_credits(told["taken"]),
        held=parse_credits(told["held"]),
        spent=parse_credits(told["spent"]),
        ended=int(told["ended"]),
        is_new=False,
    )


def _note_revoked(
    unit: Unit, by: By, request: RevokeRequest, plan: PlanView, revoked: PlanRevoked
) -> None:
    note(
        unit,
        by,
        REVOKED,
        _subject(request.account_id),
        plan=plan.slug,
        taken=format_credits(revoked.taken),
        held=format_credits(revoked.held),
        spent=format_credits(revoked.spent),
        ended=str(revoked.ended),
        request=request.request,
        note=request.note,
    )


def _subject(account_id: int) -> str:
    return f"account:{account_id}"
