"""Which endpoint a call means, by the table of what the preceding system got wrong."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.errors import AmbiguousPath, MethodNotRegistered, UnknownEndpoint
from host.proxy.matching import MEMO_MAX, Endpoints
from host.proxy.raw_path import parse_path


@dataclass(frozen=True)
class Endpoint:
    method: str
    path: str


def found(endpoints: list[Endpoint], method: str, path: str) -> Endpoint:
    return Endpoints(endpoints).find(method, parse_path(path.encode()))


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/.well-known/(.*)", "/.well-known/ai-plugin.json"),
        ("/.well-known/(.*)", "/.well-known/"),
        ("/.well-known/(.*)", "/.well-known/a/b/c"),
        ("/ask", "/ask"),
        ("/ask", "/%61sk"),
        ("/user/:userId", "/user/42"),
        ("/user/{userId}", "/user/42"),
        ("/user/{userId}", "/user/42;v=1"),
        ("/user/(.*)", "/user/42/edit"),
        ("/(.*)", "/"),
        ("/", "/"),
        ("/a.b", "/a.b"),
        ("/v1/{id}/items", "/v1/x%20y/items"),
    ],
)
def test_a_path_that_fits_is_found(template: str, path: str) -> None:
    endpoint = Endpoint("GET", template)
    assert found([endpoint], "GET", path) is endpoint


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/.well-known/(.*)", "/.WELL-known/a"),
        ("/.well-known/(.*)", "/.well-known"),
        ("/ask", "/ask/"),
        ("/ask", "/ASK"),
        ("/ask", "/ask/1"),
        ("/ask", "/"),
        ("/user/{userId}", "/user/"),
        ("/user/{userId}", "/user/42/edit"),
        ("/a.b", "/axb"),
        ("/v1/*", "/v1/x"),
        ("/(.*)/x", "/y/x"),
    ],
)
def test_a_path_that_does_not_fit_is_unknown(template: str, path: str) -> None:
    with pytest.raises(UnknownEndpoint):
        found([Endpoint("GET", template)], "GET", path)


def test_a_known_path_with_another_method_names_the_methods_it_takes() -> None:
    endpoints = [Endpoint("GET", "/song"), Endpoint("DELETE", "/song"), Endpoint("PUT", "/other")]
    with pytest.raises(MethodNotRegistered) as refused:
        found(endpoints, "POST", "/song")
    assert refused.value.headers == {"Allow": "DELETE, GET, HEAD"}


def test_head_counts_as_get_unless_it_is_registered_itself() -> None:
    get, head = Endpoint("GET", "/song"), Endpoint("HEAD", "/song")
    assert found([get], "HEAD", "/song") is get
    assert found([get, head], "HEAD", "/song") is head


def test_trace_is_refused_even_where_somebody_registered_it() -> None:
    with pytest.raises(MethodNotRegistered):
        found([Endpoint("TRACE", "/song")], "TRACE", "/song")


@given(st.permutations(["/a/b", "/a/{x}", "/{y}/b", "/(.*)", "/a/(.*)"]))
def test_the_most_literal_template_counts_whatever_the_order_of_registering(
    order: list[str],
) -> None:
    endpoints = [Endpoint("GET", path) for path in order]
    assert found(endpoints, "GET", "/a/b").path == "/a/b"
    assert found(endpoints, "GET", "/a/c").path == "/a/{x}"
    assert found(endpoints, "GET", "/c/b").path == "/{y}/b"
    assert found(endpoints, "GET", "/a/c/d").path == "/a/(.*)"
    assert found(endpoints, "GET", "/c/d").path == "/(.*)"


@pytest.mark.parametrize("path", ["/admin;x", "/admin;", "/admin%3bx", "/open;/x"])
def test_parameters_cannot_make_a_guarded_path_look_open(path: str) -> None:
    endpoints = [Endpoint("GET", "/(.*)"), Endpoint("GET", "/admin"), Endpoint("GET", "/open/{x}")]
    with pytest.raises(AmbiguousPath):
        found(endpoints, "GET", path)


def test_parameters_of_a_literal_are_refused() -> None:
    with pytest.raises(AmbiguousPath):
        found([Endpoint("GET", "/ask")], "GET", "/ask;v=1")


def test_a_crawler_does_not_fill_the_memory() -> None:
    endpoints = Endpoints([Endpoint("GET", "/(.*)")])
    for number in range(3 * MEMO_MAX):
        endpoints.find("GET", parse_path(f"/{number}".encode()))
    assert len(endpoints._memo) <= MEMO_MAX
