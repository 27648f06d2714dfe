"""What one message, call or order cost, under an address that can be quoted and kept.

Only its owner sees it; for everybody else, signed in or not an owner, there is no such receipt.
"""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from host.errors import FareboxError, UnknownOrder, UnknownReceipt
from host.identity.login_sessions import Visitor
from host.language import N_, _
from host.pages.buy import covered_by
from host.pages.order_receipts import order_words
from host.pages.own import OwnPages
from host.pages.plan_words import first_assistant
from host.pages.rendering import go, moment
from host.pages.requests import read_form
from host.personal.concerns import TEXT_MAX, refundable
from host.purchase.orders import GIVEN
from host.runs.outcomes import refunds_written
from host.writing import credits_written
from storage.charges import including_plans
from storage.credits import HoldState
from storage.ledger import Receipt, receipt
from storage.models.money import Operation
from storage.models.people import ConcernKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a receipt says, in large letters and in a sentence."""

    amount: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sentences:
    """What is said of a message, or of a call."""

    not_completed: str
    set_aside: str
    charged: str
    charged_and_back: str
    free: str
    included: str
    included_so_far: str
    included_until: str


# Charged not "for its answer": a message stopped after its first words is paid as well.
_OF: Final = {
    Operation.MESSAGE: _Sentences(
        not_completed=N_("Not charged. This message was not completed, so it cost nothing."),
        set_aside=N_("This message is still being answered; up to this much is set aside for it."),
        charged=N_("Charged once, for one message."),
        charged_and_back=N_("Charged once, for one message; {refunds}."),
        free=N_("This message is free."),
        included=N_("Your plan includes this message."),
        included_so_far=N_("This message is still being answered. Your plan includes it."),
        included_until=N_("Your plan includes every message until {moment}."),
    ),
    Operation.CALL: _Sentences(
        not_completed=N_("Not charged. This call was not completed, so it cost nothing."),
        set_aside=N_("This call is still being answered; up to this much is set aside for it."),
        charged=N_("Charged once, for one call."),
        charged_and_back=N_("Charged once, for one call; {refunds}."),
        free=N_("This call is free."),
        included=N_("Your plan includes this call."),
        included_so_far=N_("This call is still being answered. Your plan includes it."),
        included_until=N_("Your plan includes every call until {moment}."),
    ),
}


class ReceiptPages(OwnPages):
    """The page of one receipt, and what can be asked about it."""

    async def show(self, request: Request) -> Response:
        """The receipt, for its owner."""
        return await self._page(await self._visitor(request), request.path_params["receipt_id"])

    async def report(self, request: Request) -> Response:
        """Tell the operator that something is wrong with an answer."""
        return await self._ask(request, ConcernKind.REPORT)

    async def ask_refund(self, request: Request) -> Response:
        """Ask the operator to give the charge back."""
        return await self._ask(request, ConcernKind.REFUND)

    async def _ask(self, request: Request, kind: ConcernKind) -> Response:
        visitor, form = await self._visitor(request), await read_form(request)
        receipt_id: str = request.path_params["receipt_id"]
        text = form.get(kind.value, "")
        try:
            await self._host.concerns.ask(visitor.account_id, receipt_id, kind, text)
        except UnknownReceipt:
            raise
        except FareboxError as error:
            asked = _Asked(kind, text[: 2 * TEXT_MAX], error)
            return await self._page(visitor, receipt_id, asked=asked)
        return go(f"/receipts/{receipt_id}#{kind.value}")

    async def _page(
        self, visitor: Visitor, receipt_id: str, *, asked: "_Asked | None" = None
    ) -> Response:
        found = await self._host.database.read(lambda s: receipt(s, receipt_id))
        if found is None or found.account_id != visitor.account_id:
            return await self._of_order(visitor, receipt_id)
        included_in = await self._host.database.read(lambda s: including_plans(s, found))
        is_included = bool(included_in) or found.included_until is not None
        return self._renderer.page(
            "receipt.html",
            visitor=visitor,
            receipt=found,
            verdict=verdict(found, is_included=is_included),
            plan_titles=found.plan_titles or included_in,
            is_included=is_included,
            concerns=await self._host.concerns.about(receipt_id),
            may_ask_refund=refundable(found),
            text_max=TEXT_MAX,
            wrong_kind=asked.kind if asked else "",
            written=asked.text if asked else "",
            error=asked.error if asked else None,
        )

    async def _of_order(self, visitor: Visitor, order_id: str) -> Response:
        try:
            order = await self._host.purchases.find(visitor.account_id, order_id)
        except UnknownOrder:
            raise UnknownReceipt(
                _("There is no receipt with this number on your account.")
            ) from None
        is_given = order.state in GIVEN
        opens = first_assistant(await covered_by(self._host, order.plan_id)) if is_given else None
        return self._renderer.page(
            "order.html",
            visitor=visitor,
            order=order,
            words=order_words(order),
            is_open=self._host.purchases.pay_path(order) is not None,
            opens=opens,
        )


@dataclass(frozen=True, slots=True)
class _Asked:
    """What somebody wrote that cannot be taken down as it is."""

    kind: ConcernKind
    text: str
    error: FareboxError


def verdict(found: Receipt, *, is_included: bool = False) -> Verdict:
    """What the receipt comes to."""
    of = _OF[found.operation]
    is_included = is_included or found.included_until is not None
    match found.state:
        case HoldState.RELEASED | HoldState.EXPIRED:
            return Verdict(amount=credits_written(0), sentence=_(of.not_completed))
        case _ if is_included:
            return Verdict(amount=_("Included"), sentence=_inclusion(found, of))
        case HoldState.OPEN:
            return Verdict(amount=credits_written(found.held), sentence=_(of.set_aside))
        case HoldState.CAPTURED if found.captured:
            in_the_end = credits_written(found.kept)
            amount = f"−{in_the_end}" if found.kept else in_the_end
            return Verdict(amount=amount, sentence=_charge(found, of))
        case HoldState.CAPTURED:
            return Verdict(amount=credits_written(0), sentence=_(of.free))


def _charge(found: Receipt, of: _Sentences) -> str:
    if not found.refunds:
        return _(of.charged)
    return _(of.charged_and_back, refunds=refunds_written(found.refunds))


def _inclusion(found: Receipt, of: _Sentences) -> str:
    """How a time plan stands for it; only a message's run wrote down for how long."""
    if found.state is HoldState.OPEN:
        return _(of.included_so_far)
    if found.included_until is None:
        return _(of.included)
    return _(of.included_until, moment=moment(found.included_until))
