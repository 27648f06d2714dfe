"""`/api/v1/orders` and `/api/v1/vouchers`: buying, for programs and the page's own scripts."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from host.api import purchase_views
from host.api.edge import signed_in
from host.api.parts import ApiHost
from host.identity.addresses import networks
from host.identity.login_sessions import Visitor
from host.pages.requests import local_path, visit_of
from host.purchase.ordering import WantedOrder
from storage.orders import OrderView


def purchase_routes(host: ApiHost) -> APIRouter:
    """Orders, and the redeeming of vouchers."""
    router = APIRouter()
    router.include_router(_orders(host), prefix="/orders")
    router.include_router(_vouchers(host), prefix="/vouchers")
    return router


def _orders(host: ApiHost) -> APIRouter:
    router = APIRouter()
    signed = Depends(signed_in(host.login_sessions, may_change=False))
    changing = Depends(signed_in(host.login_sessions, may_change=True))

    def viewed(order: OrderView) -> purchase_views.Order:
        return purchase_views.order_view(order, host.purchases.pay_path(order))

    @router.get("")
    async def orders(visitor: Annotated[Visitor, signed]) -> list[purchase_views.Order]:
        return [viewed(order) for order in await host.purchases.orders(visitor.account_id)]

    @router.post("", status_code=201)
    async def order(
        wanted: purchase_views.NewOrder,
        visitor: Annotated[Visitor, changing],
        response: Response,
    ) -> purchase_views.Order:
        return_to = local_path(wanted.return_to) if wanted.return_to else ""
        ordered = await host.purchases.order(
            WantedOrder(
                account_id=visitor.account_id,
                plan_slug=wanted.plan,
                key=str(wanted.key),
                return_to=return_to,
            )
        )
        if not ordered.is_new:
            response.status_code = 200
        return viewed(ordered.order)

    @router.get("/{order_id}")
    async def one_order(
        order_id: str, visitor: Annotated[Visitor, signed]
    ) -> purchase_views.Order:
        return viewed(await host.purchases.find(visitor.account_id, order_id))

    @router.post("/{order_id}/cancel")
    async def cancel(order_id: str, visitor: Annotated[Visitor, changing]) -> purchase_views.Order:
        return viewed(await host.purchases.cancel(visitor.account_id, order_id, "by its buyer"))

    return router


def _vouchers(host: ApiHost) -> APIRouter:
    router = APIRouter()
    changing = Depends(signed_in(host.login_sessions, may_change=True))
    trusted = networks(host.settings.trusted_proxies)

    @router.post("/redeem")
    async def redeem(
        entered: purchase_views.EnteredCode,
        visitor: Annotated[Visitor, changing],
        request: Request,
    ) -> purchase_views.Redeemed:
        address = visit_of(request, trusted).address
        done = await host.vouchers.redeem(visitor.account_id, entered.code, address)
        return purchase_views.redeemed_view(done)

    return router
