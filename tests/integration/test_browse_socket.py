"""Browse and kept messages over the chat's own socket, as a browser may use it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.acceptance.servers import ServerProcess
from tests.chatting import (
    MATH,
    PATIENCE_S,
    Chat,
    balance,
    give,
    newcomer,
    operate,
    page,
    tables,
    uploaded,
)

TRAVEL, SONGS = "travel-helper", "elvis-song-summarizer"
ASKED = "What is 17 * 23?"


@pytest.fixture
async def somebody(
    server: ServerProcess, folder: Path
) -> AsyncIterator[tuple[str, httpx.AsyncClient]]:
    """A person of their own for each test: their e-mail address, and their browser."""
    async with newcomer(server, folder) as person:
        yield person.email, person.http


async def hears(chat: Chat, number: int = 1) -> str:
    """What was said last, once so much was."""
    await chat.until(lambda c: len(c.all("new_message")) >= number)
    return str(chat.all("new_message")[-1]["output"])


async def card(chat: Chat, name: str, number: int = 1) -> dict[str, Any]:
    """The props of the newest element of that name, once there are so many."""
    await chat.until(lambda c: len(named(c, name)) >= number)
    return named(chat, name)[-1]


def named(chat: Chat, name: str) -> list[dict[str, Any]]:
    return [one["props"] for one in chat.all("element") if one["name"] == name]


async def press(http: httpx.AsyncClient, chat: Chat, name: str, **payload: Any) -> httpx.Response:
    action = {"name": name, "payload": payload}
    return await http.post(
        "/project/action", json={"action": action, "sessionId": chat.session_id}
    )


async def told(http: httpx.AsyncClient, chat: Chat, name: str, **payload: Any) -> dict[str, Any]:
    answer = await press(http, chat, name, **payload)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["response"]
    return found


async def refused(chat: Chat, text: str = ASKED) -> str:
    """Say something there is nothing to pay with; the refusal's id."""
    before = len(named(chat, "TopUp"))
    await chat.say(text)
    return str((await card(chat, "TopUp", before + 1))["refusal"])


async def test_browse_greets_somebody_new_with_everything_there_is(
    server: ServerProcess, somebody: tuple[str, httpx.AsyncClient]
) -> None:
    _, http = somebody
    settings = (await http.get("/project/settings")).json()
    (profile,) = settings["chatProfiles"]
    assert (profile["name"], profile["display_name"], profile["default"]) == (
        "home", "Browse", True,
    )  # fmt: skip
    async with page(server, http, profile="home") as chat:
        props = await card(chat, "Catalogue")
        greeting = await hears(chat)
        assert greeting.startswith("**Welcome.**")
        assert set(props) == {"view"}, "what is drawn is asked for when it is drawn"
    assert not (await http.post("/project/threads", json=FIRST_PAGE)).json()["data"]


FIRST_PAGE = {"pagination": {"first": 35}, "filter": {}}


async def test_a_page_that_connects_again_draws_the_same_greeting_once(
    server: ServerProcess, somebody: tuple[str, httpx.AsyncClient]
) -> None:
    _, http = somebody
    session_id = str(uuid4())
    async with page(server, http, profile="home", session_id=session_id) as first:
        await card(first, "Catalogue")
    async with page(server, http, profile="home", session_id=session_id) as second:
        assert await card(second, "Catalogue") == named(first, "Catalogue")[0]
    ids = {chat.all("new_message")[0]["id"] for chat in (first, second)}
    assert len(ids) == 1


async def test_words_find_cards_and_others_show_everything(
    server: ServerProcess, somebody: tuple[str, httpx.AsyncClient]
) -> None:
    _, http = somebody
    async with page(server, http, profile="home") as chat:
        await card(chat, "Catalogue")
        await chat.say("I need help with travel")
        assert (await card(chat, "Catalogue", 2))["slugs"] == [TRAVEL]
        assert "1 match for “I need help with travel”" in str(chat.all("new_message"))
        await chat.say("quantum basket weaving")
        assert "slugs" not in await card(chat, "Catalogue", 3)
        assert "Nothing here matches “quantum basket weaving”" in str(chat.all("new_message"))
        await chat.until(lambda c: bool(c.all("first_interaction")))
        async with asyncio.timeout(PATIENCE_S):  # what was drawn is stored a little later
            while len((stored := await chat.thread())["elements"]) < 3:
                pass
    assert stored["metadata"] == {"chat_profile": "home"}
    kept = {one["props"]["view"]: one["props"] for one in stored["elements"]}
    assert kept == {props["view"]: props for props in named(chat, "Catalogue")}


