"""What the scripted upstream says of files, and which it refuses."""

from base64 import b64encode

import pytest

from farebox.demo.upstream.refusals import Refusal
from farebox.demo.upstream.seeing import seen_in
from farebox.demo.upstream.wire import JsonObject
from tests.fakes.pictures import GIF, PDF, png


def data(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{b64encode(content).decode()}"


def asked(*parts: JsonObject) -> list[JsonObject]:
    return [{"type": "message", "role": "user", "content": [*parts]}]


def image(url: str) -> JsonObject:
    return {"type": "input_image", "image_url": url, "detail": "auto"}


def file(url: str, name: str = "notes.pdf") -> JsonObject:
    return {"type": "input_file", "filename": name, "file_data": url}


def test_it_says_what_it_saw_in_the_order_it_came() -> None:
    items = asked(
        {"type": "input_text", "text": "Look"},
        image(data("image/png", png(12, 7))),
        file(data("application/pdf", PDF + bytes(3_000))),
        file(data("text/plain", b"hello"), "a.txt"),
    )
    assert seen_in(items) == [
        "You sent an image, 12×7.",
        "You sent a PDF, “notes.pdf” (3 KB).",
        "You sent a text, “a.txt” (1 KB).",
    ]


@pytest.mark.parametrize(
    ("part", "param"),
    [
        pytest.param(image("https://example.com/a.png"), "image_url", id="an address to fetch"),
        pytest.param(image("data:image/png;base64,??"), "image_url", id="no base64"),
        pytest.param(image(data("image/png", GIF)), "image_url", id="another kind"),
        pytest.param(image(data("text/plain", b"x")), "image_url", id="a text as an image"),
        pytest.param(file(data("application/pdf", b"\0\0")), "file_data", id="no document"),
        pytest.param(file(data("application/pdf", PDF), ""), "filename", id="no name"),
    ],
)
def test_what_is_not_what_it_says_is_refused_by_its_place(part: JsonObject, param: str) -> None:
    with pytest.raises(Refusal) as refused:
        seen_in(asked({"type": "input_text", "text": "Look"}, part))
    assert (refused.value.status, refused.value.param) == (400, f"input[0].content[1].{param}")
