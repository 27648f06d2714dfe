"""The chat over its own socket: a running server, and a client that does what browsers may do."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import aiohttp
import httpx
import pytest
import socketio  # type: ignore[import-untyped]
from socketio.exceptions import ConnectionError as Refused  # type: ignore[import-untyped]

from farebox.control import perform
from host.config import Settings
from tests.acceptance.servers import ServerProcess

PASSWORD = "farebox-demo"
SAM, OLGA, BEA = "sam@example.com", "olga@example.com", "bea@example.com"
MATH = "math-tutor"
PATIENCE_S = 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chat")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[ServerProcess]:
    running = ServerProcess(
        ["farebox", "demo", "--port", "0", "--data-dir", str(folder / "data")],
        log=folder / "log",
    ).start()
    yield running
    running.stop()


@dataclass
class Chat:
    """One page: what it was sent, and what it says."""

    client: Any
    http: httpx.AsyncClient
    session_id: str
    heard: list[tuple[str, Any]] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, event: str, *data: Any) -> None:
        self.heard.append((event, data[0] if data else None))
        self.news.set()
        self.news = asyncio.Event()

    async def until(self, found: Callable[["Chat"], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not found(self):
                await self.news.wait()

    def all(self, event: str) -> list[Any]:
        return [data for name, data in self.heard if name == event]

    async def say(self, text: str, files: Sequence[str] = (), **more: Any) -> str:
        message = {
            "id": str(uuid4()),
            "threadId": "",
            "name": "x",
            "type": "user_message",
            "output": text,
            "createdAt": "2026-11-20T12:00:00Z",
            **more,
        }
        references = [{"id": file_id} for file_id in files]
        await self.client.emit(
            "client_message", {"message": message, "fileReferences": references}
        )
        return str(message["id"])

    async def receipt(self, number: int = 1) -> dict[str, Any]:
        """The props of the receipt, once there are so many."""
        await self.until(lambda chat: len(chat.all("element")) >= number)
        props: dict[str, Any] = self.all("element")[number - 1]["props"]
        return props

    @property
    def thread_id(self) -> str:
        return str(self.all("first_interaction")[0]["thread_id"])

    def answer(self) -> str:
        return str(self.all("update_message")[-1]["output"])

    async def thread(self) -> dict[str, Any]:
        answer = await self.http.get(f"/project/thread/{self.thread_id}")
        found: dict[str, Any] = answer.json()
        return found


@asynccontextmanager
async def signed_in(server: ServerProcess, email: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.address) as http:
        answer = await http.post("/login", data={"email": email, "password": PASSWORD})
        assert answer.status_code == 303
        yield http


@asynccontextmanager
async def page(
    server: ServerProcess,
    http: httpx.AsyncClient,
    *,
    profile: str = MATH,
    thread_id: str = "",
    session_id: str | None = None,
    headers: dict[str, str] | None = None,
) -> AsyncIterator[Chat]:
    async with aiohttp.ClientSession() as connections:  # its own would stay open when refused
        client = socketio.AsyncClient(reconnection=False, http_session=connections)
        chat = Chat(client, http, session_id or str(uuid4()))
        client.on("*", chat.note)
        cookies = "; ".join(f"{name}={value}" for name, value in http.cookies.items())
        await client.connect(
            server.address,
            socketio_path="/ws/socket.io",
            transports=["websocket"],
            headers={"Cookie": cookies, **(headers or {})},
            auth={
                "sessionId": chat.session_id,
                "clientType": "webapp",
                "threadId": thread_id,
                "userEnv": "{}",
                "chatProfile": profile,
            },
        )
        await client.emit("connection_successful")
        try:
            yield chat
        finally:
            await client.disconnect()


@pytest.fixture(scope="module")
def cookies(server: ServerProcess) -> dict[str, httpx.Cookies]:
    """By e-mail address, a login session: checking a password is slow on purpose, so once each."""
    return {email: logged_in(server, email) for email in (SAM, OLGA, BEA)}


def logged_in(server: ServerProcess, email: str) -> httpx.Cookies:
    with httpx.Client(base_url=server.address) as http:
        answer = http.post("/login", data={"email": email, "password": PASSWORD})
        assert answer.status_code == 303
        return http.cookies


@pytest.fixture
async def sam(
    server: ServerProcess, cookies: dict[str, httpx.Cookies]
) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.address, cookies=cookies[SAM]) as http:
        yield http


@pytest.fixture
async def olga(
    server: ServerProcess, cookies: dict[str, httpx.Cookies]
) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.address, cookies=cookies[OLGA]) as http:
        yield http


@pytest.fixture
async def bea(
    server: ServerProcess, cookies: dict[str, httpx.Cookies]
) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.address, cookies=cookies[BEA]) as http:
        yield http


async def balance(http: httpx.AsyncClient) -> float:
    return float((await http.get("/api/v1/balance")).json()["available"])


def drawn_types(thread: dict[str, Any]) -> list[str]:
    """What was said and done; what is disclosed with a person's first message is not counted."""
    return [s["type"] for s in thread["steps"] if s["type"] != "system_message"]


