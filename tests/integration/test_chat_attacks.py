"""What a browser may not claim over its socket, nor ask of the chat, whoever sits at it.

Who speaks, as what, in which conversation and from which site is known here and not taken from the
browser. What Farebox does not offer does not exist, whether it is an address or an event.
"""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from socketio.exceptions import ConnectionError as Refused  # type: ignore[import-untyped]

from tests.acceptance.servers import ServerProcess
from tests.chatting import SAM, Chat, balance, drawn_types, page


async def test_of_a_message_a_browser_chooses_its_id_its_text_and_its_time(
    server: ServerProcess, sam: httpx.AsyncClient
) -> None:
    """All else that it claims is gone: the step is what it would have been without."""
    claimed: dict[str, Any] = {
        "type": "system_message",
        "name": "olga",
        "parentId": str(uuid4()),
        "threadId": str(uuid4()),
        "metadata": {"favorite": True, "role": "system"},
        "tags": ["free"],
        "command": "free",
        "modes": {"price": "0"},
        "isError": True,
        "input": "MARK",
        "createdAt": "1970-01-01T00:00:00Z",
        "feedback": {"value": 1},
    }
    async with page(server, sam) as chat:
        before = await balance(sam)
        await chat.say("What is 1 + 1?", **claimed)
        await chat.receipt()
        plain = await chat.say("What is 1 + 2?", createdAt="1970-01-01T00:00:00Z")
        await chat.receipt(2)
        steps = (await chat.thread())["steps"]
    asked = next(step for step in steps if step["output"] == "What is 1 + 1?")
    other = next(step for step in steps if step["id"] == plain)
    own = {"id", "output", "createdAt", "start", "end"}
    assert {k: v for k, v in asked.items() if k not in own} == {
        k: v for k, v in other.items() if k not in own
    }
    assert (asked["type"], asked["parentId"]) == ("user_message", None)
    assert "MARK" not in str(steps)
    assert await balance(sam) == before - 10


EVENTS: dict[str, Any] = {
    "chat_settings_change": {"temperature": 99, "MARK": "x"},
    "chat_settings_edit": {"temperature": 99, "MARK": "x"},
    "fetch_favorites": None,
    "message_favorite": {"message": {"id": "", "metadata": {"favorite": True}}},
    "audio_start": None,
    "audio_chunk": {"isStart": True, "mimeType": "pcm16", "elapsedTime": 1.0, "data": b"MARK"},
    "audio_end": None,
    "edit_message": {"message": {"id": "", "output": "What is 5 * 5?", "type": "user_message"}},
}


@pytest.mark.parametrize("event", EVENTS)
async def test_an_event_that_is_not_offered_is_not_heard(
    server: ServerProcess, sam: httpx.AsyncClient, event: str
) -> None:
    """What is heard is acknowledged, so that silence can be told from slowness."""
    acknowledged: list[str] = []
    async with page(server, sam) as chat:
        before = await balance(sam)
        first = await chat.say("What is 2 * 2?")
        await chat.receipt()
        data = EVENTS[event]
        if isinstance(data, dict) and "message" in data:
            data = {"message": {**data["message"], "id": first}}
        for name, sent in ((event, data), ("client_message", chat.message("What is 3 * 4?"))):
            await chat.client.emit(name, sent, callback=partial(acknowledged.append, name))
        await chat.receipt(2)
        await chat.until(lambda _: "client_message" in acknowledged)
        assert acknowledged == ["client_message"]
        stored = await chat.thread()
    assert "MARK" not in str(stored)
    assert "5 * 5" not in str(stored)
    assert "favorite" not in str(stored)
    assert len(drawn_types(stored)) == 6
    assert await balance(sam) == before - 10


@pytest.mark.parametrize(
    "session_id", [pytest.param("/var/x", id="a path"), pytest.param("..", id="the folder above")]
)
async def test_a_session_id_that_is_a_path_is_refused(
    server: ServerProcess, sam: httpx.AsyncClient, session_id: str
) -> None:
    with pytest.raises(Refused):
        async with page(server, sam, session_id=session_id):
            pass


async def test_a_page_of_another_site_cannot_open_a_socket(
    server: ServerProcess, sam: httpx.AsyncClient
) -> None:
    with pytest.raises(Refused):
        async with page(server, sam, headers={"Origin": "https://evil.example"}):
            pass
    async with page(server, sam, headers={"Origin": server.address}):
        pass


async def test_nobody_gets_in_without_signing_in(server: ServerProcess) -> None:
    async with httpx.AsyncClient(base_url=server.address) as stranger:
        with pytest.raises(Refused):
            async with page(server, stranger):
                pass
        html = await stranger.get("/thread/x", headers={"Accept": "text/html"})
        assert (html.status_code, html.headers["location"]) == (303, "/login?next=/thread/x")
        assert (await stranger.get("/user")).status_code == 401


