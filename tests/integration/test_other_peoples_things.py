"""What one person tries on another's things, by the addresses that Chainlit's page asks.

Each line of a table is one request. A stranger is answered as if there were nothing, whatever is
mixed up in it; the owner still succeeds with the same request; and what the stranger wanted to
change is as it was.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

import httpx
import pytest
from socketio.exceptions import ConnectionError as Refused  # type: ignore[import-untyped]

from tests.acceptance.servers import ServerProcess
from tests.chatting import MATH, PATIENCE_S, SAM, Chat, newcomer, page, tables, threads

NOTHING = 404


@dataclass(frozen=True, slots=True)
class Conversation:
    """Somebody's conversation with a page open on it."""

    chat: Chat
    owner: httpx.AsyncClient
    thread_id: str
    asked: str
    run: str
    answered: str
    element: str
    """One that is stored, in the setup bot's conversation; else none."""
    feedback: str = ""

    async def stored(self) -> dict[str, Any]:
        return await self.chat.thread()


Request: TypeAlias = tuple[str, str, Mapping[str, Any] | None]
"""Method, address and body."""
Attempt: TypeAlias = Callable[[Conversation, str], Request]
"""On whose conversation, and from which chat session."""


@asynccontextmanager
async def with_math_tutor(
    server: ServerProcess, owner: httpx.AsyncClient
) -> AsyncIterator[Conversation]:
    """An answered question, with an opinion on the answer."""
    async with page(server, owner) as chat:
        await chat.say("What is 8 * 8?")
        await chat.receipt()
        steps = (await chat.thread())["steps"]
        asked, run, answered = [step for step in steps if step["type"] != "system_message"]
        opinion = {"forId": answered["id"], "value": 1, "threadId": chat.thread_id}
        body = {"feedback": opinion, "sessionId": chat.session_id}
        given = (await owner.put("/feedback", json=body)).json()
        yield Conversation(
            chat=chat,
            owner=owner,
            thread_id=chat.thread_id,
            asked=asked["id"],
            run=run["id"],
            answered=answered["id"],
            element=str(uuid4()),
            feedback=given["feedbackId"],
        )


@asynccontextmanager
async def with_the_setup_bot(server: ServerProcess, folder: Path) -> AsyncIterator[Conversation]:
    """A new builder's draft, described up to its key; the form for the key is on the page."""
    async with (
        newcomer(server, folder, role="builder") as builder,
        page(server, builder.http, profile="setup-bot") as chat,
    ):
        await chat.told("Step 1 of 13")
        for number, answer in enumerate(
            ("an assistant", "Rhymes", "Finds rhymes.", "skip", "gpt-6-luna", "Find rhymes.")
        ):
            await chat.say(answer)
            await chat.told(f"Step {number + 2} of 13")
        await chat.until(lambda c: bool(c.all("element")))
        form = chat.all("element")[-1]
        async with asyncio.timeout(PATIENCE_S):  # it is drawn first and stored then
            while not (await chat.thread())["elements"]:
                pass
        yield Conversation(
            chat=chat,
            owner=builder.http,
            thread_id=chat.thread_id,
            asked="",
            run="",
            answered=form["forId"],
            element=form["id"],
        )


async def ask(who: httpx.AsyncClient, request: Request) -> httpx.Response:
    method, path, body = request
    return await who.request(method, path, json=body)


def opinion_on(step_id: str, c: Conversation, session_id: str) -> Request:
    feedback = {"forId": step_id, "value": 0, "threadId": c.thread_id, "comment": "MARK"}
    return "PUT", "/feedback", {"feedback": feedback, "sessionId": session_id}


TALK: Mapping[str, Attempt] = {
    "reads it": lambda c, _: ("GET", f"/project/thread/{c.thread_id}", None),
    "renames it": lambda c, _: (
        "PUT", "/project/thread", {"threadId": c.thread_id, "name": "MARK"}
    ),
    "has an opinion on an answer": lambda c, s: opinion_on(c.answered, c, s),
    "has an opinion on a question": lambda c, s: opinion_on(c.asked, c, s),
    "takes an opinion back": lambda c, _: ("DELETE", "/feedback", {"feedbackId": c.feedback}),
    "deletes it": lambda c, _: ("DELETE", "/project/thread", {"threadId": c.thread_id}),
}  # fmt: skip


