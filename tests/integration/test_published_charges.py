"""What is charged, as it is published in `docs/architecture.md`: seen from a page or a program.

Each test claims one row of the table by its words (`pytest.mark.charges`). The rows that need a
killed server, a broken database or a service that misbehaves are claimed where those are; the
architecture tests see to it that each row is claimed once, and that no claim has lost its row.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

import httpx
import pytest

from tests.acceptance.servers import ServerProcess
from tests.chatting import (
    MATH,
    Chat,
    Newcomer,
    balance,
    drawn_types,
    give,
    newcomer,
    operate,
    page,
    tables,
)

Why: TypeAlias = Callable[[Path, Newcomer], Awaitable[str]]

SONGS = "elvis-song-summarizer"
TRAVEL = "travel-helper"


async def charges(person: Newcomer) -> list[float]:
    """What somebody was charged, newest first, as the account's own history has it."""
    usage = (await person.http.get("/api/v1/usage")).json()
    return [-entry["amount"] for entry in usage["entries"] if entry["kind"] == "charge"]


@asynccontextmanager
async def customer(
    server: ServerProcess, folder: Path, *, plan: str = "pack-100", slug: str = MATH
) -> AsyncIterator[tuple[Newcomer, Chat]]:
    """Somebody who has bought a plan, with a page open."""
    async with newcomer(server, folder, plan) as eve, page(server, eve.http, profile=slug) as chat:
        yield eve, chat


async def has_no_credits(folder: Path, eve: Newcomer) -> str:
    await give(folder, eve.email, "pack-100", "4.999")
    return "You have 4.999 credits left for Math Tutor; this needs 5. Your message is kept."


async def has_a_plan_that_ended(folder: Path, eve: Newcomer) -> str:
    await give(folder, eve.email, "pack-100")
    with tables(folder) as rows:
        rows.execute(
            "UPDATE subscription SET ends_at = starts_at + 1 WHERE account_id ="
            " (SELECT id FROM account WHERE email = ?)",
            (eve.email,),
        )
    return "Your message is kept."


async def asks_a_paused_one(folder: Path, eve: Newcomer) -> str:
    await give(folder, eve.email, "pack-100")
    await operate(folder, "move_offering", slug=MATH, step="pause")
    return "Math Tutor is paused by its builder. Nothing was charged; try again later."


async def says_what_is_not_valid(folder: Path, eve: Newcomer) -> str:
    await give(folder, eve.email, "pack-100")
    return "at most 32000 can be sent at once. Nothing was charged."


@pytest.mark.charges("refused before the upstream (no credits, plan ended, paused, not valid)")
@pytest.mark.parametrize(
    "why", [has_no_credits, has_a_plan_that_ended, asks_a_paused_one, says_what_is_not_valid]
)
async def test_what_is_refused_is_free_and_says_why_and_what_to_do(
    server: ServerProcess, folder: Path, why: Why
) -> None:
    async with newcomer(server, folder) as eve:
        sentence = await why(folder, eve)
        try:
            async with page(server, eve.http) as chat:
                await chat.say("x" * 32_001 if why is says_what_is_not_valid else "What is 6 * 7?")
                assert "ot" in await chat.told(sentence)
                assert not chat.all("element")
        finally:
            if why is asks_a_paused_one:
                await operate(folder, "move_offering", slug=MATH, step="resume")
        assert await charges(eve) == []


@pytest.mark.charges("upstream error, time-out, empty answer, stream without its end")
@pytest.mark.parametrize(
    ("trigger", "sentence"),
    [
        ("/error", "Not charged: the assistant's upstream failed"),
        ("/hangup", "Not charged: "),
        ("/empty", "Not charged: the answer was empty"),
        ("/cut", "Not charged: the answer broke off"),
        ("/quota", "Not charged: "),
    ],
)
async def test_an_upstream_that_delivers_nothing_whole_is_free(
    server: ServerProcess, folder: Path, trigger: str, sentence: str
) -> None:
    async with customer(server, folder) as (eve, chat):
        await chat.say(trigger)
        receipt = await chat.receipt()
        assert receipt["tone"] == "not-charged"
        assert sentence in receipt["line"] + chat.said()
        assert (await balance(eve.http), await charges(eve)) == (100, [])


@pytest.mark.charges("upstream fails after visible text")
async def test_text_that_was_seen_before_a_failure_stays_and_is_free(
    server: ServerProcess, folder: Path
) -> None:
    async with customer(server, folder) as (eve, chat):
        await chat.say("/error-mid What is 6 * 7?")
        assert "Not charged" in (await chat.receipt())["line"]
        seen = "".join(step["output"] for step in chat.all("stream_start")) + "".join(
            piece["token"] for piece in chat.all("stream_token")
        )
        assert seen
        assert (await chat.thread())["steps"][-1]["output"].startswith(seen)
        assert (await balance(eve.http), await charges(eve)) == (100, [])