async def test_a_balance_is_told_plan_by_plan(
    server: ServerProcess, folder: Path, somebody: tuple[str, httpx.AsyncClient]
) -> None:
    email, http = somebody
    async with page(server, http, profile="home") as chat:
        await card(chat, "Catalogue")
        await chat.say("Show my balance")
        await card(chat, "Catalogue", 2)
        assert "You have no plan yet" in await hears(chat, 2)
        await give(folder, email, "pack-100", "40")
        await give(folder, email, "travel-pass")
        await chat.say("balance")
        said = await hears(chat, 3)
    assert "You have **40 credits** to spend." in said
    assert "- **Pack 100**: 40 credits left" in said
    assert "- **7-day travel pass**: until " in said
    assert "(/account)" in said


async def test_who_lost_a_plan_is_told_so_and_offered_no_second_trial(
    server: ServerProcess, folder: Path, somebody: tuple[str, httpx.AsyncClient]
) -> None:
    email, http = somebody
    await give(folder, email, "trial-20")
    facts = {"email": email, "plan": "trial-20", "note": "a mistake", "request": uuid4().hex}
    await operate(folder, "revoke", **facts)
    async with page(server, http, profile="home") as chat:
        assert "Trial 20 was taken back by the operator on" in await hears(chat)
    offered = (await http.get("/api/v1/catalogue")).json()["offerings"]
    assert [one["plans"] for one in offered if one["slug"] == MATH] == [["pack-100"]]


async def test_a_refused_message_is_kept_and_sent_once_when_there_are_credits(
    server: ServerProcess, folder: Path, somebody: tuple[str, httpx.AsyncClient]
) -> None:
    email, http = somebody
    async with page(server, http, profile=MATH) as chat:
        refusal = await refused(chat)
        assert await hears(chat) == (
            "Not charged. None of your plans covers Math Tutor. Your message is kept."
        )
        kept = await told(http, chat, "kept_look", refusal=refusal)
        assert (kept["state"], kept["can_send"], kept["text"]) == ("kept", False, ASKED)
        too_early = await told(http, chat, "kept_send", refusal=refusal)
        assert "None of your plans covers Math Tutor" in too_early["sentence"]
        await give(folder, email, "pack-100", "12")
        kept = await told(http, chat, "kept_look", refusal=refusal)
        assert (kept["can_send"], kept["price"]) == (True, "Costs 5 credits, once it is answered")
        presses = [told(http, chat, "kept_send", refusal=refusal) for _ in range(3)]
        sentences = sorted(one["sentence"] for one in await asyncio.gather(*presses))
        assert sentences == ["", SENT, SENT]
        await card(chat, "Receipt")
        assert "391" in chat.answer()
        assert (await told(http, chat, "kept_look", refusal=refusal))["state"] == "sent"
        stale = await told(http, chat, "kept_send", refusal=refusal)
        assert stale["sentence"] == SENT
        said = [s["output"] for s in (await chat.thread())["steps"] if s["type"] == "user_message"]
    assert said == [ASKED, ASKED]
    assert await balance(http) == 7


SENT = "This message was sent. Its answer is below."


async def test_a_kept_message_is_sent_at_the_price_on_its_button_or_not_at_all(
    server: ServerProcess, folder: Path, somebody: tuple[str, httpx.AsyncClient]
) -> None:
    email, http = somebody
    async with page(server, http, profile=MATH) as chat:
        refusal = await refused(chat)
        await give(folder, email, "pack-100", "12")
        shown = await told(http, chat, "kept_look", refusal=refusal)
        assert (shown["amount"], shown["button"]) == (5_000, "Send my message now · 5 credits")
        with repriced(folder, 7_000):
            agreed = shown["amount"]
            press_ = await told(http, chat, "kept_send", refusal=refusal, price=agreed)
            assert press_["sentence"] == (
                "The price has changed: this message costs 7 credits now. Nothing was charged;"
                " press again if that is fine."
            )
            assert await balance(http) == 12
            shown = await told(http, chat, "kept_look", refusal=refusal)
            assert (shown["state"], shown["can_send"]) == ("kept", True)
            assert (shown["price"], shown["button"]) == (
                "Costs 7 credits, once it is answered", "Send my message now · 7 credits",
            )  # fmt: skip
            agreed = shown["amount"]
            press_ = await told(http, chat, "kept_send", refusal=refusal, price=agreed)
            assert press_["sentence"] == ""
            await card(chat, "Receipt")
        said = [s["output"] for s in (await chat.thread())["steps"] if s["type"] == "user_message"]
    assert said == [ASKED, ASKED]
    assert await balance(http) == 5


