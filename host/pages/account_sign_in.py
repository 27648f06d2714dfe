"""How one comes in: the password, and the browsers that are signed in."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from host.errors import FareboxError, NotSignedIn, UnknownAddress
from host.identity.login_sessions import Visitor
from host.language import _
from host.pages.own import OwnPages
from host.pages.rendering import go
from host.pages.requests import read_form

HERE: Final = "/account/sign-in"
_ROW_DIGITS_MAX: Final = 18


class SignInPages(OwnPages):
    """The page of password and browsers, and its buttons."""

    async def show(self, request: Request) -> Response:
        """The form for a new password, and where one is signed in."""
        visitor = await self._visitor(request)
        return await self._page(visitor, notice=request.query_params.get("notice", ""))

    async def change_password(self, request: Request) -> Response:
        """Set a new password, for who knows the current one."""
        visitor, form = await self._visitor(request), await read_form(request)
        try:
            await self._host.own_login.change_password(
                visitor, current=form.get("current", ""), new=form.get("new", "")
            )
        except NotSignedIn:
            raise
        except FareboxError as error:
            return await self._page(visitor, error=error)
        return go(f"{HERE}?notice=password")

    async def end_login(self, request: Request) -> Response:
        """Sign one of one's own browsers out."""
        visitor = await self._visitor(request)
        login_session_id = _row_id(request.path_params["login_session_id"])
        await self._host.login_sessions.end(login_session_id, visitor.account_id)
        return go(f"{HERE}#browsers")

    async def end_others(self, request: Request) -> Response:
        """Sign every browser out but this one."""
        await self._host.own_login.end_others(await self._visitor(request))
        return go(f"{HERE}?notice=others#browsers")

    async def _page(
        self, visitor: Visitor, *, notice: str = "", error: FareboxError | None = None
    ) -> Response:
        return self._renderer.page(
            "account_sign_in.html",
            visitor=visitor,
            logins=await self._host.login_sessions.list(visitor.account_id),
            notice=notice,
            error=error,
        )


def _row_id(written: str) -> int:
    """A row's number as an address names it; no row has more digits than fit 64 bits."""
    if not (written.isascii() and written.isdigit() and len(written) <= _ROW_DIGITS_MAX):
        raise UnknownAddress(_("You have no login session of this number."))
    return int(written)
