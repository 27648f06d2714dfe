"""What an operator corrects by hand: a charge given back, a plan taken back, a limit for the day.

Nothing old is changed: what was charged comes back as credits, what was given is taken by another
entry, and the audit says under which request, by whom and why. Each is one unit of work under the
wallet's lock, and the same request does it once however often it comes.
"""

from dataclasses import dataclass
from typing import Final

from host.catalogue.offering_fields import refusal, shown
from host.catalogue.registering import By, find_plan, note
from host.clock import Clock
from host.errors import IdempotencyConflict, InvalidInput, NotAllowed, UnknownReceipt
from storage import accounts, audit, correctable
from storage import subscriptions as got
from storage.books import RefundCharge, Refunded, RevokeGrant
from storage.cards import PlanView
from storage.correctable import Charge, LostPlan
from storage.credits import HoldState, MilliCredits, credits_written, format_credits, parse_credits
from storage.database import Database, Unit
from storage.ledger import DailyCap, daily_cap
from storage.models.accounts import AccountState, Role

REQUEST_MAX: Final = 255
"""Characters of a request's name, as of an idempotency key."""
REVOKED: Final = "plan.revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRequest:
    """Which charge to give back, and why."""

    receipt_id: str
    request: str
    """The caller's name for it: the same one gives back only once."""
    credits: MilliCredits | None = None
    """All that is left of the charge, unless told."""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeRefunded:
    """What a request gave back, now or when it first came."""

    account_id: int
    amount: MilliCredits
    charged: MilliCredits
    left: MilliCredits
    """What can still be refunded of the charge."""
    unusable: tuple[LostPlan, ...]
    """Plans that were taken back meanwhile: what comes back there cannot be spent."""
    is_new: bool


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


