"""Turns what the SDK raises into our own error, leaving everything that could leak behind.

While a stream is read, it is the SDK's HTTP client that raises. The exceptions of both hold the
request with its Authorization header, pickle it, and quote the upstream, which quotes the key. So
they end here: `guarded` awaits the call, and what it raises is raised as our own outside of the
handler, which keeps the original out of the context as well.
"""

import re
from collections.abc import Awaitable
from typing import Final, TypeVar

import httpx2
import openai

from host.providers.base import FailureKind, UpstreamError

T = TypeVar("T")

_WORD: Final = re.compile(r"[a-z][a-z0-9_.]{0,63}")
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")
_SECRET_LIKE: Final = re.compile(r"sk-|Bearer", re.IGNORECASE)

_BY_CODE: Final[dict[str, FailureKind]] = {
    "invalid_api_key": FailureKind.KEY_REJECTED,
    "insufficient_quota": FailureKind.OUT_OF_QUOTA,
    "rate_limit_exceeded": FailureKind.RATE_LIMITED,
    "model_not_found": FailureKind.UNKNOWN_MODEL,
    "context_length_exceeded": FailureKind.CONTEXT_TOO_LONG,
    "conversation_locked": FailureKind.THREAD_BUSY,
    "invalid_prompt": FailureKind.REFUSED,
    "bio_policy": FailureKind.REFUSED,
    "misalignment_policy_violation": FailureKind.REFUSED,
    "server_error": FailureKind.SERVER_ERROR,
    "vector_store_timeout": FailureKind.TIMED_OUT,
}
_BY_STATUS: Final[dict[int, FailureKind]] = {
    401: FailureKind.KEY_REJECTED,
    403: FailureKind.KEY_FORBIDDEN,
    404: FailureKind.NOT_FOUND,
    408: FailureKind.TIMED_OUT,
    429: FailureKind.RATE_LIMITED,
    504: FailureKind.TIMED_OUT,
}


async def guarded(call: Awaitable[T]) -> T:
    """Await something of the SDK.

    Raises:
        UpstreamError: whatever it raised, without a word of it.
    """
    try:
        return await call
    except Exception as error:  # noqa: BLE001 - a broken line raises JSONDecodeError, and so on
        failure = upstream_error(error)
    raise failure


def upstream_error(error: Exception) -> UpstreamError:
    """The error as we name it."""
    if isinstance(error, openai.APIStatusError):
        return _of_status(error)
    if isinstance(error, openai.APIConnectionError):
        return UpstreamError(_of_connection(error))
    if isinstance(error, openai.APIError):
        return error_in_stream({"code": error.code, "type": error.type})
    if isinstance(error, httpx2.TimeoutException):
        return UpstreamError(FailureKind.TIMED_OUT)
    if isinstance(error, httpx2.RequestError):
        return UpstreamError(FailureKind.CONNECTION_LOST)
    return UpstreamError(FailureKind.GARBLED)


def error_in_stream(said: object) -> UpstreamError:
    """What an upstream says in mid-stream in place of an event."""
    fields = said if isinstance(said, dict) else {}
    code = safe_word(fields.get("code")) or safe_word(fields.get("type"))
    return UpstreamError(kind_of_code(code), code=code)


def kind_of_code(code: str | None) -> FailureKind:
    """What a code within a stream means; an unknown one is the upstream's own trouble."""
    return _BY_CODE.get(code or "", FailureKind.SERVER_ERROR)


def safe_word(text: object) -> str | None:
    """`text` if it is a plain code; anything else could be somebody's key or prose."""
    if isinstance(text, str) and _WORD.fullmatch(text) and not _SECRET_LIKE.search(text):
        return text
    return None


def _of_status(error: openai.APIStatusError) -> UpstreamError:
    code = safe_word(error.code) or safe_word(error.type)
    request_id = error.request_id or ""
    is_id = _REQUEST_ID.fullmatch(request_id) and not _SECRET_LIKE.search(request_id)
    return UpstreamError(
        _kind_of_status(error, code),
        status=error.status_code,
        code=code,
        request_id=request_id if is_id else None,
        retry_after_s=_seconds(error.response.headers.get("retry-after")),
    )


def _kind_of_status(error: openai.APIStatusError, code: str | None) -> FailureKind:
    status = error.status_code
    if status in {401, 403} and "issing scopes" in error.message:  # read here, shown nowhere
        return FailureKind.MISSING_SCOPES
    if "insufficient_quota" in {error.code, error.type}:
        return FailureKind.OUT_OF_QUOTA
    if status < 400:  # noqa: PLR2004 - redirects are not followed
        return FailureKind.GARBLED
    if status >= 500:  # noqa: PLR2004
        return _BY_STATUS.get(status, FailureKind.SERVER_ERROR)
    return _BY_CODE.get(code or "", _BY_STATUS.get(status, FailureKind.REFUSED))


def _of_connection(error: openai.APIConnectionError) -> FailureKind:
    if isinstance(error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout):
        return FailureKind.UNREACHABLE  # nothing was sent: it may be tried again
    if isinstance(error, openai.APITimeoutError):
        return FailureKind.TIMED_OUT
    return FailureKind.CONNECTION_LOST


def _seconds(retry_after: str | None) -> float | None:
    """`Retry-After` in seconds; its form as a date is not worth a parser here."""
    try:
        return max(0.0, float(retry_after)) if retry_after else None
    except ValueError:
        return None
