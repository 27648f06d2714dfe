"""What nobody should have typed, and what they are told: over the socket, as a page would send it.

Each is refused in a sentence, or answered like any other; either way nothing is charged that was
not delivered, what was typed is where it was, and the next message on the same socket is answered.
"""

from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.acceptance.servers import ServerProcess
from tests.chatting import Chat, balance, page

EMPTY = "This message is empty. Nothing was charged"
TOO_LONG = "far too long and was not taken. Nothing was charged; send it in parts of at most 32000"
NO_TEXT = "has characters that are no text and was not taken. Nothing was charged"
UNREADABLE = "could not be read. Nothing was charged"


async def goes_on(chat: Chat, sam: httpx.AsyncClient, before: float) -> None:
    """The connection stays usable, and this is the only thing that was paid."""
    earlier = len(chat.all("element"))
    await chat.say("What is 4 * 4?")
    assert (await chat.receipt(earlier + 1))["line"].startswith("−5 credits")
    assert "16" in chat.answer()
    assert await balance(sam) == before - 5


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("", EMPTY, id="nothing"),
        pytest.param(" \n\t\u2003 ", EMPTY, id="spaces"),
        pytest.param("a\ud800b", NO_TEXT, id="half a character"),
        pytest.param("a\0b", NO_TEXT, id="a NUL"),
        pytest.param("word " * 50_000, TOO_LONG, id="a quarter of a megabyte"),
        pytest.param("word " * 240_000, TOO_LONG, id="1.2 MB"),
        pytest.param("𝔘" * 1_100_000, TOO_LONG, id="4.4 MB in few characters"),
    ],
)
async def test_what_is_no_message_is_refused_in_a_sentence(
    server: ServerProcess, sam: httpx.AsyncClient, text: str, sentence: str
) -> None:
    before = await balance(sam)
    async with page(server, sam) as chat:
        await chat.say(text)
        await chat.told(sentence)
        assert chat.heard[-1][0] == "task_end" or await ended(chat)
        assert not chat.all("first_interaction")
        await goes_on(chat, sam, before)
        assert [s["type"] for s in (await chat.thread())["steps"]].count("user_message") == 1


async def ended(chat: Chat) -> bool:
    """The page stops waiting for an answer."""
    number = len(chat.all("task_end"))
    await chat.until(lambda c: len(c.all("task_end")) > number or c.heard[-1][0] == "task_end")
    return True


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param({"message": None}, id="no message"),
        pytest.param({"message": ["hello"]}, id="a list"),
        pytest.param({"message": {"id": str(uuid4())}}, id="no text"),
        pytest.param({"message": {"id": str(uuid4()), "output": {"a": 1}}}, id="an object"),
        pytest.param({"message": {"id": "../../x", "output": "Hello"}}, id="a path for an id"),
        pytest.param({}, id="nothing"),
    ],
)
async def test_what_no_page_of_ours_would_send_is_refused_in_a_sentence(
    server: ServerProcess, sam: httpx.AsyncClient, payload: dict[str, Any]
) -> None:
    before = await balance(sam)
    async with page(server, sam) as chat:
        await chat.client.emit("client_message", payload)
        await chat.told(UNREADABLE)
        await goes_on(chat, sam, before)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a line\n" * 10_000, id="10,000 lines"),
        pytest.param("x" * 32_001, id="one character too many"),
    ],
)
async def test_what_is_too_long_for_an_assistant_is_refused_and_stays_in_the_conversation(
    server: ServerProcess, sam: httpx.AsyncClient, text: str
) -> None:
    before = await balance(sam)
    async with page(server, sam) as chat:
        await chat.say(text)
        told = await chat.told("at most 32000 can be sent at once. Nothing was charged.")
        assert str(len(text)) in told
        await goes_on(chat, sam, before)
        assert (await chat.thread())["steps"][0]["output"] == text


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("1\n" * 10_000, id="10,000 short lines"),
        pytest.param("bell\x07 \x1b[31mred\x1b[0m \x1b]0;title\x07 \x7f\x85", id="control"),
        pytest.param("\u202egnihton\u202c \u2066x\u2069 \u200b", id="the other way round"),
        pytest.param("e" + "\u0301" * 500, id="marks upon marks"),
        pytest.param("👩‍👩‍👧‍👦 \N{MUSICAL SYMBOL G CLEF} \uffff", id="beyond two bytes"),
        pytest.param("<script>alert(1)</script> [x](javascript:alert(1))", id="markup"),
    ],
)
async def test_what_is_strange_but_text_is_answered_and_kept_as_it_was_typed(
    server: ServerProcess, sam: httpx.AsyncClient, text: str
) -> None:
    before = await balance(sam)
    async with page(server, sam) as chat:
        await chat.say(text)
        assert (await chat.receipt())["line"].startswith("−5 credits")
        await goes_on(chat, sam, before - 5)
        stored = await chat.thread()
    assert stored["steps"][0]["output"] == text
    assert "\n" not in stored["name"]


async def test_a_key_that_was_pasted_is_in_no_frame_no_table_no_list_and_no_log(
    server: ServerProcess, folder: Path, sam: httpx.AsyncClient
) -> None:
    planted = f"sk-proj-{uuid4().hex}ABCDEFxyz"
    async with page(server, sam) as chat:
        await chat.say(f"my key is {planted}")
        await chat.told("A key in your message was removed before anything was stored")
        await chat.receipt()
        assert planted not in str(chat.heard)
        assert "[secret removed]" in str(chat.all("update_message")[0]["output"])
        stored = str(await chat.thread())
    listed = await sam.post("/project/threads", json={"pagination": {"first": 35}, "filter": {}})
    assert "[secret removed]" in stored
    assert planted not in stored + listed.text
    assert not files_with(planted, folder)


def files_with(text: str, folder: Path) -> list[Path]:
    """Where it stands in what the server wrote: tables, their log, files, its own log."""
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert {"farebox.db", "farebox.db-wal", "log"} <= {path.name for path in written}
    return [path for path in written if text.encode() in path.read_bytes()]
