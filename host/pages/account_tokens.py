"""One's own access tokens: made, shown once, replaced with an overlap, revoked."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from host.catalogue.issuing import (
    NAME_MAX,
    IssuedToken,
    WantedToken,
    issue_access_token,
    replace_access_token,
)
from host.errors import FareboxError, InvalidInput
from host.identity.login_sessions import Visitor
from host.language import _
from host.pages.own import OwnPages
from host.pages.rendering import go
from host.pages.requests import read_form

TOKEN_DAYS: Final = (7, 30, 90, 365)


class TokenPages(OwnPages):
    """The page of access tokens, and its buttons."""

    async def show(self, request: Request) -> Response:
        """The tokens that are good, and the form for a new one."""
        return await self._page(await self._visitor(request))

    async def issue(self, request: Request) -> Response:
        """Make an access token and show it, once."""
        visitor, form = await self._visitor(request), await read_form(request)
        host, account_id = self._host, visitor.account_id
        try:
            wanted = WantedToken(
                account_id=account_id,
                slug=form.get("offering", ""),
                days=_days(form.get("days", "")),
                name=form.get("name", ""),
            )
            issued = await issue_access_token(
                host.catalogue, host.access_tokens, wanted, actor=account_id
            )
        except FareboxError as error:
            return await self._page(visitor, error=error)
        return await self._page(visitor, issued=issued)

    async def replace(self, request: Request) -> Response:
        """Make a new token in place of an old one and show it, once."""
        visitor, host = await self._visitor(request), self._host
        jti: str = request.path_params["jti"]
        try:
            issued = await replace_access_token(
                host.catalogue, host.access_tokens, jti, account_id=visitor.account_id
            )
        except InvalidInput as error:
            return await self._page(visitor, error=error)
        return await self._page(visitor, issued=issued, is_replaced=True)

    async def revoke(self, request: Request) -> Response:
        """Revoke one of one's own access tokens."""
        visitor = await self._visitor(request)
        await self._host.access_tokens.revoke(
            request.path_params["jti"], account_id=visitor.account_id, actor=visitor.account_id
        )
        return go("/account/tokens")

    async def _page(
        self,
        visitor: Visitor,
        *,
        error: FareboxError | None = None,
        issued: IssuedToken | None = None,
        is_replaced: bool = False,
    ) -> Response:
        host, now = self._host, self._host.clock.now()
        tokens = await host.access_tokens.list(visitor.account_id)
        return self._renderer.page(
            "account_tokens.html",
            visitor=visitor,
            tokens=[token for token in tokens if token.ends_at > now],
            purchased=await host.catalogue.purchased(visitor.account_id),
            token_days=TOKEN_DAYS,
            token_name_max=NAME_MAX,
            public_url=host.settings.public_url,
            issued=issued,
            is_replaced=is_replaced,
            error=error,
        )


def _days(written: str) -> int:
    if written not in map(str, TOKEN_DAYS):
        raise InvalidInput(
            _("Choose how long the access token may last."), facts={"field": "days"}
        )
    return int(written)
