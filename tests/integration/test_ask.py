"""Questions to an assistant by a program: `POST …/ask`, over real sockets from end to end."""

import asyncio
import json
from typing import Any
from uuid import UUID, uuid5

import httpx
import pytest

from host.runs.naming import Naming
from storage import chat_history
from storage.conversations import PROGRAM
from storage.database import Unit
from storage.models.conversations import Thread
from tests.proxy_world import CREDIT, World, problem_of

ASK = "/s/tutor/ask"


async def ask(world: World, message: str, **more: str) -> httpx.Response:
    """Ask as the subscriber."""
    headers = await world.bearer("tutor")
    return await world.client.post(ASK, headers=headers, json={"message": message, **more})


async def test_an_answer_comes_with_its_thread_its_run_and_what_it_cost(each_world: World) -> None:
    world = each_world
    await world.buy("pack")
    answer = await ask(world, "What is 17 × 23?")
    assert answer.status_code == 200
    facts = answer.json()
    assert set(facts) == {
        "answer", "thread_id", "run_id", "credits_charged", "credits_remaining"
    }  # fmt: skip
    assert "391" in facts["answer"]
    assert (facts["credits_charged"], facts["credits_remaining"]) == (5, 95)
    assert answer.headers["farebox-credits-charged"] == "5"
    assert answer.headers["farebox-credits-remaining"] == "95"
    signed = await world.sign_in(world.subscriber)
    receipt = answer.headers["farebox-receipt"]
    found = (await world.client.get(f"/api/v1/receipts/{receipt}", headers=signed)).json()
    assert (found["charged"], found["run_id"]) == (5, facts["run_id"])


async def test_a_thread_goes_on_where_it_was_left(world: World) -> None:
    await world.buy("pack")
    first = (await ask(world, "What is 2 + 2?")).json()
    second = (await ask(world, "And 3 + 3?", thread_id=first["thread_id"])).json()
    assert second["thread_id"] == first["thread_id"]
    assert second["run_id"] != first["run_id"]
    assert await world.available("tutor") == 90 * CREDIT


@pytest.mark.parametrize("trigger", ["/error", "/empty", "/cut", "/error-mid", "/429"])
async def test_a_failure_of_the_upstream_costs_nothing(world: World, trigger: str) -> None:
    await world.buy("pack")
    answer = await ask(world, trigger)
    facts = problem_of(answer, 502, "upstream_failed")
    assert "ot charged" in facts["detail"]
    assert facts["run_id"]
    assert answer.headers["farebox-credits-charged"] == "0"
    assert await world.available("tutor") == 100 * CREDIT


async def test_without_enough_credits_nothing_is_asked(world: World) -> None:
    await world.buy("pack", number=4)
    facts = problem_of(await ask(world, "Hello"), 402, "credits_exhausted")
    assert (facts["balance"], facts["required"]) == (4, 5)


async def test_a_daily_limit_asks_nothing_and_says_what_to_do(world: World) -> None:
    await world.buy("pack")
    await world.cap(9)
    assert (await ask(world, "What is 2 + 2?")).status_code == 200
    refused = await ask(world, "And 3 + 3?")
    facts = problem_of(refused, 429, "spend_cap_reached")
    assert "your daily limit of 9 has 4 left" in facts["detail"]
    assert int(refused.headers["retry-after"]) > 0
    assert await world.available("tutor") == 95 * CREDIT


async def test_twenty_questions_at_once_on_credits_for_seven_are_seven(each_world: World) -> None:
    world = each_world
    await world.buy("pack", number=35)
    headers = await world.bearer("tutor")
    questions = [
        world.client.post(ASK, headers=headers, json={"message": f"What is {n} + 1?"})
        for n in range(20)
    ]
    statuses = sorted([answer.status_code for answer in await asyncio.gather(*questions)])
    assert statuses == [200] * 7 + [402] * 13
    assert await world.available("tutor") == 0


async def test_under_a_time_plan_an_answer_is_free(world: World) -> None:
    await world.buy("week")
    facts = (await ask(world, "Hello")).json()
    assert facts["credits_charged"] == 0


async def test_the_builders_own_question_is_free(world: World) -> None:
    headers = await world.bearer("tutor", world.builder)
    answer = await world.client.post(ASK, headers=headers, json={"message": "Hello"})
    assert answer.json()["credits_charged"] == 0
    assert "farebox-receipt" not in answer.headers


async def test_the_same_idempotency_key_finds_the_same_answer(each_world: World) -> None:
    world = each_world
    await world.buy("pack")
    headers = await world.bearer("tutor") | {"Idempotency-Key": "one"}
    first = await world.client.post(ASK, headers=headers, json={"message": "What is 2 + 3?"})
    again = await world.client.post(ASK, headers=headers, json={"message": "What is 2 + 3?"})
    other = await world.client.post(ASK, headers=headers, json={"message": "What is 9 + 9?"})
    assert again.json() == first.json()
    assert again.headers["farebox-receipt"] == first.headers["farebox-receipt"]
    problem_of(other, 409, "idempotency_conflict")
    assert await world.available("tutor") == 95 * CREDIT


