"""What every page about one's own things begins with: who is asking."""

from starlette.requests import Request

from host.errors import NotSignedIn
from host.identity.login_sessions import Visitor
from host.language import _
from host.pages.parts import PageHost
from host.pages.rendering import Renderer


class OwnPages:
    """Pages for whoever is signed in; everybody else is sent to sign in, and back."""

    def __init__(self, host: PageHost, renderer: Renderer) -> None:
        self._host = host
        self._renderer = renderer

    async def _visitor(self, request: Request) -> Visitor:
        cookie = self._host.login_sessions.read_cookie(request.headers.raw)
        visitor = await self._host.login_sessions.find(cookie)
        if visitor is None:
            raise NotSignedIn(_("Sign in to see your account."))
        return visitor