@pytest.mark.parametrize("attempt", TALK)
async def test_a_conversation_is_its_owners(
    server: ServerProcess, sam: httpx.AsyncClient, bea: httpx.AsyncClient, attempt: str
) -> None:
    async with with_math_tutor(server, sam) as his, page(server, bea) as hers:
        before = await his.stored()
        for session_id in (hers.session_id, his.chat.session_id):
            refused = await ask(bea, TALK[attempt](his, session_id))
            assert refused.status_code == NOTHING
            assert "MARK" not in refused.text
        assert await his.stored() == before
        done = await ask(sam, TALK[attempt](his, his.chat.session_id))
        assert done.status_code == 200


async def test_an_opinion_on_ones_own_answer_is_not_given_from_anothers_page(
    server: ServerProcess, sam: httpx.AsyncClient, bea: httpx.AsyncClient
) -> None:
    async with with_math_tutor(server, sam) as his, with_math_tutor(server, bea) as hers:
        from_his = opinion_on(hers.answered, hers, his.chat.session_id)
        assert (await ask(bea, from_his)).status_code == NOTHING
        from_hers = opinion_on(hers.answered, hers, hers.chat.session_id)
        assert (await ask(bea, from_hers)).status_code == 200


async def test_a_list_and_a_search_have_ones_own_conversations_alone(
    server: ServerProcess, sam: httpx.AsyncClient, bea: httpx.AsyncClient
) -> None:
    async with with_math_tutor(server, sam) as his:
        mine = [line["id"] for line in (await threads(sam)).json()["data"]]
        theirs = await threads(bea)
        found = await bea.post(
            "/project/threads",
            json={"pagination": {"first": 35}, "filter": {"search": "8 * 8", "userId": SAM}},
        )
    assert his.thread_id in mine
    assert his.thread_id not in theirs.text + found.text


FORM: Mapping[str, Attempt] = {
    "reads it": lambda c, _: ("GET", f"/project/thread/{c.thread_id}/element/{c.element}", None),
    "fills it in": lambda c, s: (
        "PUT", "/project/element",
        {"element": {"id": c.element, "threadId": c.thread_id, "forId": c.answered,
                     "type": "custom", "name": "KeyForm", "display": "inline",
                     "props": {"draftId": "MARK"}}, "sessionId": s},
    ),
    "presses a button": lambda c, s: (
        "POST", "/project/action",
        {"action": {"name": "setup_say", "payload": {"say": "back"}}, "sessionId": s},
    ),
    "takes it away": lambda c, s: (
        "DELETE", "/project/element",
        {"element": {"id": c.element, "threadId": c.thread_id, "forId": c.answered,
                     "type": "custom", "name": "KeyForm", "display": "inline"}, "sessionId": s},
    ),
}  # fmt: skip


async def test_a_form_in_a_conversation_is_its_owners(
    server: ServerProcess, folder: Path, sam: httpx.AsyncClient
) -> None:
    async with with_the_setup_bot(server, folder) as hers, page(server, sam) as his:
        before = (await hers.stored())["elements"]
        assert [element["id"] for element in before] == [hers.element]
        for attempt in FORM.values():
            refused = await ask(sam, attempt(hers, hers.chat.session_id))
            assert refused.status_code == NOTHING
            mixed = await ask(sam, attempt(hers, his.session_id))
            assert (mixed.status_code, mixed.text) != (200, '{"success":true}')
            assert "MARK" not in refused.text + mixed.text
        assert (await hers.stored())["elements"] == before
        for name, attempt in FORM.items():
            done = await ask(hers.owner, attempt(hers, hers.chat.session_id))
            assert done.status_code == 200, name


