"""How an answer leaves over HTTP: as a stream of events, or as a connection that breaks.

Written on ASGI itself rather than on a streaming response with a generator: a generator that is
abandoned is closed whenever the collector comes by, and its conversation would stay locked.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from farebox.demo.upstream.narrator import Frame
from farebox.demo.upstream.performance import ConnectionTorn, Show

Tell: TypeAlias = Callable[[Show], Awaitable[None]]

HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
]


class EventStream(Response):
    """Runs `tell` while somebody listens; cancels it when they leave."""

    def __init__(self, tell: Tell) -> None:
        super().__init__()
        self._tell = tell

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the end of the story or of the connection."""
        telling = asyncio.ensure_future(self._send_all(send))
        leaving = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait((telling, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            telling.cancel()
            leaving.cancel()
            await asyncio.gather(telling, leaving, return_exceptions=True)
        if not telling.cancelled():
            telling.result()

    async def _send_all(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})

        async def show(frame: Frame) -> None:
            await send({"type": "http.response.body", "body": frame.data, "more_body": True})

        try:
            await self._tell(show)
        except ConnectionTorn:
            # An empty piece sends the headers; returning without an end makes the server hang up.
            await send({"type": "http.response.body", "body": b"", "more_body": True})
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class HangUp(Response):
    """Announces JSON and breaks the connection before any of it."""

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the headers and no more."""
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"", "more_body": True})


async def _left(receive: Receive) -> None:
    """Wait until the other side is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
