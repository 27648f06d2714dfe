"""The few pages that are not conversation, gathered into one router.

Sign-in, sign-up, setup and reset; one's own account; plans, paying and vouchers; receipts; the
terms. They are rendered on the server and need no script. Routes are plain ones, because a
framework that validates a form for us would answer a mistake with what was typed into it.
"""

from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from host.pages.account import AccountPages
from host.pages.account_data import DataPages
from host.pages.account_purchases import PurchasePages
from host.pages.account_sign_in import SignInPages
from host.pages.account_tokens import TokenPages
from host.pages.account_usage import UsagePages
from host.pages.buy import BuyPages
from host.pages.door import DoorPages
from host.pages.files import FilePages
from host.pages.parts import PageHost
from host.pages.pay import PayPages
from host.pages.receipts import ReceiptPages
from host.pages.redeem import RedeemPages
from host.pages.rendering import STATIC, Endpoint, Renderer
from host.pages.terms import TermsPages

Getting: TypeAlias = Callable[[str, Endpoint], Route]
RECEIPT: Final = "/receipts/{receipt_id}"
PAYING: Final = "/pay/{order_id}"


class Posting(Protocol):
    """Makes a route that is posted to."""

    def __call__(self, path: str, endpoint: Endpoint, shown_at: str = "") -> Route:
        """`shown_at`: where what it shows can be asked for, if not under its own path."""
        ...


def pages_router(host: PageHost) -> APIRouter:
    """The pages of this host."""
    renderer = Renderer()
    door = DoorPages(host, renderer)
    receipts = ReceiptPages(host, renderer)
    buy = BuyPages(host, renderer)
    pay = PayPages(host, renderer)
    redeem = RedeemPages(host, renderer)
    terms = TermsPages(host, renderer)

    def get(path: str, endpoint: Endpoint) -> Route:
        guarded = renderer.guarded(endpoint, host.settings.public_url)
        return Route(path, guarded, methods=["GET"], include_in_schema=False)

    def post(path: str, endpoint: Endpoint, shown_at: str = "") -> Route:
        guarded = renderer.guarded(endpoint, host.settings.public_url, shown_at=shown_at)
        return Route(path, guarded, methods=["POST"], include_in_schema=False)

    return APIRouter(
        routes=[
            get("/login", door.login_form),
            post("/login", door.login),
            get("/signup", door.signup_form),
            post("/signup", door.signup),
            get("/setup", door.setup_form),
            post("/setup", door.setup),
            get("/reset", door.reset_form),
            post("/reset", door.reset),
            get("/logout", door.logout_form),
            post("/logout", door.logout),
            *_account_routes(host, renderer, get, post),
            get(RECEIPT, receipts.show),
            post("/receipts/{receipt_id}/report", receipts.report, RECEIPT),
            post("/receipts/{receipt_id}/refund", receipts.ask_refund, RECEIPT),
            get("/terms", terms.show),
            get("/files/{file_id}", FilePages(host).show),
            get("/buy/{slug}", buy.show),
            post("/buy/{slug}", buy.buy),
            get(PAYING, pay.show),
            post("/pay/{order_id}/pay", pay.pay, PAYING),
            post("/pay/{order_id}/decline", pay.decline, PAYING),
            post("/pay/{order_id}/close", pay.close, PAYING),
            get("/redeem", redeem.form),
            post("/redeem", redeem.redeem),
            Route("/static/pages.css", _styles, include_in_schema=False),
            Route("/static/mark.svg", _mark, include_in_schema=False),
            Route("/static/pages.js", _script, include_in_schema=False),
            Route("/static/pay.js", _pay_script, include_in_schema=False),
        ]
    )


def _account_routes(
    host: PageHost, renderer: Renderer, get: Getting, post: Posting
) -> list[Route]:
    account = AccountPages(host, renderer)
    usage = UsagePages(host, renderer)
    purchases = PurchasePages(host, renderer)
    tokens = TokenPages(host, renderer)
    sign_in = SignInPages(host, renderer)
    data = DataPages(host, renderer)
    return [
        get("/account", account.show),
        post("/account/cap", account.set_cap, "/account"),
        get("/account/usage", usage.show),
        get("/account/usage.csv", usage.csv),
        get("/account/purchases", purchases.show),
        get("/account/tokens", tokens.show),
        post("/account/tokens", tokens.issue),
        post("/account/tokens/{jti}/replace", tokens.replace, "/account/tokens"),
        post("/account/tokens/{jti}/revoke", tokens.revoke, "/account/tokens"),
        get("/account/sign-in", sign_in.show),
        post("/account/password", sign_in.change_password, "/account/sign-in"),
        post("/account/logins/{login_session_id}/end", sign_in.end_login, "/account/sign-in"),
        post("/account/logins/end-others", sign_in.end_others, "/account/sign-in"),
        get("/account/data", data.show),
        post("/account/data/copy", data.download, "/account/data"),
        post("/account/delete", data.delete, "/account/data"),
    ]


async def _styles(_request: Request) -> Response:
    # The page asks for it with its hash, so it may be kept for long.
    return FileResponse(STATIC / "pages.css", headers={"Cache-Control": "max-age=604800"})


async def _script(_request: Request) -> Response:
    return FileResponse(STATIC / "pages.js", headers={"Cache-Control": "max-age=604800"})


async def _mark(_request: Request) -> Response:
    return FileResponse(STATIC / "mark.svg", headers={"Cache-Control": "max-age=86400"})


async def _pay_script(_request: Request) -> Response:
    return FileResponse(STATIC / "pay.js", headers={"Cache-Control": "max-age=3600"})
