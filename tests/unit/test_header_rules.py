"""What crosses the proxy: nothing by which anybody could pass for somebody else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.proxy.headers import Caller, rewritten, to_caller, to_upstream

CALLER = Caller(address="203.0.113.7", scheme="https", host="farebox.example")
UPSTREAM = "https://songs.example"
PROXY_URL = "https://farebox.example/s/songs"

NAMES = st.from_regex(rb"[a-z][a-z0-9-]{0,12}", fullmatch=True)
VALUES = st.from_regex(rb"[!-~]([ -~]{0,20}[!-~])?", fullmatch=True)

FORBIDDEN_UPSTREAM = [
    b"Host", b"Content-Length", b"Transfer-Encoding", b"Connection", b"Keep-Alive", b"Upgrade",
    b"TE", b"Trailer", b"Proxy-Authorization", b"Proxy-Connection", b"Expect", b"Cookie",
    b"X-Real-IP", b"True-Client-IP", b"NVM-User-Id", b"Farebox-Subject", b"Remote-User",
    b"X-HTTP-Method-Override", b"X-Original-URL", b"Idempotency-Key", b"X-Forwarded-For",
    b"X-Forwarded", b"Forwarded-For", b"Client-IP", b"Fastly-Client-IP", b"X-Remote-Addr",
    b"X-Original-Forwarded-For", b"X-Envoy-External-Address", b"CF-Connecting-IP", b"NVM-User",
]  # fmt: skip
FORBIDDEN_BACK = [
    b"Set-Cookie", b"Access-Control-Allow-Origin", b"Access-Control-Allow-Credentials",
    b"Farebox-Receipt", b"Farebox-Credits", b"NVMCreditsConsumed", b"Clear-Site-Data",
    b"Strict-Transport-Security", b"Service-Worker-Allowed", b"Connection", b"Keep-Alive",
    b"Transfer-Encoding", b"Proxy-Authenticate", b"Alt-Svc", b"Date", b"Server",
]  # fmt: skip


def sent(headers: list[tuple[bytes, bytes]], credential: str | None = "secret") -> dict[str, str]:
    return {
        name.decode(): value.decode()
        for name, value in to_upstream(headers, caller=CALLER, credential=credential)
    }


def answered(headers: list[tuple[bytes, bytes]], status: int = 200) -> list[tuple[bytes, bytes]]:
    return to_caller(headers, status=status, upstream=UPSTREAM, proxy_url=PROXY_URL)


@st.composite
def spellings(draw: st.DrawFn) -> bytes:
    """A forbidden name, each letter large or small and each `-` perhaps an `_`."""
    name = draw(st.sampled_from(FORBIDDEN_UPSTREAM)).decode()
    choices = [("-_" if char == "-" else char.lower() + char.upper()) for char in name]
    return "".join(draw(st.sampled_from(choice)) for choice in choices).encode()


@pytest.mark.parametrize("name", FORBIDDEN_UPSTREAM, ids=bytes.decode)
def test_a_header_that_is_ours_to_say_does_not_reach_the_upstream(name: bytes) -> None:
    for spelled in (name, name.lower(), name.upper(), name.replace(b"-", b"_")):
        headers = sent([(spelled, b"claimed")])
        assert "claimed" not in headers.values()


@given(spellings())
def test_no_spelling_of_such_a_header_reaches_the_upstream(name: bytes) -> None:
    assert "claimed" not in sent([(name, b"claimed")]).values()


def test_a_length_under_a_misspelled_name_is_no_length() -> None:
    assert b"content-length" not in dict(answered([(b"Content_Length", b"12")]))


def test_the_callers_token_ends_here_and_the_builders_credential_takes_its_place() -> None:
    token = [(b"authorization", b"Bearer the-callers")]
    assert sent(token)["authorization"] == "Bearer secret"
    assert "authorization" not in sent(token, credential=None)


def test_what_a_caller_says_of_their_address_is_replaced() -> None:
    headers = to_upstream(
        [(b"x-forwarded-for", b"10.0.0.1"), (b"Forwarded", b"for=10.0.0.1")],
        caller=Caller(address="2001:db8::1", scheme="https", host="farebox.example"),
        credential=None,
    )
    assert (b"x-forwarded-for", b"2001:db8::1") in headers
    assert (b"forwarded", b'for="[2001:db8::1]";host="farebox.example";proto=https') in headers
    assert not any(b"10.0.0.1" in value for _, value in headers)


def test_headers_that_connection_names_are_for_one_hop_only() -> None:
    headers = sent([(b"connection", b"close, X-Secret"), (b"x-secret", b"1"), (b"x-open", b"2")])
    assert "x-secret" not in headers
    assert headers["x-open"] == "2"


def test_every_request_says_that_it_came_through_us() -> None:
    assert sent([])["via"] == "1.1 farebox"


@given(st.lists(st.tuples(NAMES.map(lambda name: b"q-" + name), VALUES), max_size=8))
def test_all_other_headers_pass_both_ways_in_order_and_with_repetitions(
    headers: list[tuple[bytes, bytes]],
) -> None:
    assert to_upstream(headers, caller=CALLER, credential=None)[: len(headers)] == headers
    assert answered(headers)[: len(headers)] == headers


@pytest.mark.parametrize("name", FORBIDDEN_BACK, ids=bytes.decode)
def test_an_upstream_cannot_speak_for_us(name: bytes) -> None:
    for spelled in (name, name.lower(), name.upper()):
        assert all(value != b"claimed" for _, value in answered([(spelled, b"claimed")]))


def test_every_answer_is_readable_by_pages_and_sandboxed() -> None:
    headers = answered([(b"access-control-allow-origin", b"https://evil.example")])
    assert (b"access-control-allow-origin", b"*") in headers
    assert (b"content-security-policy", b"sandbox") in headers
    assert (b"x-content-type-options", b"nosniff") in headers


def test_content_length_is_kept_but_where_no_body_follows() -> None:
    length = [(b"Content-Length", b"12")]
    assert (b"content-length", b"12") in answered(length)
    assert (b"content-length", b"12") not in answered(length, status=304)


def test_an_event_stream_asks_the_proxies_before_us_not_to_buffer() -> None:
    stream = answered([(b"Content-Type", b"text/event-stream; charset=utf-8")])
    assert (b"x-accel-buffering", b"no") in stream
    assert (b"x-accel-buffering", b"no") not in answered([(b"content-type", b"text/html")])


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        (b"https://songs.example/a?b=c#d", PROXY_URL + "/a?b=c#d"),
        (b"https://SONGS.example:443/a", PROXY_URL + "/a"),
        (b"https://songs.example", PROXY_URL + "/"),
        (b"https://songs.example?q=1", PROXY_URL + "/?q=1"),
        (b"//songs.example/a", PROXY_URL + "/a"),
        (b"/a/b", PROXY_URL + "/a/b"),
        (b"a/b", "a/b"),
        (b"?page=2", "?page=2"),
        (b"http://songs.example/a", "http://songs.example/a"),
        (b"https://songs.example:8443/a", "https://songs.example:8443/a"),
        (b"https://other.example/a", "https://other.example/a"),
        (b"https://songs.example.evil.example/a", "https://songs.example.evil.example/a"),
        (b"https://songs.example:bad/a", "https://songs.example:bad/a"),
        (b"mailto:someone@example.com", "mailto:someone@example.com"),
    ],
)
def test_addresses_at_the_upstream_become_proxy_urls(location: bytes, expected: str) -> None:
    assert rewritten(location, upstream=UPSTREAM, proxy_url=PROXY_URL).decode() == expected
    assert (b"Location", expected.encode()) in answered([(b"Location", location)], status=302)


def test_a_host_that_also_occurs_elsewhere_in_its_address_is_cut_off_in_front() -> None:
    for host in ("h", "p", "tt", "a"):
        location = f"http://{host}/path/{host}".encode()
        moved = rewritten(location, upstream=f"http://{host}", proxy_url=PROXY_URL)
        assert moved.decode() == f"{PROXY_URL}/path/{host}"
