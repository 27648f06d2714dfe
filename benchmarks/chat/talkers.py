"""Two who talk to the same upstream: one through Farebox's socket, one with OpenAI's SDK.

Both talk in conversations that are open: opening one is one more request on either side. What is
measured of an answer is when its first word was there and when the last of so many was.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final
from uuid import uuid4

import aiohttp
import socketio  # type: ignore[import-untyped]
from openai import AsyncOpenAI

from benchmarks.chat.place import Place
from farebox.demo.seed import MODEL

LONG: Final = "/long"
PATIENCE_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Timing:
    """Of one answer, in seconds since the question was sent."""

    first_s: float
    last_s: float


@dataclass
class Talker:
    """A page: what it is sent of an answer, word by word."""

    client: Any
    _words: int = 0
    _first_at: float = 0.0
    _is_over: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, event: str, *data: Any) -> None:
        """Count what is shown."""
        if event == "stream_start":
            self._first_at = perf_counter()
            self._words += len(data[0]["output"].split())
        elif event == "stream_token":
            self._words += len(data[0]["token"].split())
        elif event == "element":
            self._is_over = True
        else:
            return
        self._news.set()

    async def ask(self, text: str, words: int) -> Timing:
        """Ask; done when so many words are there. The rest is stopped."""
        self._words, self._first_at, self._is_over = 0, 0.0, False
        message = {
            "id": str(uuid4()),
            "threadId": "",
            "name": "x",
            "type": "user_message",
            "output": text,
            "createdAt": "2026-11-20T12:00:00Z",
        }
        asked_at = perf_counter()
        await self.client.emit("client_message", {"message": message, "fileReferences": []})
        async with asyncio.timeout(PATIENCE_S):
            while self._words < words and not self._is_over:
                await self._heard()
            done_at = perf_counter()
            if not self._is_over:
                await self.client.emit("stop")
            while not self._is_over:
                await self._heard()
        return Timing(self._first_at - asked_at, done_at - asked_at)

    async def _heard(self) -> None:
        await self._news.wait()
        self._news.clear()


@asynccontextmanager
async def through_farebox(place: Place) -> AsyncIterator[Talker]:
    """A page in a conversation that has begun."""
    async with aiohttp.ClientSession() as connections:
        client = socketio.AsyncClient(reconnection=False, http_session=connections)
        talker = Talker(client)
        client.on("*", talker.hear)
        cookies = "; ".join(f"{name}={value}" for name, value in place.cookies.items())
        await client.connect(
            place.server,
            socketio_path="/ws/socket.io",
            transports=["websocket"],
            headers={"Cookie": cookies},
            auth={
                "sessionId": str(uuid4()),
                "clientType": "webapp",
                "threadId": "",
                "userEnv": "{}",
                "chatProfile": "math-tutor",
            },
        )
        try:
            await client.emit("connection_successful")
            await talker.ask("What is 2 + 2?", 10_000)
            yield talker
        finally:
            await client.disconnect()


class Direct:
    """The SDK, with a conversation for each question: one that is hung up stays busy a while."""

    def __init__(self, client: AsyncOpenAI) -> None:
        self._client = client

    async def ask(self, text: str, words: int) -> Timing:
        """As `Talker.ask`."""
        conversation = await self._client.conversations.create()
        asked_at = perf_counter()
        heard, first_at = 0, 0.0
        async with await self._client.responses.create(
            model=MODEL,
            instructions="You are a patient math tutor.",
            conversation=conversation.id,
            input=text,
            stream=True,
            stream_options={"include_obfuscation": False},
        ) as stream:
            async for event in stream:
                if event.type == "response.output_text.delta":
                    first_at = first_at or perf_counter()
                    heard += len(event.delta.split())
                    if heard >= words:
                        break
            done_at = perf_counter()
        return Timing(first_at - asked_at, done_at - asked_at)


@asynccontextmanager
async def straight(place: Place) -> AsyncIterator[Direct]:
    """The SDK on the same upstream, with the same key."""
    async with AsyncOpenAI(
        api_key=place.key, base_url=place.upstream, max_retries=0, timeout=PATIENCE_S
    ) as client:
        direct = Direct(client)
        await direct.ask("What is 2 + 2?", 10_000)
        yield direct
