"""What a file is, by its content alone: its name and what a browser calls it are not believed.

Pictures that every browser and provider knows, PDF, and plain text; anything else is nothing.
What is written in a markup language (HTML, SVG) is text here and never more, so it is shown to
nobody as what it would like to be. Pure.

A file may be made to be slow to look at. So nothing here goes through its bytes one by one: that
is left to regular expressions, and a JPEG that hides its size behind much else is none.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from storage.file_kinds import FileKind

PNG: Final = b"\x89PNG\r\n\x1a\n"
_NO_TEXT: Final = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f]")
"""Control characters other than tabs and ends of lines and pages. In UTF-8 these bytes are nothing
else."""
_MARKER: Final = re.compile(rb"\xff{1,64}([^\xff])")
"""A marker of a JPEG, with as much padding before it as any program ever wrote."""
SEGMENTS_MAX: Final = 1_000
"""Markers read until a JPEG's size; 10 MB of the largest segments are 160."""
_SIZED: Final = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
"""Segments of a JPEG that state its size."""
_BARE: Final = frozenset({0x01, *range(0xD0, 0xD8)})
"""Markers without a length behind them."""


@dataclass(frozen=True, slots=True)
class Sniffed:
    """What a file is; pictures have a size in pixels."""

    kind: FileKind
    media_type: str
    width: int | None = None
    height: int | None = None


def sniff(content: bytes) -> Sniffed | None:
    """What the file is; None if it is nothing that can be sent."""
    for media_type, sized in (
        ("image/png", _png(content)),
        ("image/gif", _gif(content)),
        ("image/jpeg", _jpeg(content)),
        ("image/webp", _webp(content)),
    ):
        if sized is not None and all(sized):
            return Sniffed(FileKind.IMAGE, media_type, *sized)
    if content.startswith(b"%PDF-"):
        return Sniffed(FileKind.DOCUMENT, "application/pdf")
    if _is_text(content):
        return Sniffed(FileKind.DOCUMENT, "text/plain")
    return None


def _png(content: bytes) -> tuple[int, int] | None:
    if not content.startswith(PNG) or content[12:16] != b"IHDR" or len(content) < 24:  # noqa: PLR2004
        return None
    width, height = struct.unpack(">II", content[16:24])
    return width, height


def _gif(content: bytes) -> tuple[int, int] | None:
    if content[:6] not in {b"GIF87a", b"GIF89a"} or len(content) < 10:  # noqa: PLR2004
        return None
    width, height = struct.unpack("<HH", content[6:10])
    return width, height


def _jpeg(content: bytes) -> tuple[int, int] | None:
    if not content.startswith(b"\xff\xd8\xff"):
        return None
    for marker, start in _segments(content):
        if marker in _SIZED and start + 7 <= len(content):
            height, width = struct.unpack(">HH", content[start + 3 : start + 7])
            return width, height
    return None


def _segments(content: bytes) -> Iterator[tuple[int, int]]:
    """Each segment of a JPEG before its picture: the marker, and where its length stands."""
    at = 2
    for _ in range(SEGMENTS_MAX):
        found = _MARKER.match(content, at)
        if found is None:
            return
        marker, at = found[1][0], found.end()
        if marker in _BARE:
            continue
        yield marker, at
        at += int.from_bytes(content[at : at + 2], "big")


def _webp(content: bytes) -> tuple[int, int] | None:
    if content[:4] != b"RIFF" or content[8:12] != b"WEBP" or len(content) < 30:  # noqa: PLR2004
        return None
    match content[12:16]:
        case b"VP8X":
            return _three(content[24:27]) + 1, _three(content[27:30]) + 1
        case b"VP8L":
            bits = int.from_bytes(content[21:25], "little")
            return (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
        case b"VP8 ":
            width, height = struct.unpack("<HH", content[26:30])
            return width & 0x3FFF, height & 0x3FFF
        case _:
            return None


def _three(raw: bytes) -> int:
    return int.from_bytes(raw, "little")


def _is_text(content: bytes) -> bool:
    if _NO_TEXT.search(content):
        return False
    try:
        return bool(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return False
