"""The demonstration's pay page: what a hosted checkout would show, and no money moves.

Pay fulfils the order, once however often it is pressed, but not on a page that was left open until
the order had expired (nobody has paid before the button is pressed, so its price need not be kept
any longer), nor when there is nothing left that the plan covers; Decline gives the order up; Close
goes back and leaves it as it is. What became of it is told to the page that opened this one by a
script of our own (`static/pay.js`); without it, a link leads on. An order is shown to whoever made
it, and to nobody else.
"""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from host.catalogue.currencies import format_price
from host.errors import NotSignedIn, OrderClosed
from host.identity.login_sessions import Visitor
from host.language import _
from host.pages.buy import covered_by
from host.pages.parts import PageHost
from host.pages.plan_words import first_assistant, gives
from host.pages.rendering import Renderer, go
from host.pages.requests import HOME
from host.purchase.orders import GIVEN
from storage.models.catalogue import PlanKind
from storage.order_states import OrderState, ProviderName
from storage.orders import OrderView

DECLINED: Final = "declined on the pay page"
WITHDRAWN: Final = "everything that the plan covered was withdrawn"
FRESH: Final = "done"
"""In the address right after the button: what is read again later says so."""


class PayPages:
    """The pay page of one order, and its three buttons."""

    def __init__(self, host: PageHost, renderer: Renderer) -> None:
        self._host = host
        self._renderer = renderer

    async def show(self, request: Request) -> Response:
        """The order to pay, or what became of it."""
        visitor, order = await self._own(request)
        opens = first_assistant(await covered_by(self._host, order.plan_id))
        leads_to = order.return_to or (HOME if opens is None else f"/a/{opens.slug}")
        return self._renderer.page(
            "pay.html",
            visitor=visitor,
            order=order,
            is_open=self._host.purchases.pay_path(order) is not None,
            is_given=order.state in GIVEN,
            is_fresh=FRESH in request.query_params,
            gives=gives(order.kind, order.credits, order.duration_s),
            is_time=order.kind is PlanKind.TIME,
            price=format_price(order.amount_minor, order.currency),
            leads_to=leads_to,
            leads_to_title=None if order.return_to or opens is None else opens.title,
        )

    async def pay(self, request: Request) -> Response:
        """Believe that it was paid."""
        visitor, order = await self._own(request)
        if order.provider is not ProviderName.DEMO or not self._host.purchases.takes_payments:
            return go(f"/pay/{order.id}")
        is_open = self._host.purchases.pay_path(order) is not None
        if is_open and not await covered_by(self._host, order.plan_id):
            await self._host.purchases.cancel(visitor.account_id, order.id, WITHDRAWN)
            return go(f"/pay/{order.id}")
        try:
            done = await self._host.purchases.fulfil(
                order.id, f"demo:{order.id}", only_in_time=True
            )
        except OrderClosed:
            return go(f"/pay/{order.id}")  # which says what became of it
        return go(f"/pay/{order.id}?{FRESH}" if done.is_new else f"/pay/{order.id}")

    async def decline(self, request: Request) -> Response:
        """Give the order up, as when a card is refused."""
        visitor, order = await self._own(request)
        if order.state is not OrderState.CREATED:
            return go(f"/pay/{order.id}")
        await self._host.purchases.cancel(visitor.account_id, order.id, DECLINED)
        return go(f"/pay/{order.id}?{FRESH}")

    async def close(self, request: Request) -> Response:
        """Go back, and leave the order as it is."""
        _visitor, order = await self._own(request)
        return go(order.return_to or f"/buy/{order.plan_slug}")

    async def _own(self, request: Request) -> tuple[Visitor, OrderView]:
        sessions = self._host.login_sessions
        visitor = await sessions.find(sessions.read_cookie(request.headers.raw))
        if visitor is None:
            raise NotSignedIn(_("Sign in to see your orders."))
        order_id: str = request.path_params["order_id"]
        return visitor, await self._host.purchases.find(visitor.account_id, order_id)
