"""One conversation on several pages, and pages whose socket is opened anew: nothing is missing."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.acceptance.servers import ServerProcess, farebox
from tests.chat_page import DrawnPage, drawn_page, signed_in

PASSWORD = "farebox-demo"
SAM, BEA = "sam@example.com", "bea@example.com"
MATH, HOME, SETUP = "math-tutor", "home", "setup-bot"
BEGUN = 40
"""Characters of an answer that has begun and is far from its end."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[ServerProcess]:
    running = ServerProcess(
        ["farebox", "demo", "--port", "0", "--data-dir", str(folder / "data")],
        log=folder / "log",
    ).start()
    yield running
    running.stop()
    verified = farebox("ledger", "verify", data_dir=folder / "data")
    assert verified.returncode == 0, verified.stderr


@pytest.fixture(scope="module")
def sam(server: ServerProcess) -> httpx.Cookies:
    return signed_in(server.address, SAM, PASSWORD)


@pytest.fixture(scope="module")
def bea(server: ServerProcess) -> httpx.Cookies:
    return signed_in(server.address, BEA, PASSWORD)


async def stored(server: ServerProcess, cookies: httpx.Cookies, thread_id: str) -> DrawnPage:
    """The conversation as a page would draw it that was opened now."""
    async with httpx.AsyncClient(base_url=server.address, cookies=cookies) as http:
        thread = (await http.get(f"/project/thread/{thread_id}")).json()
    drawn = DrawnPage(None, "")
    drawn.draw("resume_thread", thread)
    return drawn


def is_under_way(page: DrawnPage) -> bool:
    return page.is_busy and len(page.last) > BEGUN


async def test_two_tabs_show_the_same_and_either_stops_the_answer(
    server: ServerProcess, sam: httpx.Cookies
) -> None:
    async with drawn_page(server.address, sam, profile=MATH) as first:
        await first.ask("What is 6 * 7?")
        async with drawn_page(server.address, sam, thread_id=first.thread_id) as second:
            await second.until(lambda page: page.redrawn > 0)
            question = await first.say("/long")
            await second.until(is_under_way)
            assert list(second.messages)[2] == question
            await second.stop()
            for page in (first, second):
                await page.until(lambda page: len(page.receipts) > 1 and not page.is_busy)
                assert page.receipts[list(page.messages)[-1]].startswith("Stopped, 5 credits")
            as_stored = await stored(server, sam, first.thread_id)
            assert first.messages == second.messages == as_stored.messages
            assert first.receipts == second.receipts == as_stored.receipts


async def test_a_tab_opened_in_the_middle_shows_the_text_so_far_and_goes_on(
    server: ServerProcess, sam: httpx.Cookies
) -> None:
    async with drawn_page(server.address, sam, profile=MATH) as first:
        await first.say("/long")
        await first.until(is_under_way)
        seen = first.last
        async with drawn_page(server.address, sam, thread_id=first.thread_id) as third:
            await third.until(lambda page: bool(page.grown))
            assert third.grown[0].startswith(seen)
            await third.until(lambda page: len(page.last) > len(seen) + BEGUN)
            await first.stop()
            await third.until(lambda page: bool(page.receipts))
            assert all(third.last.startswith(said) for said in third.grown)
            assert third.messages == (await stored(server, sam, first.thread_id)).messages


async def test_a_message_to_an_answer_under_way_is_refused_on_every_tab_and_stop_stays(
    server: ServerProcess, sam: httpx.Cookies
) -> None:
    async with drawn_page(server.address, sam, profile=MATH) as first:
        await first.say("/long")
        await first.until(is_under_way)
        async with drawn_page(server.address, sam, thread_id=first.thread_id) as second:
            await second.until(is_under_way)
            await second.say("And another thing")
            for page in (first, second):
                await page.until(lambda page: "still being answered" in page.last)
                assert "Nothing was charged" in page.last
                assert "And another thing" in page.messages.values()
            answer = len(first.grown), len(second.grown)
            await first.until(lambda page: len(page.grown) > answer[0])
            await second.until(lambda page: len(page.grown) > answer[1])
            assert first.is_busy
            assert second.is_busy
            await second.stop()
            for page in (first, second):
                await page.until(lambda page: bool(page.receipts) and not page.is_busy)
            assert first.messages == second.messages
            assert set(first.messages) == set(
                (await stored(server, sam, first.thread_id)).messages
            )


