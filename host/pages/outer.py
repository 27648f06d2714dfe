"""The outermost wrapper of the application: what answers carry, and who may call from where.

Four things, none of which the pages or Chainlit do for themselves: headers that tell browsers
what a page of ours may load and who may frame it; `Secure` on every cookie when browsers reach us
over TLS; a check that a browser's request comes from our own pages, because a WebSocket is not
bound by the same-origin rule; and a time within which a body has to arrive. Who is signed in is
asked further in, by `chat_ui.door` and the pages.

Proxied calls (`/s/…`) pass untouched: the gateway answers for its own headers, and programs call
it from anywhere, with an access token instead of a cookie.
"""

import asyncio
from typing import Final
from urllib.parse import urlsplit

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from host.config import Settings
from host.errors import RequestTimeout
from host.language import _, speaking
from host.pages.speaking import language_of
from host.proxy.answers import refusal

PROXIED: Final = "/s/"
SOCKETS: Final = "/ws/"
HARMLESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
WRONG_ORIGIN: Final = 4403
BODY_S: Final = 60.0
"""How long a body may take to arrive: the largest, 20 MB, at 3 Mbit/s."""

# Chainlit draws our elements by evaluating their source, and its page has inline scripts.
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'self'"
    "; script-src 'self' 'unsafe-inline' 'unsafe-eval'"
    "; style-src 'self' 'unsafe-inline'"
    "; img-src 'self' data: blob:"
    "; font-src 'self' data:"
    "; connect-src 'self' ws: wss:"
    "; media-src 'self' blob: data:"
    "; worker-src 'self' blob:"
    "; object-src 'none'"
    "; frame-ancestors 'none'"
    "; base-uri 'self'"
    "; form-action 'self'"
)
HEADERS: Final = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)
STRICT_TRANSPORT: Final = (b"strict-transport-security", b"max-age=31536000")


class Outer:
    """Wraps the whole ASGI application."""

    def __init__(self, app: ASGIApp, settings: Settings, *, body_s: float = BODY_S) -> None:
        self._app = app
        self._body_s = body_s
        self._public_url = settings.public_url
        self._is_https = settings.is_https
        self._public_host = urlsplit(settings.public_url).netloc.lower()
        self._headers = (*HEADERS, STRICT_TRANSPORT) if self._is_https else HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse what comes from elsewhere; dress what goes out."""
        if scope["type"] not in ("http", "websocket") or scope["path"].startswith(PROXIED):
            await self._app(scope, receive, send)
        elif self._is_foreign(scope):
            await _refuse(scope, receive, send)
        elif scope["type"] == "http" and _has_body(scope):
            await self._within_time(scope, receive, self._dressed(send))
        else:
            await self._app(scope, receive, self._dressed(send))

    async def _within_time(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request with a body; nobody waits for ever for the rest of it."""
        is_answered = False
        limit = asyncio.timeout(self._body_s)

        async def noting_the_end() -> Message:
            message = await receive()
            if not message.get("more_body", False):
                limit.reschedule(None)
            return message

        async def noting_the_answer(message: Message) -> None:
            nonlocal is_answered
            is_answered = True
            limit.reschedule(None)
            await send(message)

        try:
            async with limit:
                await self._app(scope, noting_the_end, noting_the_answer)
        except TimeoutError:
            if is_answered or not limit.expired():
                raise
            with speaking(language_of(scope)):
                late = RequestTimeout(_("The body of the request came too slowly."))
                answer = refusal(late, public_url=self._public_url)
            start = {"type": "http.response.start", "status": answer.status}
            await send({**start, "headers": [*answer.headers, (b"connection", b"close")]})
            await send({"type": "http.response.body", "body": answer.body})

    def _is_foreign(self, scope: Scope) -> bool:
        """Whether a browser says that a page of somebody else sends this."""
        if (
            scope["type"] == "http"
            and scope["method"] in HARMLESS
            and not scope["path"].startswith(SOCKETS)
        ):
            return False
        origin = _header(scope, b"origin")
        if origin is None:  # not a browser, or not from a page
            return False
        ours = {self._public_host, (_header(scope, b"host") or "").lower()}
        return urlsplit(origin).netloc.lower() not in ours

    def _dressed(self, send: Send) -> Send:
        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": self._complete(list(message["headers"]))}
            await send(message)

        return dressed

    def _complete(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """The answer's headers with ours; what an answer says itself stays."""
        present = {name.lower() for name, _value in headers}
        if self._is_https:
            headers = [(name, _secure(name, value)) for name, value in headers]
        return headers + [(name, value) for name, value in self._headers if name not in present]


def _secure(name: bytes, value: bytes) -> bytes:
    if name.lower() != b"set-cookie" or b"; secure" in value.lower():
        return value
    return value + b"; Secure"


def _has_body(scope: Scope) -> bool:
    length = _header(scope, b"content-length") or "0"
    return length != "0" or _header(scope, b"transfer-encoding") is not None


def _header(scope: Scope, wanted: bytes) -> str | None:
    for name, value in scope["headers"]:
        if name.lower() == wanted:
            return str(value, "latin-1")
    return None


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": WRONG_ORIGIN, "reason": "wrong origin"})
        return
    with speaking(language_of(scope)):
        detail = _("This request comes from another site.")
    await JSONResponse({"detail": detail}, status_code=403)(scope, receive, send)