async def test_a_message_at_another_price_than_its_page_shows_is_kept_and_sent_at_the_new_one(
    server: ServerProcess, folder: Path, somebody: tuple[str, httpx.AsyncClient]
) -> None:
    email, http = somebody
    await give(folder, email, "pack-100", "20")
    async with page(server, http, profile=MATH) as chat:
        await shows(http, chat)
        with repriced(folder, 7_000):
            refusal = await refused(chat)
            assert await hears(chat) == (
                "Not charged. The price has changed: this message costs 7 credits now. Your"
                " message is kept."
            )
            assert {"farebox_stale": True} in chat.all("window_message")
            assert await balance(http) == 20
            shown = await told(http, chat, "kept_look", refusal=refusal)
            agreed = shown["amount"]
            assert (await told(http, chat, "kept_send", refusal=refusal, price=agreed)) == {
                "sentence": ""
            }
            await card(chat, "Receipt")
            assert await balance(http) == 13
            await shows(http, chat)
            await chat.say("What is 2 * 2?")
            await card(chat, "Receipt", 2)
    assert await balance(http) == 6


async def test_what_a_page_shows_of_another_assistant_binds_nobody(
    server: ServerProcess, folder: Path, somebody: tuple[str, httpx.AsyncClient]
) -> None:
    email, http = somebody
    await give(folder, email, "pack-100", "12")
    async with page(server, http, profile=MATH) as chat:
        for said in (
            {"farebox_shown": {"slug": TRAVEL, "price": 1_000}},
            {"farebox_shown": {"slug": MATH, "price": "1"}},
            {"farebox_thread": "x"},
            "nonsense",
        ):
            await chat.client.emit("window_message", said)
        await chat.say(ASKED)
        await card(chat, "Receipt")
    assert await balance(http) == 7


async def shows(http: httpx.AsyncClient, chat: Chat) -> None:
    """Let the page show what a message costs now, and say so as `custom.js` does."""
    assistants = (await http.get("/composer")).json()["assistants"]
    (price,) = [one["price"] for one in assistants if one["slug"] == MATH]
    await chat.client.emit("window_message", {"farebox_shown": {"slug": MATH, "price": price}})


@contextmanager
def repriced(folder: Path, price: int) -> Iterator[None]:
    """Another price for Math Tutor, as if its builder had changed it just now."""
    statement = "UPDATE offering SET price = ? WHERE slug = ?"
    with tables(folder) as stored:
        stored.execute(statement, (price, MATH))
    try:
        yield
    finally:
        with tables(folder) as stored:
            stored.execute(statement, (5_000, MATH))


async def test_what_passes_the_daily_limit_is_kept_and_sent_once_the_limit_is_raised(
    server: ServerProcess, folder: Path, somebody: tuple[str, httpx.AsyncClient]
) -> None:
    email, http = somebody
    await give(folder, email, "pack-100", "50")
    await http.post("/account/cap", data={"credits": "3"})
    async with page(server, http, profile=MATH) as chat:
        refusal = await refused(chat)
        assert "more than your daily limit of 3" in await hears(chat)
        assert chat.said().endswith("Your message is kept.")
        kept = await told(http, chat, "kept_look", refusal=refusal)
        assert (kept["state"], kept["can_send"]) == ("kept", False)
        assert kept["limit"] == {
            "text": "Your own limit is 3 credits a day; 3 left until midnight UTC.",
            "href": "/account#limit",
            "label": "Change the limit",
        }
        await http.post("/account/cap", data={"credits": "30"})
        kept = await told(http, chat, "kept_look", refusal=refusal)
        assert (kept["can_send"], kept["limit"]) == (True, None)
        assert (await told(http, chat, "kept_send", refusal=refusal))["sentence"] == ""
        await card(chat, "Receipt")
    assert await balance(http) == 45