async def test_somebody_elses_page_is_told_nothing(
    server: ServerProcess, folder: Path, sam: httpx.Cookies, bea: httpx.Cookies
) -> None:
    async with drawn_page(server.address, bea, profile=MATH) as hers:
        await hers.ask("What is 3 + 4?")
        with closing(sqlite3.connect(folder / "data" / "farebox.db", timeout=10)) as tables:
            tables.execute(
                "UPDATE thread SET account_id = (SELECT id FROM account WHERE email = ?)"
                " WHERE id = ?",
                (SAM, hers.thread_id),
            )
            tables.commit()
        async with drawn_page(server.address, sam, thread_id=hers.thread_id) as his:
            await his.until(lambda page: page.redrawn > 0)
            hers.heard.clear()
            await his.ask("What is 5 * 5?")
            assert not hers.heard


async def test_a_page_that_comes_back_in_the_middle_has_every_word_once(
    server: ServerProcess, sam: httpx.Cookies
) -> None:
    session_id = str(uuid4())
    async with drawn_page(server.address, sam, profile=MATH, session_id=session_id) as before:
        await before.say("/long")
        await before.until(is_under_way)
    async with drawn_page(server.address, sam, profile=MATH, session_id=session_id) as after:
        await after.until(is_under_way)
        await after.until(lambda page: len(page.grown) > 3)
        assert after.last.startswith(before.last)
        await after.stop()
        await after.until(lambda page: bool(page.receipts) and not page.is_busy)
        assert all(after.last.startswith(said) for said in after.grown)
        assert after.messages == (await stored(server, sam, after.thread_id)).messages


async def test_what_was_shown_and_is_yet_to_be_written_is_there_after_a_reconnect(
    server: ServerProcess, folder: Path, sam: httpx.Cookies
) -> None:
    session_id = str(uuid4())
    with closing(sqlite3.connect(folder / "data" / "farebox.db", timeout=10)) as other:
        async with drawn_page(server.address, sam, profile=HOME, session_id=session_id) as before:
            await before.until(lambda page: bool(page.messages))  # the greeting
            await before.say("Hello")
            await before.until(lambda page: len(page.messages) > 2 and bool(page.thread_id))
            thread_id = before.thread_id
            assert len((await stored(server, sam, thread_id)).messages) == 3
            other.execute("BEGIN IMMEDIATE")  # from now on nothing can be written
            await before.say("Hello again")
            await before.until(lambda page: len(page.messages) > 4)
        async with drawn_page(server.address, sam, profile=HOME, session_id=session_id) as after:
            await after.until(lambda page: "task_end" in page.heard)
            async with httpx.AsyncClient(base_url=server.address, cookies=sam) as http:
                assert (await http.get("/user")).status_code == 200
            other.rollback()
            await after.until(lambda page: page.redrawn > 0)
            assert after.messages == before.messages


async def test_the_setup_bots_page_comes_back_with_all_that_was_said(
    server: ServerProcess, bea: httpx.Cookies
) -> None:
    session_id = str(uuid4())
    async with drawn_page(server.address, bea, profile=SETUP, session_id=session_id) as before:
        await before.until(lambda page: bool(page.messages))
        await before.say("an assistant")
        await before.until(lambda page: "Step 2 of" in page.last)
    async with drawn_page(server.address, bea, profile=SETUP, session_id=session_id) as after:
        await after.until(lambda page: page.redrawn > 0)
        for message_id, text in list(before.messages.items())[1:]:  # behind the greeting
            assert after.messages[message_id] == text
        assert "Step 2 of" in after.last
        await after.say("Rhyme Helper")
        await after.until(lambda page: "Step 3 of" in page.last)


async def test_files_of_ours_are_asked_for_again_and_sent_only_when_they_changed(
    server: ServerProcess, sam: httpx.Cookies
) -> None:
    async with httpx.AsyncClient(base_url=server.address, cookies=sam) as http:
        for path in ("/public/custom.js", "/favicon", "/logo?theme=dark", "/avatars/browse"):
            first = await http.get(path)
            assert (first.status_code, bool(first.content)) == (200, True)
            again = await http.get(path, headers={"If-None-Match": first.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")
        plain = await http.get("/public/custom.css", headers={"Accept-Encoding": "identity"})
        packed = await http.get("/public/custom.css", headers={"Accept-Encoding": "gzip"})
        assert plain.text == packed.text
        assert "content-encoding" not in plain.headers
        assert packed.headers["content-encoding"] == "gzip"
        for path in ("/public/../pyproject.toml", "/public/nothing.js", "/assets/x.js"):
            assert (await http.get(path)).status_code == 404
