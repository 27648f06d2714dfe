"""What a stream's bytes mean: every event that we read, and every one that cannot be read."""

import json
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.providers.base import (
    Cited,
    Delivered,
    FailureKind,
    RunCompleted,
    RunEvent,
    RunFailed,
    RunIncomplete,
    RunStarted,
    TextDelta,
    Tool,
    ToolBegan,
    ToolEnded,
    UpstreamError,
    Usage,
)
from host.providers.openai_events import Reading, delivered

PLANTED = "sk-planted-0123456789abcdef"
PLACE = {"item_id": "msg_1", "content_index": 0}
TEXT = "response.output_text.delta"
USAGE = {
    "input_tokens": 7,
    "output_tokens": 5,
    "input_tokens_details": {"cached_tokens": 3},
    "output_tokens_details": {"reasoning_tokens": 2},
}


def said(kind: str, **fields: Any) -> bytes:
    event = {"type": kind, "sequence_number": 1, **fields}
    return f"event: {kind}\ndata: {json.dumps(event)}\n\n".encode()


def heard(pieces: Iterable[bytes]) -> list[RunEvent]:
    reading = Reading()
    return [event for piece in pieces for event in reading.feed(piece)]


def annotated(**fields: Any) -> bytes:
    return said("response.output_text.annotation.added", annotation=fields)


def in_response(kind: str, **fields: Any) -> bytes:
    return said(kind, response={"id": "resp_1", **fields})


@pytest.mark.parametrize(
    ("stream", "event"),
    [
        (in_response("response.created"), RunStarted("resp_1")),
        (said(TEXT, **PLACE, delta="Hello"), TextDelta("Hello")),
        (said(TEXT, **PLACE, delta="a\0b\ud83d"), TextDelta("ab")),
        (said("response.refusal.delta", **PLACE, delta="No."), TextDelta("No.")),
        (said("response.output_text.done", **PLACE, text="Hello"), TextDelta("Hello")),
        (said("response.refusal.done", **PLACE, refusal="No."), TextDelta("No.")),
        (
            annotated(type="url_citation", title="A page", url="https://example.org"),
            Cited("A page", "https://example.org"),
        ),
        (annotated(type="file_citation", filename="a.pdf"), Cited("a.pdf", None)),
        (
            said("response.output_item.added", item={"type": "web_search_call", "id": "ws_1"}),
            ToolBegan("ws_1", Tool.WEB_SEARCH),
        ),
        (
            said(
                "response.output_item.done",
                item={"type": "mcp_call", "id": "mcp_1", "status": "failed"},
            ),
            ToolEnded("mcp_1", is_failed=True),
        ),
        (
            said(
                "response.output_item.done",
                item={"type": "image_generation_call", "id": "ig_1", "result": "cG5n"},
            ),
            ToolEnded("ig_1", picture=b"png"),
        ),
        (
            said(
                "response.output_item.done",
                item={"type": "image_generation_call", "id": "ig_1", "result": "no base64!"},
            ),
            ToolEnded("ig_1"),
        ),
        (
            said(
                "response.output_item.done",
                item={"type": "mcp_call", "id": "mcp_1", "result": "cG5n"},
            ),
            ToolEnded("mcp_1"),
        ),
        (in_response("response.completed", usage=USAGE), RunCompleted(Usage(7, 5, 3, 2))),
        (
            in_response("response.completed", usage={"input_tokens": 7, "output_tokens": 5}),
            RunCompleted(Usage(7, 5)),
        ),
        (in_response("response.completed", usage=None), RunCompleted(None)),
        (
            in_response("response.incomplete", incomplete_details={"reason": "content_filter"}),
            RunIncomplete("content_filter"),
        ),
        (
            in_response("response.incomplete", incomplete_details={"reason": PLANTED}),
            RunIncomplete("unknown"),
        ),
        (
            in_response("response.failed", error={"code": "rate_limit_exceeded"}),
            RunFailed(FailureKind.RATE_LIMITED),
        ),
        (in_response("response.failed", error=None), RunFailed(FailureKind.SERVER_ERROR)),
        (said("error", code="insufficient_quota"), RunFailed(FailureKind.OUT_OF_QUOTA)),
    ],
)
def test_an_event_means(stream: bytes, event: RunEvent) -> None:
    assert heard([stream]) == [event]


@pytest.mark.parametrize(
    "stream",
    [
        said("response.in_progress", response={}),
        said("response.telepathy.delta", delta="…"),
        said("response.output_item.added", item={"type": "message", "id": "msg_1"}),
        said("response.output_text.annotation.added", annotation=None),
        annotated(type="dream"),
        b"event: ping\n\n",
        b"data: [DONE]\n\n",
        b"",
    ],
)
def test_what_means_nothing_to_us_is_passed_over(stream: bytes) -> None:
    answer = said(TEXT, **PLACE, delta="Hello")
    assert heard([stream, answer]) == [TextDelta("Hello")]