@pytest.mark.charges("stopped before / after the first visible text")
@pytest.mark.parametrize(
    ("message", "line", "charged"),
    [
        pytest.param("/slow", "Stopped, not charged", [], id="before"),
        pytest.param("/long", "Stopped, 5 credits", [5], id="after"),
    ],
)
async def test_stopping_is_free_until_something_is_seen(
    server: ServerProcess, folder: Path, message: str, line: str, charged: list[int]
) -> None:
    async with customer(server, folder) as (eve, chat):
        await chat.say(message)
        await chat.until(lambda c: bool(c.all("stream_token")) if charged else has_begun(c))
        await chat.client.emit("stop")
        told = (await chat.receipt())["line"]
        assert line in f"{told}\n{chat.said()}"
        assert "manually stopped" not in str(chat.heard)
        assert (await balance(eve.http), await charges(eve)) == (100 - sum(charged), charged)


def has_begun(chat: Chat) -> bool:
    """A run was begun, and nothing of an answer is there."""
    return any(step["type"] == "run" for step in chat.all("new_message"))


@pytest.mark.charges("the browser leaves")
async def test_an_answer_is_finished_and_paid_when_its_page_is_closed(
    server: ServerProcess, folder: Path
) -> None:
    async with newcomer(server, folder, "pack-100") as eve:
        async with page(server, eve.http) as chat:
            await chat.say("Please explain fractions")
            await chat.until(lambda c: bool(c.all("stream_start")))
            thread_id = chat.thread_id
        async with page(server, eve.http, thread_id=thread_id) as again:
            await again.until(lambda c: "−5 credits" in str(c.heard))
            steps = (await eve.http.get(f"/project/thread/{thread_id}")).json()["steps"]
        assert steps[-1]["type"] == "assistant_message"
        assert not steps[-1]["streaming"]
        assert (await balance(eve.http), await charges(eve)) == (95, [5])


@pytest.mark.charges("the same message or idempotency key twice")
async def test_what_comes_twice_under_one_name_is_charged_once(
    server: ServerProcess, folder: Path
) -> None:
    async with customer(server, folder) as (eve, chat):
        first = await chat.say("What is 2 * 3?")
        await chat.say("What is 2 * 3?", id=first)
        await chat.receipt()
        await chat.say("What is 9 * 9?", id=first)
        await chat.say("What is 3 * 3?")
        await chat.receipt(2)
        assert len(drawn_types(await chat.thread())) == 6
        assert await charges(eve) == [5, 5]
        key = {"Idempotency-Key": uuid4().hex}
        calls = [await call(server, eve, "/query", headers=key) for _ in range(2)]
        assert len({answer.headers["farebox-receipt"] for answer in calls}) == 1
        assert (await balance(eve.http), await charges(eve)) == (89, [1, 5, 5])


@pytest.mark.charges("a time plan is active when the message begins")
async def test_within_a_pass_a_message_is_included_and_says_until_when(
    server: ServerProcess, folder: Path
) -> None:
    async with customer(server, folder, plan="travel-pass", slug=TRAVEL) as (eve, chat):
        await chat.say("Three days in Lisbon")
        receipt = await chat.receipt()
        assert re.match(r"Included in your plan until \d+ \w+ \d{4}", receipt["line"])
        assert receipt["tone"] == "included"
        assert sum(await charges(eve)) == 0


@pytest.mark.charges("proxied call answered 2xx / anything else")
@pytest.mark.parametrize(
    ("path", "query", "status", "charged"),
    [
        pytest.param("/query", "hotel", 200, [1], id="2xx"),
        pytest.param("/query", "/error", 500, [], id="a failure of the service"),
        pytest.param("/delete/no-such-song", "", 404, [], id="not found"),
    ],
)
async def test_a_call_costs_its_price_when_it_is_answered_2xx(
    server: ServerProcess, folder: Path, path: str, query: str, status: int, charged: list[int]
) -> None:
    async with newcomer(server, folder, "pack-100") as eve:
        answer = await call(server, eve, path, query=query)
        assert answer.status_code == status
        assert ("farebox-receipt" in answer.headers) == bool(charged)
        assert (await balance(eve.http), await charges(eve)) == (100 - sum(charged), charged)


async def call(
    server: ServerProcess,
    person: Newcomer,
    path: str,
    *,
    query: str = "hotel",
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    """One call of the demo's service, with an access token of the person's own."""
    wanted = {"offering": SONGS, "name": "test", "days": 1}
    ours = {"X-Requested-With": "farebox"}
    issued = (await person.http.post("/api/v1/tokens", json=wanted, headers=ours)).json()
    method = "DELETE" if path.startswith("/delete") else "POST"
    async with httpx.AsyncClient(base_url=f"{server.address}/s/{SONGS}") as program:
        return await program.request(
            method,
            path,
            json={"query": query} if query else None,
            headers={"Authorization": f"Bearer {issued['token']}", **(headers or {})},
        )
