"""What becomes of calls that are under way when the server stops and cancels them.

The gateway is called as the server calls it, because the cancelling is the server's.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from starlette.types import Message
from typing_extensions import override

from host.metering.meter import Meter
from host.metering.tabs import Tab
from host.proxy.gateway import Gateway
from storage.books import HoldEnded
from storage.credits import MilliCredits
from tests.proxy_world import CREDIT, World, open_world

WAIT_S = 10
WRITING_S = 0.2
"""Longer than closing takes when it waits for nothing."""


class SlowMeter(Meter):
    """Charges when the gate is open."""

    def __init__(self, world: World) -> None:
        host = world.host
        super().__init__(host.database, host.clock, host.settings, owner=host.meter.owner)
        self.asked = asyncio.Event()
        self.gate = asyncio.Event()
        self.written = asyncio.Event()

    @override
    async def capture(self, tab: Tab, used: MilliCredits) -> HoldEnded:
        self.asked.set()
        async with asyncio.timeout(WAIT_S):
            await self.gate.wait()
        ended = await super().capture(tab, used)
        self.written.set()
        return ended


class Caller:
    """Sends one request without a body and stays."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.bodies: list[bytes] = []
        self._has_sent = False

    async def call(self, gateway: Gateway, path: str, headers: dict[str, str]) -> None:
        named = {"host": "farebox.test", **headers}
        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(name.lower().encode(), value.encode()) for name, value in named.items()],
            "client": ("127.0.0.1", 50_000),
        }
        await gateway(scope, self._receive, self._send)

    async def _receive(self) -> Message:
        if self._has_sent:
            await asyncio.Event().wait()
        self._has_sent = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 200
            self.begun.set()
        else:
            self.bodies.append(message["body"])


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(database_url, tmp_path) as world:
        await world.buy("pack")
        yield world


async def test_an_answer_given_up_before_its_first_byte_is_free(world: World) -> None:
    caller = Caller()
    async with _gateway(world, world.host.meter) as gateway:
        headers = await world.bearer("mirror")
        await _cancel_once(caller.begun, caller.call(gateway, "/s/mirror/silent", headers))
    assert caller.bodies == []
    assert await world.available() == 100 * CREDIT


async def test_closing_waits_until_what_was_delivered_is_written_down(world: World) -> None:
    caller, meter = Caller(), SlowMeter(world)
    async with _gateway(world, meter) as gateway:
        headers = await world.bearer("mirror")
        await _cancel_once(meter.asked, caller.call(gateway, "/s/mirror/status/200", headers))
        asyncio.get_running_loop().call_later(WRITING_S, meter.gate.set)
    was_written = meter.written.is_set()
    async with asyncio.timeout(WAIT_S):
        await meter.written.wait()  # what nobody waited for must not outlive the test
    assert was_written
    assert await world.available() == 99 * CREDIT


@asynccontextmanager
async def _gateway(world: World, meter: Meter) -> AsyncIterator[Gateway]:
    """The world's gateway, but for its meter; closed at the end, as the host does it."""
    host = world.host
    gateway = Gateway(
        settings=host.settings,
        catalogue=host.catalogue,
        access_tokens=host.access_tokens,
        meter=meter,
        vault=host.vault,
        runs=host.runs,
    )
    try:
        yield gateway
    finally:
        await gateway.close()


async def _cancel_once(reached: asyncio.Event, call: Coroutine[None, None, None]) -> None:
    """Cancel the call as a stopping server does, when it has come this far."""
    calling = asyncio.create_task(call)
    try:
        async with asyncio.timeout(WAIT_S):
            await reached.wait()
    finally:
        calling.cancel()
        await asyncio.wait({calling}, timeout=WAIT_S)
    assert calling.cancelled()
