"""How much may be sent with a message, and what: named once, for the door and for the sentence.

Pure. The numbers fit one request of the browser and one of the provider, and a database in which
the bytes are kept.
"""

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

from host.errors import PayloadTooLarge, UnsupportedFile
from host.files.sniffing import Sniffed
from storage.file_kinds import Accepts, FileKind

MB: Final = 1_000_000
FILES_MAX: Final = 5
"""With one message."""
FILE_BYTES_MAX: Final = 10 * MB
MESSAGE_BYTES_MAX: Final = 20 * MB
UNSENT_MAX: Final = 20
"""Files that a person may have uploaded and not sent."""
UNSENT_BYTES_MAX: Final = 60 * MB
ACCOUNT_BYTES_MAX: Final = 500 * MB
"""All that one account may keep, sent or not."""
EXTENSIONS: Final = {
    FileKind.IMAGE: {"image/*": [".png", ".jpg", ".jpeg", ".gif", ".webp"]},
    FileKind.DOCUMENT: {
        "application/pdf": [".pdf"],
        "text/*": [".txt", ".md", ".csv", ".log", ".html", ".xml", ".tex", ".py", ".js"],
        "application/json": [".json"],
    },
}
"""What a browser's dialog offers. No check: that is by content."""
_CALLED: Final = {
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".gif", ".webp"), "a picture"),
    ".pdf": "a PDF",
}
_TAKES: Final = {
    Accepts.NONE: frozenset[FileKind](),
    Accepts.IMAGES: frozenset({FileKind.IMAGE}),
    Accepts.DOCUMENTS: frozenset({FileKind.DOCUMENT}),
    Accepts.BOTH: frozenset(FileKind),
}
_WORDS: Final = {
    Accepts.IMAGES: "images (PNG, JPEG, GIF, WebP)",
    Accepts.DOCUMENTS: "documents (PDF, plain text)",
    Accepts.BOTH: "images (PNG, JPEG, GIF, WebP) and documents (PDF, plain text)",
}


def kinds_of(accepts: Accepts) -> frozenset[FileKind]:
    """Which kinds of files an assistant takes."""
    return _TAKES[accepts]


def check_kind(kind: FileKind, accepts: Accepts, *, title: str) -> None:
    """Let a file pass that the assistant takes.

    Raises:
        UnsupportedFile: it takes none, or none of this kind.
    """
    if kind in kinds_of(accepts):
        return
    if accepts is Accepts.NONE:
        raise UnsupportedFile(f"{title} takes no files. Nothing was charged.")
    raise UnsupportedFile(f"{title} takes {_WORDS[accepts]} only. Nothing was charged.")


def check_whole(sizes: Sequence[int]) -> None:
    """Let files pass together with one message.

    Raises:
        PayloadTooLarge: they are too many, or together too large.
    """
    if len(sizes) > FILES_MAX:
        raise PayloadTooLarge(
            f"At most {FILES_MAX} files can be sent with one message. Nothing was charged."
        )
    if sum(sizes) > MESSAGE_BYTES_MAX:
        raise PayloadTooLarge(
            f"These files have {_megabytes(sum(sizes))} together; at most"
            f" {_megabytes(MESSAGE_BYTES_MAX)} can be sent with one message. Nothing was charged."
        )


def check_size(size: int, name: str) -> None:
    """Let one file pass by its size.

    Raises:
        UnsupportedFile: it is empty.
        PayloadTooLarge: it is too large.
    """
    if size == 0:
        raise UnsupportedFile(f"“{name}” is empty. Nothing was kept.")
    if size > FILE_BYTES_MAX:
        raise PayloadTooLarge(
            f"“{name}” is larger than {_megabytes(FILE_BYTES_MAX)}, which is the most a file may"
            " have. Nothing was kept."
        )


def check_room(*, kept: int, unsent: int, unsent_count: int, size: int) -> None:
    """Let one more file pass by what its owner has already.

    Raises:
        PayloadTooLarge: too much waits to be sent, or is kept in all.
    """
    if unsent_count >= UNSENT_MAX or unsent + size > UNSENT_BYTES_MAX:
        raise PayloadTooLarge(
            "You have uploaded much that you have not sent. Send it, or wait an hour: what is not"
            " sent by then is removed. Nothing was kept."
        )
    if kept + size > ACCOUNT_BYTES_MAX:
        raise PayloadTooLarge(
            f"Your conversations have {_megabytes(kept)} of files, and one account may have"
            f" {_megabytes(ACCOUNT_BYTES_MAX)}. Delete conversations whose files you no longer"
            " need, then upload this one again. Nothing was kept."
        )


def check_content(sniffed: Sniffed | None, name: str) -> Sniffed:
    """Let content pass that is something, and what its name says.

    Raises:
        UnsupportedFile: it is nothing we know, or something else than it is called.
    """
    if sniffed is None:
        raise UnsupportedFile(
            f"“{name}” is no image (PNG, JPEG, GIF, WebP), PDF or plain text in UTF-8, or it is"
            " damaged. Nothing was kept."
        )
    called = _CALLED.get(PurePosixPath(name).suffix.lower())
    is_called = {FileKind.IMAGE: "a picture", FileKind.DOCUMENT: "a text"}[sniffed.kind]
    is_called = "a PDF" if sniffed.media_type == "application/pdf" else is_called
    if called is not None and called != is_called:
        raise UnsupportedFile(
            f"“{name}” is called {called}, and is {is_called} by its content. Nothing was kept."
        )
    return sniffed


def _megabytes(size: int) -> str:
    return f"{size / MB:.1f} MB".replace(".0 ", " ")
