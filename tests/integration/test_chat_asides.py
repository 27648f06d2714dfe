"""What stands around an answer, over the chat's own socket and through a reload."""

from pathlib import Path
from typing import Any

import httpx

from tests.acceptance.servers import ServerProcess
from tests.chatting import (
    MATH,
    Chat,
    balance,
    give,
    newcomer,
    page,
    tables,
    threads,
)


async def press(chat: Chat, button: dict[str, Any], http: httpx.AsyncClient | None = None) -> Any:
    """Press a button under an answer, as its element does. What is said about it."""
    answer = await (http or chat.http).post(
        "/project/action",
        json={
            "sessionId": chat.session_id,
            "action": {"name": "ask_again", "payload": button},
        },
    )
    return answer.json()["response"] if answer.status_code == 200 else answer.status_code


def shown(steps: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(step["type"], step["output"]) for step in steps if step["type"] != "run"]


async def composer(http: httpx.AsyncClient, slug: str = MATH) -> dict[str, Any]:
    told = (await http.get("/composer")).json()["assistants"]
    (found,) = [assistant for assistant in told if assistant["slug"] == slug]
    known: dict[str, Any] = found
    return known


async def test_who_reads_along_is_said_before_the_first_message_and_once(
    server: ServerProcess, folder: Path
) -> None:
    async with newcomer(server, folder, "pack-100") as ann:
        before = await composer(ann.http)
        assert before["disclosure"]["text"].startswith("What you write here goes to 127.0.0.1,")
        assert before["disclosure"]["href"] == "/terms"
        async with page(server, ann.http) as chat:
            await chat.say("What is 6 * 7?")
            await chat.receipt()
            (said,) = [m for m in chat.all("new_message") if m["type"] == "system_message"]
            stored = (await chat.thread())["steps"]
        assert (await composer(ann.http))["disclosure"] is None
        async with page(server, ann.http) as another:
            await another.say("What is 6 * 7?")
            await another.receipt()
            assert "system_message" not in {m["type"] for m in another.all("new_message")}
    assert "Its builder sees counts and receipts, not the text. [Terms](/terms)" in said["output"]
    assert [step["type"] for step in stored] == [
        "user_message",
        "system_message",
        "run",
        "assistant_message",
    ]
    assert stored[1]["parentId"] == stored[0]["id"]


async def test_the_price_at_the_composer_is_that_of_the_next_message(
    server: ServerProcess, sam: httpx.AsyncClient, olga: httpx.AsyncClient
) -> None:
    left = int(await balance(sam))
    assert (await composer(sam))["line"] == f"Math Tutor · 5 credits per message · {left} left"
    async with page(server, sam) as chat:
        await chat.say("What is 6 * 7?")
        await chat.receipt()
    assert (await composer(sam))["line"].endswith(f"{left - 5} left")
    told = (await olga.get("/composer")).json()
    assert told == {"assistants": [], "characters": {"assistant": 32_000, "other": 200_000}}
    async with httpx.AsyncClient(base_url=server.address) as nobody:
        assert (await nobody.get("/composer")).status_code == 401


async def test_the_composer_says_what_stopping_costs_and_what_the_daily_limit_leaves(
    server: ServerProcess, folder: Path
) -> None:
    async with newcomer(server, folder, "pack-100") as ann:
        now = await composer(ann.http)
        assert now["stop"] == {
            "before": "Math Tutor · stopping now costs nothing",
            "after": "Math Tutor · stopping now costs 5 credits",
        }
        await ann.http.post("/account/cap", data={"credits": "12.5"})
        line = "Math Tutor · 5 credits per message · {} left today"
        assert (await composer(ann.http))["line"] == line.format("12.5")
        async with page(server, ann.http) as chat:
            await chat.say("What is 6 * 7?")
            await chat.receipt()
        assert (await composer(ann.http))["line"] == line.format("7.5")
        await ann.http.post("/account/cap", data={"credits": "1000"})
        assert (await composer(ann.http))["line"].endswith(" · 95 left")
        await give(folder, ann.email, "travel-pass")
        included = await composer(ann.http, "travel-helper")
    assert included["stop"] is None
    assert "left" not in included["line"]


