"""The outermost wrapper of the application: what answers carry, and who may call from where.

Three things, none of which the pages or Chainlit do for themselves: headers that tell browsers
what a page of ours may load and who may frame it; `Secure` on every cookie when browsers reach us
over TLS; and a check that a browser's request comes from our own pages, because a WebSocket is
not bound by the same-origin rule. Who is signed in is asked further in, by `chat_ui.door` and the
pages.

Proxied calls (`/s/…`) pass untouched: the gateway answers for its own headers, and programs call
it from anywhere, with an access token instead of a cookie.
"""

from typing import Final
from urllib.parse import urlsplit

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from host.config import Settings

PROXIED: Final = "/s/"
SOCKETS: Final = "/ws/"
HARMLESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
WRONG_ORIGIN: Final = 4403

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

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._is_https = settings.is_https
        self._public_host = urlsplit(settings.public_url).netloc.lower()
        self._headers = (*HEADERS, STRICT_TRANSPORT) if self._is_https else HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse what comes from elsewhere; dress what goes out."""
        if scope["type"] not in ("http", "websocket") or scope["path"].startswith(PROXIED):
            await self._app(scope, receive, send)
        elif self._is_foreign(scope):
            await _refuse(scope, receive, send)
        else:
            await self._app(scope, receive, self._dressed(send))

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
        present = {name.lower() for name, _ in headers}
        if self._is_https:
            headers = [(name, _secure(name, value)) for name, value in headers]
        return headers + [(name, value) for name, value in self._headers if name not in present]


def _secure(name: bytes, value: bytes) -> bytes:
    if name.lower() != b"set-cookie" or b"; secure" in value.lower():
        return value
    return value + b"; Secure"


def _header(scope: Scope, wanted: bytes) -> str | None:
    for name, value in scope["headers"]:
        if name.lower() == wanted:
            return str(value, "latin-1")
    return None


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": WRONG_ORIGIN, "reason": "wrong origin"})
        return
    answer = JSONResponse({"detail": "This request comes from another site."}, status_code=403)
    await answer(scope, receive, send)
