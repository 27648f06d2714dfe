"""One request carried to an upstream and its answer carried back, byte for byte, as they come.

Nothing is decoded, followed, remembered or tried twice on behalf of the caller: the path, the
query and the bodies leave as they arrived. (A request without a body whose kept-alive connection
turned out to be closed is sent once more, if HTTP calls its method idempotent.) What may be called
is `host.proxy.destination`; what is charged is decided by `host.proxy.calls`.
"""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from dataclasses import dataclass
from typing import Final

import aiohttp
import structlog
from multidict import CIMultiDict
from yarl import URL

from host.errors import (
    FareboxError,
    MalformedRequest,
    UpstreamFailed,
    UpstreamTimeout,
)
from host.proxy.destination import Origin, socket_factory
from host.proxy.upload import CallerLeft, Upload, too_slow

CONNECT_S: Final = 10.0
ANSWER_S: Final = 45.0
"""What plugin callers wait; also for the first byte of an answer that is no event stream."""
IDLE_S: Final = 300.0
"""How long a stream may say nothing. Shorter than the life of a hold."""
KEEP_ALIVE_S: Final = 4.0
"""Below the five seconds after which common servers close: the loser of that race is a call."""
CONNECTIONS_MAX: Final = 1024
CONNECTIONS_TO_ONE_MAX: Final = 512
"""To one upstream, so that a slow one leaves room for the others."""
HEADER_BYTES_MAX: Final = 64 * 1024

_NOT_ADDED: Final = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """What is sent upstream."""

    origin: Origin
    method: str
    path: str
    query: str
    headers: Sequence[tuple[bytes, bytes]]


class Forwarder:
    """Connections to upstreams, kept alive between calls."""

    def __init__(self, *, allow_private: bool, answer_s: float = ANSWER_S) -> None:
        self._allow_private = allow_private
        self._answer_s = answer_s
        self._client: aiohttp.ClientSession | None = None

    async def send(
        self, outgoing: Outgoing, upload: Upload, *, body: bytes | None = None
    ) -> "Incoming":
        """Send the request and wait for the status line. `body` is the upload, if read before.

        Raises:
            UpstreamFailed: it could not be reached, or did not answer in HTTP.
            UpstreamTimeout: it did not answer in time.
            RequestTimeout, PayloadTooLarge: the caller's body came too slowly, or grew too large.
            CallerLeft: nobody waits for the answer any more.
        """
        leaving = asyncio.create_task(upload.until_left())
        try:
            request = self._request(outgoing, upload, body)
            response = await _before(request, leaving, upload, within_s=self._answer_s)
        except BaseException:
            leaving.cancel()
            raise
        return Incoming(response, leaving)

    async def close(self) -> None:
        """Close every connection."""
        if self._client is not None:
            await self._client.close()

    async def _request(
        self, outgoing: Outgoing, upload: Upload, body: bytes | None
    ) -> aiohttp.ClientResponse:
        headers = _text_headers(outgoing.headers)
        data: bytes | AsyncGenerator[bytes, None] | None = body or None
        if body is None and upload.has_body:
            data = upload.chunks()
            if upload.length is not None:
                headers["Content-Length"] = str(upload.length)
        origin = outgoing.origin
        url = URL.build(
            scheme=origin.scheme,
            host=origin.host,
            port=origin.port,
            path=outgoing.path,
            query_string=outgoing.query,
            encoded=True,
        )
        return await self._opened().request(
            outgoing.method,
            url,
            headers=headers,
            data=data,
            allow_redirects=False,
            skip_auto_headers=_NOT_ADDED,
        )

    def _opened(self) -> aiohttp.ClientSession:
        """The client; made on first use because it belongs to the running event loop."""
        if self._client is None:
            self._client = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=CONNECTIONS_MAX,
                    limit_per_host=CONNECTIONS_TO_ONE_MAX,
                    keepalive_timeout=KEEP_ALIVE_S,
                    socket_factory=socket_factory(allow_private=self._allow_private),
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=CONNECT_S, sock_read=IDLE_S
                ),
                max_line_size=HEADER_BYTES_MAX,
                max_field_size=HEADER_BYTES_MAX,
            )
        return self._client


class Incoming:
    """An answer whose status line has come; its body is still on the way."""

    def __init__(self, response: aiohttp.ClientResponse, leaving: asyncio.Task[None]) -> None:
        self.status: Final = response.status
        self.headers: Final = response.raw_headers
        self._response = response
        self._leaving = leaving
        # Closing the connection wakes whoever waits for the next chunk.
        leaving.add_done_callback(self._hang_up)

    @property
    def is_success(self) -> bool:
        """Whether the status line is one that is paid for."""
        return 200 <= self.status < 300  # noqa: PLR2004 - 2xx

    @property
    def is_event_stream(self) -> bool:
        """Whether its first byte may be long in coming."""
        return self._response.content_type == "text/event-stream"

    async def chunk(self, *, within_s: float | None = None) -> bytes:
        """The next bytes; empty at the end.

        Raises:
            UpstreamFailed: the body broke off.
            UpstreamTimeout: nothing came in time.
            CallerLeft: nobody reads any more.
        """
        try:
            async with asyncio.timeout(within_s):
                return await self._response.content.readany()
        except (aiohttp.ClientError, OSError) as error:
            if self._leaving.done():
                raise CallerLeft from None
            raise _as_refusal(error) from None

    def close(self) -> None:
        """Give the connection back, or close it where the body was not read to its end."""
        self._leaving.remove_done_callback(self._hang_up)
        self._leaving.cancel()
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()

    def _hang_up(self, _leaving: asyncio.Task[None]) -> None:
        self._response.close()


async def _before(
    request: Coroutine[None, None, aiohttp.ClientResponse],
    leaving: asyncio.Task[None],
    upload: Upload,
    *,
    within_s: float,
) -> aiohttp.ClientResponse:
    """The answer to the request, unless the caller leaves or time is up before."""
    sending = asyncio.create_task(request)
    try:
        await asyncio.wait(
            {sending, leaving}, timeout=within_s, return_when=asyncio.FIRST_COMPLETED
        )
        if sending.done():
            return sending.result()
        if leaving.done():
            raise CallerLeft
        if not upload.is_complete:
            raise too_slow()
        raise _too_late()
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise (upload.failure or _as_refusal(error)) from None
    finally:
        sending.cancel()


def _too_late() -> UpstreamTimeout:
    return UpstreamTimeout("The service behind this did not answer in time. Not charged.")


def _as_refusal(error: Exception) -> FareboxError:
    """The refusal for what the client library reports; its text may name the upstream."""
    log.info("upstream.failed", error=type(error).__name__)
    if isinstance(error, TimeoutError):
        return _too_late()
    return UpstreamFailed("The service behind this gave no usable answer. Not charged.")


def _text_headers(headers: Sequence[tuple[bytes, bytes]]) -> CIMultiDict[str]:
    """Headers as the client library takes them; it writes them as UTF-8."""
    try:
        return CIMultiDict((name.decode("ascii"), value.decode()) for name, value in headers)
    except UnicodeDecodeError:
        raise MalformedRequest("A header is not valid UTF-8.") from None