async def test_a_message_is_answered_with_a_receipt_that_is_there_again_later(
    server: ServerProcess, sam: httpx.AsyncClient
) -> None:
    async with page(server, sam) as chat:
        await chat.say("What is 6 * 7?")
        live = await chat.receipt()
        assert "42" in chat.answer()
        stored = await chat.thread()
    assert live["line"].startswith("−5 credits")
    assert [element["props"] for element in stored["elements"]] == [live]
    assert drawn_types(stored) == ["user_message", "run", "assistant_message"]
    assert stored["name"] == "What is 6 * 7?"
    assert chat.all("update_message")[-1]["name"] == stored["steps"][-1]["name"] == "Math Tutor"


async def test_the_same_message_twice_is_one_message(
    server: ServerProcess, sam: httpx.AsyncClient
) -> None:
    before = await balance(sam)
    async with page(server, sam) as chat:
        first = await chat.say("What is 2 * 3?")
        await chat.say("What is 2 * 3?", id=first)
        await chat.receipt()
        await chat.say("What is 9 * 9?", id=first)
        await chat.say("What is 3 * 3?")
        await chat.receipt(2)
        assert len(drawn_types(await chat.thread())) == 6
    assert await balance(sam) == before - 10


async def test_who_speaks_and_as_what_is_decided_here(
    server: ServerProcess, sam: httpx.AsyncClient
) -> None:
    async with page(server, sam) as chat:
        await chat.say("What is 1 + 1?", type="system_message", name="olga", parentId=str(uuid4()))
        await chat.receipt()
        asked = (await chat.thread())["steps"][0]
    assert (asked["type"], asked["parentId"]) == ("user_message", None)
    assert asked["name"] != "olga"


async def test_a_pasted_key_is_shown_to_nobody_and_stored_nowhere(
    server: ServerProcess, sam: httpx.AsyncClient
) -> None:
    planted = "sk-proj-planted0123456789abcdefXYZ"
    async with page(server, sam) as chat:
        await chat.say(f"my key is {planted}")
        await chat.receipt()
        assert planted not in str(chat.heard)
        assert "[secret removed]" in str(chat.all("update_message")[0]["output"])
        assert planted not in str(await chat.thread())


async def operate(folder: Path, verb: str, **facts: Any) -> str:
    """What a command beside the running server is answered."""
    settings = Settings(data_dir=folder / "data")
    return str(await asyncio.to_thread(perform, settings, verb, **facts))


