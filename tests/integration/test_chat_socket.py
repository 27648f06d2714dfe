"""The chat over its own socket: a running server, and a client that does what browsers may do.

What one person may try against another is in `test_chat_attacks`, what nobody should have typed in
`test_chat_bad_input`.
"""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from tests.acceptance.servers import ServerProcess
from tests.chatting import (
    OLGA,
    SAM,
    drawn_types,
    operate,
    page,
    threads,
)


async def test_a_message_is_answered_with_a_receipt_that_is_there_again_later(
    server: ServerProcess, sam: httpx.AsyncClient
) -> None:
    async with page(server, sam) as chat:
        await chat.say("What is 6 * 7?")
        live = await chat.receipt()
        assert "42" in chat.answer()
        stored = await chat.thread()
    assert live["line"].startswith("−5 credits")
    assert [element["props"] for element in stored["elements"]] == [live]
    assert drawn_types(stored) == ["user_message", "run", "assistant_message"]
    assert stored["name"] == "What is 6 * 7?"
    assert chat.all("update_message")[-1]["name"] == stored["steps"][-1]["name"] == "Math Tutor"


@pytest.mark.charges("past the account's limit for the day")
async def test_a_daily_limit_is_said_in_the_chat_with_what_to_do(
    server: ServerProcess, folder: Path, sam: httpx.AsyncClient
) -> None:
    assert "may spend 1 credit a day" in await operate(folder, "set_cap", email=SAM, credits_="1")
    async with page(server, sam) as chat:
        await chat.say("What is 6 * 7?")
        sentence = (
            "Not charged: this needs 5 credits, more than your daily limit of 1; ask the operator"
            " of this site to raise it."
        )
        await chat.told(f"{sentence} Your message is kept.")
        await chat.until(lambda c: [one["name"] for one in c.all("element")] == ["TopUp"])
        assert "no daily limit" in await operate(folder, "set_cap", email=SAM, credits_=None)
        await chat.say("What is 6 * 7?")
        assert (await chat.receipt(2))["line"].startswith("−5 credits")


@pytest.mark.charges("refunded by the operator")
async def test_a_refund_stands_under_the_answer_when_the_conversation_is_opened_again(
    server: ServerProcess, folder: Path, sam: httpx.AsyncClient
) -> None:
    async with page(server, sam) as chat:
        await chat.say("What is 6 * 7?")
        receipt = await chat.receipt()
        number = receipt["href"].rpartition("/")[2]
        facts = {"receipt": number, "credits_": "2", "note": "", "request": "ticket-1"}
        assert await operate(folder, "refund", **facts) == (
            f"Refunded 2 credits to {SAM}; of 5 charged, 3 left."
        )
        assert "nothing was added" in await operate(folder, "refund", **facts)
        (element,) = (await chat.thread())["elements"]
    assert element["props"]["line"].startswith(f"{receipt['line']} · 2 refunded on ")


async def test_a_subscriber_who_names_the_setup_bot_is_turned_away(
    server: ServerProcess, sam: httpx.AsyncClient
) -> None:
    async with page(server, sam, profile="setup-bot") as chat:
        await chat.until(lambda c: len(c.all("new_message")) >= 1)
        assert "Only builders" in chat.all("new_message")[-1]["output"]


async def test_a_page_that_opens_the_thread_joins_the_answer_being_written(
    server: ServerProcess, sam: httpx.AsyncClient
) -> None:
    async with page(server, sam) as first:
        await first.say("/long")
        await first.until(lambda c: bool(c.all("stream_token")))
        thread_id = first.thread_id
    async with page(server, sam, thread_id=thread_id) as second:
        await second.until(lambda c: bool(c.all("stream_token")))
        assert second.all("resume_thread")
        await second.client.emit("stop")
        assert "Stopped" in (await second.receipt())["line"]


async def test_a_page_that_comes_back_sees_what_it_missed(
    server: ServerProcess, sam: httpx.AsyncClient
) -> None:
    session_id = str(uuid4())
    async with page(server, sam, session_id=session_id) as before:
        await before.say("What is 12 * 12?")
        await before.until(lambda c: bool(c.all("first_interaction")))
    async with page(server, sam, session_id=session_id) as after:
        await after.until(lambda c: bool(c.all("resume_thread")))
        await after.until(lambda c: "144" in str(c.heard))


