"""Pictures that an upstream draws: which are kept, and what stands for them in the text."""

from functools import reduce

import pytest

from host.files.limits import FILE_BYTES_MAX, FILES_MAX
from host.providers.base import RunCompleted, RunEvent, TextDelta, ToolBegan, ToolEnded
from host.providers.base import Tool as ToolKind
from host.runs.drawings import named, with_picture
from host.runs.lifecycle import Reason
from host.runs.transcript import Transcript
from storage.file_kinds import Picture
from tests.fakes.pictures import GIF, HTML, JPEG, PDF, SVG, WEBP, png

SMALL = png(16, 12)


@pytest.mark.parametrize(
    ("content", "name", "media_type"),
    [
        (SMALL, "picture-1.png", "image/png"),
        (JPEG, "picture-1.jpg", "image/jpeg"),
        (GIF, "picture-1.gif", "image/gif"),
        (WEBP, "picture-1.webp", "image/webp"),
    ],
)
def test_a_picture_is_known_by_its_content(content: bytes, name: str, media_type: str) -> None:
    (kept,) = with_picture((), content)
    assert (kept.name, kept.media_type, kept.content) == (name, media_type, content)
    assert kept.width
    assert kept.height


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(HTML, id="a page"),
        pytest.param(SVG, id="a picture that can run scripts"),
        pytest.param(PDF, id="a document"),
        pytest.param(SMALL + bytes(FILE_BYTES_MAX), id="too large"),
    ],
)
def test_what_is_none_or_too_large_is_not_kept(content: bytes) -> None:
    assert with_picture((), content) == ()


def test_of_too_many_the_first_are_kept() -> None:
    nothing: tuple[Picture, ...] = ()
    kept = reduce(with_picture, [SMALL] * (FILES_MAX + 2), nothing)
    assert [one.name for one in kept] == [f"picture-{n}.png" for n in range(1, FILES_MAX + 1)]


def folded(*events: RunEvent) -> Transcript:
    return reduce(Transcript.after, events, Transcript())


def drawn(content: bytes = SMALL) -> list[RunEvent]:
    return [ToolBegan("ig_1", ToolKind.PICTURE), ToolEnded("ig_1", picture=content)]


def test_beside_words_a_picture_changes_none_of_them() -> None:
    done = folded(*drawn(), TextDelta("Here it is."), RunCompleted())
    assert (done.text, len(done.pictures), done.is_payable) == ("Here it is.", 1, True)


def test_an_answer_that_is_nothing_but_pictures_is_not_empty() -> None:
    done = folded(*drawn(), *drawn(JPEG), RunCompleted())
    assert done.text == named(done.pictures) == "picture-1.png, picture-2.jpg"
    assert done.is_payable


def test_what_is_no_picture_is_no_answer() -> None:
    done = folded(*drawn(HTML), RunCompleted())
    assert (done.text, done.reason, done.is_payable) == ("", Reason.EMPTY_ANSWER, False)


def test_a_picture_that_nobody_has_seen_is_not_paid_for_when_it_is_stopped() -> None:
    stopped = folded(*drawn()).ended(Reason.STOPPED)
    assert (stopped.text, stopped.is_payable) == ("", False)
