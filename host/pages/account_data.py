"""What is kept about one: to take away as a copy, and to have erased."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from host.errors import FareboxError
from host.identity.login_sessions import Visitor
from host.identity.rules import refused
from host.identity.throttle import Throttle
from host.language import N_, _
from host.pages.own import OwnPages
from host.pages.parts import PageHost
from host.pages.rendering import Renderer, go
from host.pages.requests import read_form
from storage.ledger import balances

COPIES_MOST: Final = 5
HOUR_S: Final = 60 * 60


class DataPages(OwnPages):
    """The page of one's data, with its two buttons."""

    def __init__(self, host: PageHost, renderer: Renderer) -> None:
        super().__init__(host, renderer)
        self._copies = Throttle(
            host.clock, most=COPIES_MOST, window_s=HOUR_S, sentence=N_("You have just had a copy.")
        )

    async def show(self, request: Request) -> Response:
        """What can be had, and what would become of everything."""
        return await self._page(await self._visitor(request))

    async def download(self, request: Request) -> Response:
        """Everything, in one archive."""
        visitor = await self._visitor(request)
        try:
            self._copies.spend(str(visitor.account_id))
        except FareboxError as error:
            return await self._page(visitor, error=error)
        pieces = self._host.download.archive(visitor.account_id)
        return self._renderer.stream(pieces, kind="application/zip", name="farebox-my-data.zip")

    async def delete(self, request: Request) -> Response:
        """Delete the account, for who has typed its address and knows its password."""
        visitor, form = await self._visitor(request), await read_form(request)
        try:
            if form.get("email", "").strip().lower() != visitor.email:
                raise refused(
                    "email",
                    _("To delete this account, type {email} here.", email=visitor.email),
                )
            await self._host.own_login.confirm(visitor, current=form.get("current", ""))
            await self._host.deletion.delete(visitor.account_id, actor=visitor.account_id)
        except FareboxError as error:
            return await self._page(visitor, error=error)
        return go("/login?notice=deleted", self._host.login_sessions.clear_cookie())

    async def _page(self, visitor: Visitor, *, error: FareboxError | None = None) -> Response:
        host, now = self._host, self._host.clock.now()
        left = await host.database.read(lambda s: balances(s, visitor.account_id, now))
        return self._renderer.page(
            "account_data.html",
            visitor=visitor,
            left=sum(line.available for line in left),
            hindrance=await host.deletion.hindrance(visitor.account_id),
            error=error,
        )