async def test_the_composer_knows_whether_there_is_enough_for_a_message_and_for_some(
    server: ServerProcess, folder: Path
) -> None:
    async with newcomer(server, folder) as ann:
        told = {}
        for credits_ in (4, 1, 19, 1):
            await give(folder, ann.email, "pack-100", str(credits_))
            now = await composer(ann.http)
            told[int(await balance(ann.http))] = (now["can_pay"], now["is_low"])
    assert told == {4: (False, True), 5: (True, True), 24: (True, True), 25: (True, False)}


async def test_what_was_asked_about_a_receipt_stands_under_its_answer(
    server: ServerProcess, sam: httpx.AsyncClient
) -> None:
    async with page(server, sam) as chat:
        await chat.say("What is 6 * 7?")
        receipt = (await chat.receipt())["href"]
        for kind in ("report", "refund"):
            await sam.post(f"{receipt}/{kind}", data={kind: "It was no good."})
        (drawn,) = (await chat.thread())["elements"]
    labels = [action["label"] for action in drawn["props"]["actions"]]
    assert labels == ["receipt", "reported", "refund requested"]


async def test_the_sidebar_names_a_conversation_at_once_and_says_what_a_program_began(
    server: ServerProcess, folder: Path
) -> None:
    async with newcomer(server, folder, "pack-100") as ann:
        async with page(server, ann.http) as chat:
            await chat.say("What is 6 * 7?")
            await chat.until(lambda one: bool(one.all("first_interaction")))
            first = await names(ann.http)
            await chat.receipt()
        wanted = {"offering": MATH, "name": "test", "days": 1}
        ours = {"X-Requested-With": "farebox"}
        token = (await ann.http.post("/api/v1/tokens", json=wanted, headers=ours)).json()["token"]
        async with httpx.AsyncClient(base_url=server.address) as program:
            bearer = {"Authorization": f"Bearer {token}"}
            asked = {"message": "What is 6 * 8?"}
            await program.post(f"/s/{MATH}/ask", json=asked, headers=bearer)
        assert (first, await names(ann.http)) == (
            ["What is 6 * 7?"],
            ["Program: What is 6 * 8?", "What is 6 * 7?"],
        )
        (began, *_rest) = (await threads(ann.http)).json()["data"]
        named = {"threadId": began["id"], "name": "Sums"}
        assert (await ann.http.put("/project/thread", json=named)).status_code == 200
        assert await names(ann.http) == ["Sums", "What is 6 * 7?"]


async def names(http: httpx.AsyncClient) -> list[str]:
    """The lines of the sidebar."""
    return [str(thread["name"]) for thread in (await threads(http)).json()["data"]]


async def test_the_last_question_is_asked_again_once_for_its_price(
    server: ServerProcess, sam: httpx.AsyncClient
) -> None:
    before = await balance(sam)
    async with page(server, sam) as chat:
        await chat.say("What is 6 * 7?")
        first = (await chat.receipt())["again"]
        assert first["label"] == "Ask again · 5 credits"
        assert await press(chat, first) == {"said": ""}
        second = (await chat.receipt(2))["again"]
        assert "asked again already" in (await press(chat, first))["said"]
        assert [m["output"] for m in chat.all("new_message") if m["type"] == "user_message"] == [
            "What is 6 * 7?"
        ]
        stored = await chat.thread()
    asked = [text for kind, text in shown(stored["steps"]) if kind == "user_message"]
    assert asked == ["What is 6 * 7?"] * 2
    assert [element["props"]["again"] for element in stored["elements"]] == [None, second]
    assert await balance(sam) == before - 10


async def test_a_button_that_is_stale_or_not_ones_own_charges_nothing(
    server: ServerProcess, sam: httpx.AsyncClient, olga: httpx.AsyncClient
) -> None:
    async with page(server, sam) as chat:
        await chat.say("What is 6 * 7?")
        stale = (await chat.receipt())["again"]
        await chat.say("What is 6 * 8?")
        last = (await chat.receipt(2))["again"]
        before = await balance(sam)
        said = (await press(chat, stale))["said"]
        assert "Something was said after this answer" in said
        assert await press(chat, last, olga) == 404  # in another's chat session
        async with page(server, olga) as strangers:
            said = (await press(strangers, last))["said"]
            assert "There is no such answer" in said
            assert (await press(strangers, {"answer": 7}))[
                "said"
            ] == "There is no such conversation."
        assert await balance(sam) == before


