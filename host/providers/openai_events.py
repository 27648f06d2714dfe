"""What the events of a Responses stream mean to us, from their bytes on.

The SDK makes a typed object of each event, which is most of what a word costs. Of most events we
need two or three fields, so they are read here from the JSON itself (decision record 21). An event
that lacks a field we need is garbled; fields, and types of events, that nobody knew in 2026 are
passed over. Nothing here does input or output.
"""

import json
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from host.providers.base import (
    Cited,
    Delivered,
    FailureKind,
    RunCompleted,
    RunEvent,
    RunFailed,
    RunIncomplete,
    RunStarted,
    TextDelta,
    Tool,
    ToolBegan,
    ToolEnded,
    UpstreamError,
    Usage,
)
from host.providers.event_stream import EventDecoder
from host.providers.openai_errors import error_in_stream, kind_of_code, safe_word

JsonObject: TypeAlias = Mapping[str, object]

DRAWING: Final = "image_generation_call"
_TOOLS: Final[Mapping[str, Tool]] = {
    "web_search_call": Tool.WEB_SEARCH,
    "file_search_call": Tool.FILE_SEARCH,
    "code_interpreter_call": Tool.CODE,
    DRAWING: Tool.PICTURE,
    "mcp_call": Tool.OTHER,
}
"""Items of an answer that are work done on the way to it."""
_END_MARK: Final = b"[DONE]"
"""Other implementations of the wire say this last. It says nothing that the end does not."""


class Reading:
    """Turns a stream's bytes into events; keeps what is not whole yet, and what was told."""

    def __init__(self) -> None:
        self._decoder = EventDecoder()
        self._part: tuple[str, int] | None = None
        self._told: set[tuple[str, int]] = set()

    def feed(self, piece: bytes) -> Iterator[RunEvent]:
        """What happens in this piece. To be read to its end, or not at all any more.

        Raises:
            UpstreamError: the upstream raised one itself, or cannot be understood.
        """
        for data in self._decoder.feed(piece):
            if not data.startswith(_END_MARK):
                event = self._after(_parsed(data))
                if event is not None:
                    yield event

    def _after(self, event: JsonObject) -> RunEvent | None:
        """What the event means to us; None for progress, and for types nobody knew in 2026."""
        if event.get("error"):  # whatever the event is called: so the SDK has it, too
            raise error_in_stream(event["error"])
        match event.get("type"):
            case "response.output_text.delta" | "response.refusal.delta":
                return self._text(_part_of(event), _string(event, "delta"))
            case "response.output_text.done":
                return self._whole(_part_of(event), _string(event, "text"))
            case "response.refusal.done":  # a refusal is the answer, and is shown
                return self._whole(_part_of(event), _string(event, "refusal"))
            case "response.created":
                return RunStarted(_string(_object(event, "response"), "id"))
            case "error":
                return RunFailed(kind_of_code(safe_word(event.get("code"))))
            case _:
                return _beside_text(event) or _terminal(event)

    def _text(self, part: tuple[str, int], text: str) -> TextDelta:
        is_next = self._part is not None and self._part != part
        self._part = part
        self._told.add(part)
        return TextDelta(storable("\n\n" + text if is_next else text))

    def _whole(self, part: tuple[str, int], text: str) -> TextDelta | None:
        """The text of a part of which there were no deltas."""
        return None if part in self._told else self._text(part, text)


def storable(text: str) -> str:
    """The text without what no database keeps: NUL, and halves of characters."""
    return text.replace("\0", "").encode(errors="ignore").decode()


def usage_of(response: JsonObject) -> Usage | None:
    """What the response says it took. Other implementations of the wire leave the details out."""
    if response.get("usage") is None:
        return None
    usage = _object(response, "usage")
    return Usage(
        input=_number(usage, "input_tokens"),
        output=_number(usage, "output_tokens"),
        cached_input=_detail(usage, "input_tokens_details", "cached_tokens"),
        reasoning=_detail(usage, "output_tokens_details", "reasoning_tokens"),
    )


def delivered(response: JsonObject) -> Delivered:
    """The answer of a whole response, put together as `Reading` does of its events."""
    text, cites = "", list[tuple[int, Cited]]()
    for number, part in enumerate(_parts(response)):
        text += "\n\n" if number else ""
        said = _string(part, "refusal" if part.get("type") == "refusal" else "text")
        for ends_at, cited in _citations(part):
            cites.append((len(text) + len(storable(said[:ends_at])), cited))
        text += storable(said)
    in_order = sorted(cites, key=lambda cite: cite[0])
    drawn = (_picture(item) for item in _objects(response, "output"))
    pictures = tuple(picture for picture in drawn if picture is not None)
    return Delivered(text, usage_of(response), tuple(in_order), pictures)


