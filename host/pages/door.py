"""The pages at the door: sign in and out, sign up, first setup, and a new password.

Each form is answered by itself when something is wrong with it: what was typed stays, except for
passwords, and a sentence stands beside the field it is about. What is right and wrong is decided
by `host.identity.entrance`.
"""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from host.errors import FareboxError, NotAllowed
from host.identity.addresses import networks
from host.identity.entrance import Newcomer
from host.pages.parts import PageHost
from host.pages.rendering import Renderer, go
from host.pages.requests import HOME, local_path, read_form, visit_of


class DoorPages:
    """Forms that let people in and out."""

    def __init__(self, host: PageHost, renderer: Renderer) -> None:
        self._entrance = host.entrance
        self._login_sessions = host.login_sessions
        self._renderer = renderer
        self._trusted = networks(host.settings.trusted_proxies)

    async def login_form(self, request: Request) -> Response:
        """The form to sign in with; who is signed in already goes where they wanted to."""
        wanted = local_path(request.query_params.get("next"))
        cookie = self._login_sessions.read_cookie(request.headers.raw)
        if await self._login_sessions.find(cookie) is not None:
            return go(wanted)
        return self._login_page(wanted, notice=request.query_params.get("notice", ""))

    async def login(self, request: Request) -> Response:
        """Sign in."""
        form = await read_form(request)
        wanted, email = local_path(form.get("next")), form.get("email", "")
        visit = visit_of(request, self._trusted)
        try:
            cookie = await self._entrance.sign_in(email, form.get("password", ""), visit)
        except FareboxError as error:
            return self._login_page(wanted, email=email, error=error)
        return go(wanted, self._login_sessions.set_cookie(cookie))

    async def signup_form(self, request: Request) -> Response:
        """The form that makes an account, or a sentence why there is none."""
        key = request.query_params.get("key", "")
        return await self._signup_page(key, {})

    async def signup(self, request: Request) -> Response:
        """Make an account and sign in."""
        form = await read_form(request)
        key, visit = form.get("key", ""), visit_of(request, self._trusted)
        try:
            cookie = await self._entrance.sign_up(_newcomer(form), visit, key)
        except NotAllowed:
            raise
        except FareboxError as error:
            return await self._signup_page(key, form, error)
        return go(HOME, self._login_sessions.set_cookie(cookie))

    async def setup_form(self, request: Request) -> Response:
        """The form that makes the first operator, for who has the link."""
        key = request.query_params.get("key", "")
        await self._entrance.check_setup(key)
        return self._renderer.page("setup.html", key=key, form={})

    async def setup(self, request: Request) -> Response:
        """Make the first operator and sign in."""
        form = await read_form(request)
        key, visit = form.get("key", ""), visit_of(request, self._trusted)
        try:
            cookie = await self._entrance.set_up(_newcomer(form), visit, key)
        except NotAllowed:
            raise
        except FareboxError as error:
            return self._renderer.page("setup.html", key=key, form=form, error=error)
        return go(HOME, self._login_sessions.set_cookie(cookie))

    async def reset_form(self, request: Request) -> Response:
        """The form for a new password; without a link, how to get one."""
        key = request.query_params.get("key", "")
        return await self._reset_page(key)

    async def reset(self, request: Request) -> Response:
        """Choose a new password; signing in with it comes next."""
        form = await read_form(request)
        key, visit = form.get("key", ""), visit_of(request, self._trusted)
        try:
            await self._entrance.reset_password(key, form.get("password", ""), visit)
        except NotAllowed:
            raise
        except FareboxError as error:
            return await self._reset_page(key, error)
        return go("/login?notice=reset", self._login_sessions.clear_cookie())

    async def logout_form(self, request: Request) -> Response:
        """A button, because a link must not sign anybody out."""
        cookie = self._login_sessions.read_cookie(request.headers.raw)
        visitor = await self._login_sessions.find(cookie)
        if visitor is None:
            return go("/login")
        return self._renderer.page("logout.html", visitor=visitor)

    async def logout(self, request: Request) -> Response:
        """End the login session and make the browser forget it."""
        cookie = self._login_sessions.read_cookie(request.headers.raw)
        visitor = await self._login_sessions.find(cookie)
        if visitor is not None:
            await self._login_sessions.end(visitor.login_session_id, visitor.account_id)
        return go("/login?notice=out", self._login_sessions.clear_cookie())

    def _login_page(
        self, wanted: str, *, email: str = "", notice: str = "", error: FareboxError | None = None
    ) -> Response:
        return self._renderer.page(
            "login.html",
            next=wanted,
            email=email,
            notice=notice,
            signup=self._entrance.signup,
            error=error,
        )

    async def _signup_page(
        self, key: str, form: Mapping[str, str], error: FareboxError | None = None
    ) -> Response:
        invited = await self._entrance.invitation(key) if key else ""
        may_enter = bool(invited) or self._entrance.signup == "open"
        return self._renderer.page(
            "signup.html",
            key=key,
            invited=invited,
            may_enter=may_enter,
            signup=self._entrance.signup,
            form=form,
            error=error,
        )

    async def _reset_page(self, key: str, error: FareboxError | None = None) -> Response:
        email = await self._entrance.resetting(key) if key else ""
        return self._renderer.page("reset.html", key=key, email=email, error=error)


def _newcomer(form: Mapping[str, str]) -> Newcomer:
    return Newcomer(
        name=form.get("name", ""), email=form.get("email", ""), password=form.get("password", "")
    )