class Corrections:
    """The operator's corrections; an actor of None is the operator at the machine itself."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def refund(self, actor: int | None, request: RefundRequest) -> ChargeRefunded:
        """Give back part or all of what one message or call was charged.

        Raises:
            NotAllowed: the actor is no operator.
            UnknownReceipt: there is no such receipt.
            InvalidInput: nothing was charged, or less is left than is to be given back.
            IdempotencyConflict: the request gave back something else.
        """
        _check_request(request.request)
        return await self._database.run(lambda unit: refund(unit, self._by(actor), request))

    async def revoke(self, actor: int | None, request: RevokeRequest) -> PlanRevoked:
        """Take a plan back: end it, and take what is unspent of every live grant of it.

        Raises:
            NotAllowed: the actor is no operator.
            UnknownPlan: there is no such plan.
            InvalidInput: the account never had it.
            IdempotencyConflict: the request took back another plan.
        """
        _check_request(request.request)
        return await self._database.run(lambda unit: revoke(unit, self._by(actor), request))

    async def set_cap(
        self, actor: int | None, account_id: int, cap: MilliCredits | None
    ) -> DailyCap | None:
        """Limit what an account may spend in a day of UTC; None lifts the limit.

        Raises:
            NotAllowed: the actor is no operator.
        """
        return await self._database.run(
            lambda unit: set_cap(unit, self._by(actor), account_id, cap)
        )

    def _by(self, actor: int | None) -> By:
        return By(actor, self._clock.now())


def credits_entered(written: str) -> MilliCredits:
    """How many credits somebody wrote.

    Raises:
        InvalidInput: it is no number, negative, or has more than three decimals.
    """
    try:
        return parse_credits(written)
    except ValueError:
        raise refusal(
            "credits",
            f"“{shown(written)}” is not a number of credits.",
            "It is 0 or more, with at most three decimals",
            "2.5",
        ) from None


def refund(unit: Unit, by: By, request: RefundRequest) -> ChargeRefunded:
    """Give back part or all of a charge, inside a unit of work."""
    _authorise(unit, by)
    got.lock_wallet(unit.session, _charge(unit, request).wallet_id)
    charge = _charge(unit, request)  # as it is now that nobody else can change it
    before = correctable.refund_of_key(unit.session, charge.wallet_id, request.request)
    if before is None:
        amount = _refundable(charge, request)
        _give_back(unit, by, charge, request, amount)
    else:
        hold_id, amount = before
        if hold_id != charge.hold_id or request.credits not in {None, amount}:
            raise IdempotencyConflict("This request has refunded something else; use a new one.")
    return ChargeRefunded(
        account_id=charge.account_id,
        amount=amount,
        charged=charge.charged,
        left=MilliCredits(charge.left - amount) if before is None else charge.left,
        unusable=correctable.plans_no_longer_had(unit.session, charge),
        is_new=before is None,
    )


def revoke(unit: Unit, by: By, request: RevokeRequest) -> PlanRevoked:
    """Take a plan back, inside a unit of work."""
    _authorise(unit, by)
    plan = find_plan(unit, request.plan_slug)
    wallet_id = correctable.find_wallet(unit.session, request.account_id)
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


def set_cap(unit: Unit, by: By, account_id: int, cap: MilliCredits | None) -> DailyCap | None:
    """Limit what an account may spend in a day, inside a unit of work."""
    _authorise(unit, by)
    wallet_id = unit.books.open_wallet(account_id)
    version = unit.books.set_cap(wallet_id=wallet_id, cap=cap, now=by.now)
    note(
        unit,
        by,
        "account.daily_cap_set",
        _subject(account_id),
        credits="none" if cap is None else format_credits(cap),
        version=str(version),
    )
    return daily_cap(unit.session, account_id, by.now)


def _authorise(unit: Unit, by: By) -> None:
    if by.account_id is None:
        return
    actor = accounts.find_account(unit.session, by.account_id)
    is_active = actor is not None and actor.state is AccountState.ACTIVE
    if actor is None or not is_active or Role.OPERATOR not in actor.roles:
        raise NotAllowed("Only an operator can correct what was charged or given.")


def _check_request(name: str) -> None:
    if not 0 < len(name) <= REQUEST_MAX or not name.isprintable():
        raise refusal(
            "request",
            "That cannot name a request.",
            f"A name is 1 to {REQUEST_MAX} visible characters",
            "ticket-17",
        )


def _charge(unit: Unit, request: RefundRequest) -> Charge:
    charge = correctable.find_charge(unit.session, request.receipt_id)
    if charge is None:
        raise UnknownReceipt(f"There is no receipt “{shown(request.receipt_id)}”.")
    return charge


def _refundable(charge: Charge, request: RefundRequest) -> MilliCredits:
    """How much to give back, if that much can be."""
    charged, refunded = credits_written(charge.charged), format_credits(charge.refunded)
    if charge.state is HoldState.OPEN:
        raise InvalidInput("This is still being answered; nothing has been charged for it yet.")
    if not charge.charged:
        raise InvalidInput("Nothing was charged under this receipt; there is nothing to refund.")
    if not charge.left:
        raise InvalidInput(
            f"Nothing is left to refund: of {charged} charged, {refunded} were refunded."
        )
    amount = charge.left if request.credits is None else request.credits
    if amount == 0:
        raise refusal("credits", "Nothing is no refund.", "Refund more than 0 credits", "0.5")
    if amount > charge.left:
        raise InvalidInput(
            f"More than can be refunded is {credits_written(amount)}: of {charged}"
            f" charged, {refunded} were refunded, so {format_credits(charge.left)} are left."
        )
    return amount


def _give_back(
    unit: Unit, by: By, charge: Charge, request: RefundRequest, amount: MilliCredits
) -> None:
    answer = unit.books.refund(
        RefundCharge(
            wallet_id=charge.wallet_id,
            hold_id=charge.hold_id,
            key=request.request,
            amount=amount,
            now=by.now,
        )
    )
    assert isinstance(answer, Refunded), "what is left was read under the wallet's lock"
    note(
        unit,
        by,
        "charge.refunded",
        f"receipt:{request.receipt_id}",
        account=str(charge.account_id),
        credits=format_credits(amount),
        request=request.request,
        note=request.note,
    )


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
