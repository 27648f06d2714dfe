"""A conversation that is deleted while pages show it: they leave, and nothing brings it back."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.servers import ServerProcess
from tests.chatting import Chat, Newcomer, balance, newcomer, page, threads

BROWSE = "home"


@pytest.fixture
async def ann(server: ServerProcess, folder: Path) -> AsyncIterator[Newcomer]:
    """Somebody with a hundred credits."""
    async with newcomer(server, folder, "pack-100") as person:
        yield person


async def sent_away(chat: Chat) -> dict[str, Any]:
    """What the page was told when it had to leave."""

    def those(one: Chat) -> list[dict[str, Any]]:
        return [told for told in one.all("window_message") if "farebox_gone" in told]

    await chat.until(lambda one: bool(those(one)))
    return those(chat)[-1]


async def delete(http: httpx.AsyncClient, thread_id: str) -> None:
    """What the sidebar does."""
    answer = await http.request("DELETE", "/project/thread", json={"threadId": thread_id})
    assert answer.status_code == 200, answer.text


async def remembered(http: httpx.AsyncClient) -> list[str]:
    return [str(thread["id"]) for thread in (await threads(http)).json()["data"]]


@pytest.mark.parametrize("profile", ["math-tutor", BROWSE])
async def test_every_page_that_shows_it_leaves_and_takes_along_what_is_typed_next(
    server: ServerProcess, ann: Newcomer, profile: str
) -> None:
    async with page(server, ann.http, profile=profile) as chat:
        await chat.say("What is 6 * 7?")
        if profile == BROWSE:
            await chat.told("Nothing here matches")
            await chat.until(lambda one: bool(one.all("first_interaction")))
        else:
            await chat.receipt()
        async with page(server, ann.http, profile=profile, thread_id=chat.thread_id) as other:
            await other.until(lambda one: bool(one.all("resume_thread")))
            before = await balance(ann.http)
            await delete(ann.http, chat.thread_id)
            for one in (chat, other):
                assert (await sent_away(one))["farebox_gone"] == chat.thread_id
                await one.say("And 6 * 8?")
                await one.until(lambda c: c.all("window_message")[-1].get("text") == "And 6 * 8?")
    assert await remembered(ann.http) == []
    assert await balance(ann.http) == before


async def test_a_page_that_was_not_told_finds_out_with_its_next_message(
    server: ServerProcess, ann: Newcomer
) -> None:
    async with page(server, ann.http) as chat:
        await chat.say("What is 6 * 7?")
        await chat.receipt()
        address = f"/api/v1/threads/{chat.thread_id}"
        headers = {"X-Requested-With": "farebox"}
        assert (await ann.http.delete(address, headers=headers)).status_code == 200
        await chat.say("And 6 * 8?")
        assert await sent_away(chat) == {"farebox_gone": chat.thread_id, "text": "And 6 * 8?"}
        await chat.until(lambda one: one.heard[-1][0] == "task_end")
    assert await remembered(ann.http) == []
    assert await balance(ann.http) == 95


async def test_a_stranger_who_deletes_sends_nobody_away(
    server: ServerProcess, ann: Newcomer, olga: httpx.AsyncClient
) -> None:
    async with page(server, ann.http) as chat:
        await chat.say("What is 6 * 7?")
        await chat.receipt()
        body = {"threadId": chat.thread_id}
        assert (await olga.request("DELETE", "/project/thread", json=body)).status_code == 404
        await chat.say("And 6 * 8?")
        await chat.receipt(2)
        assert not [told for told in chat.all("window_message") if "farebox_gone" in told]
