"""JSON as the wire carries it, and the few ways this package reads it.

A value that has passed a schema is still only `Json` to the type checker; these helpers narrow
it by asking again, so nothing here is cast.
"""

import json
from typing import TypeAlias

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"
JsonObject: TypeAlias = dict[str, Json]


def text_or_none(value: Json) -> str | None:
    """The text, or None for anything else."""
    return value if isinstance(value, str) else None


def integer_or_none(value: Json) -> int | None:
    """The whole number, or None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def object_or_empty(value: Json) -> JsonObject:
    """The object, or an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def objects(value: Json) -> list[JsonObject]:
    """The objects in a list; anything else is passed over."""
    return [part for part in value if isinstance(part, dict)] if isinstance(value, list) else []


def texts(value: Json) -> dict[str, str]:
    """The pairs of an object whose values are text: metadata, once it was checked."""
    return {k: v for k, v in object_or_empty(value).items() if isinstance(v, str)}


def encoded(value: Json) -> bytes:
    """Compact JSON in UTF-8, as OpenAI sends it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
