"""The door to the chat: what exists behind it, and who may pass.

Chainlit answers more than we want to offer (sharing, tool servers, its own sign-in, an
HTML page for every unknown address), so the door has a list, and what is not on the list does not
exist. Whoever passes has a live login session of ours. Chainlit wants a ticket of its own, a
signed cookie that nobody can revoke; it gets one here, made for this one request, in place of
anything the browser sent. The ticket never leaves the server, so ending a login session ends
everything.

Chainlit hangs up without a word on a frame beyond a million characters; the door puts one of its
own in its place, which is answered in words.

A socket stays open for hours. Its login session is looked up again with every frame that comes in
(an idle browser answers a ping each 25 s) and every few seconds while frames go out.
"""

import asyncio
import re
from typing import Final
from urllib.parse import quote

from chainlit.auth import create_jwt
from chainlit.user import User
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from host.errors import FareboxError, NotSignedIn, UnknownAddress
from host.identity.login_sessions import LoginSessions, Visitor
from host.language import _
from host.pages.refusals import Refusals

PUBLIC: Final = re.compile(
    r"/(assets|public|avatars)/.+|/favicon|/logo|/auth/config|/project/translations"
)
MEMBERS_ONLY: Final = re.compile(
    r"/|/thread/[^/]+|/a/[^/]+|/browse|/composer|/user|/set-session-cookie|/feedback"
    r"|/project/(settings|threads|action|element|thread|file)"
    r"|/project/thread/[^/]+(/element/[^/]+)?"
    r"|/ws/socket\.io/?"
)
TICKET: Final = b"access_token"
"""Chainlit's name for its cookie."""
SIGNED_OUT: Final = 4401
FRAME_MAX: Final = 1_000_000
"""Bytes or characters that engine.io takes; the server itself closes at sixteen times as many."""
TOO_LARGE: Final = "too_large"
"""The event in place of a larger frame."""
IN_ITS_PLACE: Final[Message] = {"type": "websocket.receive", "text": f'42["{TOO_LARGE}"]'}
LOOK_AGAIN_S: Final = 2.0
"""How long frames may go out to a socket whose login session has just ended."""


class Door:
    """Stands before Chainlit and our routes that replace some of Chainlit's."""

    def __init__(self, app: ASGIApp, login_sessions: LoginSessions, refusals: Refusals) -> None:
        self._app = app
        self._login_sessions = login_sessions
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let pass, send to the sign-in page, or deny that there is such an address."""
        path = scope["path"]
        is_public = PUBLIC.fullmatch(path) is not None
        if not is_public and MEMBERS_ONLY.fullmatch(path) is None:
            await self._refuse(scope, receive, send, UnknownAddress(_("There is nothing here.")))
            return
        cookie = self._login_sessions.read_cookie(scope["headers"])
        visitor = None if is_public else await self._login_sessions.find(cookie)
        if visitor is None and not is_public:
            await self._send_to_sign_in(scope, receive, send)
            return
        admitted = {**scope, "headers": _with_ticket(scope["headers"], visitor)}
        if scope["type"] == "websocket":
            watch = _SocketWatch(self._login_sessions, cookie, receive, send)
            await self._app(admitted, watch.receive, watch.send)
        else:
            await self._app(admitted, receive, send)

    async def _send_to_sign_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        accepts = next((v for k, v in scope["headers"] if k.lower() == b"accept"), b"")
        if scope["type"] == "http" and scope["method"] == "GET" and b"text/html" in accepts:
            there = f"/login?next={quote(scope['path'])}"
            await RedirectResponse(there, 303)(scope, receive, send)
            return
        await self._refuse(scope, receive, send, NotSignedIn(_("Please sign in.")))

    async def _refuse(
        self, scope: Scope, receive: Receive, send: Send, error: FareboxError
    ) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": SIGNED_OUT, "reason": error.detail})
            return
        await self._refusals.answer(HTTPConnection(scope), error)(scope, receive, send)


class _SocketWatch:
    """One open socket, closed when its login session is over."""

    def __init__(
        self, login_sessions: LoginSessions, cookie: str | None, receive: Receive, send: Send
    ) -> None:
        self._login_sessions = login_sessions
        self._cookie = cookie
        self._receive = receive
        self._send = send
        self._looked_at = asyncio.get_running_loop().time()
        self._is_closed = False

    async def receive(self) -> Message:
        """The next frame, or the end."""
        message = await self._receive()
        if message["type"] == "websocket.receive" and not await self._is_signed_in():
            return {"type": "websocket.disconnect", "code": SIGNED_OUT}
        return IN_ITS_PLACE if _size(message) > FRAME_MAX else message

    async def send(self, message: Message) -> None:
        """Send a frame, unless the socket was closed here."""
        now = asyncio.get_running_loop().time()
        if (
            message["type"] == "websocket.send"
            and now - self._looked_at > LOOK_AGAIN_S
            and not await self._is_signed_in()
        ):
            return
        if not self._is_closed:
            await self._send(message)

    async def _is_signed_in(self) -> bool:
        self._looked_at = asyncio.get_running_loop().time()
        if not self._is_closed and await self._login_sessions.find(self._cookie) is None:
            self._is_closed = True
            await self._send(
                {"type": "websocket.close", "code": SIGNED_OUT, "reason": "signed out"}
            )
        return not self._is_closed


def _size(message: Message) -> int:
    return len(message.get("text") or message.get("bytes") or "")


def ticket_for(visitor: Visitor) -> str:
    """Chainlit's token for this visitor: who, and nothing else."""
    return create_jwt(User(identifier=str(visitor.account_id), display_name=visitor.name))


def _with_ticket(
    headers: list[tuple[bytes, bytes]], visitor: Visitor | None
) -> list[tuple[bytes, bytes]]:
    """The request's headers with our ticket in place of whatever ticket the browser sent."""
    kept, cookies = [], []
    for name, value in headers:
        if name.lower() == b"cookie":
            pairs = (pair.strip() for pair in value.split(b";"))
            cookies += [pair for pair in pairs if pair and not pair.startswith(TICKET)]
        elif name.lower() != b"authorization":
            kept.append((name, value))
    if visitor is not None:
        cookies.append(TICKET + b"=" + ticket_for(visitor).encode())
    return [*kept, (b"cookie", b"; ".join(cookies))] if cookies else kept
