"""The setup bot's server is killed after every single answer; the draft goes on where it was."""

import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from farebox.demo.seed import PASTED_KEY, SONGS_KEY
from tests.acceptance.servers import ServerProcess, farebox, free_port
from tests.chatting import BEA, Chat, logged_in, page

ASSISTANT = (
    *("an assistant", "Rhyme Helper", "Finds rhymes.", "rhymes", "gpt-6-luna", "You find rhymes."),
    *(PASTED_KEY, "A rhyme on rain", "skip", "5", "create one", "Rhymes", "5 USD", "100 credits"),
)
SERVICE = (
    *("a service", "{songs}/.well-known/openapi.json", "remove 2", "ok", "skip", SONGS_KEY, "2"),
    *("create one", "Songs", "free", "7 days"),
)
GREETINGS = ("Welcome back", "Let us put something on sale")
"""What a page that connects twice is sent again."""


@pytest.mark.parametrize("answers", [ASSISTANT, SERVICE], ids=["assistant", "service"])
async def test_a_draft_survives_a_kill_after_every_answer(
    tmp_path: Path, answers: tuple[str, ...]
) -> None:
    data_dir, port = tmp_path / "data", free_port()
    server = _demo(data_dir, port)
    async with httpx.AsyncClient(base_url=server.address, cookies=logged_in(server, BEA)) as http:
        places = []
        for answer in answers:
            said = answer.replace("{songs}", _songs(data_dir))
            before = await _answered(server, http, said)
            server.kill()
            server = _demo(data_dir, port)
            async with page(server, http, profile="setup-bot") as chat:
                welcome = await chat.told("Welcome back; draft")
            assert _place(welcome) == _place(before)
            places.append(_place(before))
        assert len(set(places)) >= len(answers) - 1, "every answer but one led on"
        async with page(server, http, profile="setup-bot") as chat:
            await chat.told("Welcome back; draft")
            await chat.say("publish")
            await chat.told("is on sale.")
    server.stop()
    assert farebox("ledger", "verify", data_dir=data_dir).returncode == 0


async def _answered(server: ServerProcess, http: httpx.AsyncClient, said: str) -> str:
    """What the bot asks after this was said; a key goes where its form sends it."""
    if said in {PASTED_KEY, SONGS_KEY}:
        await _store(server, http, said)
        said = "next"
    async with page(server, http, profile="setup-bot") as chat:
        await chat.told("Step ")
        heard = len(chat.all("new_message"))
        await chat.say(said)
        return await _next_question(chat, heard)


async def _store(server: ServerProcess, http: httpx.AsyncClient, key: str) -> None:
    """What the form does."""
    async with page(server, http, profile="setup-bot") as chat:
        await chat.until(lambda one: bool(_forms(one)))
        stored = await http.post(
            f"/api/v1/drafts/{_forms(chat)[-1]}/key",
            headers={"X-Requested-With": "farebox"},
            json={"key": key},
        )
        assert stored.json()["state"] in {"valid", "untried"}, stored.text


def _forms(chat: Chat) -> list[str]:
    """The drafts that a form for a key was drawn for."""
    return [one["props"]["draftId"] for one in chat.all("element") if one["name"] == "KeyForm"]


async def _next_question(chat: Chat, heard: int) -> str:
    def asked(one: Chat) -> list[str]:
        said = [str(step["output"]) for step in one.all("new_message")[heard:]]
        return [text for text in said if "**Step " in text and not text.startswith(GREETINGS)]

    await chat.until(lambda one: bool(asked(one)))
    return asked(chat)[-1]


def _place(prompt: str) -> str:
    """`**Step 3 of 13 · Description**`, wherever it stands."""
    return "**Step " + prompt.partition("**Step ")[2].partition("**")[0]


def _songs(data_dir: Path) -> str:
    with closing(sqlite3.connect(data_dir / "farebox.db")) as tables:
        ((url,),) = tables.execute("SELECT DISTINCT upstream_url FROM service").fetchall()
    return str(url)


def _demo(data_dir: Path, port: int) -> ServerProcess:
    arguments = ["farebox", "demo", "--port", str(port), "--data-dir", str(data_dir)]
    return ServerProcess(arguments, log=data_dir.with_name("demo.log")).start()
