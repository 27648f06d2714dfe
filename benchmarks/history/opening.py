"""A long conversation is opened: from a socket's first byte to the conversation on the page.

Beside it stands what every socket costs, on the same server: one that opens nothing.
"""

import asyncio
from pathlib import Path

import httpx

from benchmarks.history.past import thread_id
from benchmarks.history.report import beside_line
from benchmarks.history.shop import open_shop, serving
from benchmarks.history.sizes import Sizes
from benchmarks.history.turns import interleave, timed
from benchmarks.ledger.report import Line
from tests.acceptance.shop import EMAIL, WORDS
from tests.chat_page import drawn_page, signed_in

OPEN_MS = 150.0


async def measure(sizes: Sizes, folder: Path) -> list[Line]:
    """Open it again and again, each time on a page of its own."""
    past = (*[sizes.messages] * sizes.threads, sizes.long_thread)
    async with open_shop(folder, sizes=past) as shop:
        with serving(shop, folder / "log") as server:
            cookies = await asyncio.to_thread(signed_in, server.address, EMAIL, WORDS)
            taken = await interleave(
                {
                    "thread": timed(
                        lambda: _open(server.address, cookies, thread_id(sizes.threads))
                    ),
                    "socket": timed(lambda: _open(server.address, cookies, "")),
                },
                rounds=sizes.rounds,
            )
    return [
        beside_line(
            f"open a thread of {sizes.long_thread} messages (beside an empty page)",
            ours=taken.of("thread"),
            baseline=taken.of("socket"),
            ratio=taken.ratio("thread", "socket"),
            unit="ms",
            at_most=OPEN_MS,
        )
    ]


async def _open(address: str, cookies: httpx.Cookies, thread: str) -> None:
    async with drawn_page(address, cookies, profile="tutor", thread_id=thread) as page:
        if thread:
            await page.until(lambda page: page.redrawn > 0)
        else:
            await page.until(lambda page: "task_end" in page.heard)
