"""Memory of a chat that is connected and idle, beside a bare socket of the same library."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx

from benchmarks.history.processes import resident_kib
from benchmarks.history.report import beside_line
from benchmarks.history.shop import open_shop, serving
from benchmarks.history.sizes import Sizes
from benchmarks.ledger.report import Line
from tests.acceptance.servers import ServerProcess, free_port
from tests.acceptance.shop import EMAIL, WORDS
from tests.chat_page import drawn_page, signed_in

CHAT_KIB = 150.0
AT_ONCE = 20
"""How many connect at a time."""


async def measure(sizes: Sizes, folder: Path) -> list[Line]:
    """Connect them, let them rest, and look at the process."""
    async with open_shop(folder, sizes=(sizes.messages,)) as shop:
        base = ServerProcess(
            ["benchmarks.history.bare", "sockets", str(free_port())], log=folder / "bare.log"
        )
        with serving(shop, folder / "log") as server:
            cookies = await asyncio.to_thread(signed_in, server.address, EMAIL, WORDS)
            ours = await _kib_each(server, cookies, sizes.chats)
        base.start()
        try:
            bare = await _kib_each(base, httpx.Cookies(), sizes.chats)
        finally:
            base.kill()
    return [
        beside_line(
            f"memory of an idle chat, of {sizes.chats} (beside a bare socket)",
            ours=ours,
            baseline=bare,
            ratio=ours / max(bare, 1e-9),
            unit="KiB",
            at_most=CHAT_KIB,
        )
    ]


async def _kib_each(server: ServerProcess, cookies: httpx.Cookies, chats: int) -> float:
    """After as many have come and gone once as connect at a time, which warms everything up."""
    await _connected(server, cookies, min(AT_ONCE, chats), lambda: 0)
    before = resident_kib(server.process)
    after = await _connected(server, cookies, chats, lambda: resident_kib(server.process))
    return (after - before) / chats


async def _connected(
    server: ServerProcess, cookies: httpx.Cookies, chats: int, look: Callable[[], int]
) -> int:
    """What `look` sees while so many are connected."""
    gate = asyncio.Semaphore(AT_ONCE)
    async with AsyncExitStack() as stack:

        async def connect() -> None:
            async with gate:
                page = await stack.enter_async_context(
                    drawn_page(server.address, cookies, profile="tutor")
                )
                await page.until(lambda page: "task_end" in page.heard)

        await asyncio.gather(*(connect() for _ in range(chats)))
        return look()
