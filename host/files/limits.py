"""How much may be sent with a message, and what: named once, for the door and for the sentence.

Pure. The numbers fit one request of the browser and one of the provider, and a database in which
the bytes are kept.
"""

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

from host.errors import PayloadTooLarge, UnsupportedFile
from host.files.sniffing import Sniffed
from host.language import N_, _
from host.writing import megabytes
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
_PICTURE: Final = N_("a picture")
_PDF: Final = N_("a PDF")
_TEXT: Final = N_("a text")
_CALLED: Final = {
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".gif", ".webp"), _PICTURE),
    ".pdf": _PDF,
}
_TAKES: Final = {
    Accepts.NONE: frozenset[FileKind](),
    Accepts.IMAGES: frozenset({FileKind.IMAGE}),
    Accepts.DOCUMENTS: frozenset({FileKind.DOCUMENT}),
    Accepts.BOTH: frozenset(FileKind),
}
_TAKES_ONLY: Final = {
    Accepts.NONE: N_("{title} takes no files. Nothing was charged."),
    Accepts.IMAGES: N_("{title} takes images (PNG, JPEG, GIF, WebP) only. Nothing was charged."),
    Accepts.DOCUMENTS: N_("{title} takes documents (PDF, plain text) only. Nothing was charged."),
    Accepts.BOTH: N_(
        "{title} takes images (PNG, JPEG, GIF, WebP) and documents (PDF, plain text) only. Nothing"
        " was charged."
    ),
}


def kinds_of(accepts: Accepts) -> frozenset[FileKind]:
    """Which kinds of files an assistant takes."""
    return _TAKES[accepts]


def check_kind(kind: FileKind, accepts: Accepts, *, title: str) -> None:
    """Let a file pass that the assistant takes.

    Raises:
        UnsupportedFile: it takes none, or none of this kind.
    """
    if kind not in kinds_of(accepts):
        raise UnsupportedFile(_(_TAKES_ONLY[accepts], title=title), says_charge=True)


def check_whole(sizes: Sequence[int]) -> None:
    """Let files pass together with one message.

    Raises:
        PayloadTooLarge: they are too many, or together too large.
    """
    if len(sizes) > FILES_MAX:
        raise PayloadTooLarge(
            _(
                "At most {most} files can be sent with one message. Nothing was charged.",
                most=FILES_MAX,
            ),
            says_charge=True,
        )
    if sum(sizes) > MESSAGE_BYTES_MAX:
        raise PayloadTooLarge(
            _(
                "These files have {size} together; at most {most} can be sent with one message."
                " Nothing was charged.",
                size=megabytes(sum(sizes)),
                most=megabytes(MESSAGE_BYTES_MAX),
            ),
            says_charge=True,
        )


def check_size(size: int, name: str) -> None:
    """Let one file pass by its size.

    Raises:
        UnsupportedFile: it is empty.
        PayloadTooLarge: it is too large.
    """
    if size == 0:
        raise UnsupportedFile(_("“{name}” is empty. Nothing was kept.", name=name))
    if size > FILE_BYTES_MAX:
        raise PayloadTooLarge(
            _(
                "“{name}” is larger than {most}, which is the most a file may have. Nothing was"
                " kept.",
                name=name,
                most=megabytes(FILE_BYTES_MAX),
            )
        )


def check_room(*, kept: int, unsent: int, unsent_count: int, size: int) -> None:
    """Let one more file pass by what its owner has already.

    Raises:
        PayloadTooLarge: too much waits to be sent, or is kept in all.
    """
    if unsent_count >= UNSENT_MAX or unsent + size > UNSENT_BYTES_MAX:
        raise PayloadTooLarge(
            _(
                "You have uploaded much that you have not sent. Send it, or wait an hour: what is"
                " not sent by then is removed. Nothing was kept."
            )
        )
    if kept + size > ACCOUNT_BYTES_MAX:
        raise PayloadTooLarge(
            _(
                "Your conversations have {kept} of files, and one account may have {most}. Delete"
                " conversations whose files you no longer need, then upload this one again."
                " Nothing was kept.",
                kept=megabytes(kept),
                most=megabytes(ACCOUNT_BYTES_MAX),
            )
        )


def check_content(sniffed: Sniffed | None, name: str) -> Sniffed:
    """Let content pass that is something, and what its name says.

    Raises:
        UnsupportedFile: it is nothing we know, or something else than it is called.
    """
    if sniffed is None:
        raise UnsupportedFile(
            _(
                "“{name}” is no image (PNG, JPEG, GIF, WebP), PDF or plain text in UTF-8, or it is"
                " damaged. Nothing was kept.",
                name=name,
            )
        )
    called = _CALLED.get(PurePosixPath(name).suffix.lower())
    found = {FileKind.IMAGE: _PICTURE, FileKind.DOCUMENT: _TEXT}[sniffed.kind]
    found = _PDF if sniffed.media_type == "application/pdf" else found
    if called is not None and called != found:
        raise UnsupportedFile(
            _(
                "“{name}” is called {called}, and is {found} by its content. Nothing was kept.",
                name=name,
                called=_(called),
                found=_(found),
            )
        )
    return sniffed
