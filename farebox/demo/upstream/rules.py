"""What OpenAI refuses and no schema says: written by hand, pure, one function a request.

What depends on what was stored (unknown ids, the lock of a conversation) is refused where it is
looked up, in `memory` and `desk`.
"""

from collections.abc import Iterable
from typing import Final

from farebox.demo.upstream.refusals import (
    Refusal,
    model_unknown,
    parameter_missing,
    parameter_wrong,
)
from farebox.demo.upstream.wire import JsonObject, objects, texts

MOST_ITEMS: Final = 20
MOST_PAIRS, LONGEST_NAME, LONGEST_VALUE = 16, 64, 512
HOTTEST: Final = 2
LONGEST_SAFETY_IDENTIFIER: Final = 128
FEWEST_OUTPUT_TOKENS: Final = 16


def check_response_rules(body: JsonObject, models: frozenset[str]) -> None:
    """Raises: Refusal: POST /v1/responses breaks a rule its schema cannot say."""
    for name in ("model", "input"):
        if body.get(name) in (None, "", []):
            raise parameter_missing(name)
    model = body["model"]
    if not isinstance(model, str) or model not in models:
        raise model_unknown(str(model))
    if body.get("conversation") is not None and body.get("previous_response_id") is not None:
        raise Refusal(
            400,
            "Mutually exclusive parameters: 'conversation' and 'previous_response_id'.",
            code="mutually_exclusive_parameters",
        )
    if body.get("background") is True and body.get("store") is False:
        raise parameter_wrong("background", "a response in the background must be stored")
    _check_numbers(body)
    check_metadata(body)


def _check_numbers(body: JsonObject) -> None:
    _check_between(body, "temperature", 0, HOTTEST)
    _check_between(body, "top_p", 0, 1)
    _check_between(body, "max_output_tokens", FEWEST_OUTPUT_TOKENS, 10**9)
    _check_between(body, "max_tool_calls", 1, 10**9)
    identifier = body.get("safety_identifier")
    if isinstance(identifier, str) and len(identifier) > LONGEST_SAFETY_IDENTIFIER:
        raise parameter_wrong(
            "safety_identifier", f"it is longer than {LONGEST_SAFETY_IDENTIFIER} characters"
        )


def _check_between(body: JsonObject, name: str, least: float, most: float) -> None:
    value = body.get(name)
    if isinstance(value, int | float) and not least <= value <= most:
        raise parameter_wrong(name, f"it must be between {least} and {most}")


def check_items_rules(body: JsonObject) -> None:
    """Raises: Refusal: more items than one request may bring."""
    count = len(objects(body.get("items")))
    if count > MOST_ITEMS:
        raise parameter_wrong("items", f"{count} items were given, {MOST_ITEMS} are allowed")


def check_metadata(body: JsonObject) -> None:
    """Raises: Refusal: too many pairs, or one that is too long."""
    pairs = texts(body.get("metadata"))
    if len(pairs) > MOST_PAIRS:
        raise parameter_wrong("metadata", f"it has more than {MOST_PAIRS} pairs")
    for name, value in pairs.items():
        if len(name) > LONGEST_NAME:
            raise parameter_wrong("metadata", f"a name is longer than {LONGEST_NAME} characters")
        if len(value) > LONGEST_VALUE:
            raise parameter_wrong(
                f"metadata.{name}", f"it is longer than {LONGEST_VALUE} characters"
            )


def check_calls_answered(items: Iterable[JsonObject]) -> None:
    """Raises: Refusal: a function call has no output, or an output no call."""
    calls: set[str] = set()
    outputs: set[str] = set()
    for item in items:
        if item.get("type") == "function_call":
            calls.add(_call_id(item))
        elif item.get("type") == "function_call_output":
            outputs.add(_call_id(item))
    if unanswered := calls - outputs:
        raise Refusal(
            400,
            f"No tool output found for function call {min(unanswered)}.",
            param="input",
        )
    if unasked := outputs - calls:
        raise Refusal(
            400,
            f"No tool call found for function call output with call_id {min(unasked)}.",
            param="input",
        )


def _call_id(item: JsonObject) -> str:
    return str(item.get("call_id"))
