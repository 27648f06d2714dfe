"""Server-sent events are the same however their bytes are cut, and no longer than they may be."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai._streaming import SSEDecoder

from host.providers.base import FailureKind, UpstreamError
from host.providers.event_stream import EventDecoder

LINES = st.one_of(
    st.sampled_from(["", "", "data", "data:", ": a comment", "event: x", "id: 7", "retry: 3"]),
    st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=6).map(
        lambda text: f"data: {text}"
    ),
    st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=6),
)
STREAMS = st.lists(st.tuples(LINES, st.sampled_from(["\n", "\r", "\r\n"])), max_size=12).map(
    lambda lines: "".join(line + end for line, end in lines).encode()
)


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(place, len(stream)) for place in places), len(stream)]
    return [stream[start:end] for start, end in pairwise(edges)]


def heard(pieces: list[bytes], *, event_max: int = 1000) -> list[bytes | FailureKind]:
    """The events of the pieces, and how reading them failed, if it did."""
    decoder, events = EventDecoder(event_max=event_max), list[bytes | FailureKind]()
    try:
        for piece in pieces:
            events.extend(decoder.feed(piece))
    except UpstreamError as error:
        events.append(error.kind)
    return events


@given(STREAMS, st.lists(st.integers(0, 150)), st.integers(1, 30))
def test_any_cutting_yields_the_same_events(
    stream: bytes, places: list[int], event_max: int
) -> None:
    one_by_one = [bytes([byte]) for byte in stream]
    whole = heard([stream], event_max=event_max)
    assert heard(cut(stream, places), event_max=event_max) == whole
    assert heard(one_by_one, event_max=event_max) == whole


@given(STREAMS)
def test_the_sdk_hears_the_same_and_events_without_data_besides(stream: bytes) -> None:
    theirs = [event.data.encode() for event in SSEDecoder().iter_bytes(iter([stream]))]
    ours = heard([stream])
    assert [data for data in ours if data] == [data for data in theirs if data]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\n", [b"a"]),
        (b"data:a\ndata:  b\n\n", [b"a\n b"]),
        (b"data: a\r\r", [b"a"]),
        (b"data: a\r\n\r\ndata: b\n\n", [b"a", b"b"]),
        (b"event: ping\n\n: still here\n\ndata: a\n\n", [b"a"]),
        (b"data: a\n", []),
        (b'{"an": "object",\n\n"and": "no stream"}', []),
        (b"database: a\n\n", []),
    ],
)
def test_an_event_is_its_data(stream: bytes, events: list[bytes]) -> None:
    assert heard([stream]) == events


def test_an_event_is_told_by_its_cr_without_waiting_for_what_may_follow() -> None:
    decoder = EventDecoder()
    assert list(decoder.feed(b"data: a\r\n\r")) == [b"a"]
    assert list(decoder.feed(b"\ndata: b\n\n")) == [b"b"]


@pytest.mark.parametrize(
    "stream",
    [
        b"data: " + b"x" * 95,
        b": " + b"x" * 99,
        b"data: 0123456789\n" * 7,
        b"data\n" * 30,
    ],
    ids=["one line", "a comment", "several lines", "many empty lines"],
)
def test_what_never_becomes_whole_ends_at_the_limit(stream: bytes) -> None:
    before = b"data: fine\n\n"
    assert heard([before, stream], event_max=100) == [b"fine", FailureKind.GARBLED]


def test_the_limit_is_of_an_event_and_not_of_the_stream() -> None:
    assert heard([b"data: 0123456789\n\n: a comment\n" * 50], event_max=30) == [b"0123456789"] * 50
