"""What the SDK raises, in our words: which failure it is, and not one character of it."""

import asyncio
import json
import pickle
import traceback
from collections.abc import Iterator
from typing import NoReturn

import httpx2
import openai
import pytest

from host.providers.base import FOR_BUILDERS, FailureKind, UpstreamError
from host.providers.openai_errors import guarded, kind_of_code, safe_word, upstream_error

PLANTED = "sk-planted-0123456789abcdef"
REQUEST = httpx2.Request(
    "POST", "https://upstream.test/v1/responses", headers={"Authorization": f"Bearer {PLANTED}"}
)
STATUSES: dict[int, type[openai.APIStatusError]] = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    429: openai.RateLimitError,
    500: openai.InternalServerError,
}


def status_error(
    status: int, *, code: str | None = None, kind: str | None = None, message: str = ""
) -> openai.APIStatusError:
    headers = {"x-request-id": "req_123", "retry-after": "7"}
    response = httpx2.Response(status, headers=headers, request=REQUEST)
    body = {"code": code, "type": kind, "message": f"{message} {PLANTED}"}
    return STATUSES.get(status, openai.APIStatusError)(
        f"{message} {PLANTED}", response=response, body=body
    )


def connection_error(
    error: openai.APIConnectionError, cause: Exception
) -> openai.APIConnectionError:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (status_error(401, code="invalid_api_key"), FailureKind.KEY_REJECTED),
        (status_error(403), FailureKind.KEY_FORBIDDEN),
        (status_error(403, message="Missing scopes: model.read"), FailureKind.MISSING_SCOPES),
        (status_error(401, message="Missing scopes: model.read"), FailureKind.MISSING_SCOPES),
        (status_error(404), FailureKind.NOT_FOUND),
        (status_error(404, code="model_not_found"), FailureKind.UNKNOWN_MODEL),
        (status_error(400), FailureKind.REFUSED),
        (status_error(400, code="context_length_exceeded"), FailureKind.CONTEXT_TOO_LONG),
        (status_error(400, code="conversation_locked"), FailureKind.THREAD_BUSY),
        (status_error(429, code="rate_limit_exceeded"), FailureKind.RATE_LIMITED),
        (status_error(429, kind="requests"), FailureKind.RATE_LIMITED),
        (status_error(429, code="insufficient_quota"), FailureKind.OUT_OF_QUOTA),
        (status_error(429, kind="insufficient_quota"), FailureKind.OUT_OF_QUOTA),
        (status_error(500), FailureKind.SERVER_ERROR),
        (status_error(503, code="server_overloaded"), FailureKind.SERVER_ERROR),
        (status_error(504), FailureKind.TIMED_OUT),
        (status_error(307), FailureKind.GARBLED),
        (openai.APITimeoutError(REQUEST), FailureKind.TIMED_OUT),
        (openai.APIConnectionError(request=REQUEST), FailureKind.CONNECTION_LOST),
        (
            connection_error(
                openai.APIConnectionError(request=REQUEST), httpx2.ConnectError(PLANTED)
            ),
            FailureKind.UNREACHABLE,
        ),
        (
            connection_error(openai.APITimeoutError(REQUEST), httpx2.ConnectTimeout(PLANTED)),
            FailureKind.UNREACHABLE,
        ),
        (
            openai.APIError(PLANTED, REQUEST, body={"code": "server_error"}),
            FailureKind.SERVER_ERROR,
        ),
        (openai.APIError(PLANTED, REQUEST, body=PLANTED), FailureKind.SERVER_ERROR),
        (httpx2.ReadTimeout(PLANTED, request=REQUEST), FailureKind.TIMED_OUT),
        (httpx2.ReadError(PLANTED, request=REQUEST), FailureKind.CONNECTION_LOST),
        (httpx2.RemoteProtocolError(PLANTED, request=REQUEST), FailureKind.CONNECTION_LOST),
        (json.JSONDecodeError(PLANTED, PLANTED, 0), FailureKind.GARBLED),
        (AttributeError(PLANTED), FailureKind.GARBLED),
    ],
)
async def test_each_failure_has_its_kind_and_nothing_of_the_key(
    error: Exception, kind: FailureKind
) -> None:
    async def fail() -> NoReturn:
        raise error

    with pytest.raises(UpstreamError) as raised:
        await guarded(fail())

    ours = raised.value
    assert ours.kind is kind
    assert list(everything_about(ours))
    for said in everything_about(ours):
        assert "planted" not in said
    assert ours.__context__ is None
    assert ours.__cause__ is None


def everything_about(error: UpstreamError) -> Iterator[str]:
    """All that a log, a report or a queue could make of an exception, but for local variables."""
    yield str(error)
    yield repr(error)
    yield repr(vars(error))
    yield "".join(traceback.format_exception(error))
    yield repr(pickle.dumps((error.args, vars(error))))


def test_status_code_request_id_and_how_long_to_wait_are_kept() -> None:
    ours = upstream_error(status_error(429, code="rate_limit_exceeded"))
    assert (ours.status, ours.code, ours.request_id) == (429, "rate_limit_exceeded", "req_123")
    assert ours.retry_after_s == 7


@pytest.mark.parametrize("code", [PLANTED, "Incorrect API key", "sk-a", "x" * 65, "", None, 7])
def test_a_code_that_is_no_plain_word_is_dropped(code: object) -> None:
    assert safe_word(code) is None


def test_an_unknown_code_in_a_stream_is_the_upstreams_own_trouble() -> None:
    assert kind_of_code("telepathy_lost") is FailureKind.SERVER_ERROR
    assert kind_of_code(None) is FailureKind.SERVER_ERROR
    assert kind_of_code("insufficient_quota") is FailureKind.OUT_OF_QUOTA


async def test_being_cancelled_is_no_failure_of_the_upstream() -> None:
    waiting = asyncio.create_task(guarded(asyncio.Event().wait()))
    await asyncio.wait([waiting], timeout=0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


def test_every_kind_of_failure_has_a_sentence_for_builders() -> None:
    assert set(FOR_BUILDERS) == set(FailureKind)
