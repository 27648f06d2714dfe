"""What an OpenAPI document offers: its operations, their risk, and how it may not be read."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farebox.demo.songs_manifest import well_known
from host.catalogue.offering_terms import EndpointFields, checked_endpoints
from host.catalogue.openapi import (
    ALIASES_MAX,
    DEPTH_MAX,
    DOCUMENT_MAX,
    Document,
    Risk,
    offered,
    read_document,
)
from host.errors import InvalidInput

WELL_KNOWN = "GET /.well-known/(.*)"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda parts: st.lists(parts, max_size=4) | st.dictionaries(st.text(max_size=12), parts),
    max_leaves=20,
)


def written(paths: object, **more: object) -> str:
    whole = {"openapi": "3.1.0", "info": {"title": "Songs"}, "paths": paths}
    return json.dumps(whole | more)


def songs() -> Document:
    file = well_known("openapi.json", "https://songs.example.com")
    assert file is not None
    return read_document(file.content)


def names(endpoints: list[EndpointFields]) -> list[str]:
    return [f"{one.method} {one.path}" for one in endpoints]


def refused(text: str) -> str:
    with pytest.raises(InvalidInput) as refusal:
        read_document(text)
    assert refusal.value.facts == {"field": "openapi"}
    return refusal.value.detail


def test_the_sample_plugin_sells_its_questions_and_neither_upsert_nor_delete() -> None:
    found = songs()
    assert found.title == "Elvis Song Summarizer"
    assert found.origin == "https://songs.example.com"
    assert [(one.method, one.path, one.risk, one.is_on) for one in found.operations] == [
        ("POST", "/query", Risk.ASKS, True),
        ("POST", "/ask", Risk.ASKS, True),
        ("POST", "/upsert", Risk.WRITES, False),
        ("DELETE", "/delete/{id}", Risk.DELETES, False),
    ]
    endpoints = offered(found, on=frozenset(), off=frozenset())
    assert names(endpoints) == ["POST /query", "POST /ask", WELL_KNOWN]
    assert [one.is_open for one in endpoints] == [False, False, True]


def test_operations_are_turned_on_and_off_by_their_names() -> None:
    endpoints = offered(
        songs(), on=frozenset({"POST /upsert"}), off=frozenset({"POST /ask", WELL_KNOWN})
    )
    assert names(endpoints) == ["POST /query", "POST /upsert"]


def test_a_folder_that_the_document_describes_itself_is_there_once() -> None:
    found = read_document(written({"/.well-known/(.*)": {"get": {}}}))
    endpoints = offered(found, on=frozenset(), off=frozenset())
    assert names(endpoints) == [WELL_KNOWN]
    assert checked_endpoints(endpoints)


@pytest.mark.parametrize(
    ("on", "off", "said"),
    [
        ({"POST /quury"}, set(), "“POST /quury” is not an operation of this document."),
        (set(), {"GET /ask"}, "“GET /ask” is not an operation"),
        (set(), {"POST /query", "POST /ask"}, "None of its operations is on."),
    ],
)
def test_a_name_that_is_none_and_nothing_left_are_refused(
    on: set[str], off: set[str], said: str
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        offered(songs(), on=frozenset(on), off=frozenset(off))
    assert said in refusal.value.detail
    assert "POST /query" in refusal.value.detail


@pytest.mark.parametrize(
    ("method", "path", "operation_id", "risk"),
    [
        ("get", "/songs", "listSongs", Risk.READS),
        ("head", "/songs", None, Risk.READS),
        ("get", "/songs/delete", None, Risk.DELETES),
        ("get", "/songs", "removeSong", Risk.DELETES),
        ("post", "/ask", "ask", Risk.ASKS),
        ("post", "/songs", "createSong", Risk.WRITES),
        ("post", "/songs", "bulkUPSERT", Risk.WRITES),
        ("post", "/songs", 7, Risk.ASKS),
        ("put", "/songs", "songs", Risk.WRITES),
        ("patch", "/songs", "songs", Risk.WRITES),
        ("delete", "/songs", "songs", Risk.DELETES),
    ],
)
def test_the_risk_is_in_the_method_and_in_what_it_is_called(
    method: str, path: str, operation_id: object, risk: Risk
) -> None:
    (found,) = read_document(written({path: {method: {"operationId": operation_id}}})).operations
    assert found.risk is risk
    assert found.is_on is (risk in {Risk.READS, Risk.ASKS})


@pytest.mark.parametrize(
    ("more", "origin", "path"),
    [
        ({}, None, "/ask"),
        ({"servers": []}, None, "/ask"),
        ({"servers": "none"}, None, "/ask"),
        ({"servers": [{"url": "/v2/"}]}, None, "/v2/ask"),
        ({"servers": [{"url": "https://a.example/v1"}]}, "https://a.example", "/v1/ask"),
        ({"info": {"servers": [{"url": "https://b.example"}]}}, "https://b.example", "/ask"),
        (
            {
                "servers": [
                    {
                        "url": "https://{where}.example/{version}",
                        "variables": {"where": {"default": "eu"}, "version": {"default": "v3"}},
                    }
                ]
            },
            "https://eu.example",
            "/v3/ask",
        ),
        ({"servers": [{"url": "https://[broken/v1"}]}, None, "/ask"),
        ({"servers": [{"url": "https://a.example/" + "v" * 3_000}]}, None, "/ask"),
    ],
)
def test_the_first_server_says_where_it_is_and_what_every_path_begins_with(
    more: dict[str, object], origin: str | None, path: str
) -> None:
    found = read_document(written({"/ask": {"post": {}}}, **more))
    assert (found.origin, found.operations[0].path) == (origin, path)


def test_what_a_server_is_filled_in_with_has_an_end() -> None:
    server = {"url": "{a}" * 600, "variables": {"a": {"default": "x" * 100_000}}}
    assert read_document(written({"/ask": {"post": {}}}, servers=[server])).origin is None


def test_yaml_is_read_as_json_is() -> None:
    text = (
        "openapi: 3.0\n"
        "info: {title: Songs, description: 'Sums\n  up songs.'}\n"
        "paths:\n"
        "  /songs/{song-id}:\n"
        "    get: {summary: One song}\n"
    )
    found = read_document(text)
    assert found.description == "Sums up songs."
    assert [(one.path, one.summary) for one in found.operations] == [
        ("/songs/{song_id}", "One song")
    ]


def test_what_cannot_be_sold_is_left_out_and_said() -> None:
    found = read_document(
        written(
            {
                "/a//b": {"get": {}},
                "/s/{id}": {"get": {}},
                "/s/{name}": {"get": {}},
                "/r/{id}.json": {"get": {}},
                "/elsewhere": {"$ref": "https://evil.example/paths.json"},
            }
        )
    )
    assert [one.path for one in found.operations] == ["/s/{id}"]
    assert [line.partition(":")[0] for line in found.left_out] == [
        "GET /a//b",
        "GET /s/{name}",
        "GET /r/{id}.json",
    ]


DEEP = "[" * (DEPTH_MAX + 1) + "]" * (DEPTH_MAX + 1)
MERGED = "a: &a {x: 1}\nb: &b {<<: [*a, *a]}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no OpenAPI document"),
        ("hello", "no OpenAPI document"),
        ("- a\n- b", "no OpenAPI document"),
        ("{", "neither JSON nor YAML (line 1)"),
        ("a: [\nb", "neither JSON nor YAML (line 2)"),
        ("a: !!python/object/apply:os.system [ls]", "neither JSON nor YAML"),
        ("? [a]\n: b", "neither JSON nor YAML"),
        (MERGED, "neither JSON nor YAML"),
        ('{"swagger": "2.0"}', "Swagger 2"),
        ('{"openapi": "4.0"}', "no OpenAPI 3"),
        ('{"openapi": ["3.1"]}', "no OpenAPI 3"),
        (written({}), "no operation"),
        (written([]), "no operation"),
        (written({"/a": {"trace": {}}}), "no operation"),
        ("x" * (DOCUMENT_MAX + 1), "1,000,001 characters"),
        ('{"a": ' * 100_000, "too deeply nested"),
        (f"a: {DEEP}", "too deeply nested"),
        (f"a: &a 1\nb: [{'*a, ' * (ALIASES_MAX + 1)}]", "too deeply nested"),
    ],
)
def test_a_document_that_is_none_or_hostile_is_refused_in_words(text: str, said: str) -> None:
    assert said in refused(text)


@given(paths=JSON, servers=JSON, info=JSON)
def test_whatever_is_in_a_document_it_is_read_or_refused(
    paths: Any, servers: Any, info: Any
) -> None:
    try:
        found = read_document(written(paths, servers=servers, info=info))
    except InvalidInput:
        return
    every = frozenset(f"{one.method} {one.path}" for one in found.operations)
    assert checked_endpoints(offered(found, on=every, off=frozenset()))


@given(
    st.dictionaries(
        st.from_regex(r"/[a-z{}./-]{0,12}", fullmatch=True),
        st.dictionaries(
            st.sampled_from(("get", "post", "delete", "trace")),
            st.fixed_dictionaries({"operationId": st.text(max_size=8)}),
        ),
    )
)
def test_every_operation_is_an_endpoint_or_left_out(paths: dict[str, dict[str, object]]) -> None:
    described = sum(len(item.keys() - {"trace"}) for item in paths.values())
    try:
        found = read_document(written(paths))
    except InvalidInput:
        return  # none of them can be sold
    assert len(found.operations) + len(found.left_out) == described
    every = frozenset(f"{one.method} {one.path}" for one in found.operations)
    kept = offered(found, on=every, off=frozenset())
    assert every <= set(names(list(checked_endpoints(kept))))