async def test_a_price_that_changed_is_told_and_has_to_be_agreed_to(
    server: ServerProcess, folder: Path, sam: httpx.AsyncClient
) -> None:
    async with page(server, sam) as chat:
        await chat.say("What is 6 * 7?")
        button = (await chat.receipt())["again"]
        reprice(folder, 6_000)
        try:
            before = await balance(sam)
            told = await press(chat, button)
            assert "asking again costs 6 credits now" in told["said"]
            assert told["again"]["label"] == "Ask again · 6 credits"
            assert await balance(sam) == before
            assert await press(chat, told["again"]) == {"said": ""}
            assert (await chat.receipt(2))["line"].startswith("−6 credits")
        finally:
            reprice(folder, 5_000)


def reprice(folder: Path, price: int) -> None:
    with tables(folder) as stored:
        stored.execute("UPDATE offering SET price = ? WHERE slug = ?", (price, MATH))


async def test_uses_of_tools_are_collapsed_lines_and_there_after_a_reload(
    server: ServerProcess, sam: httpx.AsyncClient
) -> None:
    async with page(server, sam) as chat:
        await chat.say("/tool")
        await chat.receipt()
        live = [m for m in chat.all("new_message") if m["type"] == "tool"]
        stored = [s for s in (await chat.thread())["steps"] if s["type"] == "tool"]
    last = {step["id"]: step for step in live}
    assert [step["name"].split(" · ")[0] for step in last.values()] == [
        "Searched the web",
        "Searched its files",
        "Ran code",
    ]
    assert [(s["id"], s["name"], s["output"], s["parentId"]) for s in stored] == [
        (s["id"], s["name"], s["output"], s["parentId"]) for s in last.values()
    ]
    assert live[0]["name"] == "Searching the web"
    assert not any(step["defaultOpen"] or step["input"] for step in live)
    assert "6 * 7" not in str(live)  # what the code tool was given


async def test_sources_are_footnotes_while_it_streams_and_after_a_reload(
    server: ServerProcess, sam: httpx.AsyncClient
) -> None:
    async with page(server, sam) as chat:
        await chat.say("/cite")
        await chat.receipt()
        streamed = chat.all("stream_start")[-1]["output"] + "".join(
            token["token"] for token in chat.all("stream_token")
        )
        answer = chat.answer()
        stored = shown((await chat.thread())["steps"])[-1][1]
    assert answer == stored == streamed
    assert "light.[\\[1\\]](https://example.org/si/metre) A triangle" in answer
    assert answer.endswith("3. lecture-notes.pdf")


async def test_a_picture_of_another_host_is_a_link_from_the_first_word_on(
    server: ServerProcess, sam: httpx.AsyncClient
) -> None:
    async with page(server, sam) as chat:
        await chat.say("/picture")
        await chat.receipt()
        stored = shown((await chat.thread())["steps"])[-1][1]
        assert "![" not in str(chat.all("stream_token"))
    assert chat.answer() == stored
    assert "[Picture: A triangle with its angles (example.org)](https://example.org/" in stored


async def test_running_low_is_said_once_under_the_answer_that_did_it(
    server: ServerProcess, folder: Path
) -> None:
    async with newcomer(server, folder, "trial-20") as ann, page(server, ann.http) as chat:
        for number in range(4):
            await chat.say(f"What is {number} + 1?")
            await chat.receipt(number + 1)
        live = [element["props"]["notices"] for element in chat.all("element")]
        stored = [e["props"]["notices"] for e in (await chat.thread())["elements"]]
    assert live == stored
    told = [notice["text"] for notices in live for notice in notices]
    assert told == ["No credits left, so not enough for another message."]
    assert live[-1][0]["href"].startswith("/buy/")
