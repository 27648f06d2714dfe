"""One's own conversations over the API: listed, searched, taken away, deleted; nobody else's."""

import json
import re
from uuid import uuid4

import pytest

from host.metering.corrections import RefundRequest
from storage import chat_history
from storage.credits import MilliCredits
from tests.proxy_world import World, problem_of


async def ask(world: World, text: str, *, thread_id: str | None = None) -> str:
    """A paid message of the subscriber's; returns its thread."""
    thread = thread_id or str(uuid4())
    live = await world.host.runs.begin(
        account_id=world.subscriber,
        thread_id=thread,
        offering_slug="tutor",
        text=text,
        message_id=str(uuid4()),
    )
    await live.outcome()
    return thread


async def test_conversations_are_listed_page_by_page_and_found_by_their_words(
    world: World,
) -> None:
    await world.buy("pack")
    threads = [await ask(world, f"What is {number} * 7? A heron.") for number in (2, 3, 4)]
    headers = await world.sign_in(world.subscriber)
    first = (await world.client.get("/api/v1/threads?limit=2", headers=headers)).json()
    rest = (
        await world.client.get(f"/api/v1/threads?limit=2&before={first['next']}", headers=headers)
    ).json()
    listed = [*first["threads"], *rest["threads"]]
    assert [line["id"] for line in listed] == threads[::-1]
    assert {line["assistant"] for line in listed} == {"Math Tutor"}
    assert rest["next"] is None
    found = (await world.client.get("/api/v1/threads?search=3 her", headers=headers)).json()
    (line,) = found["threads"]
    assert line["id"] == threads[1]
    assert "heron" in line["excerpt"]
    for unfit in ("her%00on", "heron%00", "%00"):
        none = await world.client.get(f"/api/v1/threads?search={unfit}", headers=headers)
        assert (none.status_code, none.json()["threads"]) == (200, [])
    nonsense = await world.client.get("/api/v1/threads?before=x", headers=headers)
    problem_of(nonsense, 400, "malformed_request")


async def test_a_conversation_is_taken_away_with_what_it_cost(world: World) -> None:
    await world.buy("pack")
    thread = await ask(world, "What is 6 * 7?")
    await ask(world, "/error please", thread_id=thread)
    headers = await world.sign_in(world.subscriber)
    address = f"/api/v1/threads/{thread}"
    read = (await world.client.get(address, headers=headers)).json()
    assert read["credits"] == 5
    assert [m["speaker"] for m in read["messages"]] == ["you", "Math Tutor"] * 2
    charges = [m["charge"]["credits"] for m in read["messages"] if m["charge"]]
    assert charges == [5, 0]

    taken = await world.client.get(f"{address}/export?format=json", headers=headers)
    assert json.loads(taken.content)["messages"] == read["messages"]
    written = await world.client.get(f"{address}/export?format=md", headers=headers)
    assert written.headers["content-type"] == "text/markdown; charset=utf-8"
    assert re.fullmatch(
        r"attachment; filename=\"what-is-6-7-\d{4}-\d\d-\d\d\.md\"; filename\*=UTF-8''.*",
        written.headers["content-disposition"],
    )
    receipt = read["messages"][1]["charge"]["receipt"]
    assert "# What is 6 * 7?" in written.text
    assert "> −5 credits" in written.text
    assert f"/receipts/{receipt})" in written.text
    assert "Not charged" in written.text
    assert written.text.endswith("5 credits in all.\n")
    request = RefundRequest(receipt_id=receipt, credits=MilliCredits(2_000), request="r")
    await world.host.corrections.refund(None, request)
    less = await world.client.get(f"{address}/export?format=md", headers=headers)
    assert less.text.endswith("3 credits in all, less what was given back.\n")
    odd = await world.client.get(f"{address}/export?format=exe", headers=headers)
    problem_of(odd, 400, "malformed_request")


async def test_a_title_ends_no_header_and_begins_no_heading(world: World) -> None:
    await world.buy("pack")
    thread = await ask(world, 'A"; filename="evil.exe\r\nX: 1 \u202e ../../etc')
    hostile = '# "; \r\nSet-Cookie: a=b \u202e/../x'
    await world.host.database.run(
        lambda unit: chat_history.name_thread(unit.session, thread, hostile)
    )
    headers = await world.sign_in(world.subscriber)
    taken = await world.client.get(f"/api/v1/threads/{thread}/export", headers=headers)
    assert "set-cookie" not in taken.headers
    assert re.match(
        r'attachment; filename="[a-z0-9-]+\.md";', taken.headers["content-disposition"]
    )
    assert taken.text.splitlines()[0].startswith('# "; Set-Cookie')


@pytest.mark.parametrize("path", ["", "/export?format=md", "/export?format=json"])
async def test_another_persons_conversation_does_not_exist(world: World, path: str) -> None:
    await world.buy("pack")
    thread = await ask(world, "The planted word is xylophone")
    stranger = await world.sign_in(world.builder)
    for thread_id in (thread, str(uuid4())):
        answer = await world.client.get(f"/api/v1/threads/{thread_id}{path}", headers=stranger)
        problem_of(answer, 404, "unknown_thread")
        assert "xylophone" not in answer.text
    listed = await world.client.get("/api/v1/threads?search=xylophone", headers=stranger)
    assert listed.json() == {"threads": [], "next": None}


async def test_only_its_owner_deletes_a_conversation_and_a_page_of_ours_must_ask(
    world: World,
) -> None:
    await world.buy("pack")
    thread = await ask(world, "What is 6 * 7?")
    address = f"/api/v1/threads/{thread}"
    stranger, owner = await world.sign_in(world.builder), await world.sign_in(world.subscriber)
    problem_of(await world.client.delete(address, headers=stranger), 404, "unknown_thread")
    bare = {"Cookie": owner["Cookie"]}
    problem_of(await world.client.delete(address, headers=bare), 403, "not_allowed")
    receipt = (await world.client.get(address, headers=owner)).json()["messages"][1]["charge"]
    gone = await world.client.delete(address, headers=owner)
    assert gone.json() == {"deleted": True, "deleted_upstream": True}
    problem_of(await world.client.get(address, headers=owner), 404, "unknown_thread")
    assert (await world.client.get("/api/v1/deletions", headers=owner)).json() == []
    kept = await world.client.get(f"/api/v1/receipts/{receipt['receipt']}", headers=owner)
    assert (kept.status_code, kept.json()["charged"]) == (200, 5)
    assert "6 * 7" not in kept.text