async def test_a_limit_of_the_operators_is_told_without_a_way_to_change_it(
    server: ServerProcess, folder: Path, somebody: tuple[str, httpx.AsyncClient]
) -> None:
    email, http = somebody
    await give(folder, email, "pack-100", "50")
    await operate(folder, "set_cap", email=email, credits_="3")
    async with page(server, http, profile=MATH) as chat:
        kept = await told(http, chat, "kept_look", refusal=await refused(chat))
    text = "The operator of this site lets you spend 3 credits a day; 3 left until midnight UTC."
    assert kept["limit"] == {"text": text}
    assert await balance(http) == 50


async def test_a_kept_message_outlives_a_reload_and_a_wrong_assistant_in_the_picker(
    server: ServerProcess, folder: Path, somebody: tuple[str, httpx.AsyncClient]
) -> None:
    email, http = somebody
    async with page(server, http, profile=MATH) as chat:
        refusal = await refused(chat)
        await chat.until(lambda c: bool(c.all("first_interaction")))
        thread_id = chat.thread_id
    await give(folder, email, "pack-100", "12")
    async with page(server, http, profile="home", thread_id=thread_id) as again:
        await again.until(lambda c: bool(c.all("resume_thread")))
        drawn = again.all("resume_thread")[0]
        assert drawn["metadata"]["chat_profile"] == MATH
        assert [one["props"] for one in drawn["elements"]] == [{"refusal": refusal}]
        assert (await told(http, again, "kept_send", refusal=refusal))["sentence"] == ""
        await card(again, "Receipt")
        assert "391" in again.answer()
    assert await balance(http) == 7


async def test_a_kept_message_and_its_answer_are_drawn_once_on_each_page(
    server: ServerProcess, folder: Path, somebody: tuple[str, httpx.AsyncClient]
) -> None:
    email, http = somebody
    async with page(server, http, profile=MATH) as chat:
        refusal = await refused(chat)
        await chat.until(lambda c: bool(c.all("first_interaction")))
        async with page(server, http, profile=MATH, thread_id=chat.thread_id) as other:
            await other.until(lambda c: bool(c.all("resume_thread")))
            await give(folder, email, "pack-100", "12")
            assert (await told(http, chat, "kept_send", refusal=refusal))["sentence"] == ""
            for one in (chat, other):
                await card(one, "Receipt")
            # What is said next is drawn behind all that was drawn of the answer.
            await chat.say("What is 2 * 2?")
            for one in (chat, other):
                await one.until(lambda c: len(set(answered(c))) == 2)
                assert len(one.all("stream_start")) == len(answered(one)) == 2
                steps = one.all("new_message")
                assert len([s for s in steps if s["output"] == ASKED]) == 1
                assert len([s for s in steps if s["type"] == "system_message"]) == 1
    assert await balance(http) == 2


def answered(chat: Chat) -> list[str]:
    """For which messages a page drew a receipt."""
    return [str(one["forId"]) for one in chat.all("element") if one["name"] == "Receipt"]


async def test_the_files_of_a_kept_message_wait_with_it_and_are_sent_with_it_once(
    server: ServerProcess, folder: Path, somebody: tuple[str, httpx.AsyncClient]
) -> None:
    email, http = somebody
    await give(folder, email, "pack-100", "2")
    async with page(server, http, profile=MATH) as chat:
        picture = await uploaded(chat)
        await chat.say("What is this?", [picture])
        refusal = str((await card(chat, "TopUp"))["refusal"])
        kept = await told(http, chat, "kept_look", refusal=refusal)
        assert (kept["text"], kept["files"]) == ("What is this?", ["figure.png"])
        await give(folder, email, "pack-100", "10")
        presses = [told(http, chat, "kept_send", refusal=refusal) for _ in range(2)]
        assert {one["sentence"] for one in await asyncio.gather(*presses)} == {"", SENT}
        await card(chat, "Receipt")
        assert "You sent an image, 640×480." in chat.answer()
        stored = await chat.thread()
    (drawn,) = [one for one in stored["elements"] if one["type"] == "image"]
    asked = [step["id"] for step in stored["steps"] if step["type"] == "user_message"]
    assert (drawn["id"], drawn["forId"]) == (picture, asked[1])
    assert await balance(http) == 7


