"""What OpenAI accepts and sends, as JSON Schemas made from the pinned SDK's own types.

Requests: the SDK's parameter types, with unknown fields forbidden at any depth. Answers and
events: the SDK's models, closed the same way, so this server and the SDK cannot drift apart.
What a schema cannot say is in `rules`. Validators are built on first use and then shared by the
whole process: building them all takes about half a second, checking takes microseconds.
"""

import functools
from collections.abc import Iterable
from typing import Any, Final

import jsonschema_rs
from openai.types import Model
from openai.types.conversations import (
    Conversation,
    ConversationDeletedResource,
    ConversationItemList,
)
from openai.types.conversations.conversation_create_params import ConversationCreateParams
from openai.types.conversations.item_create_params import ItemCreateParams
from openai.types.responses import Response, ResponseStreamEvent
from openai.types.responses.response_create_params import (
    ResponseCreateParamsNonStreaming,
    ResponseCreateParamsStreaming,
)
from pydantic import TypeAdapter

from farebox.demo.upstream import refusals
from farebox.demo.upstream.wire import JsonObject

# Parameters of the SDK's methods that travel in the address, not in the body.
NOT_IN_BODY: Final = {ItemCreateParams: ("include",)}


class ContractBroken(Exception):
    """This server was about to send something the SDK does not know: a bug of ours."""


def check_new_response(body: JsonObject) -> None:
    """Raises: Refusal: the body of POST /v1/responses does not fit its schema."""
    streams = body.get("stream") is True
    _refuse(
        ResponseCreateParamsStreaming if streams else ResponseCreateParamsNonStreaming,
        body,
    )


def check_new_conversation(body: JsonObject) -> None:
    """Raises: Refusal: the body of POST /v1/conversations does not fit its schema."""
    _refuse(ConversationCreateParams, body)


def check_new_items(body: JsonObject) -> None:
    """Raises: Refusal: the body of POST /v1/conversations/{id}/items does not fit."""
    _refuse(ItemCreateParams, body)


def fit_event(event: JsonObject) -> JsonObject:
    """The event itself, once it fits one of the SDK's event types."""
    # The union has 59 members; the schema of the one that is named answers faster and clearer.
    name = event.get("type")
    validator = _event_validators().get(name) if isinstance(name, str) else None
    if validator is None:
        raise ContractBroken(f"the SDK has no event {name!r}")
    return _fit(validator, event)


def fit_response(answer: JsonObject) -> JsonObject:
    """The response object itself, once it fits the SDK's model."""
    return _fit(_closed_validator(Response), answer)


def fit_conversation(answer: JsonObject) -> JsonObject:
    """The conversation itself, once it fits the SDK's model."""
    return _fit(_closed_validator(Conversation), answer)


def fit_deleted(answer: JsonObject) -> JsonObject:
    """The note of a deletion itself, once it fits the SDK's model."""
    return _fit(_closed_validator(ConversationDeletedResource), answer)


def fit_items(answer: JsonObject) -> JsonObject:
    """The list of items itself, once it fits the SDK's model."""
    return _fit(_closed_validator(ConversationItemList), answer)


def fit_model(answer: JsonObject) -> JsonObject:
    """The model's description itself, once it fits the SDK's model."""
    return _fit(_closed_validator(Model), answer)


def closed(node: Any) -> Any:
    """The same schema with unknown fields forbidden in every object that names its fields.

    Overwrites rather than completes: the SDK's models allow extra fields explicitly.
    """
    if isinstance(node, dict):
        if node.get("type") == "object" and "properties" in node:
            node["additionalProperties"] = False
        for child in node.values():
            closed(child)
    elif isinstance(node, list):
        for child in node:
            closed(child)
    return node


def _refuse(kind: Any, body: JsonObject) -> None:
    error = next(iter(_closed_validator(kind).iter_errors(body)), None)
    if error is not None:
        raise _as_refusal(error)


def _as_refusal(error: jsonschema_rs.ValidationError) -> refusals.Refusal:
    """OpenAI's words for it, naming the place and never the value."""
    path = _dotted(error.instance_path)
    match error.kind:
        case jsonschema_rs.ValidationErrorKind.AdditionalProperties(unexpected=unexpected):
            return refusals.parameter_unknown(_dotted([*error.instance_path, unexpected[0]]))
        case jsonschema_rs.ValidationErrorKind.Required(property=missing):
            return refusals.parameter_missing(_dotted([*error.instance_path, missing]))
        case _:
            return refusals.parameter_wrong(path, "this is not a value the API accepts there")


def _dotted(path: Iterable[str | int]) -> str:
    """`input[0].content` from its steps."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def _fit(validator: jsonschema_rs.Draft202012Validator, value: JsonObject) -> JsonObject:
    error = next(iter(validator.iter_errors(value)), None)
    if error is not None:
        raise ContractBroken(f"{_dotted(error.instance_path)}: {error.message}")
    return value


@functools.cache
def _closed_validator(kind: Any) -> jsonschema_rs.Draft202012Validator:
    schema = TypeAdapter(kind).json_schema(by_alias=True)
    for name in NOT_IN_BODY.get(kind, ()):
        schema["properties"].pop(name)
    return jsonschema_rs.Draft202012Validator(closed(schema))


@functools.cache
def _event_validators() -> dict[str, jsonschema_rs.Draft202012Validator]:
    """One validator per event name, all over the same definitions."""
    schema = closed(TypeAdapter(ResponseStreamEvent).json_schema(by_alias=True))
    definitions = schema["$defs"]
    references = [member["$ref"] for member in schema["anyOf"]]
    return {
        definitions[ref.removeprefix("#/$defs/")]["properties"]["type"]["const"]: (
            jsonschema_rs.Draft202012Validator({"$ref": ref, "$defs": definitions})
        )
        for ref in references
    }