async def test_a_daily_limit_is_said_in_the_chat_with_what_to_do(
    server: ServerProcess, folder: Path, sam: httpx.AsyncClient
) -> None:
    assert "may spend 1 credit a day" in await operate(folder, "set_cap", email=SAM, credits_="1")
    async with page(server, sam) as chat:
        await chat.say("What is 6 * 7?")
        sentence = (
            "Not charged: this needs 5 credits, more than your daily limit of 1; raise the limit"
            " on your account page."
        )
        await chat.until(lambda c: sentence in [m["output"] for m in c.all("new_message")])
        assert not chat.all("element")
        assert "no daily limit" in await operate(folder, "set_cap", email=SAM, credits_=None)
        await chat.say("What is 6 * 7?")
        assert (await chat.receipt())["line"].startswith("−5 credits")


async def test_a_refund_stands_under_the_answer_when_the_conversation_is_opened_again(
    server: ServerProcess, folder: Path, sam: httpx.AsyncClient
) -> None:
    async with page(server, sam) as chat:
        await chat.say("What is 6 * 7?")
        receipt = await chat.receipt()
        number = receipt["href"].rpartition("/")[2]
        facts = {"receipt": number, "credits_": "2", "note": "", "request": "ticket-1"}
        assert await operate(folder, "refund", **facts) == (
            f"Refunded 2 credits to {SAM}; of 5 charged, 3 left."
        )
        assert "nothing was added" in await operate(folder, "refund", **facts)
        (element,) = (await chat.thread())["elements"]
    assert element["props"]["line"].startswith(f"{receipt['line']} · 2 refunded on ")


async def test_an_assistant_that_was_not_bought_does_not_answer(
    server: ServerProcess, olga: httpx.AsyncClient
) -> None:
    async with page(server, olga, profile=MATH) as chat:
        await chat.say("What is 6 * 7?")
        await chat.until(lambda c: len(c.all("new_message")) >= 1)
        said = chat.all("new_message")[-1]["output"]
    assert "harged" in said
    assert not chat.all("element")


async def test_a_subscriber_who_names_the_setup_bot_is_turned_away(
    server: ServerProcess, sam: httpx.AsyncClient
) -> None:
    async with page(server, sam, profile="setup-bot") as chat:
        await chat.until(lambda c: len(c.all("new_message")) >= 1)
        assert "Only builders" in chat.all("new_message")[-1]["output"]


async def test_stop_ends_the_answer_and_says_what_it_cost(
    server: ServerProcess, sam: httpx.AsyncClient
) -> None:
    async with page(server, sam) as chat:
        await chat.say("/long")
        await chat.until(lambda c: len(c.all("stream_token")) > 2)
        await chat.client.emit("stop")
        assert (await chat.receipt())["line"].startswith("Stopped, 5 credits")
        assert "manually stopped" not in str(chat.heard)


async def test_a_page_that_opens_the_thread_joins_the_answer_being_written(
    server: ServerProcess, sam: httpx.AsyncClient
) -> None:
    async with page(server, sam) as first:
        await first.say("/long")
        await first.until(lambda c: bool(c.all("stream_token")))
        thread_id = first.thread_id
    async with page(server, sam, thread_id=thread_id) as second:
        await second.until(lambda c: bool(c.all("stream_token")))
        assert second.all("resume_thread")
        await second.client.emit("stop")
        assert "Stopped" in (await second.receipt())["line"]


async def test_a_page_that_comes_back_sees_what_it_missed(
    server: ServerProcess, sam: httpx.AsyncClient
) -> None:
    session_id = str(uuid4())
    async with page(server, sam, session_id=session_id) as before:
        await before.say("What is 12 * 12?")
        await before.until(lambda c: bool(c.all("first_interaction")))
    async with page(server, sam, session_id=session_id) as after:
        await after.until(lambda c: "144" in str(c.heard))
        assert after.all("resume_thread")


