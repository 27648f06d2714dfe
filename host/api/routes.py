"""`/api/…`: one's own account for programs and for the page's own scripts, in JSON.

For whoever is signed in by a login session: there are no keys that stand for a whole account, and
access tokens open offerings, not this. Shapes are `host.api.views` and its neighbours;
who is asking, and how refusals look, is `host.api.edge`.
"""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, FastAPI, Query, Response
from starlette.types import ASGIApp

from host.api import account_views, catalogue_views, key_views
from host.api.edge import BODY_BYTES_MAX, Edge, refuse_in_json, signed_in
from host.api.health import health_router
from host.api.own_usage import own_usage_routes
from host.api.parts import ApiHost
from host.api.purchase_routes import purchase_routes
from host.api.reports import report_routes
from host.api.shelf import shelf_routes
from host.api.threads import thread_routes
from host.catalogue.issuing import (
    IssuedToken,
    WantedToken,
    issue_access_token,
    replace_access_token,
)
from host.errors import UnknownAddress, UnknownReceipt
from host.identity.login_sessions import Visitor
from host.language import _
from storage.ledger import balances, daily_cap, receipt
from storage.models.catalogue import OfferingState
from storage.usage import usage_of

PAGE_MAX: Final = 200
SEQ_MAX: Final = 2**63 - 1
"""What the database can compare with."""


def add_api(web: FastAPI, host: ApiHost) -> None:
    """Put `/api`, `/healthz` and `/readyz` on the web application.

    The API is an application of its own: it refuses in JSON where the pages show a page. It also
    describes itself, so `web` must not have `/api/openapi.json` already.
    """
    web.include_router(health_router(host.settings, host.database, host.vault))
    web.mount("/api", api_app(host))


def api_app(host: ApiHost) -> ASGIApp:
    """Everything below `/api`."""
    app = FastAPI(
        title="Farebox",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        max_body_size=BODY_BYTES_MAX,
    )
    for routes in (
        _account,
        _history,
        own_usage_routes,
        report_routes,
        thread_routes,
        shelf_routes,
        _catalogue,
        _tokens,
        _drafts,
        purchase_routes,
    ):
        app.include_router(routes(host), prefix="/v1")
    refuse_in_json(app, host.settings.public_url)
    return Edge(app, host.settings.public_url)


def _account(host: ApiHost) -> APIRouter:
    router = APIRouter()
    signed = Depends(signed_in(host.login_sessions, may_change=False))

    @router.get("/me")
    async def me(visitor: Annotated[Visitor, signed]) -> account_views.Me:
        return account_views.me_view(visitor)

    @router.get("/balance")
    async def balance(visitor: Annotated[Visitor, signed]) -> account_views.Balance:
        now = host.clock.now()
        account_id = visitor.account_id
        lines, cap = await host.database.read(
            lambda s: (balances(s, account_id, now), daily_cap(s, account_id, now))
        )
        plans = await host.catalogue.plans(with_archived=True)
        purchased = await host.catalogue.purchased(account_id)
        return account_views.balance_view(
            purchased, lines, {plan.id: plan.slug for plan in plans}, cap
        )

    @router.get("/subscriptions")
    async def subscriptions(
        visitor: Annotated[Visitor, signed],
    ) -> list[account_views.SubscriptionLine]:
        found = await host.catalogue.subscriptions(visitor.account_id)
        return [account_views.subscription_view(line) for line in found]

    return router


def _history(host: ApiHost) -> APIRouter:
    router = APIRouter()
    signed = Depends(signed_in(host.login_sessions, may_change=False))

    @router.get("/receipts/{receipt_id}")
    async def one_receipt(
        receipt_id: str, visitor: Annotated[Visitor, signed]
    ) -> account_views.ReceiptView:
        found = await host.database.read(lambda s: receipt(s, receipt_id))
        if found is None or found.account_id != visitor.account_id:
            raise UnknownReceipt(_("There is no receipt with this number on your account."))
        return account_views.receipt_view(found)

    @router.get("/usage")
    async def usage(
        visitor: Annotated[Visitor, signed],
        before: Annotated[int | None, Query(ge=1, le=SEQ_MAX)] = None,
        limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 50,
    ) -> account_views.Usage:
        lines = await host.database.read(
            lambda s: usage_of(s, visitor.account_id, before=before, most=limit)
        )
        return account_views.usage_view(lines, most=limit)

    return router


def _catalogue(host: ApiHost) -> APIRouter:
    router = APIRouter(dependencies=[Depends(signed_in(host.login_sessions, may_change=False))])

    @router.get("/offerings")
    async def offerings() -> list[catalogue_views.OfferingOnSale]:
        cards = await host.catalogue.offerings(state=OfferingState.PUBLISHED)
        return [catalogue_views.offering_view(card, host.settings.public_url) for card in cards]

    @router.get("/plans")
    async def plans() -> list[catalogue_views.PlanOnSale]:
        return [catalogue_views.plan_view(plan) for plan in await host.catalogue.plans()]

    return router


def _tokens(host: ApiHost) -> APIRouter:
    router = APIRouter(prefix="/tokens")
    signed = Depends(signed_in(host.login_sessions, may_change=False))
    changing = Depends(signed_in(host.login_sessions, may_change=True))

    @router.get("")
    async def tokens(visitor: Annotated[Visitor, signed]) -> list[key_views.TokenEntry]:
        return [key_views.token_view(t) for t in await host.access_tokens.list(visitor.account_id)]

    @router.post("", status_code=201)
    async def issue(
        wanted: key_views.NewToken, visitor: Annotated[Visitor, changing]
    ) -> key_views.IssuedToken:
        token = WantedToken(
            account_id=visitor.account_id,
            slug=wanted.offering,
            days=wanted.days,
            name=wanted.name,
        )
        issued = await issue_access_token(
            host.catalogue, host.access_tokens, token, actor=visitor.account_id
        )
        return _shown_once(host, issued)

    @router.post("/{jti}/rotate", status_code=201)
    async def rotate(jti: str, visitor: Annotated[Visitor, changing]) -> key_views.IssuedToken:
        """A new access token that lasts as long; the old one is good for another day."""
        return _shown_once(
            host,
            await replace_access_token(
                host.catalogue, host.access_tokens, jti, account_id=visitor.account_id
            ),
        )

    @router.delete("/{jti}", status_code=204)
    async def revoke(jti: str, visitor: Annotated[Visitor, changing]) -> Response:
        account_id = visitor.account_id
        if not await host.access_tokens.revoke(jti, account_id=account_id, actor=account_id):
            raise UnknownAddress(_("You have no live access token with this number."))
        return Response(status_code=204)

    return router


def _shown_once(host: ApiHost, issued: IssuedToken) -> key_views.IssuedToken:
    slug = issued.offering.slug
    return key_views.IssuedToken(
        token=issued.encoded,
        offering=slug,
        proxy_url=catalogue_views.proxy_url(host.settings.public_url, slug),
        days=issued.days,
    )


def _drafts(host: ApiHost) -> APIRouter:
    router = APIRouter(prefix="/drafts")
    changing = Depends(signed_in(host.login_sessions, may_change=True))

    @router.post("/{draft_id}/key")
    async def enter_key(
        draft_id: str, entered: key_views.EnteredKey, visitor: Annotated[Visitor, changing]
    ) -> key_views.KeyEntered:
        key = entered.key.get_secret_value()
        saved = await host.drafts.save_key(visitor.account_id, draft_id, key)
        return key_views.KeyEntered(
            last4=saved.last4, state=saved.verdict, sentence=saved.sentence
        )

    return router
