"""What an operator corrects by hand: a charge given back, a plan taken back, a limit for the day.

Nothing old is changed: what was charged comes back as credits, what was given is taken by another
entry, and the audit says under which request, by whom and why. Each is one unit of work under the
wallet's lock, and the same request does it once however often it comes. How a plan is taken back
is `host.metering.revoking`'s.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from host.catalogue.offering_fields import refusal, shown
from host.catalogue.registering import By, note
from host.clock import Clock
from host.errors import IdempotencyConflict, InvalidInput, UnknownReceipt
from host.language import _
from host.metering.operators import require_operator
from host.metering.revoking import PlanRevoked, RevokeRequest, revoke
from host.writing import credits_written
from storage import correctable
from storage import subscriptions as got
from storage.books import RefundCharge, Refunded
from storage.concerns import note_refunded
from storage.correctable import Charge, LostPlan
from storage.credits import HoldState, MilliCredits, format_credits, parse_credits
from storage.database import Database, Unit
from storage.ledger import DailyCap, daily_cap

REQUEST_MAX: Final = 255
"""Characters of a request's name, as of an idempotency key."""


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
        """Limit what an account may spend in a day of UTC; None lifts the operator's limit.

        Raises:
            NotAllowed: the actor is no operator.
        """
        return await self._database.run(
            lambda unit: set_cap(unit, self._by(actor), account_id, cap)
        )

    async def set_own_cap(self, account_id: int, cap: MilliCredits | None) -> DailyCap | None:
        """The same by its owner, whose limit is another one; of both the smaller counts."""
        by = self._by(account_id)
        return await self._database.run(
            lambda unit: _limit(unit, by, account_id, cap, is_operators=False)
        )

    def _by(self, actor: int | None) -> By:
        return By(actor, self._clock.now())


def credits_entered(written: str, *, read: Callable[[str], str] = str) -> MilliCredits:
    """How many credits somebody wrote.

    On a page, `read` makes of their language's decimal sign the one that programs write.

    Raises:
        InvalidInput: it is no number, negative, or has more than three decimals.
    """
    try:
        return parse_credits(read(written))
    except ValueError:
        raise InvalidInput(
            _(
                "“{written}” is not a number of credits. It is 0 or more, with at most three"
                " decimals; for example: 2.5",
                written=shown(written),
            ),
            facts={"field": "credits"},
        ) from None


def refund(unit: Unit, by: By, request: RefundRequest) -> ChargeRefunded:
    """Give back part or all of a charge, inside a unit of work."""
    require_operator(unit, by)
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


def set_cap(unit: Unit, by: By, account_id: int, cap: MilliCredits | None) -> DailyCap | None:
    """Limit what an account may spend in a day, inside a unit of work."""
    require_operator(unit, by)
    return _limit(unit, by, account_id, cap, is_operators=True)


def _limit(
    unit: Unit, by: By, account_id: int, cap: MilliCredits | None, *, is_operators: bool
) -> DailyCap | None:
    wallet_id = unit.books.open_wallet(account_id)
    version = unit.books.set_cap(
        wallet_id=wallet_id, cap=cap, now=by.now, is_operators=is_operators
    )
    note(
        unit,
        by,
        "account.daily_cap_set",
        f"account:{account_id}",
        whose="operator" if is_operators else "own",
        credits="none" if cap is None else format_credits(cap),
        version=str(version),
    )
    return daily_cap(unit.session, account_id, by.now)


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
            f"{credits_written(amount)} would be more than can be refunded: of {charged}"
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
    note_refunded(unit.session, charge.hold_id, by.now)
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
