"""A conversation that is deleted while pages show it: they leave, and nothing brings it back."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest
from sqlmodel import Session, create_engine

from storage import deletions
from storage.moments import Micros
from tests.acceptance.servers import ServerProcess
from tests.chatting import Chat, Newcomer, balance, newcomer, page, threads

BROWSE = "home"
Deleting: TypeAlias = Callable[[httpx.AsyncClient, str], Awaitable[None]]


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


async def delete_by_program(http: httpx.AsyncClient, thread_id: str) -> None:
    """What the API does."""
    headers = {"X-Requested-With": "farebox"}
    answer = await http.delete(f"/api/v1/threads/{thread_id}", headers=headers)
    assert answer.status_code == 200, answer.text


async def delete_elsewhere(folder: Path, thread_id: str) -> None:
    """What another server on the same database does, of which this one is not told."""
    engine = create_engine(f"sqlite:///{folder / 'data' / 'farebox.db'}")
    with Session(engine) as session:
        deletions.delete_thread(session, thread_id, Micros(0))
        session.commit()
    engine.dispose()


async def answered(chat: Chat, profile: str) -> None:
    """Ask something, and wait for what is said to it."""
    await chat.say("What is 6 * 7?")
    if profile == BROWSE:
        await chat.told("Nothing here matches")
        await chat.until(lambda one: bool(one.all("first_interaction")))
    else:
        await chat.receipt()


@pytest.mark.parametrize("profile", ["math-tutor", BROWSE])
@pytest.mark.parametrize("delete", [delete, delete_by_program])
async def test_every_page_that_shows_it_leaves_and_takes_along_what_is_typed_next(
    server: ServerProcess, ann: Newcomer, profile: str, delete: Deleting
) -> None:
    async with page(server, ann.http, profile=profile) as chat:
        await answered(chat, profile)
        async with page(server, ann.http, profile=profile, thread_id=chat.thread_id) as other:
            await other.until(lambda one: bool(one.all("resume_thread")))
            before = await balance(ann.http)
            await delete(ann.http, chat.thread_id)
            for one in (chat, other):
                told = await sent_away(one)
                assert (told["farebox_gone"], told["profile"]) == (chat.thread_id, profile)
                await one.say("And 6 * 8?")
                await one.until(lambda c: c.all("window_message")[-1].get("text") == "And 6 * 8?")
    assert await remembered(ann.http) == []
    assert await balance(ann.http) == before


@pytest.mark.parametrize("profile", ["math-tutor", BROWSE])
async def test_a_page_that_was_not_told_finds_out_with_its_next_message(
    server: ServerProcess, folder: Path, ann: Newcomer, profile: str
) -> None:
    async with page(server, ann.http, profile=profile) as chat:
        await answered(chat, profile)
        before = await balance(ann.http)
        await delete_elsewhere(folder, chat.thread_id)
        await chat.say("And 6 * 8?")
        assert await sent_away(chat) == {
            "farebox_gone": chat.thread_id,
            "profile": profile,
            "text": "And 6 * 8?",
            "files": False,
        }
        await chat.until(lambda one: one.heard[-1][0] == "task_end")
    assert await remembered(ann.http) == []
    assert await balance(ann.http) == before


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
