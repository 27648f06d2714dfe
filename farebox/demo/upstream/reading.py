"""Reading requests and writing plain answers, the same way for every address."""

import json
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from farebox.demo.upstream.refusals import body_unreadable
from farebox.demo.upstream.wire import Json, JsonObject, encoded

BEARER: Final = "bearer "


def key_of(request: Request) -> str | None:
    """The key a request brings, or None."""
    given = request.headers.get("authorization", "")
    key = given[len(BEARER) :].strip() if given.lower().startswith(BEARER) else ""
    return key or None


async def read_body(request: Request) -> JsonObject:
    """The JSON object in a body; an empty body is an empty object.

    Raises:
        Refusal: it is something else.
    """
    raw = await request.body()
    try:
        body: Json = json.loads(raw or b"{}")
    except ValueError:  # also when it is no UTF-8
        raise body_unreadable() from None
    if not isinstance(body, dict):
        raise body_unreadable()
    return body


def json_answer(body: JsonObject, status: int = 200) -> Response:
    """A plain answer."""
    return Response(encoded(body), status, media_type="application/json")
