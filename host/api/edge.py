"""The edge of `/api`: who is asking, and how refusals look.

A request that changes something carries `X-Requested-With: farebox`, a header that another site's
page cannot send here, so a cookie alone changes nothing. What was sent is never quoted in a
refusal: it may be a key.
"""

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from host.errors import (
    FareboxError,
    MalformedRequest,
    MethodNotRegistered,
    NotAllowed,
    NotSignedIn,
    PayloadTooLarge,
    UnknownAddress,
    broken,
    from_storage,
)
from host.identity.login_sessions import LoginSessions, Visitor
from host.language import _
from host.proxy.answers import refusal
from storage.errors import StorageError

REQUESTED_WITH: Final = "farebox"
HEADER: Final = f"X-Requested-With: {REQUESTED_WITH}"
BODY_BYTES_MAX: Final = 16 * 1024

Signed: TypeAlias = Callable[[Request], Awaitable[Visitor]]

log = structlog.get_logger(__name__)


def signed_in(login_sessions: LoginSessions, *, may_change: bool) -> Signed:
    """Who is signed in; for a change, said by a page or program of ours."""

    async def visitor(request: Request) -> Visitor:
        if may_change and request.headers.get("x-requested-with") != REQUESTED_WITH:
            raise NotAllowed(_("Send the header {header}.", header=HEADER))
        cookie = login_sessions.read_cookie(request.headers.raw)
        found = await login_sessions.find(cookie)
        if found is None:
            raise NotSignedIn(_("Sign in first."))
        return found

    return visitor


def refuse_in_json(app: FastAPI, public_url: str) -> None:
    """Have the application answer every refusal as problem+json."""

    def rendered(error: FareboxError) -> Response:
        return _rendered(error, public_url)

    async def refused(_request: Request, error: Exception) -> Response:
        assert isinstance(error, FareboxError)
        return rendered(error)

    async def storage_failed(_request: Request, error: Exception) -> Response:
        assert isinstance(error, StorageError)
        return rendered(from_storage(error))

    async def invalid(_request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return rendered(MalformedRequest(f"{where}: {first['msg']}."))

    async def unrouted(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return rendered(_as_ours(error))

    async def broke(_request: Request, _error: Exception) -> Response:
        return rendered(broken())

    app.add_exception_handler(FareboxError, refused)
    app.add_exception_handler(StorageError, storage_failed)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, unrouted)
    app.add_exception_handler(Exception, broke)


def _as_ours(error: HTTPException) -> FareboxError:
    match error.status_code:
        case 404:
            return UnknownAddress(_("There is nothing under this address."))
        case 405:
            return MethodNotRegistered(
                _("This address does not take that method."), headers=error.headers
            )
        case 413:
            return _too_large()
        case _:
            return MalformedRequest(_("The request cannot be read."))


class Edge:
    """Refuses large bodies unread, and lets nobody on the way keep an answer about one person."""

    def __init__(self, app: ASGIApp, public_url: str) -> None:
        self._app = app
        self._public_url = public_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def unstored(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [(n, v) for n, v in message["headers"] if n != b"cache-control"]
                message = {**message, "headers": [*headers, (b"cache-control", b"no-store")]}
            await send(message)

        length = Headers(scope=scope).get("content-length", "0")
        if int(length) > BODY_BYTES_MAX:  # the server has checked that it is a number
            answer = _rendered(_too_large(), self._public_url)
            await answer(scope, receive, unstored)
            return
        try:
            await self._app(scope, receive, unstored)
        except Exception:  # answered by then, and raised once more for the log
            log.exception("api.broke")


def _rendered(error: FareboxError, public_url: str) -> Response:
    answer = refusal(error, public_url=public_url)
    response = Response(answer.body, answer.status)
    response.raw_headers = list(answer.headers)
    return response


def _too_large() -> PayloadTooLarge:
    return PayloadTooLarge(_("At most {most} bytes can be sent here.", most=BODY_BYTES_MAX))
