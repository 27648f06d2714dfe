"""What people see when the server is asked to stop while their answers are being written."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlmodel import select

from storage.database import Database
from storage.models.conversations import Run
from tests.acceptance.servers import farebox
from tests.acceptance.shop import EMAIL, WORDS
from tests.chat_page import PATIENCE_S, DrawnPage, drawn_page, signed_in
from tests.databases import SQLITE_ALONE
from tests.replicas import Replicas, open_replicas

pytestmark = SQLITE_ALONE
RESTARTING = "Farebox is restarting; try again in a moment. Nothing was charged."


@asynccontextmanager
async def answering(
    database_url: str, folder: Path, *, drain_s: int, words_per_s: int
) -> AsyncIterator[tuple[Replicas, DrawnPage]]:
    """A server, and a page on which an answer has begun."""
    with open_replicas(
        database_url,
        folder,
        count=1,
        words_per_s=words_per_s,
        settings={"FAREBOX_DRAIN_S": str(drain_s)},
    ) as replicas:
        cookies = await asyncio.to_thread(signed_in, replicas.address(), EMAIL, WORDS)
        async with drawn_page(replicas.address(), cookies, profile="tutor") as page:
            await page.say("/long")
            await page.until(lambda page: len(page.last) > 100)
            yield replicas, page
    verified = farebox("ledger", "verify", data_dir=replicas.data_dir, settings=replicas.settings)
    assert verified.returncode == 0, verified.stderr


def takes_connections(replicas: Replicas) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", replicas.ports[0])) == 0


async def test_an_answer_is_seen_to_its_end_and_nothing_new_begins(
    database_url: str, tmp_path: Path
) -> None:
    async with answering(database_url, tmp_path, drain_s=30, words_per_s=150) as (replicas, page):
        (server,) = replicas.servers
        server.ask_to_stop()
        answer = list(page.messages)[-1]
        await refused_for_the_restart(page)
        assert not takes_connections(replicas)
        await page.until(lambda page: answer in page.receipts)
        assert page.receipts[answer].startswith("−1.5 credits")
        await page.until(lambda page: page.is_cut_off)
        assert server.ended() == 0
        await again(replicas, page)


async def test_an_answer_that_takes_too_long_is_interrupted_and_costs_nothing(
    database_url: str, tmp_path: Path
) -> None:
    async with answering(database_url, tmp_path, drain_s=1, words_per_s=20) as (replicas, page):
        (server,) = replicas.servers
        server.ask_to_stop()
        answer = list(page.messages)[-1]
        await page.until(lambda page: answer in page.receipts)
        assert page.receipts[answer] == "Not charged: interrupted"
        await page.until(lambda page: page.is_cut_off)
        assert server.ended() == 0
        await again(replicas, page)


async def refused_for_the_restart(page: DrawnPage) -> None:
    """Say something until it is refused for that; before, it is refused for the answer."""
    async with asyncio.timeout(PATIENCE_S):
        while RESTARTING not in page.messages.values():
            before = len(page.messages)
            await page.say("Are you still there?")
            await page.until(lambda page, before=before: len(page.messages) > before + 1)  # type: ignore[misc]


async def test_a_second_ctrl_c_waits_for_no_answer(database_url: str, tmp_path: Path) -> None:
    async with answering(database_url, tmp_path, drain_s=600, words_per_s=20) as (replicas, page):
        (server,) = replicas.servers
        server.ask_to_stop(signal.SIGINT)
        await refused_for_the_restart(page)
        server.ask_to_stop(signal.SIGINT)
        await page.until(lambda page: page.is_cut_off)
        assert server.ended() == 0
        assert not page.receipts
    database = Database.open(database_url)
    try:
        run = await database.read(lambda s: s.exec(select(Run)).one())
    finally:
        await database.close()
    assert (run.outcome, run.charged) == ("interrupted", 0)


async def again(replicas: Replicas, before: DrawnPage) -> None:
    """After the restart the conversation stands there as it was seen, and goes on."""
    replicas.servers[0].start()
    cookies = await asyncio.to_thread(signed_in, replicas.address(), EMAIL, WORDS)
    async with drawn_page(replicas.address(), cookies, thread_id=before.thread_id) as page:
        await page.until(lambda page: page.redrawn > 0)
        assert page.receipts == before.receipts
        assert page.messages.items() >= {(name, before.messages[name]) for name in before.receipts}
        assert (await page.ask("What is 6 * 7?")).startswith("−1.5 credits")
