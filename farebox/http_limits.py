"""HTTP as uvicorn reads it, with an end to what may be sent before anybody is asked about it.

Uvicorn and its parser keep headers without any limit and wait for them without end. Here a request
head has a size, a number of fields and a time, and so has every other stretch of a connection that
carries no body: trailers, the extensions of chunks. What is larger is answered 431 and what is
slower is cut off. Bodies are limited by who reads them.
"""

import asyncio
from typing import Final

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from host.errors import HeadersTooLarge
from host.proxy.answers import refusal

HEAD_BYTES_MAX: Final = 64 * 1024
FIELDS_MAX: Final = 200
HEAD_S: Final = 20.0
"""From the connection, or the first byte of a later request, to the end of its headers."""

_TOO_LARGE: Final = HeadersTooLarge(
    f"A request may have at most {FIELDS_MAX} headers and {HEAD_BYTES_MAX} bytes of them."
)


class _TooMuch(Exception):
    """Stops the parser, which reports it as an error of its own."""


class LimitedHttp(HttpToolsProtocol):
    """One connection."""

    public_url = ""
    head_s = HEAD_S

    _fields = 0
    _head_bytes = 0
    _unread_bytes = 0
    _is_too_much = False
    _head_timer: asyncio.TimerHandle | None = None

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._has_head()
        super().connection_lost(exc)

    @override
    def data_received(self, data: bytes) -> None:
        # The parser holds back what it has not seen the end of, so bytes are counted here too.
        self._unread_bytes += len(data)
        super().data_received(data)
        if self._unread_bytes > HEAD_BYTES_MAX and not self._is_too_much:
            self._is_too_much = True
            self.send_400_response("")

    @override
    def on_message_begin(self) -> None:
        self._fields = self._head_bytes = 0
        self._await_head()
        super().on_message_begin()

    @override
    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    @override
    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields += 1
        self._count(len(name) + len(value) + len(b": \r\n"))
        super().on_header(name, value)

    @override
    def on_headers_complete(self) -> None:
        self._has_head()
        self._unread_bytes = 0
        super().on_headers_complete()

    @override
    def on_body(self, body: bytes) -> None:
        self._unread_bytes = 0
        super().on_body(body)

    @override
    def on_message_complete(self) -> None:
        self._unread_bytes = 0
        super().on_message_complete()

    @override
    def send_400_response(self, msg: str) -> None:
        if not self._is_too_much:
            super().send_400_response(msg)
            return
        answer = refusal(_TOO_LARGE, public_url=self.public_url)
        head = b"".join(b"%s: %s\r\n" % field for field in answer.headers)
        self.transport.write(
            STATUS_LINE[answer.status] + head + b"connection: close\r\n\r\n" + answer.body
        )
        self.transport.close()

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > HEAD_BYTES_MAX or self._fields > FIELDS_MAX:
            self._is_too_much = True
            raise _TooMuch

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_s, self._give_up)

    def _has_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._head_timer = None
        cycle: RequestResponseCycle | None = self.cycle  # uvicorn's type leaves the None out
        if cycle is not None and not cycle.response_complete:
            self._await_head()  # an earlier request is still being answered
        elif not self.transport.is_closing():
            self.transport.close()


def limited_http(public_url: str) -> type[LimitedHttp]:
    """The protocol of a server with this address; uvicorn makes one object for each connection."""

    class Limited(LimitedHttp):
        """With the address that refusals name."""

    Limited.public_url = public_url
    return Limited
