"""What this upstream sees of files: it looks at what they are, and says so; it understands none.

A picture or a document comes inline, as a data address. One that is broken, or is not what it says
it is, is refused as OpenAI refuses it. Pure.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Final

from farebox.demo.upstream.refusals import parameter_wrong
from farebox.demo.upstream.wire import JsonObject, objects, text_or_none
from host.files.sniffing import Sniffed, sniff

_DATA: Final = re.compile(r"data:([a-z]+/[a-z0-9.+-]+);base64,(.*)", re.DOTALL)
_KB: Final = 1000


def seen_in(items: list[JsonObject]) -> list[str]:
    """A sentence for each file in these items.

    Raises:
        Refusal: one of them is nothing that can be looked at.
    """
    return [
        _sentence(part, f"input[{item_at}].content[{part_at}]")
        for item_at, item in enumerate(items)
        for part_at, part in _files_of(item)
    ]


def _files_of(item: JsonObject) -> Iterator[tuple[int, JsonObject]]:
    for at, part in enumerate(objects(item.get("content"))):
        if part.get("type") in {"input_image", "input_file"}:
            yield at, part


def _sentence(part: JsonObject, path: str) -> str:
    if part.get("type") == "input_image":
        sniffed, _ = _looked_at(part, "image_url", path)
        if sniffed is None or sniffed.width is None:
            raise parameter_wrong(f"{path}.image_url", "it is no image")
        return f"You sent an image, {sniffed.width}×{sniffed.height}."
    name = text_or_none(part.get("filename"))
    if not name:
        raise parameter_wrong(f"{path}.filename", "a file needs a name")
    sniffed, size = _looked_at(part, "file_data", path)
    if sniffed is None:
        raise parameter_wrong(f"{path}.file_data", "it is no document")
    kind = "a PDF" if sniffed.media_type == "application/pdf" else "a text"
    return f"You sent {kind}, “{name}” ({max(1, size // _KB)} KB)."


def _looked_at(part: JsonObject, name: str, path: str) -> tuple[Sniffed | None, int]:
    """What the content is, if it is what it says; and its size in bytes."""
    match = _DATA.fullmatch(text_or_none(part.get(name)) or "")
    if match is None:
        raise parameter_wrong(f"{path}.{name}", "only data addresses are looked at here")
    try:
        content = base64.b64decode(match[2], validate=True)
    except binascii.Error:
        raise parameter_wrong(f"{path}.{name}", "it is no base64") from None
    sniffed = sniff(content)
    if sniffed is not None and sniffed.media_type != match[1]:
        raise parameter_wrong(f"{path}.{name}", f"it is no {match[1]}")
    return sniffed, len(content)