async def test_nobody_can_sit_beforehand_in_the_thread_of_an_idempotency_key(
    each_world: World,
) -> None:
    world = each_world
    await world.buy("pack")
    published = UUID("6f0b6f9e-52f5-5c43-9d0e-8d1d2a0c7f11")  # in every copy of the source, once
    guesses = [
        str(uuid5(published, f"t:{world.subscriber}:one")),
        Naming(bytes(32)).of(world.subscriber, "one").thread_id,
    ]

    def squat(unit: Unit) -> None:
        for thread_id in guesses:
            chat_history.open_thread(
                unit.session, thread_id, world.builder, world.host.clock.now()
            )

    await world.host.database.run(squat)
    headers = await world.bearer("tutor") | {"Idempotency-Key": "one"}
    answer = await world.client.post(ASK, headers=headers, json={"message": "What is 2 + 3?"})
    assert answer.status_code == 200
    assert answer.json()["thread_id"] not in guesses


async def test_only_who_asked_reaches_the_answer_being_written(world: World) -> None:
    await world.buy("pack")
    runs = world.host.runs
    answer = await runs.begin(
        account_id=world.subscriber,
        thread_id="theirs",
        offering_slug="tutor",
        text="/long",
        message_id="a-message",
    )
    assert runs.live("theirs", account_id=world.subscriber) is answer
    assert runs.live("theirs", account_id=world.builder) is None
    assert runs.live("theirs", account_id=None) is None
    await answer.stop()


@pytest.mark.parametrize(
    ("account_id", "key"),
    [
        pytest.param(7, "b", id="by key"),
        pytest.param(8, "a", id="by account"),
        pytest.param(71, "", id="by where one ends and the other begins"),
    ],
)
def test_names_of_idempotency_keys_differ(account_id: int, key: str) -> None:
    names, other = Naming(bytes(32)).of(7, "a"), Naming(bytes(32)).of(account_id, key)
    assert names == Naming(bytes(32)).of(7, "a")
    assert names.thread_id != names.message_id
    assert {names.thread_id, names.message_id}.isdisjoint({other.thread_id, other.message_id})
    assert "0" * 8 not in repr(Naming(bytes(32)))


async def test_somebody_elses_thread_and_one_that_never_was_look_the_same(world: World) -> None:
    await world.buy("pack")
    own = await world.bearer("tutor", world.builder)
    theirs = (await world.client.post(ASK, headers=own, json={"message": "Hello"})).json()
    for thread_id in (theirs["thread_id"], "no-such-thread"):
        refused = await ask(world, "Hello", thread_id=thread_id)
        problem_of(refused, 404, "unknown_thread")
    assert await world.available("tutor") == 100 * CREDIT


@pytest.mark.parametrize(
    "body",
    [
        b"", b"nonsense", b"[]", b"{}", b'{"message": ""}', b'{"message": "  "}',
        b'{"message": 5}', b'{"message": "x", "thread_id": 5}', b'{"message": "x", "thred": "y"}',
        b'{"message": "' + b"x" * 40_000 + b'"}', b'{"message": "\xff"}', b"[" * 100_000,
    ],
)  # fmt: skip
async def test_a_body_that_is_no_question_is_refused(world: World, body: bytes) -> None:
    await world.buy("pack")
    answer = await world.client.post(ASK, headers=await world.bearer("tutor"), content=body)
    problem_of(answer, 400, "malformed_request")
    assert await world.available("tutor") == 100 * CREDIT


async def test_an_assistant_has_nothing_but_ask(world: World) -> None:
    headers = await world.bearer("tutor")
    got = await world.client.get(ASK, headers=headers)
    problem_of(got, 405, "method_not_registered")
    assert got.headers["allow"] == "POST"
    problem_of(await world.client.post("/s/tutor/x", headers=headers), 404, "unknown_endpoint")
    problem_of(await world.client.post(ASK, json={"message": "x"}), 401, "invalid_token")


async def test_as_an_event_stream_the_last_event_states_the_charge(world: World) -> None:
    await world.buy("pack")
    headers = await world.bearer("tutor") | {"Accept": "text/event-stream"}
    answer = await world.client.post(ASK, headers=headers, json={"message": "What is 6 × 7?"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    *deltas, (name, last) = events_of(answer.text)
    assert {name for name, _ in deltas} == {"delta"}
    assert "".join(facts["text"] for _, facts in deltas) == last["answer"]
    assert (name, last["credits_charged"], last["credits_remaining"]) == ("answer", 5, 95)


async def test_as_an_event_stream_a_failure_is_a_problem_at_the_end(world: World) -> None:
    await world.buy("pack")
    headers = await world.bearer("tutor") | {"Accept": "text/event-stream"}
    answer = await world.client.post(ASK, headers=headers, json={"message": "/error-mid"})
    name, last = events_of(answer.text)[-1]
    assert (name, last["code"], last["status"]) == ("problem", "upstream_failed", 502)
    assert await world.available("tutor") == 100 * CREDIT


def events_of(text: str) -> list[tuple[str, dict[str, Any]]]:
    events = []
    for event in text.strip().split("\n\n"):
        name, data = event.split("\n")
        events.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return events


async def test_a_thread_that_a_program_began_is_marked_until_somebody_names_it(
    world: World,
) -> None:
    await world.buy("pack")
    thread_id = (await ask(world, "What is 2 + 2?")).json()["thread_id"]

    async def tags() -> list[str]:
        return await world.host.database.read(lambda s: s.get_one(Thread, thread_id).tags)

    assert await tags() == [PROGRAM]
    await ask(world, "And 3 + 3?", thread_id=thread_id)
    assert await tags() == [PROGRAM]
    await world.host.database.run(lambda u: chat_history.name_thread(u.session, thread_id, "Sums"))
    assert await tags() == []