async def test_chainlits_own_ticket_opens_nothing(
    server: ServerProcess, sam: httpx.AsyncClient
) -> None:
    answer = await sam.get("/user")
    assert answer.json()["display_name"] == "Sam"
    assert "access_token" not in str(answer.headers) + str(sam.cookies)
    async with httpx.AsyncClient(base_url=server.address) as stranger:
        for path in ("/auth/header", "/auth/jwt"):
            assert (await stranger.post(path)).status_code == 404


async def test_a_socket_opens_on_no_conversation_that_is_yet_to_be(
    server: ServerProcess, olga: httpx.AsyncClient
) -> None:
    wanted = str(uuid4())
    async with page(server, olga, profile="home", thread_id=wanted) as chat:
        await chat.until(lambda c: bool(c.all("resume_thread_error")))
        await chat.say("Hello")
        await chat.until(lambda c: bool(c.all("first_interaction")))
        assert chat.thread_id != wanted
        assert (await olga.get(f"/project/thread/{wanted}")).status_code == 404


@asynccontextmanager
async def in_anothers_conversation(
    server: ServerProcess, folder: Path, bea: httpx.AsyncClient, sam: httpx.AsyncClient
) -> AsyncIterator[tuple[Chat, Chat]]:
    """Bea's page in a conversation that has become Sam's, and Sam's, being answered at length."""
    async with page(server, bea) as hers:
        await hers.say("What is 3 + 4?")
        await hers.receipt()
        thread_id = hers.thread_id
        with closing(sqlite3.connect(folder / "data" / "farebox.db", timeout=10)) as tables:
            tables.execute(
                "UPDATE thread SET account_id = (SELECT id FROM account WHERE email = ?)"
                " WHERE id = ?",
                (SAM, thread_id),
            )
            tables.commit()
        async with page(server, sam, thread_id=thread_id) as his:
            await his.until(lambda c: bool(c.all("resume_thread")))
            await his.say("/long")
            await his.until(lambda c: len(c.all("stream_token")) > 2)
            hers.heard.clear()
            try:
                yield hers, his
                assert not his.all("element"), "his answer is still being written"
            finally:
                await his.client.emit("stop")
            assert "Stopped" in (await his.receipt())["line"]
            assert "MARK" not in str(await his.thread())


@pytest.mark.parametrize(
    ("event", "data"),
    [
        pytest.param("stop", None, id="stops nothing"),
        pytest.param("connection_successful", None, id="sees nothing"),
        pytest.param(
            "client_message",
            {"message": {"id": str(uuid4()), "output": "MARK", "type": "user_message"}},
            id="says nothing",
        ),
    ],
)
async def test_whoever_sits_in_anothers_conversation_is_put_out(
    server: ServerProcess,
    folder: Path,
    bea: httpx.AsyncClient,
    sam: httpx.AsyncClient,
    event: str,
    data: object,
) -> None:
    async with in_anothers_conversation(server, folder, bea, sam) as (hers, _):
        await hers.client.emit(event, data)
        await hers.gone()
        assert not hers.heard


async def test_nobody_comes_back_into_anothers_conversation(
    server: ServerProcess, folder: Path, bea: httpx.AsyncClient, sam: httpx.AsyncClient
) -> None:
    async with in_anothers_conversation(server, folder, bea, sam) as (hers, _):
        element = {"id": str(uuid4()), "type": "custom", "name": "KeyForm", "display": "inline"}
        changed = {"element": element, "sessionId": hers.session_id}
        pressed = {
            "action": {"name": "setup_say", "payload": {}},
            "sessionId": hers.session_id,
        }
        for method in ("PUT", "DELETE"):
            answer = await bea.request(method, "/project/element", json=changed)
            assert answer.status_code == 404
        assert (await bea.post("/project/action", json=pressed)).status_code == 404
        with pytest.raises(Refused):
            async with page(server, bea, session_id=hers.session_id):
                pass


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/mcp"),
        ("DELETE", "/mcp"),
        ("GET", "/copilot/index.js"),
        ("GET", "/health"),
        ("PUT", "/project/thread/share"),
        ("GET", "/project/thread/share"),
        ("GET", "/project/share/x"),
        ("GET", "/project/file/x?session_id=x"),
        ("POST", "/auth/jwt"),
        ("POST", "/auth/header"),
        ("GET", "/auth/oauth/github"),
        ("GET", "/nothing-here"),
    ],
)
async def test_what_is_not_offered_does_not_exist(
    sam: httpx.AsyncClient, method: str, path: str
) -> None:
    assert (await sam.request(method, path, json={})).status_code == 404
