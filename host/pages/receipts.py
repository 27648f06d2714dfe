"""What one message or call cost, under an address that can be quoted and kept.

Only its owner sees it; for everybody else, signed in or not an owner, there is no such receipt.
"""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from host.errors import NotSignedIn, UnknownReceipt
from host.pages.parts import PageHost
from host.pages.rendering import Renderer, moment
from storage.credits import HoldState, format_credits
from storage.ledger import Receipt, receipt
from storage.models.money import Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a receipt says, in large letters and in a sentence."""

    amount: str
    sentence: str


class ReceiptPages:
    """The page of one receipt."""

    def __init__(self, host: PageHost, renderer: Renderer) -> None:
        self._host = host
        self._renderer = renderer

    async def show(self, request: Request) -> Response:
        """The receipt, for its owner."""
        cookie = self._host.login_sessions.read_cookie(request.headers.raw)
        visitor = await self._host.login_sessions.find(cookie)
        if visitor is None:
            raise NotSignedIn("Sign in to see your receipts.")
        receipt_id: str = request.path_params["receipt_id"]
        found = await self._host.database.read(lambda s: receipt(s, receipt_id))
        if found is None or found.account_id != visitor.account_id:
            raise UnknownReceipt("There is no receipt with this number on your account.")
        return self._renderer.page(
            "receipt.html", visitor=visitor, receipt=found, verdict=verdict(found)
        )


def verdict(found: Receipt) -> Verdict:
    """What the receipt comes to."""
    noun = "message" if found.operation is Operation.MESSAGE else "call"
    match found.state:
        case HoldState.OPEN:
            sentence = f"This {noun} is still being answered; up to this much is set aside for it."
            return Verdict(amount=_credits(found.held), sentence=sentence)
        case HoldState.RELEASED | HoldState.EXPIRED:
            sentence = f"Not charged. This {noun} was not completed, so it cost nothing."
            return Verdict(amount=_credits(0), sentence=sentence)
        case HoldState.CAPTURED if found.captured:
            # Not "for its answer": a message stopped after its first words is paid as well.
            sentence = f"Charged once, for one {noun}."
            return Verdict(amount=f"−{_credits(found.captured)}", sentence=sentence)
        case HoldState.CAPTURED if found.included_until is not None:
            until = moment(found.included_until)
            return Verdict(amount=_credits(0), sentence=f"Included in your plan until {until}.")
        case HoldState.CAPTURED:
            return Verdict(amount=_credits(0), sentence=f"This {noun} is free.")


def _credits(amount: int) -> str:
    return f"{format_credits(amount)} {'credit' if amount == 1000 else 'credits'}"  # noqa: PLR2004
