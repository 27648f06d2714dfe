"""One's own access tokens: made, shown once, replaced with an overlap, revoked."""

from collections.abc import Iterable
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
from storage.cards import EndpointCard

TOKEN_DAYS: Final = (7, 30, 90, 365)
BODILESS: Final = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})


class TokenPages(OwnPages):
    """The page of access tokens, and its buttons."""

    async def show(self, request: Request) -> Response:
        """The tokens that are good, and the form for a new one."""
        visitor = await self._visitor(request)
        return await self._page(visitor, notice=request.query_params.get("notice", ""))

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
        return go("/account/tokens?notice=revoked")

    async def _page(
        self,
        visitor: Visitor,
        *,
        notice: str = "",
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
            notice=notice,
            issued=issued,
            example=call_example(issued, host.settings.public_url) if issued else "",
            is_replaced=is_replaced,
            error=error,
        )


def call_example(issued: IssuedToken, public_url: str) -> str:
    """A call with this token that can be run as it stands, where nothing in its path is open."""
    card = issued.offering
    method, path, body = "POST", "/ask", '{"message": "Hello"}'
    if card.service is not None:
        method, path, body = _endpoint_to_try(card.service.endpoints)
    lines = [
        f"curl -X {method} {public_url}/s/{card.slug}{path}",
        f'-H "Authorization: Bearer {issued.encoded}"',
    ]
    if body:
        lines += ['-H "Content-Type: application/json"', f"-d '{body}'"]
    return " \\\n  ".join(lines)


def _endpoint_to_try(endpoints: Iterable[EndpointCard]) -> tuple[str, str, str]:
    """One that needs the token, and is called as it is written if there is such a one."""
    closed = [end for end in endpoints if not end.is_open] or [*endpoints]
    end = min(closed, key=lambda end: (any(mark in end.path for mark in "{("), end.id))
    return end.method, end.path, "" if end.method in BODILESS else "{}"


def _days(written: str) -> int:
    if written not in map(str, TOKEN_DAYS):
        raise InvalidInput(
            _("Choose how long the access token may last."), facts={"field": "days"}
        )
    return int(written)