def _parts(response: JsonObject) -> list[JsonObject]:
    """What was said, refusals included."""
    return [
        part
        for item in _objects(response, "output")
        if item.get("type") == "message"
        for part in _objects(item, "content")
        if part.get("type") in {"output_text", "refusal"}
    ]


def _citations(part: JsonObject) -> list[tuple[int | None, Cited]]:
    """What a part cites, each behind so many of its characters; None where it is not said."""
    found = []
    for annotation in _objects(part, "annotations"):
        cited, ends_at = _source(annotation), annotation.get("end_index", annotation.get("index"))
        if cited is not None:
            found.append((ends_at if isinstance(ends_at, int) else None, cited))
    return found


def _beside_text(event: JsonObject) -> RunEvent | None:
    match event.get("type"):
        case "response.output_text.annotation.added":
            return _cited(event)
        case "response.output_item.added":
            return _begun(_object(event, "item"))
        case "response.output_item.done":
            return _done(_object(event, "item"))
        case _:
            return None


def _begun(item: JsonObject) -> ToolBegan | None:
    tool = _TOOLS.get(_string(item, "type"))
    return None if tool is None else ToolBegan(str(item.get("id", "")), tool)


def _done(item: JsonObject) -> ToolEnded | None:
    if _string(item, "type") not in _TOOLS:
        return None
    is_failed = item.get("status") in ("failed", "incomplete")
    return ToolEnded(str(item.get("id", "")), is_failed, _picture(item))


def _picture(item: JsonObject) -> bytes | None:
    """What the item has drawn; whether it is a picture is not known here."""
    result = item.get("result")
    if item.get("type") != DRAWING or not isinstance(result, str):
        return None
    try:
        return b64decode(result, validate=True)
    except ValueError:
        return None


def _cited(event: JsonObject) -> Cited | None:
    """The source; None for what is no citation, and for kinds nobody knew in 2026."""
    return None if event.get("annotation") is None else _source(_object(event, "annotation"))


def _source(annotation: JsonObject) -> Cited | None:
    match annotation.get("type"):
        case "url_citation":
            title, url = _string(annotation, "title"), _string(annotation, "url")
            return Cited(storable(title), storable(url))
        case "file_citation" | "container_file_citation":
            return Cited(storable(_string(annotation, "filename")), None)
        case _:
            return None


def _terminal(event: JsonObject) -> RunEvent | None:
    match event.get("type"):
        case "response.completed":
            return RunCompleted(usage_of(_object(event, "response")))
        case "response.incomplete":
            response = _object(event, "response")
            reason = safe_word(_inner(response, "incomplete_details", "reason"))
            return RunIncomplete(reason or "unknown", usage_of(response))
        case "response.failed":
            code = _inner(_object(event, "response"), "error", "code")
            return RunFailed(kind_of_code(safe_word(code)))
        case _:
            return None


def _parsed(data: bytes) -> JsonObject:
    try:
        event = json.loads(data.decode())
    except (ValueError, RecursionError):
        event = None
    # Raised outside of the handler: the parser's error holds the text, and would be its context.
    if isinstance(event, dict):
        return event
    raise _garbled()


def _part_of(event: JsonObject) -> tuple[str, int]:
    return _string(event, "item_id"), _number(event, "content_index")


def _object(holder: JsonObject, name: str) -> JsonObject:
    value = holder.get(name)
    if isinstance(value, dict):
        return value
    raise _garbled()


def _objects(holder: JsonObject, name: str) -> list[JsonObject]:
    """The objects in a list that may be absent."""
    value = holder.get(name)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _string(holder: JsonObject, name: str) -> str:
    value = holder.get(name)
    if isinstance(value, str):
        return value
    raise _garbled()


def _number(holder: JsonObject, name: str) -> int:
    value = holder.get(name)
    if isinstance(value, int):
        return value
    raise _garbled()


def _inner(holder: JsonObject, outer: str, name: str) -> object:
    """A field of an object that may be absent."""
    value = holder.get(outer)
    return value.get(name) if isinstance(value, dict) else None


def _detail(usage: JsonObject, outer: str, name: str) -> int:
    value = _inner(usage, outer, name)
    return value if isinstance(value, int) else 0


def _garbled() -> UpstreamError:
    return UpstreamError(FailureKind.GARBLED)
