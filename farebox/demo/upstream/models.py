"""The models this upstream claims to have: the names the pinned SDK knows.

All of them are the same script. The dates at which some stop are OpenAI's, so that a host can
show its warning.
"""

from typing import Any, Final, Literal, get_args, get_origin

from openai.types.shared.responses_model import ResponsesModel

from farebox.demo.upstream.wire import JsonObject

CREATED_AT: Final = 1_757_500_000
STOPS: Final = {
    "gpt-5": "2026-12-11",
    "o3": "2026-12-11",
    "gpt-4o": "2027-01-14",
    "gpt-4o-mini": "2027-01-14",
    "gpt-4.1": "2027-01-14",
    "gpt-4.1-mini": "2027-01-14",
}


def model_names() -> tuple[str, ...]:
    """Every name the SDK lists, in its order."""
    return tuple(_names_in(ResponsesModel))


def model_json(name: str) -> JsonObject:
    """A model as `/v1/models` describes it."""
    return {
        "id": name,
        "object": "model",
        "created": CREATED_AT,
        "owned_by": "scripted-demo",
        "shutdown_date": STOPS.get(name),
    }


def _names_in(kind: Any) -> list[str]:
    if get_origin(kind) is Literal:
        return [name for name in get_args(kind) if isinstance(name, str)]
    return [name for member in get_args(kind) for name in _names_in(member)]
