"""The sample service over a real socket: its four operations, its credential, its open folder."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import jsonschema_rs
import pytest

from farebox.demo.songs import SongCall, song_service
from farebox.demo.songs_library import INVENTED, MOST_SONGS
from farebox.demo.upstream.server import serve

CREDENTIAL = "songs-credential-0123456789"
REQUIRED = {
    "schema_version",
    "name_for_human",
    "name_for_model",
    "description_for_human",
    "description_for_model",
    "auth",
    "api",
    "logo_url",
    "contact_email",
    "legal_info_url",
}


@pytest.fixture
def calls() -> list[SongCall]:
    return []


@pytest.fixture
async def stranger(calls: list[SongCall]) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        serve(song_service(CREDENTIAL, calls=calls)) as address,
        httpx.AsyncClient(base_url=address.url) as http,
    ):
        yield http


@pytest.fixture
async def http(stranger: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {CREDENTIAL}"}
    async with httpx.AsyncClient(base_url=stranger.base_url, headers=headers) as http:
        yield http


async def test_a_question_is_answered_with_the_summary_of_its_song(
    http: httpx.AsyncClient,
) -> None:
    for _ in range(2):
        answer = (
            await http.post("/ask", json={"question": "What happens in Paper Crown?"})
        ).json()
        assert answer["song"] == "paper-crown"
        assert "invented" in answer["answer"]
        assert "crown to a child" in answer["answer"]
    unknown = (await http.post("/ask", json={"question": "quantum fields?"})).json()
    assert unknown["song"] is None


async def test_a_query_ranks_titles_over_summaries(http: httpx.AsyncClient) -> None:
    await http.post("/upsert", json={"songs": [{"id": "rain", "title": "Rain", "summary": "x"}]})
    found = (await http.post("/query", json={"query": "songs about rain", "top_k": 2})).json()
    ids = [match["song"]["id"] for match in found["results"]]
    assert ids == ["rain", "memphis-after-midnight"]


async def test_songs_can_be_put_in_replaced_and_deleted(http: httpx.AsyncClient) -> None:
    put = await http.post("/upsert", json={"songs": [{"title": "Tin Moon", "summary": "first"}]})
    [song_id] = put.json()["ids"]
    again = {"songs": [{"id": song_id, "title": "Tin Moon", "summary": "second"}]}
    assert (await http.post("/upsert", json=again)).json() == {"ids": [song_id]}
    answer = (await http.post("/ask", json={"question": "tin moon"})).json()
    assert answer["answer"].endswith("second")

    assert (await http.delete(f"/delete/{song_id}")).json() == {"deleted": song_id}
    assert (await http.delete(f"/delete/{song_id}")).status_code == 404


async def test_a_full_library_takes_nothing_more(http: httpx.AsyncClient) -> None:
    room = MOST_SONGS - len(INVENTED)
    songs = [{"id": f"s-{n}", "title": "t", "summary": "s"} for n in range(room + 1)]
    for start in range(0, room, 50):
        batch = songs[start : min(start + 50, room)]
        assert (await http.post("/upsert", json={"songs": batch})).status_code == 200
    assert (await http.post("/upsert", json={"songs": songs[-1:]})).status_code == 409
    assert (await http.post("/upsert", json={"songs": songs[:1]})).status_code == 200


@pytest.mark.parametrize(
    "value", [None, "Bearer wrong", f"Basic {CREDENTIAL}", "Bearer", "Bearer é"]
)
async def test_without_the_credential_no_operation_answers(
    stranger: httpx.AsyncClient, calls: list[SongCall], value: str | None
) -> None:
    headers = [] if value is None else [(b"authorization", value.encode())]
    for method, path in [
        ("POST", "/query"),
        ("POST", "/ask"),
        ("POST", "/upsert"),
        ("DELETE", "/delete/paper-crown"),
    ]:
        answer = await stranger.request(method, path, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
    assert [call.status for call in calls] == [401] * 4


@pytest.mark.parametrize(("path", "field"), [("/ask", "question"), ("/query", "query")])
async def test_it_fails_on_purpose_when_asked_to_and_counts_the_call(
    http: httpx.AsyncClient, calls: list[SongCall], path: str, field: str
) -> None:
    answer = await http.post(path, json={field: "/error"})
    assert answer.status_code == 500
    assert answer.json() == {"detail": "failed on purpose"}
    assert calls == [SongCall("POST", path, 500)]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/ask", b"{"),
        ("/ask", b"{}"),
        ("/ask", b'{"question": ""}'),
        ("/ask", b'{"question": "x", "more": 1}'),
        ("/query", b'{"query": "x", "top_k": 0}'),
        ("/upsert", b'{"songs": []}'),
        ("/upsert", b'{"songs": [{"id": "../x", "title": "t", "summary": "s"}]}'),
    ],
)
async def test_a_wrong_body_is_refused_in_words(
    http: httpx.AsyncClient, path: str, body: bytes
) -> None:
    answer = await http.post(path, content=body)
    assert answer.status_code == 422
    assert answer.json()["detail"]


async def test_the_manifest_is_open_complete_and_within_the_limits(
    stranger: httpx.AsyncClient, calls: list[SongCall]
) -> None:
    manifest = (await stranger.get("/.well-known/ai-plugin.json")).json()
    assert manifest.keys() == REQUIRED
    assert len(manifest["name_for_human"]) <= 20
    assert len(manifest["description_for_human"]) <= 100
    assert manifest["name_for_model"].replace("_", "").isalnum()
    for link in (manifest["api"]["url"], manifest["logo_url"], manifest["legal_info_url"]):
        assert (await stranger.get(link)).status_code == 200
    assert (await stranger.get("/.well-known/other")).status_code == 404
    assert calls == []


async def test_the_openapi_document_describes_what_is_served(
    http: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    document = (await stranger.get("/.well-known/openapi.json")).json()
    yaml = await stranger.get("/.well-known/openapi.yaml")
    assert yaml.headers["content-type"].startswith("application/yaml")
    assert yaml.json() == document
    assert [server["url"] + "/" for server in document["servers"]] == [
        str(stranger.base_url) + "/"
    ]
    operations = {
        (method, path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert {operation["operationId"] for operation in operations.values()} == {
        "query_songs",
        "ask_songs",
        "upsert_songs",
        "delete_song",
    }

    bodies: dict[tuple[str, str], Any] = {
        ("post", "/query"): {"query": "night"},
        ("post", "/ask"): {"question": "night"},
        ("post", "/upsert"): {"songs": [{"id": "a", "title": "t", "summary": "s"}]},
        ("delete", "/delete/{id}"): None,
    }
    assert bodies.keys() == operations.keys()
    for (method, path), body in bodies.items():
        operation = operations[method, path]
        if body is not None:
            assert fits(document, operation["requestBody"], body)
        answer = await http.request(method, path.replace("{id}", "a"), json=body)
        assert fits(document, operation["responses"]["200"], answer.json())


def fits(document: dict[str, Any], part: dict[str, Any], value: Any) -> bool:
    schema = part["content"]["application/json"]["schema"]
    whole = {**schema, "components": document["components"]}
    return bool(jsonschema_rs.Draft202012Validator(whole).is_valid(value))


async def test_the_manifest_names_the_public_address_it_was_given() -> None:
    service = song_service(CREDENTIAL, public_url="https://songs.example.com/v1/")
    async with serve(service) as address, httpx.AsyncClient(base_url=address.url) as http:
        manifest = (await http.get("/.well-known/ai-plugin.json")).json()
    assert manifest["api"]["url"] == "https://songs.example.com/v1/.well-known/openapi.yaml"
