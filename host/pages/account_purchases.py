"""What one got and what one was charged: purchases, and the receipts of messages and calls."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from host.pages.own import OwnPages
from storage.cards import SubscriptionView
from storage.charges import recent_charges
from storage.models.money import GrantSource
from storage.moments import NEVER, Micros

RECEIPTS_SHOWN: Final = 25
_DIGITS_MAX: Final = 18
HOW: Final[Mapping[GrantSource, str]] = {
    GrantSource.ORDER: "Bought",
    GrantSource.VOUCHER: "Voucher",
    GrantSource.TRIAL: "Free trial",
    GrantSource.OPERATOR: "Given by the operator",
    GrantSource.REFUND: "Refund",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseLine:
    """One time that a plan was got."""

    title: str
    plan_slug: str
    how: str
    at: Micros
    ends_at: Micros | None
    """The end of what was got, where it ends by time."""
    is_taken_back: bool


class PurchasePages(OwnPages):
    """The page of purchases and receipts."""

    async def show(self, request: Request) -> Response:
        """Every purchase, and one page of receipts."""
        visitor, host = await self._visitor(request), self._host
        before = _number(request.query_params.get("before", ""))
        charges = await host.database.read(
            lambda s: recent_charges(s, visitor.account_id, most=RECEIPTS_SHOWN + 1, before=before)
        )
        shown = charges[:RECEIPTS_SHOWN]
        return self._renderer.page(
            "account_purchases.html",
            visitor=visitor,
            purchases=purchase_lines(await host.catalogue.subscriptions(visitor.account_id)),
            charges=shown,
            is_first=before is None,
            older=shown[-1].number if len(charges) > len(shown) else None,
        )


def purchase_lines(subscriptions: Iterable[SubscriptionView]) -> list[PurchaseLine]:
    """Every time that a plan was got, the newest first."""
    lines = [
        PurchaseLine(
            title=got.plan_title,
            plan_slug=got.plan_slug,
            how=HOW[got.source],
            at=got.starts_at,
            ends_at=got.ends_at if got.ends_at < NEVER else None,
            is_taken_back=got.is_cancelled,
        )
        for got in subscriptions
    ]
    return sorted(lines, key=lambda line: line.at, reverse=True)


def _number(written: str) -> int | None:
    """Where the page begins; what is no number begins at the newest."""
    is_number = written.isascii() and written.isdigit() and len(written) <= _DIGITS_MAX
    return int(written) if is_number else None