async def test_an_element_that_is_drawn_but_not_stored_is_changed_without_complaint(
    server: ServerProcess, sam: httpx.AsyncClient
) -> None:
    async with page(server, sam) as chat:
        element = {"id": str(uuid4()), "type": "custom", "name": "KeyForm", "display": "inline"}
        changed = {"element": element, "sessionId": chat.session_id}
        for method in ("PUT", "DELETE"):
            answer = await sam.request(method, "/project/element", json=changed)
            assert (answer.status_code, answer.json()) == (200, {"success": False})
        assert not chat.all("element")


@pytest.fixture
async def old_threads(
    server: ServerProcess, folder: Path, olga: httpx.AsyncClient
) -> AsyncIterator[list[str]]:
    """A hundred and one empty conversations of Olga's; ids, most recently used first."""
    made = [str(uuid4()) for _ in range(101)]
    with closing(sqlite3.connect(folder / "data" / "farebox.db", timeout=10)) as tables:
        tables.executemany(
            "INSERT INTO thread (id, account_id, chat_metadata, tags, created_at, updated_at)"
            " SELECT ?, id, '{}', '[]', 0, ? FROM account WHERE email = ?",
            [(thread_id, 101 - number, OLGA) for number, thread_id in enumerate(made)],
        )
        tables.commit()
        yield made
        tables.execute("DELETE FROM thread WHERE updated_at <= 101")
        tables.commit()


async def test_the_sidebar_goes_on_where_its_page_ended(
    olga: httpx.AsyncClient, old_threads: list[str]
) -> None:
    first = await threads(olga, cursor=f"101.{old_threads[0]}")
    assert [line["id"] for line in first.json()["data"]] == old_threads[1:36]
    second = await threads(olga, cursor=first.json()["pageInfo"]["endCursor"])
    assert [line["id"] for line in second.json()["data"]] == old_threads[36:71]


@pytest.mark.parametrize(
    "cursor",
    [
        pytest.param(f"{2**63}.{uuid4()}", id="beyond 64 bits"),
        pytest.param("9" * 5000 + f".{uuid4()}", id="of 5000 digits"),
        pytest.param(f"\u0661\u0662.{uuid4()}", id="in other digits"),
        pytest.param("1.\0", id="with no thread"),
        pytest.param("nonsense", id="none at all"),
    ],
)
async def test_a_cursor_that_is_none_of_ours_shows_the_first_page(
    olga: httpx.AsyncClient, old_threads: list[str], cursor: str
) -> None:
    answer = await threads(olga, cursor=cursor)
    assert answer.status_code == 200
    assert answer.json()["data"] == (await threads(olga)).json()["data"]


@pytest.mark.parametrize(
    ("first", "shown"),
    [
        pytest.param(-1, 1, id="negative"),
        pytest.param(0, 1, id="none"),
        pytest.param(2**63, 100, id="beyond 64 bits"),
    ],
)
async def test_a_page_of_the_sidebar_has_at_least_one_line_and_at_most_a_hundred(
    olga: httpx.AsyncClient, old_threads: list[str], first: int, shown: int
) -> None:
    answer = await threads(olga, first=first)
    assert answer.status_code == 200
    assert len(answer.json()["data"]) == shown
    assert answer.json()["pageInfo"]["hasNextPage"]


async def test_every_page_says_what_it_may_load(sam: httpx.AsyncClient) -> None:
    answer = await sam.get("/")
    policy = answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert urlsplit(str(answer.url)).path == "/"
    assert 'href="http' not in answer.text


async def test_scripts_are_compressed_and_kept(sam: httpx.AsyncClient) -> None:
    html = (await sam.get("/")).text
    script = html.split('src="/assets/')[1].split('"')[0]
    answer = await sam.get(f"/assets/{script}", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert "immutable" in answer.headers["cache-control"]
    assert (await sam.get("/assets/../config.py")).status_code == 404
