"""What a connection may send before anybody is asked: bounded in size, number and time."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from farebox.http_limits import FIELDS_MAX, HEAD_BYTES_MAX, LimitedHttp
from farebox.server import server_config
from host.config import Settings
from host.pages.outer import Outer

URL = "https://farebox.example"
WAIT_S = 10
HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"


async def echo(_scope: Scope, receive: Receive, send: Send) -> None:
    body, message = b"", await receive()
    while message["type"] == "http.request":
        body += message["body"]
        if not message["more_body"]:
            break
        message = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [
        (b"content-length", str(len(body)).encode())
    ]})  # fmt: skip
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def serving(app: ASGIApp = echo, *, head_s: float = WAIT_S) -> AsyncIterator[int]:
    """The port of a server configured as ours is."""
    config = server_config(app, URL)
    config.load()
    protocol = config.http_protocol_class
    assert issubclass(protocol, LimitedHttp)
    protocol.head_s = head_s
    state = uvicorn.Server(config).server_state
    server = await asyncio.get_running_loop().create_server(
        lambda: protocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for connection in list(state.connections):
            connection.shutdown()
        await asyncio.gather(*state.tasks)


async def answered(port: int, *pieces: bytes) -> tuple[int, bytes]:
    """Send the pieces and read to the end; status 0 if the connection was closed in silence."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(WAIT_S):
            try:
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                whole = await reader.read()
            except ConnectionError:
                whole = b""
    finally:
        writer.close()
    head, _, body = whole.partition(b"\r\n\r\n")
    return (int(head.split(b" ")[1]), body) if head else (0, b"")


def fields(number: int, size: int = 10) -> bytes:
    return b"".join(b"X-%d: %s\r\n" % (i, b"v" * size) for i in range(number))


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(HEAD + fields(FIELDS_MAX + 1) + b"\r\n", id="too many"),
        pytest.param(HEAD + fields(70, 1000) + b"\r\n", id="too much in all"),
        pytest.param(HEAD + fields(1, HEAD_BYTES_MAX) + b"\r\n", id="one too long"),
        pytest.param(HEAD + b"X: " + b"v" * (HEAD_BYTES_MAX + 1), id="one without an end"),
        pytest.param(b"GET /" + b"a" * (HEAD_BYTES_MAX + 1), id="an address without an end"),
    ],
)
async def test_more_headers_than_anybody_needs_are_refused_and_the_connection_closed(
    sent: bytes,
) -> None:
    async with serving() as port:
        status, body = await answered(port, sent)
    assert status == 431
    assert json.loads(body)["code"] == "headers_too_large"
    assert json.loads(body)["type"] == f"{URL}/problems/headers-too-large"


async def test_a_trailer_without_an_end_ends_the_connection() -> None:
    chunks = HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"
    async with serving() as port:
        status, _ = await answered(port, chunks + b"X: " + b"v" * 10 * HEAD_BYTES_MAX)
    assert status in {431, 0}  # 0 where what is left unread resets the connection


async def test_headers_within_the_limits_and_large_bodies_pass() -> None:
    body = bytes(300_000)
    head = HEAD + fields(FIELDS_MAX - 3, 200) + b"Connection: close\r\n"
    one_by_one = b"".join(b"1;x=y\r\na\r\n" for _ in range(30_000)) + b"0\r\n\r\n"
    async with serving() as port:
        sized = await answered(port, head + b"Content-Length: 300000\r\n\r\n", body)
        chunked = await answered(port, head + b"Transfer-Encoding: chunked\r\n\r\n", one_by_one)
    assert sized == (200, body)
    assert chunked == (200, b"a" * 30_000)


async def test_a_second_request_on_a_connection_is_counted_anew() -> None:
    request = HEAD + fields(150, 300) + b"Content-Length: 0\r\n"
    async with serving() as port:
        status, rest = await answered(
            port, request + b"\r\n", request + b"Connection: close\r\n\r\n"
        )
    assert status == 200
    assert rest.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
async def test_a_head_that_does_not_come_in_time_is_not_waited_for(sent: bytes) -> None:
    async with serving(head_s=0.05) as port:
        assert await answered(port, sent) == (0, b"")


async def test_a_slow_answer_is_not_cut_off_by_the_time_for_headers() -> None:
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        reached.set()
        await go_on.wait()
        await echo(scope, receive, send)

    async with serving(slow, head_s=0.05) as port:
        begun_next = HEAD + b"Content-Length: 0\r\n\r\n" + b"GET / HTTP/1.1\r\n"
        asked = asyncio.create_task(answered(port, begun_next))
        async with asyncio.timeout(WAIT_S):
            await reached.wait()
            asyncio.get_running_loop().call_later(0.2, go_on.set)
            status, _ = await asked
    assert status == 200


@pytest.mark.parametrize("framing", [b"Content-Length: 9\r\n", b"Transfer-Encoding: chunked\r\n"])
async def test_a_body_for_pages_or_api_that_does_not_come_in_time_is_given_up(
    framing: bytes,
) -> None:
    async with serving(Outer(echo, Settings(public_url=URL), body_s=0.05)) as port:
        status, body = await answered(port, HEAD + framing + b"\r\n")
    assert status == 408
    assert json.loads(body)["code"] == "request_timeout"


async def test_who_sends_too_slowly_is_told_in_their_language() -> None:
    head = HEAD + b"Accept-Language: es\r\nContent-Length: 9\r\n\r\n"
    async with serving(Outer(echo, Settings(public_url=URL), body_s=0.05)) as port:
        _status, body = await answered(port, head)
    told = json.loads(body)
    assert (told["code"], told["title"]) == (
        "request_timeout",
        "La solicitud ha tardado demasiado",
    )
    assert told["detail"] == "El cuerpo de la solicitud ha llegado demasiado despacio."


async def test_an_answer_that_takes_long_after_the_body_is_not_given_up() -> None:
    read, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_scope: Scope, receive: Receive, send: Send) -> None:
        message: Message = await receive()
        read.set()
        await go_on.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": message["body"]})

    async with serving(Outer(slow, Settings(public_url=URL), body_s=0.05)) as port:
        whole = HEAD + b"Connection: close\r\nContent-Length: 1\r\n\r\na"
        asked = asyncio.create_task(answered(port, whole))
        async with asyncio.timeout(WAIT_S):
            await read.wait()
            asyncio.get_running_loop().call_later(0.2, go_on.set)
            status, _ = await asked
    assert status == 200
