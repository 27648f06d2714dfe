"""A builder's service on a real socket, written by hand so that nothing between tidies its bytes.

What it does is in the first segment of the path. It notes every request as it came, byte for byte,
and what waits waits for the test to open the gate.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

LIMIT_S = 10


@dataclass(frozen=True, slots=True)
class Heard:
    """One request as it arrived."""

    line: bytes
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def target(self) -> bytes:
        """Path and query, as they were sent."""
        return self.line.split(b" ")[1]

    def header(self, name: str) -> str | None:
        """The one value of a header."""
        values = [value for found, value in self.headers if found.lower() == name]
        assert len(values) <= 1, values
        return values[0] if values else None


class Service:
    """Answers by path: mirror, status, cut, hang, stream, silent, redirect, cookie."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.arrived = asyncio.Event()
        self.gone = asyncio.Event()
        self.gate = asyncio.Event()
        self.url = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests until the connection ends."""
        try:
            while await self._answer_one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            self.gone.set()
        finally:
            writer.close()

    async def _answer_one(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        request = await _read(reader)
        self.heard.append(request)
        self.arrived.set()
        path = request.target.partition(b"?")[0].decode()
        _, what, *rest = path.split("/")
        if what == "hang":
            return await self._hang(reader)
        if what == "stream":
            await self._stream(writer)
            return True
        if what == "silent":
            await self._silent(writer)
            return False
        if what == "cut":
            await self._cut(writer, shown=int(rest[0]))
            return False
        writer.write(self._answer(request, what, rest[0] if rest else ""))
        await writer.drain()
        return what not in {"garbage", "redirect"}

    def _answer(self, request: Heard, what: str, detail: str) -> bytes:
        match what:
            case "status":
                return _whole(int(detail), b"" if detail == "304" else b"as told")
            case "bodiless":
                return f"HTTP/1.1 {detail} Told\r\n\r\n".encode()
            case "garbage":
                return b"this is not HTTP\r\n\r\n"
            case "redirect":
                return _head(302, [("Location", f"{self.url}/mirror/there?x=1")])
            case "cookie":
                cookies = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-Twice", "1")]
                extra = [*cookies, ("X-Twice", "2"), ("Farebox-Receipt", "forged")]
                return _whole(200, b"cookies", extra)
            case _:
                whole = _whole(200, request.body, [("Content-Encoding", "x-mirror")])
                is_head = request.line.startswith(b"HEAD")
                return whole[: whole.index(b"\r\n\r\n") + 4] if is_head else whole

    async def _hang(self, reader: asyncio.StreamReader) -> bool:
        opened = asyncio.create_task(self.gate.wait())
        left = asyncio.create_task(reader.read(1))
        await asyncio.wait({opened, left}, return_when=asyncio.FIRST_COMPLETED, timeout=LIMIT_S)
        if left.done():
            self.gone.set()
        opened.cancel()
        left.cancel()
        return False

    async def _cut(self, writer: asyncio.StreamWriter, *, shown: int) -> None:
        writer.write(_head(200, [("Content-Length", "10")]) + bytes(shown))
        await writer.drain()
        if shown:
            async with asyncio.timeout(LIMIT_S):
                await self.gate.wait()

    async def _silent(self, writer: asyncio.StreamWriter) -> None:
        writer.write(_head(200, [("Content-Type", "text/event-stream")]))
        await writer.drain()
        async with asyncio.timeout(LIMIT_S):
            await self.gate.wait()

    async def _stream(self, writer: asyncio.StreamWriter) -> None:
        kind = [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")]
        writer.write(_head(200, kind) + _chunk(b"data: one\n\n"))
        await writer.drain()
        async with asyncio.timeout(LIMIT_S):
            await self.gate.wait()
        writer.write(_chunk(b"data: two\n\n") + b"0\r\n\r\n")


@asynccontextmanager
async def running_service() -> AsyncIterator[Service]:
    """The service on a port of its own."""
    service = Service()
    server = await asyncio.start_server(service.handle, "127.0.0.1", 0)
    service.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield service
    finally:
        service.gate.set()
        server.close()


async def _read(reader: asyncio.StreamReader) -> Heard:
    head = await reader.readuntil(b"\r\n\r\n")
    line, *fields = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    pairs = [field.decode().partition(":") for field in fields]
    headers = [(name, value.strip()) for name, _, value in pairs]
    named = {name.lower(): value for name, value in headers}
    if "chunked" in named.get("transfer-encoding", ""):
        body = b""
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
    else:
        body = await reader.readexactly(int(named.get("content-length", "0")))
    return Heard(line, headers, body)


def _whole(status: int, body: bytes, extra: list[tuple[str, str]] | None = None) -> bytes:
    return _head(status, [("Content-Length", str(len(body))), *(extra or [])]) + body


def _head(status: int, headers: list[tuple[str, str]]) -> bytes:
    lines = [f"HTTP/1.1 {status} Told", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"
