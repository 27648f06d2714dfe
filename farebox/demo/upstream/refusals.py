"""Every "no" this upstream can say, in the shape and the words OpenAI uses.

`{"error": {"message", "type", "param", "code"}}` with a status. The 401 echoes a masked form of
whatever was sent as the key, because OpenAI's does: what stands in front of this server must
prove that it lets no such text through.
"""

from collections.abc import Mapping

from farebox.demo.upstream.wire import JsonObject

SHOWN_HEAD, SHOWN_TAIL = 8, 4  # what OpenAI's 401 shows of a key, as reported


class Refusal(Exception):
    """A request was refused; the app renders it."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.kind = status, message, kind
        self.code, self.param, self.headers = code, param, dict(headers or {})

    def as_json(self) -> JsonObject:
        """The body of the answer."""
        return {
            "error": {
                "message": self.message,
                "type": self.kind,
                "param": self.param,
                "code": self.code,
            }
        }


def masked(key: str) -> str:
    """A key as OpenAI's 401 echoes it: the ends shown, the middle starred."""
    if len(key) <= SHOWN_HEAD + SHOWN_TAIL:
        return "*" * len(key)
    hidden = "*" * (len(key) - SHOWN_HEAD - SHOWN_TAIL)
    return f"{key[:SHOWN_HEAD]}{hidden}{key[-SHOWN_TAIL:]}"


def key_missing() -> Refusal:
    """401: no key was sent."""
    return Refusal(
        401,
        "You didn't provide an API key. You need to provide your API key in an Authorization"
        " header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
    )


def key_unknown(key: str) -> Refusal:
    """401: a key nobody gave us."""
    return Refusal(
        401,
        f"Incorrect API key provided: {masked(key)}. You can find your API key at"
        " https://platform.openai.com/account/api-keys.",
        code="invalid_api_key",
    )


def not_allowed_there() -> Refusal:
    """403: the country is not served."""
    return Refusal(
        403,
        "Country, region, or territory not supported",
        kind="request_forbidden",
        code="unsupported_country_region_territory",
    )


def scopes_missing(scope: str) -> Refusal:
    """403: a restricted key without the scope this needs."""
    return Refusal(
        403,
        "You have insufficient permissions for this operation."
        f" Missing scopes: {scope}. Check that you have the correct role in your organization.",
    )


def too_fast(retry_after_s: int = 1) -> Refusal:
    """429: a rate limit; waiting helps."""
    return Refusal(
        429,
        f"Rate limit reached for requests. Please try again in {retry_after_s}s.",
        kind="requests",
        code="rate_limit_exceeded",
        headers={
            "retry-after": str(retry_after_s),
            "x-ratelimit-limit-requests": "60",
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": f"{retry_after_s}s",
        },
    )


def quota_used_up() -> Refusal:
    """429: the owner of the key must pay; waiting does not help."""
    return Refusal(
        429,
        "You exceeded your current quota, please check your plan and billing details.",
        kind="insufficient_quota",
        code="insufficient_quota",
    )


def server_error() -> Refusal:
    """500: OpenAI's own fault."""
    return Refusal(
        500,
        "The server had an error while processing your request. Sorry about that!",
        kind="server_error",
    )


def overloaded() -> Refusal:
    """503: OpenAI's own fault, for now."""
    return Refusal(
        503,
        "The engine is currently overloaded, please try again later.",
        kind="server_error",
        code="server_overloaded",
    )


def conversation_locked() -> Refusal:
    """400: another answer is being written in this conversation."""
    return Refusal(
        400,
        "Another process is currently operating on this conversation."
        " Please retry in a few seconds.",
        code="conversation_locked",
        param="conversation",
    )


def conversation_unknown(conversation_id: str) -> Refusal:
    """404: no such conversation."""
    return Refusal(404, f"Conversation with id '{conversation_id}' not found.")


def response_unknown(response_id: str) -> Refusal:
    """404: no such response, or one in the foreground that is still being written."""
    return Refusal(404, f"Response with id '{response_id}' not found.")


def previous_response_unknown(response_id: str) -> Refusal:
    """400: the response to go on from does not exist."""
    return Refusal(
        400,
        f"Previous response with id '{response_id}' not found.",
        code="previous_response_not_found",
        param="previous_response_id",
    )


def model_unknown(model: str) -> Refusal:
    """404: no such model for this key."""
    return Refusal(
        404,
        f"The model `{model}` does not exist or you do not have access to it.",
        code="model_not_found",
        param="model",
    )


def parameter_missing(param: str) -> Refusal:
    """400: something required is absent."""
    return Refusal(
        400,
        f"Missing required parameter: '{param}'.",
        code="missing_required_parameter",
        param=param,
    )


def parameter_unknown(param: str) -> Refusal:
    """400: a field that the API does not have."""
    return Refusal(400, f"Unknown parameter: '{param}'.", code="unknown_parameter", param=param)


def parameter_wrong(param: str, why: str) -> Refusal:
    """400: a field whose value cannot be."""
    return Refusal(400, f"Invalid '{param}': {why}.", code="invalid_value", param=param)


def body_unreadable() -> Refusal:
    """400: the body is no JSON object."""
    return Refusal(
        400,
        "We could not parse the JSON body of your request. The OpenAI API expects a JSON payload.",
    )
