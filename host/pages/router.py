"""The few pages that are not conversation, gathered into one router.

Sign-in, sign-up, setup and reset; one's own account; plans; receipts. They are rendered on the
server and need no script. Routes are plain ones, because a framework that validates a form for us
would answer a mistake with what was typed into it.
"""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from host.pages.account import AccountPages
from host.pages.buy import BuyPages
from host.pages.door import DoorPages
from host.pages.files import FilePages
from host.pages.parts import PageHost
from host.pages.receipts import ReceiptPages
from host.pages.rendering import STATIC, Endpoint, Renderer


def pages_router(host: PageHost) -> APIRouter:
    """The pages of this host."""
    renderer = Renderer()
    door = DoorPages(host, renderer)
    account = AccountPages(host, renderer)
    receipts = ReceiptPages(host, renderer)
    buy = BuyPages(host, renderer)

    def get(path: str, endpoint: Endpoint) -> Route:
        guarded = renderer.guarded(endpoint, host.settings.public_url)
        return Route(path, guarded, methods=["GET"], include_in_schema=False)

    def post(path: str, endpoint: Endpoint) -> Route:
        guarded = renderer.guarded(endpoint, host.settings.public_url)
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
            get("/account", account.show),
            post("/account/tokens", account.issue_token),
            post("/account/tokens/{jti}/revoke", account.revoke_token),
            post("/account/logins/{login_session_id}/end", account.end_login),
            get("/receipts/{receipt_id}", receipts.show),
            get("/files/{file_id}", FilePages(host).show),
            get("/buy/{slug}", buy.show),
            post("/buy/{slug}", buy.start_trial),
            Route("/static/pages.css", _styles, include_in_schema=False),
            Route("/static/mark.svg", _mark, include_in_schema=False),
        ]
    )


async def _styles(_request: Request) -> Response:
    # The page asks for it with its hash, so it may be kept for long.
    return FileResponse(STATIC / "pages.css", headers={"Cache-Control": "max-age=604800"})


async def _mark(_request: Request) -> Response:
    return FileResponse(STATIC / "mark.svg", headers={"Cache-Control": "max-age=86400"})
