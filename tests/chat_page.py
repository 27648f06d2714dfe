"""A page of the chat without a browser: it draws what its socket is sent, as Chainlit's page does.

What it shows is a fold of the events: a conversation that is read anew replaces what was drawn, a
message of a known id replaces that message, pieces of an answer are put behind what is there.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

import aiohttp
import httpx
import socketio  # type: ignore[import-untyped]

PATIENCE_S: Final = 30
STREAMS: Final = frozenset({"stream_start", "stream_token"})
ASIDE: Final = frozenset({"run", "tool", "system_message"})
"""Steps that nobody said."""


@dataclass
class DrawnPage:
    """What somebody sees on one page."""

    client: Any
    session_id: str
    messages: dict[str, str] = field(default_factory=dict)
    """Text by id, in the order in which it stands there."""
    receipts: dict[str, str] = field(default_factory=dict)
    """The lines under answers, by the answer's id."""
    thread_id: str = ""
    is_busy: bool = False
    """Whether there is a Stop button."""
    grown: list[str] = field(default_factory=list)
    """What an answer said each time that a piece of it came."""
    redrawn: int = 0
    """How often the whole conversation was drawn."""
    heard: list[str] = field(default_factory=list)
    is_cut_off: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def draw(self, event: str, *data: Any) -> None:
        """Take one event."""
        self.heard.append(event)
        said: Any = data[0] if data else {}
        match event:
            case "task_start" | "task_end":
                self.is_busy = event == "task_start"
            case "first_interaction":
                self.thread_id = str(said["thread_id"])
            case "resume_thread":
                self._draw_anew(said)
            case "new_message" | "update_message" | "stream_start" if said["type"] not in ASIDE:
                self.messages[said["id"]] = said["output"]
            case "stream_token":
                self.messages[said["id"]] += said["token"]
            case "element":
                self.receipts[said["forId"]] = said["props"]["line"]
        if event in STREAMS:
            self.grown.append(self.messages[said["id"]])
        self.tell()

    def _draw_anew(self, thread: dict[str, Any]) -> None:
        self.thread_id = thread["id"]
        self.redrawn += 1
        said = [step for step in thread["steps"] if step["type"] not in ASIDE]
        self.messages = {step["id"]: step["output"] for step in said}
        self.receipts = {
            element["forId"]: element["props"]["line"]
            for element in thread["elements"]
            if "line" in element["props"]
        }

    def tell(self) -> None:
        """Wake whoever waits for something on this page."""
        self._news.set()
        self._news = asyncio.Event()

    async def until(self, seen: Callable[["DrawnPage"], bool]) -> None:
        """Wait until the page looks like that."""
        async with asyncio.timeout(PATIENCE_S):
            while not seen(self):
                await self._news.wait()

    async def say(self, text: str) -> str:
        """Type a message and send it; it stands on the page at once. Returns its id."""
        message_id = str(uuid4())
        message = {
            "id": message_id,
            "threadId": "",
            "name": "me",
            "type": "user_message",
            "output": text,
            "createdAt": "2026-11-20T12:00:00Z",
        }
        self.messages[message_id] = text
        await self.client.emit("client_message", {"message": message, "fileReferences": []})
        return message_id

    async def ask(self, text: str) -> str:
        """Send a message and wait for the receipt under its answer; what that says."""
        before = set(self.receipts)
        await self.say(text)
        await self.until(lambda page: bool(set(page.receipts) - before) and not page.is_busy)
        (new,) = set(self.receipts) - before
        return self.receipts[new]

    async def stop(self) -> None:
        """Press Stop."""
        await self.client.emit("stop")

    @property
    def last(self) -> str:
        """What stands at the end of the conversation."""
        return next(reversed(self.messages.values()), "")


@asynccontextmanager
async def drawn_page(
    address: str,
    cookies: httpx.Cookies,
    *,
    profile: str = "",
    thread_id: str = "",
    session_id: str | None = None,
) -> AsyncIterator[DrawnPage]:
    """Open a page, or one that is known again; it is closed as a tab is closed."""
    async with aiohttp.ClientSession() as connections:  # its own would stay open when refused
        client = socketio.AsyncClient(reconnection=False, http_session=connections)
        page = DrawnPage(client, session_id or str(uuid4()))
        client.on("*", page.draw)

        def cut_off(*_: object) -> None:
            page.is_cut_off = True
            page.tell()

        client.on("disconnect", cut_off)
        await client.connect(
            address,
            socketio_path="/ws/socket.io",
            transports=["websocket"],
            wait_timeout=PATIENCE_S,
            headers={"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())},
            auth={
                "sessionId": page.session_id,
                "clientType": "webapp",
                "threadId": thread_id,
                "userEnv": "{}",
                "chatProfile": profile,
            },
        )
        await client.emit("connection_successful")
        try:
            yield page
        finally:
            await client.disconnect()


def signed_in(address: str, email: str, password: str) -> httpx.Cookies:
    """A login session."""
    with httpx.Client(base_url=address) as http:
        answer = http.post("/login", data={"email": email, "password": password})
        assert answer.status_code == 303
        return http.cookies
