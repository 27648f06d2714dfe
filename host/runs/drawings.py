"""Pictures that an upstream draws for an answer: which are kept, and what they are called. Pure.

They are looked at as uploads are, by their content alone: what is no picture, is larger than a
file may be, or comes after as many as a message may have, is not kept.
"""

from typing import Final

from host.files.limits import FILE_BYTES_MAX, FILES_MAX
from host.files.sniffing import Sniffed, sniff
from storage.file_kinds import FileKind, Picture

ENDINGS: Final = {"image/jpeg": "jpg", "image/png": "png", "image/gif": "gif"}


def with_picture(before: tuple[Picture, ...], content: bytes) -> tuple[Picture, ...]:
    """The pictures with this one behind them, if it is one to be kept."""
    if len(before) >= FILES_MAX or len(content) > FILE_BYTES_MAX:
        return before
    sniffed = sniff(content)
    if sniffed is None or sniffed.kind is not FileKind.IMAGE:
        return before
    return (*before, _picture(len(before) + 1, sniffed, content))


def named(pictures: tuple[Picture, ...]) -> str:
    """What stands for pictures where there is nothing else to read, or no picture can be."""
    return ", ".join(picture.name for picture in pictures)


def _picture(number: int, sniffed: Sniffed, content: bytes) -> Picture:
    return Picture(
        name=f"picture-{number}.{ENDINGS.get(sniffed.media_type, 'webp')}",
        media_type=sniffed.media_type,
        width=sniffed.width,
        height=sniffed.height,
        content=content,
    )
