"""What a file is, what it is called, and what may be sent: decided from its bytes alone."""

from pathlib import Path
from time import thread_time
from typing import Final

import pytest

from host.errors import PayloadTooLarge, UnsupportedFile
from host.files.limits import (
    ACCOUNT_BYTES_MAX,
    FILE_BYTES_MAX,
    FILES_MAX,
    MB,
    MESSAGE_BYTES_MAX,
    UNSENT_BYTES_MAX,
    UNSENT_MAX,
    check_content,
    check_kind,
    check_room,
    check_size,
    check_whole,
)
from host.files.names import NAME_MAX, disposition, safe_name
from host.files.sniffing import Sniffed, sniff
from storage.file_kinds import Accepts, FileKind
from tests.fakes.pictures import EXECUTABLE, GIF, HTML, JPEG, PDF, SVG, WEBP, png

IMAGE, DOCUMENT = FileKind.IMAGE, FileKind.DOCUMENT
SNIFFING_S: Final = 2.0
"""Of a processor, for looking at the largest file. It takes a tenth of that; without bounds a
hostile file could make it take minutes."""


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(png(640, 480), Sniffed(IMAGE, "image/png", 640, 480), id="PNG"),
        pytest.param(GIF, Sniffed(IMAGE, "image/gif", 32, 16), id="GIF"),
        pytest.param(JPEG, Sniffed(IMAGE, "image/jpeg", 64, 48), id="JPEG"),
        pytest.param(WEBP, Sniffed(IMAGE, "image/webp", 80, 60), id="WebP"),
        pytest.param(PDF, Sniffed(DOCUMENT, "application/pdf"), id="PDF"),
        pytest.param("Grüße\n".encode(), Sniffed(DOCUMENT, "text/plain"), id="text"),
        pytest.param(HTML, Sniffed(DOCUMENT, "text/plain"), id="HTML is text"),
        pytest.param(SVG, Sniffed(DOCUMENT, "text/plain"), id="SVG is text"),
        pytest.param(EXECUTABLE, None, id="a program"),
        pytest.param(b"", None, id="nothing"),
        pytest.param(b"a\0b", None, id="a NUL"),
        pytest.param(b"a\vb", None, id="a vertical tab"),
        pytest.param(b"a\x1bb", None, id="an escape"),
        pytest.param(b"\xef\xbb\xbfa\tb\r\n\fc", Sniffed(DOCUMENT, "text/plain"), id="a BOM"),
        pytest.param(b"\xef\xbb\xbf", None, id="a BOM alone"),
        pytest.param(
            b"\xff\xd8\xff\x01" + b"\xff" * 9 + JPEG[3:],
            Sniffed(IMAGE, "image/jpeg", 64, 48),
            id="a JPEG with padding",
        ),
        pytest.param("Grüße".encode("latin-1"), None, id="another encoding"),
        pytest.param(png()[:20], None, id="the head of a PNG"),
        pytest.param(png(0, 9), None, id="a PNG without width"),
        pytest.param(b"\xff\xd8\xff\xe0\xff\xff", None, id="the head of a JPEG"),
        pytest.param(b"\xff\xd8" + b"\xff" * 99, None, id="a JPEG of padding"),
        pytest.param(b"RIFF\0\0\0\0WAVEfmt " + bytes(30), None, id="a sound"),
        pytest.param(b"PK\x03\x04" + bytes(30), None, id="an archive"),
    ],
)
def test_a_file_is_what_its_bytes_are(content: bytes, expected: Sniffed | None) -> None:
    assert sniff(content) == expected


@pytest.mark.parametrize(
    "piece",
    [
        pytest.param(b"\xff", id="padding"),
        pytest.param(b"\xff\xd0", id="markers without length"),
        pytest.param(b"\xff\xe0\x00\x02", id="empty segments"),
        pytest.param(b"\xff" * 63 + b"\xd0", id="padding and markers"),
    ],
)
def test_a_jpeg_that_hides_its_size_is_given_up_soon(piece: bytes) -> None:
    hostile = (b"\xff\xd8\xff\xd0" + piece * FILE_BYTES_MAX)[:FILE_BYTES_MAX]
    began = thread_time()
    assert sniff(hostile) is None
    assert thread_time() - began < SNIFFING_S