async def test_what_the_browser_says_of_a_kept_message_changes_nothing(
    server: ServerProcess, folder: Path, somebody: tuple[str, httpx.AsyncClient]
) -> None:
    email, http = somebody
    await give(folder, email, "pack-100", "12")
    async with page(server, http, profile=TRAVEL) as chat:
        refusal = await refused(chat, "Three days in Lisbon")
        (element,) = [one for one in chat.all("element") if one["name"] == "TopUp"]
        forged = {**element, "props": {"refusal": refusal, "offering": MATH, "text": "2 * 2"}}
        body = {"element": forged, "sessionId": chat.session_id}
        assert (await http.put("/project/element", json=body)).status_code == 200
        lies = {"offering": MATH, "text": "2 * 2", "price": 0, "message": str(uuid4())}
        sent = await told(http, chat, "kept_send", refusal=refusal, **lies)
        assert "None of your plans covers Travel Helper" in sent["sentence"]
        kept = await told(http, chat, "kept_look", refusal=refusal, **lies)
    assert (kept["offering"], kept["text"]) == (TRAVEL, "Three days in Lisbon")
    assert await balance(http) == 12


async def test_a_strangers_kept_message_does_not_exist(
    server: ServerProcess, folder: Path, somebody: tuple[str, httpx.AsyncClient]
) -> None:
    _, http = somebody
    async with page(server, http, profile=MATH) as mine, newcomer(server, folder) as stranger:
        theirs = stranger.http
        refusal = await refused(mine)
        await give(folder, stranger.email, "pack-100", "50")
        async with page(server, theirs, profile=MATH) as chat:
            own = await refused_elsewhere(chat)
            for name in ("kept_look", "kept_send"):
                # From a page of their own, and from mine.
                assert (await press(theirs, chat, name, refusal=refusal)).status_code == 404
                assert (await press(theirs, mine, name, refusal=refusal)).status_code == 404
                for nothing in (own, str(uuid4()), "", None, 7, ["x"], "../x"):
                    answer = await press(theirs, chat, name, refusal=nothing)
                    assert answer.status_code == 404, nothing
        assert (await told(http, mine, "kept_look", refusal=refusal))["state"] == "kept"
        assert await balance(theirs) == 45
        assert len((await mine.thread())["steps"]) == 2


async def refused_elsewhere(chat: Chat) -> str:
    """A conversation that was answered; the id of a message in it that was never refused."""
    asked = await chat.say("What is 2 * 2?")
    await card(chat, "Receipt")
    return asked


async def test_a_button_in_a_conversation_that_has_not_begun_opens_none(
    server: ServerProcess, somebody: tuple[str, httpx.AsyncClient]
) -> None:
    _, http = somebody
    async with page(server, http, profile="home") as chat:
        await card(chat, "Catalogue")
        assert (await press(http, chat, "kept_send", refusal=str(uuid4()))).status_code == 404
        assert not chat.all("first_interaction")
    assert not (await http.post("/project/threads", json=FIRST_PAGE)).json()["data"]


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        (["pause"], "Math Tutor is paused by its builder."),
        (["pause", "retire"], "Math Tutor has been withdrawn."),
    ],
)
async def test_a_kept_message_to_an_assistant_that_is_gone_says_so_and_costs_nothing(
    server: ServerProcess,
    folder: Path,
    somebody: tuple[str, httpx.AsyncClient],
    steps: list[str],
    sentence: str,
) -> None:
    email, http = somebody
    slug = await a_copy_of_math_tutor(folder)
    async with page(server, http, profile=slug) as chat:
        refusal = await refused(chat)
        await give(folder, email, "pack-100", "12")
        for step in steps:
            await operate(folder, "move_offering", slug=slug, step=step)
        sent = await told(http, chat, "kept_send", refusal=refusal)
        await chat.say("And now?")
        said = await hears(chat, 2)
    await operate(folder, "move_offering", slug=slug, step="retire")  # nobody else's picker has it
    assert sentence in sent["sentence"]
    assert sentence in said
    assert not named(chat, "Receipt")
    assert await balance(http) == 12


async def a_copy_of_math_tutor(folder: Path) -> str:
    """An assistant that a test may do away with."""
    slug = f"copy-{uuid4().hex[:12]}"
    with tables(folder) as stored:
        columns = "owner_id, kind, title, description, tags, state, price, starters, created_at"
        stored.execute(
            f"INSERT INTO offering (slug, {columns})"  # noqa: S608 - names of ours
            f" SELECT ?, {columns} FROM offering WHERE slug = 'math-tutor'",
            (slug,),
        )
        copied = "provider, base_url, model, instructions, secret_id"
        stored.execute(
            f"INSERT INTO assistant (offering_id, {copied})"  # noqa: S608 - names of ours
            f" SELECT (SELECT id FROM offering WHERE slug = ?), {copied} FROM assistant"
            " WHERE offering_id = (SELECT id FROM offering WHERE slug = 'math-tutor')",
            (slug,),
        )
        stored.execute(
            "INSERT INTO plan_offering (plan_id, offering_id)"
            " SELECT plan.id, offering.id FROM plan, offering"
            " WHERE plan.slug = 'pack-100' AND offering.slug = ?",
            (slug,),
        )
    return slug


