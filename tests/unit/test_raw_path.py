"""A path that could mean two things is refused; any other is kept byte for byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.errors import AmbiguousPath, MalformedRequest, UnknownOffering
from host.proxy.raw_path import PATH_BYTES_MAX, normal_template, parse_path, parse_target

PLAIN = "abcXYZ019-._~!$&'()*+,=:@"
SEGMENT = st.text(st.sampled_from(PLAIN), min_size=1, max_size=8).filter(
    lambda segment: segment not in {".", ".."}
)
ESCAPED = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\").map(
    lambda character: "".join(f"%{byte:02x}" for byte in character.encode())
)


@pytest.mark.parametrize(
    "path",
    [
        b"/.well-known/../admin",
        b"/.well-known/..%2fadmin",
        b"/.well-known/%2e%2e/admin",
        b"/.well-known/%2E./admin",
        b"/a/./b",
        b"/a/.",
        b"/..;x/admin",
        b"/..%3bx/admin",
        b"/a%2Fb",
        b"/a%5cb",
        b"/a\\b",
        b"//ask",
        b"/ask//",
        b"/a%00",
        b"/a%0d%0a",
        b"/a%7F",
        b"/a\x00b",
        b"/a b",
        b"/a%",
        b"/a%2",
        b"/a%zz",
        b"/%c0%af",
        b"/%c0%ae%c0%ae/x",
        b"/%ed%a0%80",
        b"/%ff",
        "/é".encode(),
        b"ask",
        b"",
    ],
)
def test_a_path_that_could_mean_two_things_is_refused(path: bytes) -> None:
    with pytest.raises(AmbiguousPath):
        parse_path(path)


def test_a_path_longer_than_any_endpoint_is_refused() -> None:
    with pytest.raises(MalformedRequest):
        parse_path(b"/" + b"a" * PATH_BYTES_MAX)


@given(st.lists(st.one_of(SEGMENT, ESCAPED), min_size=1))
def test_an_unambiguous_path_is_kept_byte_for_byte(segments: list[str]) -> None:
    path = "/" + "/".join(segment if segment != "%2e" else "%2ex" for segment in segments)
    assert parse_path(path.encode()).sent == path


@given(st.binary(max_size=40))
def test_any_bytes_are_either_kept_or_refused(tail: bytes) -> None:
    try:
        path = parse_path(b"/" + tail)
    except AmbiguousPath:
        return
    assert path.sent.encode() == b"/" + tail
    assert not {".", ".."} & set(path.normal.split("/"))


@pytest.mark.parametrize(
    ("sent", "normal"),
    [
        ("/%61sk", "/ask"),
        ("/%41sk", "/Ask"),
        ("/a%2cb", "/a%2Cb"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/a%7Eb", "/a~b"),
        ("/100%25", "/100%25"),
    ],
)
def test_only_unreserved_characters_are_decoded_for_matching(sent: str, normal: str) -> None:
    assert parse_path(sent.encode()).normal == normal


def test_a_template_and_a_request_for_it_have_one_normal_form() -> None:
    assert normal_template("café") == "caf%C3%A9"


@pytest.mark.parametrize(
    ("raw", "slug", "path"),
    [
        (b"/s/songs/query", "songs", "/query"),
        (b"/s/songs/", "songs", "/"),
        (b"/s/songs", "songs", "/"),
        (b"/s/songs/s/songs", "songs", "/s/songs"),
    ],
)
def test_a_proxy_url_is_split_into_offering_and_path(raw: bytes, slug: str, path: str) -> None:
    target = parse_target(raw)
    assert (target.slug, target.path.sent) == (slug, path)


@pytest.mark.parametrize(
    "raw", [b"/%73/songs/ask", b"/S/songs/ask", b"/s/so%6egs/ask", b"/s//ask", b"/s/", b"/s/A/x"]
)
def test_an_offering_is_named_in_plain_characters_only(raw: bytes) -> None:
    with pytest.raises((AmbiguousPath, UnknownOffering)):
        parse_target(raw)
