"""The page on which a voucher's code is entered. What it gave is then shown as its receipt."""

from starlette.requests import Request
from starlette.responses import Response

from host.errors import FareboxError, InvalidInput, NotSignedIn
from host.identity.addresses import networks
from host.identity.login_sessions import Visitor
from host.language import _
from host.pages.parts import PageHost
from host.pages.rendering import Renderer, go
from host.pages.requests import read_form, visit_of


class RedeemPages:
    """A field and a button."""

    def __init__(self, host: PageHost, renderer: Renderer) -> None:
        self._host = host
        self._renderer = renderer
        self._trusted = networks(host.settings.trusted_proxies)

    async def form(self, request: Request) -> Response:
        """The empty form."""
        return self._renderer.page(
            "redeem.html", visitor=await self._visitor(request), code="", had_before=None
        )

    async def redeem(self, request: Request) -> Response:
        """Redeem the code and show what it gave, or when it gave that before: it is good once."""
        visitor = await self._visitor(request)
        code = (await read_form(request)).get("code", "").strip()
        try:
            if not code:
                raise InvalidInput(_("Enter the code of your voucher."), facts={"field": "code"})
            address = visit_of(request, self._trusted).address
            done = await self._host.vouchers.redeem(visitor.account_id, code, address)
        except FareboxError as error:
            return self._renderer.page(
                "redeem.html", visitor=visitor, code=code, had_before=None, error=error
            )
        if not done.is_new:
            return self._renderer.page(
                "redeem.html", visitor=visitor, code="", had_before=done.order
            )
        return go(f"/receipts/{done.order.id}")

    async def _visitor(self, request: Request) -> Visitor:
        sessions = self._host.login_sessions
        visitor = await sessions.find(sessions.read_cookie(request.headers.raw))
        if visitor is None:
            raise NotSignedIn(_("Sign in to redeem a voucher."))
        return visitor
