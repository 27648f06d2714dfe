"""One request of a builder's own, before anything is sold: a document to read, a call to try.

It goes the way that paid calls go, to the same addresses and no others, follows nothing, and is
told to the builder as it came, bounded in size and time. Nobody is charged.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote, urlsplit

from starlette.types import Message

from host.errors import FareboxError, InvalidInput
from host.proxy.destination import parse_origin
from host.proxy.forwarding import Forwarder, Incoming, Outgoing
from host.proxy.upload import Upload

WITHIN_S: Final = 20.0
DOCUMENT_BYTES_MAX: Final = 4_000_000
"""Of UTF-8: a document may have a million characters."""
SHOWN_BYTES_MAX: Final = 20_000
_AS_SENT: Final = "/%:@!$&'()*+,;=~"


@dataclass(frozen=True, slots=True)
class Tried:
    """What came back."""

    status: int
    media_type: str
    body: bytes
    is_whole: bool
    """Whether the body ended before it was too large."""
    seconds: float

    @property
    def is_success(self) -> bool:
        """Whether a call like it would have been paid for."""
        return 200 <= self.status < 300  # noqa: PLR2004 - 2xx

    @property
    def text(self) -> str:
        """The body as text, whatever it is."""
        return self.body.decode("utf-8", "replace")

    def without(self, secret: str | None) -> "Tried":
        """The same, had the service not told what it was sent to know us by."""
        if not secret:
            return self
        return replace(self, body=self.body.replace(secret.encode(), "…".encode()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call to try."""

    base_url: str
    method: str
    path: str
    query: str = ""
    credential: str | None = None
    body: bytes | None = None


async def try_call(call: Call, *, allow_private: bool, most: int = SHOWN_BYTES_MAX) -> Tried:
    """Send it once.

    Raises:
        FareboxError: its address may not be called, was not reached, or did not answer in time.
    """
    outgoing = Outgoing(
        origin=parse_origin(call.base_url, allow_private=allow_private),
        method=call.method,
        path=quote(call.path, safe=_AS_SENT),
        query=quote(call.query, safe=f"{_AS_SENT}?&="),
        headers=list(_headers(call)),
    )
    forwarder = Forwarder(allow_private=allow_private, answer_s=WITHIN_S)
    nobody_leaves = Upload(_silence, length=None, has_body=False)
    began = time.monotonic()
    try:
        incoming = await forwarder.send(outgoing, nobody_leaves, body=call.body or b"")
        try:
            body, is_whole = await _read(incoming, most)
        finally:
            incoming.close()
    finally:
        await forwarder.close()
    return Tried(incoming.status, _media_type(incoming), body, is_whole, time.monotonic() - began)


async def read_text(url: str, *, allow_private: bool) -> tuple[str, str]:
    """The text at an address, and the origin that it came from.

    Raises:
        InvalidInput: there is none, it is too large, or no text; the sentence says which.
    """
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}"
    call = Call(base_url=origin, method="GET", path=parts.path or "/", query=parts.query)
    try:
        tried = await try_call(call, allow_private=allow_private, most=DOCUMENT_BYTES_MAX)
    except FareboxError as refused:
        reason = refused.detail.removesuffix(" Not charged.")
        raise InvalidInput(f"The document could not be read: {reason}") from None
    if not tried.is_success:
        raise InvalidInput(
            f"The document could not be read: its address answered {tried.status}. Where it only"
            " opens for you, paste its text instead."
        )
    if not tried.is_whole:
        raise InvalidInput("The document could not be read: it is too large.")
    try:
        return tried.body.decode("utf-8-sig"), origin
    except UnicodeDecodeError:
        raise InvalidInput("The document could not be read: it is not text in UTF-8.") from None


def _headers(call: Call) -> Sequence[tuple[bytes, bytes]]:
    headers = [(b"Accept", b"*/*"), (b"Accept-Encoding", b"identity")]
    if call.body:
        headers.append((b"Content-Type", b"application/json"))
    if call.credential:
        headers.append((b"Authorization", f"Bearer {call.credential}".encode()))
    return headers


async def _read(incoming: Incoming, most: int) -> tuple[bytes, bool]:
    body = b""
    while piece := await incoming.chunk(within_s=WITHIN_S):
        body += piece
        if len(body) > most:
            return body[:most], False
    return body, True


def _media_type(incoming: Incoming) -> str:
    named = {name.lower(): value for name, value in incoming.headers}
    return named.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip()


async def _silence() -> Message:
    """A caller who says nothing and stays."""
    await asyncio.Event().wait()
    raise AssertionError("nobody sets it")
