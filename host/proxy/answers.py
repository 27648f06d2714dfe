"""What the proxy says itself: refusals as problem+json, small JSON answers, the receipt headers.

The one place where a `FareboxError` becomes an HTTP answer; `host.api.edge` renders with it too.
Amounts leave as decimal numbers of credits. What an upstream said is passed on by
`host.proxy.calls`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.types import Send

from host.errors import FareboxError, InvalidToken, problem
from host.proxy.headers import CORS, SANDBOX
from storage.credits import format_credits

PROBLEM: Final = b"application/problem+json"
JSON: Final = b"application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer of ours."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What a call cost, as its headers tell. Amounts are milli-credits."""

    charged: int | None
    remaining: int | None = None
    receipt_id: str | None = None

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The receipt headers; what is not known is left out."""
        fields = []
        if self.charged is not None:
            fields.append((b"farebox-credits-charged", format_credits(self.charged).encode()))
        if self.remaining is not None:
            fields.append((b"farebox-credits-remaining", format_credits(self.remaining).encode()))
        if self.receipt_id is not None:
            fields.append((b"farebox-receipt", self.receipt_id.encode()))
        return fields


def refusal(error: FareboxError, *, public_url: str) -> Answer:
    """The error as problem+json, with the headers that its status calls for."""
    headers = [(name.lower().encode(), value.encode()) for name, value in error.headers.items()]
    if isinstance(error, InvalidToken) and not any(n == b"www-authenticate" for n, _ in headers):
        headers.append((b"www-authenticate", b'Bearer realm="farebox"'))
    body = json.dumps(problem(error, public_url=public_url), ensure_ascii=False).encode()
    return _whole(error.status, PROBLEM, body, [(b"cache-control", b"no-store"), *headers])


def json_answer(
    facts: Mapping[str, Any], *, status: int = 200, headers: Sequence[tuple[bytes, bytes]] = ()
) -> Answer:
    """The facts as JSON, not to be stored by anyone on the way."""
    body = json.dumps(facts, ensure_ascii=False).encode()
    return _whole(status, JSON, body, [(b"cache-control", b"no-store"), *headers])


async def send_answer(send: Send, answer: Answer) -> None:
    """Send a whole answer."""
    start = {
        "type": "http.response.start",
        "status": answer.status,
        "headers": [*answer.headers, *CORS, *SANDBOX],
    }
    await send(start)
    await send({"type": "http.response.body", "body": answer.body})


def _whole(
    status: int, content_type: bytes, body: bytes, headers: Sequence[tuple[bytes, bytes]]
) -> Answer:
    described = (
        (b"content-type", content_type),
        (b"content-length", str(len(body)).encode()),
        *headers,
    )
    return Answer(status, described, body)