@pytest.mark.parametrize(
    ("line", "is_taken"),
    [(b"a,b,1.5,hello\n", True), ("Grüße\n".encode(), True), (b"a,b\n", True)],
)
def test_the_largest_text_is_looked_at_at_once(line: bytes, is_taken: bool) -> None:
    content = line * (FILE_BYTES_MAX // len(line))
    began = thread_time()
    assert (sniff(content) is not None) is is_taken
    assert sniff(content + b"\0") is None
    assert thread_time() - began < SNIFFING_S


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param("../../etc/passwd", "passwd", id="a path"),
        pytest.param("C:\\Users\\x\\notes.txt", "notes.txt", id="a path of Windows"),
        pytest.param("a\0b\r\nc.png", "abc.png", id="control characters"),
        pytest.param("photo\u202egnp.exe", "photognp.exe", id="the other way round"),
        pytest.param("...hidden", "hidden", id="leading dots"),
        pytest.param("Ferien in Zürich.jpg", "Ferien in Zürich.jpg", id="letters and spaces"),
        pytest.param('<img src="x">.png', "_img src=_x__.png", id="markup"),
        pytest.param("", "file", id="none"),
        pytest.param("/", "file", id="a separator"),
        pytest.param("\ud800.png", "png", id="half a character"),
    ],
)
def test_a_name_keeps_what_can_stand_in_a_line(given: str, expected: str) -> None:
    assert safe_name(given) == expected


def test_a_long_name_keeps_its_end() -> None:
    kept = safe_name("x" * 300 + ".pdf")
    assert len(kept) == NAME_MAX
    assert kept.endswith("x.pdf")


def test_a_name_ends_no_header() -> None:
    header = disposition(safe_name('a"; filename=evil\r\nSet-Cookie: x=1.png'), is_inline=False)
    assert header.isascii()
    assert "\r" not in header
    assert header.count('"') == 2
    assert header.startswith("attachment; ")
    assert "%C3%BC" in disposition("ü.txt", is_inline=True)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("cat.png", HTML, "is called a picture, and is a text"),
        ("cat.PNG", SVG, "is called a picture, and is a text"),
        ("paper.pdf", png(), "is called a PDF, and is a picture"),
        ("tool.txt", EXECUTABLE, "is no image"),
    ],
)
def test_what_is_not_what_it_is_called_is_refused(
    name: str, content: bytes, sentence: str
) -> None:
    with pytest.raises(UnsupportedFile, match=sentence):
        check_content(sniff(content), name)


@pytest.mark.parametrize(
    ("accepts", "takes"),
    [
        (Accepts.NONE, set()),
        (Accepts.IMAGES, {IMAGE}),
        (Accepts.DOCUMENTS, {DOCUMENT}),
        (Accepts.BOTH, {IMAGE, DOCUMENT}),
    ],
)
def test_an_assistant_takes_what_its_builder_said(accepts: Accepts, takes: set[FileKind]) -> None:
    for kind in FileKind:
        if kind in takes:
            check_kind(kind, accepts, title="Math Tutor")
        else:
            with pytest.raises(UnsupportedFile, match=r"Math Tutor takes .*Nothing was charged"):
                check_kind(kind, accepts, title="Math Tutor")


def test_sizes_and_numbers_end_where_it_is_said() -> None:
    check_size(FILE_BYTES_MAX, "a")
    check_whole([1] * FILES_MAX)
    check_whole([MESSAGE_BYTES_MAX])
    with pytest.raises(UnsupportedFile, match="empty"):
        check_size(0, "a")
    with pytest.raises(PayloadTooLarge, match="larger than 10 MB"):
        check_size(FILE_BYTES_MAX + 1, "a")
    with pytest.raises(PayloadTooLarge, match="At most 5 files"):
        check_whole([1] * (FILES_MAX + 1))
    with pytest.raises(PayloadTooLarge, match="at most 20 MB"):
        check_whole([FILE_BYTES_MAX, FILE_BYTES_MAX, 1])


@pytest.mark.parametrize(
    ("kept", "unsent", "count", "sentence"),
    [
        (ACCOUNT_BYTES_MAX - 9, 0, 0, r"500 MB\. Delete conversations"),
        (ACCOUNT_BYTES_MAX, UNSENT_BYTES_MAX - 9, 0, "not sent"),
        (0, 0, UNSENT_MAX, "not sent"),
    ],
)
def test_who_has_too_much_is_told_what_to_do(
    kept: int, unsent: int, count: int, sentence: str
) -> None:
    with pytest.raises(PayloadTooLarge, match=sentence):
        check_room(kept=kept, unsent=unsent, unsent_count=count, size=10)
    check_room(
        kept=ACCOUNT_BYTES_MAX - 10,
        unsent=UNSENT_BYTES_MAX - 10,
        unsent_count=UNSENT_MAX - 1,
        size=10,
    )


def test_the_limits_that_the_page_states_are_the_ones_that_hold() -> None:
    script = (Path(__file__).parents[2] / "public" / "custom.js").read_text(encoding="utf-8")
    each, whole = FILE_BYTES_MAX // MB, MESSAGE_BYTES_MAX // MB
    assert f"up to {FILES_MAX} files, {each} MB each, {whole} MB in all" in script
