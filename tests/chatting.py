"""The chat as a browser's socket meets it: a page that says what it may, and notes what it hears.

A test asks for `server`, a demo in its own process, and for `sam`, `olga` or `bea`, who are signed
in (`tests/integration/conftest.py`); who needs credits or plans of their own is a `newcomer`.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import httpx
import socketio  # type: ignore[import-untyped]

from farebox.control import perform
from host.config import Settings
from tests.acceptance.servers import ServerProcess
from tests.fakes.pictures import png

PASSWORD = "farebox-demo"
SAM, OLGA, BEA = "sam@example.com", "olga@example.com", "bea@example.com"
MATH = "math-tutor"
PATIENCE_S = 20
PICTURE = png(640, 480)


@dataclass
class Chat:
    """One page: what it was sent, and what it says."""

    client: Any
    http: httpx.AsyncClient
    session_id: str
    heard: list[tuple[str, Any]] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

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

    @staticmethod
    def message(text: str, files: Sequence[str] = (), **more: Any) -> dict[str, Any]:
        """A message as the page sends it."""
        message = {
            "id": str(uuid4()),
            "threadId": "",
            "name": "x",
            "type": "user_message",
            "output": text,
            "createdAt": "2026-11-20T12:00:00Z",
            **more,
        }
        return {"message": message, "fileReferences": [{"id": file_id} for file_id in files]}

    async def say(self, text: str, files: Sequence[str] = (), **more: Any) -> str:
        sent = self.message(text, files, **more)
        await self.client.emit("client_message", sent)
        return str(sent["message"]["id"])

    async def receipt(self, number: int = 1) -> dict[str, Any]:
        """The props of the receipt, once there are so many."""
        await self.until(lambda chat: len(chat.all("element")) >= number)
        props: dict[str, Any] = self.all("element")[number - 1]["props"]
        return props

    @property
    def thread_id(self) -> str:
        return str(self.all("first_interaction")[0]["thread_id"])

    async def told(self, sentence: str) -> str:
        """What was said in a bubble or a toast, once it contains the sentence."""

        def those(chat: "Chat") -> list[str]:
            said = [
                step["output"] for step in chat.all("new_message") + chat.all("update_message")
            ]
            return [text for text in said + chat.toasts() if sentence in text]

        try:
            await self.until(lambda chat: bool(those(chat)))
        except TimeoutError:
            raise AssertionError(f"{sentence!r} is not in {self.heard[-5:]}") from None
        return those(self)[-1]

    async def gone(self) -> None:
        """Wait until the server has closed the socket."""
        async with asyncio.timeout(PATIENCE_S):
            await self.closed.wait()

    def said(self) -> str:
        """Everything in bubbles so far."""
        steps = self.all("new_message") + self.all("update_message")
        return "\n".join(str(step["output"]) for step in steps)

    def toasts(self) -> list[str]:
        return [str(toast["message"]) for toast in self.all("toast")]

    def answer(self) -> str:
        return str(self.all("update_message")[-1]["output"])

    async def thread(self) -> dict[str, Any]:
        answer = await self.http.get(f"/project/thread/{self.thread_id}")
        found: dict[str, Any] = answer.json()
        return found


async def upload(
    chat: Chat, content: bytes, name: str = "figure.png", media_type: str = "image/png"
) -> httpx.Response:
    """What the page's button for files does."""
    return await chat.http.post(
        f"/project/file?session_id={chat.session_id}", files={"file": (name, content, media_type)}
    )


async def uploaded(chat: Chat, content: bytes = PICTURE, name: str = "figure.png") -> str:
    """The id of a file that was taken, to be sent with a message."""
    answer = await upload(chat, content, name)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


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
        client.on("disconnect", lambda *_: chat.closed.set())
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


def logged_in(server: ServerProcess, email: str) -> httpx.Cookies:
    with httpx.Client(base_url=server.address) as http:
        answer = http.post("/login", data={"email": email, "password": PASSWORD})
        assert answer.status_code == 303
        return http.cookies


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody who has just got an account, and is signed in."""

    email: str
    http: httpx.AsyncClient


@asynccontextmanager
async def newcomer(
    server: ServerProcess, folder: Path, *plans: str, role: str = "subscriber"
) -> AsyncIterator[Newcomer]:
    """A person of the test's own, with these plans."""
    email = f"{uuid4().hex}@example.com"
    facts = {"email": email, "name": "", "roles": [role], "password": PASSWORD}
    await operate(folder, "create_account", **facts)
    for plan in plans:
        await give(folder, email, plan)
    async with signed_in(server, email) as http:
        yield Newcomer(email, http)


async def give(folder: Path, email: str, plan: str, credits_: str = "") -> None:
    """Give somebody a plan by hand, with so many credits if told."""
    facts = {"email": email, "plan": plan, "credits_": credits_, "note": ""}
    await operate(folder, "grant", **facts, request=uuid4().hex)


@contextmanager
def tables(folder: Path) -> Iterator[sqlite3.Connection]:
    """The server's own tables, for what no command can do; committed at the end."""
    with closing(sqlite3.connect(folder / "data" / "farebox.db", timeout=10)) as connection:
        yield connection
        connection.commit()


def drawn_types(thread: dict[str, Any]) -> list[str]:
    """What was said and done; what is disclosed with a person's first message is not counted."""
    return [s["type"] for s in thread["steps"] if s["type"] != "system_message"]


async def balance(http: httpx.AsyncClient) -> float:
    return float((await http.get("/api/v1/balance")).json()["available"])


async def operate(folder: Path, verb: str, **facts: Any) -> str:
    """What a command beside the running server is answered."""
    settings = Settings(data_dir=folder / "data")
    return str(await asyncio.to_thread(perform, settings, verb, **facts))


async def threads(http: httpx.AsyncClient, **pagination: object) -> httpx.Response:
    body = {"pagination": {"first": 35, **pagination}, "filter": {}}
    return await http.post("/project/threads", json=body)
