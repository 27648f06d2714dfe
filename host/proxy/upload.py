"""The caller's side of a call that is under way: the body coming in, and whether they left.

ASGI gives one stream of events for both, with one reader at a time; this is that reader. It is the
only place that knows how large a body may be.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from starlette.types import Receive

from host.errors import FareboxError, MalformedRequest, PayloadTooLarge, RequestTimeout
from host.proxy.headers import RawHeaders, values

BODY_BYTES_MAX: Final = 20_000_000
WHOLE_S: Final = 45.0
"""How long a body may take that is read before anything else is done."""
_DIGITS_MAX: Final = 18


class CallerLeft(Exception):
    """Nobody is there any more to answer to."""


class Upload:
    """The body of one request, read once."""

    def __init__(
        self, receive: Receive, *, length: int | None, has_body: bool, most: int = BODY_BYTES_MAX
    ) -> None:
        self.length = length
        self.has_body = has_body
        self.failure: FareboxError | CallerLeft | None = None
        self._receive = receive
        self._most = most
        self._read = asyncio.Event()
        if not has_body:
            self._read.set()
        if length is not None and length > most:
            raise _too_large(most)

    @classmethod
    def of(cls, headers: RawHeaders, receive: Receive, *, most: int = BODY_BYTES_MAX) -> "Upload":
        """The upload that the headers announce.

        Raises:
            MalformedRequest: they announce it in two ways, or in none that can be read.
            PayloadTooLarge: they announce too much.
        """
        lengths, codings = (
            values(headers, b"content-length"),
            values(headers, b"transfer-encoding"),
        )
        if len(lengths) + len(codings) > 1:
            raise MalformedRequest("The length of the body is given more than once.")
        if not lengths:
            return cls(receive, length=None, has_body=bool(codings), most=most)
        if not lengths[0].isdigit() or len(lengths[0]) > _DIGITS_MAX:
            raise MalformedRequest("Content-Length must be a number.")
        length = int(lengths[0])
        return cls(receive, length=length, has_body=length > 0, most=most)

    @property
    def is_complete(self) -> bool:
        """Whether nothing more of the body is expected."""
        return self._read.is_set()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body as it comes.

        Raises:
            PayloadTooLarge: it grew beyond what was announced as possible.
            CallerLeft: the connection ended before the body did.
        """
        try:
            read = 0
            more = self.has_body
            while more:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    raise self._failed(CallerLeft())
                chunk: bytes = message.get("body", b"")
                more = message.get("more_body", False)
                read += len(chunk)
                if read > self._most:
                    raise self._failed(_too_large(self._most))
                if chunk:
                    yield chunk
        finally:
            self._read.set()

    async def whole(self, *, within_s: float = WHOLE_S) -> bytes:
        """All of the body.

        Raises:
            RequestTimeout: it did not come in time.
            PayloadTooLarge, CallerLeft: as for `chunks`.
        """
        try:
            async with asyncio.timeout(within_s):
                return b"".join([chunk async for chunk in self.chunks()])
        except TimeoutError:
            raise too_slow() from None

    async def until_left(self) -> None:
        """Wait until the caller is gone. The body comes first."""
        await self._read.wait()
        if isinstance(self.failure, CallerLeft):
            return
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def _failed(self, failure: FareboxError | CallerLeft) -> FareboxError | CallerLeft:
        self.failure = failure
        return failure


def too_slow() -> RequestTimeout:
    """The refusal for a body that did not come in time."""
    return RequestTimeout("The body of the request came too slowly. Not charged.")


def _too_large(most: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body of a call may have at most {most} bytes.")