async def test_a_pass_that_ends_in_the_middle_of_a_conversation_keeps_the_next_message(
    server: ServerProcess, folder: Path, somebody: tuple[str, httpx.AsyncClient]
) -> None:
    email, http = somebody
    await give(folder, email, "travel-pass")
    async with page(server, http, profile=TRAVEL) as chat:
        await chat.say("Three days in Lisbon")
        assert (await card(chat, "Receipt"))["tone"] == "included"
        with tables(folder) as stored:
            stored.execute(
                "UPDATE subscription SET starts_at = 1, ends_at = 86400000000 WHERE account_id ="
                " (SELECT id FROM account WHERE email = ?)",
                (email,),
            )
        refusal = await refused(chat, "And two in Porto?")
        assert "7-day travel pass ended on 2 January 1970. Your message is kept." in str(
            chat.all("new_message")
        )
        await give(folder, email, "travel-pass")
        kept = await told(http, chat, "kept_look", refusal=refusal)
        assert (kept["can_send"], kept["price"][:15]) == (True, "Included until ")
        assert (await told(http, chat, "kept_send", refusal=refusal))["sentence"] == ""
        assert (await card(chat, "Receipt", 2))["tone"] == "included"
    assert await balance(http) == 0


async def test_a_kept_message_that_was_deleted_is_not_sent(
    server: ServerProcess, folder: Path, somebody: tuple[str, httpx.AsyncClient]
) -> None:
    email, http = somebody
    async with page(server, http, profile=MATH) as chat:
        refusal = await refused(chat)
        asked = (await chat.thread())["steps"][0]["id"]
        await give(folder, email, "pack-100", "12")
        with tables(folder) as kept:
            kept.execute("DELETE FROM step WHERE id = ?", (asked,))
        gone = "This message is no longer kept, so nothing was sent and nothing charged."
        assert await told(http, chat, "kept_look", refusal=refusal) == {
            "state": "gone", "sentence": gone,
        }  # fmt: skip
        assert (await told(http, chat, "kept_send", refusal=refusal))["sentence"] == gone
    assert await balance(http) == 12


@pytest.mark.parametrize("slug", [MATH, SONGS])
async def test_a_link_to_what_one_does_not_have_opens_browse_on_its_card(
    server: ServerProcess, somebody: tuple[str, httpx.AsyncClient], slug: str
) -> None:
    _, http = somebody
    answer = await http.get(f"/a/{slug}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/?open={slug}")
    assert await default_profile(http) == "home"


async def test_a_link_to_ones_own_assistant_opens_it_and_another_leads_to_browse_once(
    server: ServerProcess, folder: Path, somebody: tuple[str, httpx.AsyncClient]
) -> None:
    email, http = somebody
    await give(folder, email, "pack-100", "12")
    answer = await http.get(f"/a/{MATH}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert await default_profile(http) == MATH
    await http.get(f"/a/{TRAVEL}")
    assert await default_profile(http) == "home"
    async with page(server, http, profile=MATH) as chat:
        await chat.say("What is 2 * 3?")
        await card(chat, "Receipt")
    assert await default_profile(http) == MATH


async def test_the_way_from_an_account_to_what_is_on_offer_opens_browse(
    folder: Path, somebody: tuple[str, httpx.AsyncClient]
) -> None:
    email, http = somebody
    await give(folder, email, "pack-100", "12")
    assert await default_profile(http) == MATH
    answer = await http.get("/browse")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert await default_profile(http) == "home"


async def default_profile(http: httpx.AsyncClient) -> str:
    profiles = (await http.get("/project/settings")).json()["chatProfiles"]
    return str(next(one["name"] for one in profiles if one["default"]))


@pytest.mark.parametrize("slug", ["nothing-here", "%00", "a" * 300, "<script>"])
async def test_a_link_to_nothing_is_answered_with_a_sentence(
    server: ServerProcess, somebody: tuple[str, httpx.AsyncClient], slug: str
) -> None:
    _, http = somebody
    answer = await http.get(f"/a/{slug}", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert "Browse shows all there is" in answer.text
    assert "<script>”" not in answer.text