async def test_an_edited_message_is_not_heard(
    server: ServerProcess, sam: httpx.AsyncClient
) -> None:
    before = await balance(sam)
    async with page(server, sam) as chat:
        first = await chat.say("What is 2 * 2?")
        await chat.receipt()
        edited = {"id": first, "output": "What is 5 * 5?", "type": "user_message"}
        await chat.client.emit("edit_message", {"message": edited})
        await chat.say("What is 3 * 4?")
        await chat.receipt(2)
        assert "5 * 5" not in str(await chat.thread())
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


async def test_signing_out_closes_the_socket(server: ServerProcess) -> None:
    async with signed_in(server, SAM) as http, page(server, http) as chat:
        await chat.client.emit("fetch_favorites")
        assert (await http.post("/logout")).status_code == 303
        gone = asyncio.Event()
        chat.client.on("disconnect", lambda *_: gone.set())
        await chat.say("Am I still here?")
        async with asyncio.timeout(PATIENCE_S):
            await gone.wait()


async def test_a_strangers_thread_element_action_and_feedback_do_not_exist(
    server: ServerProcess, sam: httpx.AsyncClient, olga: httpx.AsyncClient
) -> None:
    async with page(server, sam) as chat:
        await chat.say("What is 8 * 8?")
        await chat.receipt()
        steps = (await chat.thread())["steps"]
        session_id, thread_id, run_id = chat.session_id, chat.thread_id, steps[1]["id"]
        opinion = {"forId": run_id, "value": 1, "threadId": thread_id}
        element = {"id": str(uuid4()), "type": "custom", "name": "KeyForm", "display": "inline"}
        tries = {
            ("PUT", "/feedback"): {"feedback": opinion, "sessionId": session_id},
            ("PUT", "/project/element"): {"element": element, "sessionId": session_id},
            ("DELETE", "/project/element"): {"element": element, "sessionId": session_id},
            ("POST", "/project/action"): {
                "action": {"name": "setup_say", "payload": {}},
                "sessionId": session_id,
            },
        }
        for (method, path), body in tries.items():
            answer = await olga.request(method, path, json=body)
            assert answer.status_code == 404, path
        with pytest.raises(Refused):
            async with page(server, olga, thread_id=thread_id):
                pass
        assert (await olga.get(f"/project/thread/{thread_id}")).status_code in {401, 404}
        mine = await sam.put("/feedback", json={"feedback": opinion, "sessionId": session_id})
        assert mine.status_code == 200
        assert (await chat.thread())["steps"][1]["feedback"]["value"] == 1


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
        gone = asyncio.Event()
        hers.client.on("disconnect", lambda *_: gone.set())
        await hers.client.emit(event, data)
        async with asyncio.timeout(PATIENCE_S):
            await gone.wait()
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


async def test_an_element_that_is_drawn_but_not_stored_is_changed_without_complaint(
    server: ServerProcess, sam: httpx.AsyncClient
) -> None:
    async with page(server, sam) as chat:
        element = {"id": str(uuid4()), "type": "custom", "name": "KeyForm", "display": "inline"}
        changed = {"element": element, "sessionId": chat.session_id}
        for method in ("PUT", "DELETE"):
            answer = await sam.request(method, "/project/element", json=changed)
            assert (answer.status_code, answer.json()) == (200, {"success": False})
        assert not chat.all("element")


async def test_a_message_that_is_no_text_is_refused_and_the_next_one_heard(
    server: ServerProcess, sam: httpx.AsyncClient
) -> None:
    before = await balance(sam)
    async with page(server, sam) as chat:
        await chat.say("a\ud800b")
        await chat.until(lambda c: bool(c.all("toast")))
        assert "no text" in chat.all("toast")[0]["message"]
        assert not chat.all("first_interaction")
        await chat.say("What is 4 * 4?")
        await chat.receipt()
    assert await balance(sam) == before - 5


