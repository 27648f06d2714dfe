"""The items of a conversation: how what was sent becomes what is stored and listed.

Requests may abbreviate (a plain string, a message without a type or an id); the list of items
may not. Nothing here is looked up or stored.
"""

import secrets
from collections.abc import Iterable, Sequence
from typing import Final

from farebox.demo.upstream.drawing import triangle
from farebox.demo.upstream.script import Role, Said
from farebox.demo.upstream.showpieces import PretendedTool, Quote
from farebox.demo.upstream.wire import Json, JsonObject, objects, text_or_none

PREFIXES: Final = {"message": "msg", "function_call": "fc", "function_call_output": "fco"}


def new_id(prefix: str) -> str:
    """An identifier in OpenAI's manner; random, since conversations may outlive the process."""
    return f"{prefix}_{secrets.token_hex(16)}"


def items_from(sent: Json) -> list[JsonObject]:
    """The items of a request's `input` or `items`, complete as the list shows them."""
    if isinstance(sent, str):
        sent = [{"role": "user", "content": sent}]
    # A reference names an item that is already there.
    return [_complete(item) for item in objects(sent) if item.get("type") != "item_reference"]


def answer_item(message_id: str, content: list[Json], status: str) -> JsonObject:
    """The assistant's message as responses and events carry it."""
    return {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": content,
    }


def tool_item(tool: PretendedTool, item_id: str, status: str) -> JsonObject:
    """One use of a tool, as responses and events carry it."""
    item: JsonObject = {"id": item_id, "type": tool.value, "status": status}
    match tool:
        case PretendedTool.WEB_SEARCH:
            item["action"] = {"type": "search", "query": "what was asked", "queries": []}
        case PretendedTool.FILE_SEARCH:
            item |= {"queries": ["what was asked"], "results": None}
        case PretendedTool.CODE_INTERPRETER:
            item |= {"code": "6 * 7", "container_id": "cntr_demo", "outputs": None}
        case PretendedTool.IMAGE_GENERATION:
            item["result"] = triangle() if status == "completed" else None
    return item


def annotation(quote: Quote, text: str) -> JsonObject:
    """Where the quoted words of `text` are from, under OpenAI's names."""
    start = text.index(quote.words)
    end = start + len(quote.words)
    if quote.url is None:
        return {
            "type": "file_citation",
            "file_id": "file-demo",
            "filename": quote.title,
            "index": end,
        }
    return {
        "type": "url_citation",
        "url": quote.url,
        "title": quote.title,
        "start_index": start,
        "end_index": end,
    }


def text_part(text: str, annotations: Sequence[JsonObject] = ()) -> JsonObject:
    """A part of an answer that is text."""
    noted: list[Json] = [*annotations]
    return {"type": "output_text", "text": text, "annotations": noted, "logprobs": []}


def refusal_part(text: str) -> JsonObject:
    """A part of an answer that declines to answer."""
    return {"type": "refusal", "refusal": text}


def said_in(items: Iterable[JsonObject]) -> list[Said]:
    """What was said, without tools and pictures."""
    return [
        Said(_role(item), _text(item.get("content")))
        for item in items
        if item.get("type") == "message"
    ]


def _role(item: JsonObject) -> Role:
    match item.get("role"):
        case "user":
            return "user"
        case "assistant":
            return "assistant"
        case _:
            return "other"


def _text(content: Json) -> str:
    parts = (text_or_none(part.get("text")) for part in objects(content))
    return " ".join(part for part in parts if part)


def _complete(item: JsonObject) -> JsonObject:
    kind = str(item.get("type") or "message")
    made: JsonObject = {"id": new_id(PREFIXES.get(kind, "item")), **item, "type": kind}
    if kind == "message":
        made["content"] = [_complete_part(p) for p in _parts(item)]
    made.setdefault("status", "completed")
    return made


def _parts(item: JsonObject) -> list[JsonObject]:
    content = item.get("content")
    if not isinstance(content, str):
        return objects(content)
    kind = "output_text" if item.get("role") == "assistant" else "input_text"
    return [{"type": kind, "text": content}]


def _complete_part(part: JsonObject) -> JsonObject:
    match part.get("type"):
        case "output_text":
            return {"annotations": [], "logprobs": [], **part}
        case _:
            return part
