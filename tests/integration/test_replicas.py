"""Replicas on one PostgreSQL: what one writes the other shows; one dies, the other goes on."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from socketio.exceptions import ConnectionError as Refused  # type: ignore[import-untyped]
from sqlmodel import col, select

from storage.database import Database
from storage.models.conversations import Run
from tests.acceptance.servers import farebox, free_port
from tests.acceptance.shop import EMAIL, WORDS
from tests.chat_page import DrawnPage, drawn_page, signed_in
from tests.databases import NO_SERVER, SERVER, Databases, verify_ledger
from tests.replicas import Replicas, nginx, open_replicas

TUTOR = "tutor"
BEGUN = 100


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("replicas")


@pytest.fixture(scope="module")
def shared(databases: Databases) -> Iterator[str]:
    """The one kind of database that replicas can share."""
    if not SERVER:
        if os.environ.get("CI"):  # noqa: TID251 - where nothing may be skipped
            pytest.fail(NO_SERVER)
        pytest.skip(NO_SERVER)
    with databases.fresh("postgresql") as address:
        yield address


@pytest.fixture(scope="module")
def public(folder: Path) -> int:
    return free_port()


@pytest.fixture(scope="module")
def replicas(shared: str, folder: Path, public: int) -> Iterator[Replicas]:
    with open_replicas(shared, folder, count=2, words_per_s=25, public_port=public) as running:
        yield running
    verified = farebox("ledger", "verify", data_dir=running.data_dir, settings=running.settings)
    assert verified.returncode == 0, verified.stderr


@pytest.fixture(scope="module")
def proxy(folder: Path, public: int, replicas: Replicas) -> Iterator[str]:
    with nginx(folder, public, replicas.ports) as address:
        yield address


async def login(address: str) -> httpx.Cookies:
    """A browser of its own."""
    return await asyncio.to_thread(signed_in, address, EMAIL, WORDS)


async def available(address: str, cookies: httpx.Cookies) -> float:
    async with httpx.AsyncClient(base_url=address, cookies=cookies) as http:
        return float((await http.get("/api/v1/balance")).json()["available"])


def is_under_way(page: DrawnPage) -> bool:
    return page.is_busy and len(page.last) > BEGUN


async def test_an_answer_written_at_one_replica_is_seen_and_stopped_at_the_other(
    replicas: Replicas, shared: str
) -> None:
    here, there = replicas.address(0), replicas.address(1)
    laptop, phone = await login(here), await login(there)
    async with drawn_page(here, laptop, profile=TUTOR) as asked:
        await asked.say("/long")
        await asked.until(is_under_way)
        run = await last_run(shared)
        async with drawn_page(there, phone, thread_id=asked.thread_id) as seen:
            await seen.until(is_under_way)
            pieces = len(seen.grown)
            await seen.until(lambda page: len(page.grown) > pieces)
            assert asked.last.startswith(seen.last)
            assert all(seen.last.startswith(said) for said in seen.grown)
            await seen.say("And another thing")
            await seen.until(lambda page: "still being answered" in page.last)
            await seen.stop()
            for page in (asked, seen):
                await page.until(lambda page: bool(page.receipts) and not page.is_busy)
                assert page.receipts[run.answer_id].startswith("Stopped, 1.5 credits")
            assert seen.messages[run.answer_id] == asked.messages[run.answer_id]
            assert (await seen.ask("What is 6 * 7?")).startswith("−1.5 credits")


async def test_an_answer_of_another_replica_is_seen_to_its_end(replicas: Replicas) -> None:
    here, there = replicas.address(0), replicas.address(1)
    laptop, phone = await login(here), await login(there)
    async with drawn_page(here, laptop, profile=TUTOR) as asked:
        await asked.say("What is 17 * 23?")
        await asked.until(lambda page: page.is_busy and bool(page.grown))
        async with drawn_page(there, phone, thread_id=asked.thread_id) as seen:
            for page in (asked, seen):
                await page.until(lambda page: bool(page.receipts) and not page.is_busy)
            assert "391" in seen.last
            assert seen.messages == asked.messages
            assert seen.receipts == asked.receipts


async def test_a_stranger_sees_nothing_of_an_answer_of_another_replica(
    replicas: Replicas,
) -> None:
    here, there = replicas.address(0), replicas.address(1)
    made = farebox(
        "account", "create", "olga@example.com", "--role", "subscriber", "--password-stdin",
        data_dir=replicas.data_dir, stdin=f"{WORDS}\n", settings=replicas.settings,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    stranger = await asyncio.to_thread(signed_in, there, "olga@example.com", WORDS)
    async with drawn_page(here, await login(here), profile=TUTOR) as asked:
        await asked.say("/long")
        await asked.until(is_under_way)
        with pytest.raises(Refused):
            async with drawn_page(there, stranger, thread_id=asked.thread_id):
                pass
        await asked.stop()
        await asked.until(lambda page: bool(page.receipts))


async def test_what_comes_while_a_conversation_is_read_is_on_the_page(
    replicas: Replicas, shared: str
) -> None:
    address = replicas.address()
    cookies = await login(address)
    async with drawn_page(address, cookies, profile=TUTOR) as first:
        await first.ask("Hello")
        async with drawn_page(address, cookies, thread_id=first.thread_id) as known:
            await known.until(lambda page: len(page.messages) > 1)
        with psycopg.connect(shared) as other:
            other.execute("LOCK TABLE element IN ACCESS EXCLUSIVE MODE")  # the last that is read
            async with drawn_page(address, cookies, session_id=known.session_id) as second:
                await second.until(lambda page: "task_end" in page.heard)
                await first.ask("Hello again")
                await second.until(lambda page: len(page.messages) > 1)
                other.rollback()
                await second.until(lambda page: page.redrawn > 1)
                assert second.messages == first.messages
                assert len(first.messages) == 4


async def test_when_a_replica_is_killed_its_pages_go_on_at_the_other(
    replicas: Replicas, proxy: str, shared: str
) -> None:
    cookies = await login(proxy)
    before = await available(proxy, cookies)
    async with drawn_page(proxy, cookies, profile=TUTOR) as page:
        await page.say("/long")
        await page.until(is_under_way)
        run = await last_run(shared)
        killed = replicas.servers[replicas.named(run.owner)]
        killed.kill()
        await page.until(lambda page: page.is_cut_off)
    assert await available(proxy, cookies) < before, "it is not settled yet"
    async with drawn_page(
        proxy, cookies, thread_id=page.thread_id, session_id=page.session_id
    ) as back:
        await back.until(lambda page: page.is_busy)
        kept = back.messages[run.answer_id]
        assert kept
        assert page.last.startswith(kept)
        await back.say("Are you still there?")
        await back.until(lambda page: "still being answered" in page.last)
        time_passes_for(shared, run.owner)
        await back.until(lambda page: run.answer_id in page.receipts)
        assert back.receipts[run.answer_id] == "Not charged: interrupted"
        assert back.messages[run.answer_id] == kept
        await back.until(lambda page: not page.is_busy)
        assert await available(proxy, cookies) == before
        assert (await back.ask("What is 6 * 7?")).startswith("−1.5 credits")
    assert await available(proxy, cookies) == before - 1.5
    killed.start()  # for whoever comes next


async def last_run(database_url: str) -> Run:
    """The answer that was begun last."""
    database = Database.open(database_url)
    try:
        await verify_ledger(database)
        return await database.read(
            lambda s: s.exec(select(Run).order_by(col(Run.created_at).desc()).limit(1)).one()
        )
    finally:
        await database.close()


def time_passes_for(database_url: str, owner: str) -> None:
    """Half a minute goes by, in which a dead process does not say that it is alive."""
    with psycopg.connect(database_url) as connection:
        aged = connection.execute(
            "UPDATE process_lease SET expires_at = 0 WHERE owner = %s", [owner]
        )
        assert aged.rowcount == 1