@pytest.fixture
async def old_threads(
    server: ServerProcess, folder: Path, olga: httpx.AsyncClient
) -> AsyncIterator[list[str]]:
    """A hundred and one empty conversations of Olga's; ids, most recently used first."""
    made = [str(uuid4()) for _ in range(101)]
    with closing(sqlite3.connect(folder / "data" / "farebox.db", timeout=10)) as tables:
        tables.executemany(
            "INSERT INTO thread (id, account_id, chat_metadata, tags, created_at, updated_at)"
            " SELECT ?, id, '{}', '[]', 0, ? FROM account WHERE email = ?",
            [(thread_id, 101 - number, OLGA) for number, thread_id in enumerate(made)],
        )
        tables.commit()
        yield made
        tables.execute("DELETE FROM thread WHERE updated_at <= 101")
        tables.commit()


async def threads(http: httpx.AsyncClient, **pagination: object) -> httpx.Response:
    body = {"pagination": {"first": 35, **pagination}, "filter": {}}
    return await http.post("/project/threads", json=body)


async def test_the_sidebar_goes_on_where_its_page_ended(
    olga: httpx.AsyncClient, old_threads: list[str]
) -> None:
    first = await threads(olga, cursor=f"101.{old_threads[0]}")
    assert [line["id"] for line in first.json()["data"]] == old_threads[1:36]
    second = await threads(olga, cursor=first.json()["pageInfo"]["endCursor"])
    assert [line["id"] for line in second.json()["data"]] == old_threads[36:71]


@pytest.mark.parametrize(
    "cursor",
    [
        pytest.param(f"{2**63}.{uuid4()}", id="beyond 64 bits"),
        pytest.param("9" * 5000 + f".{uuid4()}", id="of 5000 digits"),
        pytest.param(f"\u0661\u0662.{uuid4()}", id="in other digits"),
        pytest.param("1.\0", id="with no thread"),
        pytest.param("nonsense", id="none at all"),
    ],
)
async def test_a_cursor_that_is_none_of_ours_shows_the_first_page(
    olga: httpx.AsyncClient, old_threads: list[str], cursor: str
) -> None:
    answer = await threads(olga, cursor=cursor)
    assert answer.status_code == 200
    assert answer.json()["data"] == (await threads(olga)).json()["data"]


@pytest.mark.parametrize(
    ("first", "shown"),
    [
        pytest.param(-1, 1, id="negative"),
        pytest.param(0, 1, id="none"),
        pytest.param(2**63, 100, id="beyond 64 bits"),
    ],
)
async def test_a_page_of_the_sidebar_has_at_least_one_line_and_at_most_a_hundred(
    olga: httpx.AsyncClient, old_threads: list[str], first: int, shown: int
) -> None:
    answer = await threads(olga, first=first)
    assert answer.status_code == 200
    assert len(answer.json()["data"]) == shown
    assert answer.json()["pageInfo"]["hasNextPage"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/mcp"),
        ("GET", "/copilot/index.js"),
        ("GET", "/health"),
        ("PUT", "/project/thread/share"),
        ("GET", "/project/share/x"),
        ("GET", "/project/file/x?session_id=x"),
        ("POST", "/project/file?session_id=x"),
        ("GET", "/nothing-here"),
    ],
)
async def test_what_is_not_offered_does_not_exist(
    sam: httpx.AsyncClient, method: str, path: str
) -> None:
    assert (await sam.request(method, path, json={})).status_code == 404


async def test_every_page_says_what_it_may_load(sam: httpx.AsyncClient) -> None:
    answer = await sam.get("/")
    policy = answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert urlsplit(str(answer.url)).path == "/"
    assert 'href="http' not in answer.text


async def test_scripts_are_compressed_and_kept(sam: httpx.AsyncClient) -> None:
    html = (await sam.get("/")).text
    script = html.split('src="/assets/')[1].split('"')[0]
    answer = await sam.get(f"/assets/{script}", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert "immutable" in answer.headers["cache-control"]
    assert (await sam.get("/assets/../config.py")).status_code == 404
