"""The one picture that this upstream can draw: a triangle, as a PNG in base64."""

import struct
import zlib
from base64 import b64encode
from functools import cache
from typing import Final

WIDTH: Final = 240
HEIGHT: Final = 160
MARGIN: Final = 16
PAPER: Final = b"\xf6\xf4\xee"
INK: Final = b"\x2f\x6f\x5e"
SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"


@cache
def triangle() -> str:
    """The picture as an image generation call carries it."""
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)  # eight bits each of RGB
    rows = b"".join(b"\0" + _row(number) for number in range(HEIGHT))
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    return b64encode(SIGNATURE + b"".join(_chunk(*chunk) for chunk in chunks)).decode()


def _row(number: int) -> bytes:
    """One line of it: the deeper, the more ink."""
    depth = (number - MARGIN) / (HEIGHT - 2 * MARGIN)
    half = round(depth * (WIDTH - 2 * MARGIN) / 2) if 0 <= depth <= 1 else 0
    paper = PAPER * (WIDTH // 2 - half)
    return paper + INK * (2 * half) + paper


def _chunk(kind: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)