async def test_of_ones_own_element_only_the_props_can_be_changed(
    server: ServerProcess, folder: Path
) -> None:
    async with with_the_setup_bot(server, folder) as hers:
        (before,) = (await hers.stored())["elements"]
        claimed = {
            "id": hers.element,
            "threadId": str(uuid4()),
            "forId": str(uuid4()),
            "type": "image",
            "name": "Elsewhere",
            "display": "page",
            "url": "https://evil.example/x.png",
            "path": "/etc/passwd",
            "mime": "text/html",
            "props": {"seen": True},
        }
        body = {"element": claimed, "sessionId": hers.chat.session_id}
        assert (await hers.owner.put("/project/element", json=body)).status_code == 200
        (after,) = (await hers.stored())["elements"]
    assert after == {**before, "props": {"seen": True}}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param(
            "/project/action", {"action": {"name": "setup_say", "payload": {}}}, id="a button"
        ),
        pytest.param("/project/element", {"element": {"id": "x"}}, id="an element"),
    ],
)
async def test_a_page_that_was_never_open_has_nothing_to_press(
    sam: httpx.AsyncClient, path: str, body: dict[str, Any]
) -> None:
    method = "POST" if path.endswith("action") else "PUT"
    answer = await sam.request(method, path, json={**body, "sessionId": str(uuid4())})
    assert answer.status_code == NOTHING


async def test_nobody_opens_a_page_on_anothers_conversation(
    server: ServerProcess, sam: httpx.AsyncClient, bea: httpx.AsyncClient
) -> None:
    async with with_math_tutor(server, sam) as his:
        with pytest.raises(Refused):
            async with page(server, bea, thread_id=his.thread_id):
                pass
    async with page(server, sam, thread_id=his.thread_id) as again:
        await again.until(lambda c: bool(c.all("resume_thread")))


async def test_nobody_takes_over_anothers_page(
    server: ServerProcess, sam: httpx.AsyncClient, bea: httpx.AsyncClient
) -> None:
    async with with_math_tutor(server, sam) as his:
        with pytest.raises(Refused):
            async with page(server, bea, session_id=his.chat.session_id):
                pass
        await his.chat.say("And what is 9 * 9?")
        await his.chat.receipt(2)
        assert "81" in his.chat.answer()


async def test_a_message_under_the_id_of_anothers_replaces_nothing(
    server: ServerProcess, sam: httpx.AsyncClient, bea: httpx.AsyncClient
) -> None:
    async with with_math_tutor(server, sam) as his, page(server, bea) as hers:
        before = await his.stored()
        for squatted in (his.asked, his.run, his.answered):
            await hers.say("MARK", id=squatted)
        await hers.say("What is 3 * 5?")
        await hers.receipt()
        assert "15" in hers.answer()
        assert await his.stored() == before
        assert "MARK" not in str((await hers.thread())["steps"][:2])


async def test_a_draft_of_somebody_else_is_neither_opened_nor_asked(
    server: ServerProcess, folder: Path
) -> None:
    with tables(folder) as rows:
        rows.execute("UPDATE offering SET state = 'draft' WHERE slug = 'travel-helper'")
    try:
        async with newcomer(server, folder, "travel-pass") as eve:
            assert (await eve.http.get("/a/travel-helper")).status_code == NOTHING
            async with page(server, eve.http, profile="travel-helper") as chat:
                await chat.say("Hello")
                await chat.told("There is no published offering of that name.")
                assert not chat.all("element")
    finally:
        with tables(folder) as rows:
            rows.execute("UPDATE offering SET state = 'published' WHERE slug = 'travel-helper'")


async def test_an_assistant_that_was_not_bought_does_not_answer(
    server: ServerProcess, olga: httpx.AsyncClient, sam: httpx.AsyncClient
) -> None:
    async with page(server, olga, profile=MATH) as hers, page(server, sam, profile=MATH) as his:
        for chat in (hers, his):
            await chat.say("What is 6 * 7?")
        await hers.told("None of your plans covers Math Tutor.")
        assert not hers.all("element")
        assert (await his.receipt())["line"].startswith("−5 credits")


async def test_the_setup_bot_listens_to_builders_alone(
    server: ServerProcess, sam: httpx.AsyncClient, bea: httpx.AsyncClient
) -> None:
    async with page(server, sam, profile="setup-bot") as his:
        await his.told("Only builders")
        heard = len(his.heard)
        await his.say("Rhymes")
        await his.until(lambda c: "Only builders" in str(c.heard[heard:]))
    async with page(server, bea, profile="setup-bot") as hers:
        await hers.told("Step ")