def test_a_whole_part_is_told_once_and_the_next_part_stands_apart() -> None:
    stream = [
        said(TEXT, **PLACE, delta="One"),
        said("response.output_text.done", **PLACE, text="One"),
        said("response.output_text.done", item_id="msg_1", content_index=1, text="Two"),
    ]
    assert heard(stream) == [TextDelta("One"), TextDelta("\n\nTwo")]


@pytest.mark.parametrize(
    "stream",
    [
        b'data: {"type": "resp\n\n',
        b"data: [1]\n\n",
        b"data: 7\n\n",
        b"data: \xff\xfe\n\n",
        b"data: " + b"[" * 100_000 + b"\n\n",
        said(TEXT, **PLACE),
        said(TEXT, **PLACE, delta=7),
        said(TEXT, content_index=0, delta="a"),
        said(TEXT, item_id=["msg_1"], content_index=0, delta="a"),
        said("response.created", response=None),
        in_response("response.completed", usage={"input_tokens": PLANTED}),
        said("response.completed"),
    ],
)
def test_what_cannot_be_understood_is_garbled_and_quotes_nothing(stream: bytes) -> None:
    with pytest.raises(UpstreamError) as raised:
        heard([stream])
    assert raised.value.kind is FailureKind.GARBLED
    assert raised.value.__context__ is None
    assert "planted" not in repr(vars(raised.value))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": "server_error", "message": PLANTED}, FailureKind.SERVER_ERROR),
        ({"code": None, "type": "insufficient_quota"}, FailureKind.OUT_OF_QUOTA),
        ({"code": PLANTED, "type": 7}, FailureKind.SERVER_ERROR),
        (PLANTED, FailureKind.SERVER_ERROR),
    ],
)
def test_an_error_in_place_of_an_event_is_raised_in_our_words(
    error: object, kind: FailureKind
) -> None:
    with pytest.raises(UpstreamError) as raised:
        heard([said("error", error=error)])
    assert raised.value.kind is kind
    assert "planted" not in f"{raised.value} {vars(raised.value)!r}"


@given(st.lists(st.text(max_size=5), min_size=1, max_size=6), st.lists(st.integers(0, 600)))
def test_any_cutting_means_the_same(words: list[str], places: list[int]) -> None:
    stream = b"".join(
        [
            in_response("response.created"),
            *(_spoken(word) for word in words),
            in_response("response.completed", usage=USAGE),
        ]
    )
    assert heard(_cut(stream, places)) == heard([stream])
    assert len(heard([stream])) == len(words) + 2


def _spoken(word: str) -> bytes:
    """A delta as OpenAI writes it, in UTF-8, so that a cut may go through a character."""
    event = {"type": TEXT, **PLACE, "delta": word}
    return b"data: " + json.dumps(event, ensure_ascii=False).encode(errors="replace") + b"\n\n"


def _cut(stream: bytes, places: list[int]) -> Iterator[bytes]:
    edges = [0, *sorted(min(place, len(stream)) for place in places), len(stream)]
    return (stream[start:end] for start, end in pairwise(edges))


def message(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "content": list(parts)}


def text_part(text: str, *annotations: dict[str, Any]) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": list(annotations)}


PAGE = {"type": "url_citation", "title": "A page", "url": "https://example.org"}
FILE = {"type": "file_citation", "filename": "a.pdf"}


def test_a_whole_response_says_what_it_cites_and_where() -> None:
    first = text_part(
        "One\0.\ud83d Two.",
        {**FILE, "index": 11},
        {**PAGE, "start_index": 0, "end_index": 6},
        {"type": "file_path", "index": 1},
    )
    second = text_part("Three.", {**PAGE, "end_index": 6}, FILE)
    whole = delivered(
        {
            "output": [
                {"type": "web_search_call"},
                message(first, {"type": "refusal", "refusal": "No."}),
                message(second),
            ],
            "usage": USAGE,
        }
    )
    page, file = Cited("A page", "https://example.org"), Cited("a.pdf", None)
    assert whole == Delivered(
        "One. Two.\n\nNo.\n\nThree.",
        Usage(7, 5, 3, 2),
        ((4, page), (9, file), (22, page), (22, file)),
    )
    assert list(whole.events()) == [
        TextDelta("One."),
        page,
        TextDelta(" Two."),
        file,
        TextDelta("\n\nNo.\n\nThree."),
        page,
        TextDelta(""),
        file,
        TextDelta(""),
        RunCompleted(Usage(7, 5, 3, 2)),
    ]


def test_a_whole_response_has_what_was_drawn_for_it() -> None:
    drawings = [{"type": "image_generation_call", "result": it} for it in ("cG5n", None, "?")]
    whole = delivered({"output": [*drawings, message(text_part("Here."))]})
    assert whole.pictures == (b"png",)
    assert next(whole.events()) == ToolEnded("", picture=b"png")
    assert "png" not in repr(whole)


@pytest.mark.parametrize("response", [{}, {"output": None}, {"output": [message()]}])
def test_a_whole_response_may_have_said_nothing(response: dict[str, Any]) -> None:
    assert delivered(response) == Delivered("", None)


def test_a_whole_response_that_lacks_what_it_says_is_garbled() -> None:
    with pytest.raises(UpstreamError):
        delivered({"output": [message({"type": "output_text"})]})
