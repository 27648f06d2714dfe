"""What the scripted upstream refuses and how it fails, as the real SDK meets it."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI

from farebox.demo.upstream import refusals
from farebox.demo.upstream.app import DEFAULT_KEY, ScriptedUpstream
from farebox.demo.upstream.contract import ContractBroken, fit_event
from farebox.demo.upstream.pace import INSTANT
from farebox.demo.upstream.server import Address, serve

MODEL = "gpt-6-luna"
GOOD = {"model": MODEL, "input": "x"}
TERMINAL = {"response.completed", "response.incomplete", "response.failed"}


@pytest.fixture
def upstream() -> ScriptedUpstream:
    return ScriptedUpstream([DEFAULT_KEY, "sk-demo-bea-2222222222222222"], INSTANT)


@pytest.fixture
async def address(upstream: ScriptedUpstream) -> AsyncIterator[Address]:
    async with serve(upstream) as address:
        yield address


@pytest.fixture
async def client(address: Address) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(
        api_key=DEFAULT_KEY, base_url=address.openai_base_url, max_retries=0, timeout=5
    ) as client:
        yield client


@pytest.fixture
async def http(address: Address) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {DEFAULT_KEY}"}
    async with httpx.AsyncClient(base_url=address.openai_base_url, headers=headers) as http:
        yield http


async def play(client: AsyncOpenAI, text: str, **more: Any) -> list[Any]:
    stream = await client.responses.create(model=MODEL, input=text, stream=True, **more)
    return [event async for event in stream]


def text_of(events: list[Any]) -> str:
    return "".join(e.delta for e in events if e.type == "response.output_text.delta")


# Keys


async def test_an_unknown_key_is_refused_as_openai_does_it_with_its_ends_echoed(
    client: AsyncOpenAI,
) -> None:
    stranger = client.with_options(api_key="sk-proj-SECRETSECRETSECRET-wxyz")
    with pytest.raises(openai.AuthenticationError) as refused:
        await stranger.models.list()
    assert refused.value.code == "invalid_api_key"
    assert "sk-proj-" in str(refused.value)
    assert "wxyz" in str(refused.value)
    assert "SECRET" not in str(refused.value)


async def test_no_key_at_all_is_refused_everywhere(address: Address) -> None:
    async with httpx.AsyncClient(base_url=address.openai_base_url) as http:
        for method, path in [
            ("GET", "/models"),
            ("GET", "/models/x"),
            ("POST", "/conversations"),
            ("GET", "/conversations/x"),
            ("DELETE", "/conversations/x"),
            ("GET", "/conversations/x/items"),
            ("POST", "/conversations/x/items"),
            ("POST", "/responses"),
            ("GET", "/responses/x"),
            ("POST", "/responses/x/cancel"),
        ]:
            answer = await http.request(method, path)
            assert answer.status_code == 401, path
            assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


# Requests


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        ({"input": "x"}, 400, "missing_required_parameter", "model"),
        ({"model": MODEL}, 400, "missing_required_parameter", "input"),
        ({"model": MODEL, "input": []}, 400, "missing_required_parameter", "input"),
        ({"model": "gpt-none", "input": "x"}, 404, "model_not_found", "model"),
        (GOOD | {"colour": 1}, 400, "unknown_parameter", "colour"),
        (GOOD | {"temperature": 2.1}, 400, "invalid_value", "temperature"),
        (GOOD | {"temperature": "hot"}, 400, "invalid_value", "temperature"),
        (GOOD | {"top_p": -0.1}, 400, "invalid_value", "top_p"),
        (GOOD | {"max_output_tokens": 1}, 400, "invalid_value", "max_output_tokens"),
        (GOOD | {"safety_identifier": "x" * 129}, 400, "invalid_value", "safety_identifier"),
        (GOOD | {"metadata": {"a": {"b": "c"}}}, 400, "invalid_value", "metadata"),
        (GOOD | {"metadata": {str(n): "" for n in range(17)}}, 400, "invalid_value", "metadata"),
        (GOOD | {"metadata": {"n" * 65: ""}}, 400, "invalid_value", "metadata"),
        (GOOD | {"metadata": {"n": "v" * 513}}, 400, "invalid_value", "metadata.n"),
        (GOOD | {"input": [{"role": "robot", "content": "x"}]}, 400, "invalid_value", None),
        (
            GOOD | {"input": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]},
            400,
            "invalid_value",
            None,
        ),
        (GOOD | {"tools": [{"type": "file_search"}]}, 400, "invalid_value", None),
        (GOOD | {"tools": [{"type": "telepathy"}]}, 400, "invalid_value", None),
        (GOOD | {"stream_options": {"surprise": 1}}, 400, "invalid_value", None),
        (GOOD | {"background": True, "store": False}, 400, "invalid_value", "background"),
        (GOOD | {"conversation": "conv_none"}, 404, None, None),
        (GOOD | {"conversation": {"id": "conv_none"}}, 404, None, None),
        (GOOD | {"previous_response_id": "resp_x"}, 400, "previous_response_not_found", None),
        (
            GOOD | {"conversation": "conv_x", "previous_response_id": "resp_x"},
            400,
            "mutually_exclusive_parameters",
            None,
        ),
        (
            GOOD | {"input": [{"type": "function_call_output", "call_id": "c1", "output": "x"}]},
            400,
            None,
            "input",
        ),
        (
            GOOD
            | {"input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": ""}]},
            400,
            None,
            "input",
        ),
    ],
)
async def test_a_wrong_request_is_refused_before_anything_runs(
    http: httpx.AsyncClient,
    upstream: ScriptedUpstream,
    body: dict[str, Any],
    status: int,
    code: str | None,
    param: str | None,
) -> None:
    for stream in (True, False):
        answer = await http.post("/responses", json={"stream": stream, **body})
        error = answer.json()["error"]
        assert answer.status_code == status, error
        assert error["code"] == code, error
        assert param is None or error["param"] == param
    assert upstream.answers_running == 0


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"\xff"])
async def test_a_body_that_is_no_json_object_is_refused(
    http: httpx.AsyncClient, body: bytes
) -> None:
    for path in ("/responses", "/conversations"):
        answer = await http.post(path, content=body)
        assert answer.status_code == 400
        assert "could not parse the JSON body" in answer.json()["error"]["message"]


async def test_more_than_twenty_items_or_a_nested_unknown_field_are_refused(
    http: httpx.AsyncClient, client: AsyncOpenAI
) -> None:
    conversation = (await client.conversations.create()).id
    items = [{"role": "user", "content": "x"}] * 21
    for path in ("/conversations", f"/conversations/{conversation}/items"):
        assert (await http.post(path, json={"items": items})).status_code == 400
        assert (await http.post(path, json={"items": items[:20]})).status_code == 200
        wrong = {"items": [{"role": "user", "content": "x", "mood": "good"}]}
        assert (await http.post(path, json=wrong)).status_code == 400
    with_include = {"items": items[:1], "include": []}
    answer = await http.post(f"/conversations/{conversation}/items", json=with_include)
    assert answer.json()["error"]["code"] == "unknown_parameter"


async def test_a_second_question_while_one_is_answered_finds_the_conversation_locked(
    client: AsyncOpenAI, upstream: ScriptedUpstream
) -> None:
    conversation = (await client.conversations.create()).id
    gate = upstream.hold_answers(after_words=1)
    async with asyncio.timeout(5):
        first = asyncio.create_task(play(client, "hello", conversation=conversation))
        await gate.reached()
        for refused in (
            play(client, "me too", conversation=conversation),
            client.conversations.items.create(
                conversation, items=[{"role": "user", "content": "x"}]
            ),
        ):
            with pytest.raises(openai.BadRequestError) as error:
                await refused
            assert error.value.code == "conversation_locked"
            assert error.value.param == "conversation"
        gate.open()
        assert (await first)[-1].type == "response.completed"


async def test_a_foreground_answer_cannot_be_cancelled_or_read_while_it_runs(
    client: AsyncOpenAI, upstream: ScriptedUpstream
) -> None:
    gate = upstream.hold_answers(after_words=1)
    async with asyncio.timeout(5):
        stream = await client.responses.create(model=MODEL, input="hello", stream=True)
        response_id = (await anext(stream)).response.id  # type: ignore[union-attr]
        with pytest.raises(openai.BadRequestError, match="synchronous"):
            await client.responses.cancel(response_id)
        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve(response_id)
        gate.open()
        _ = [event async for event in stream]
    assert (await client.responses.retrieve(response_id)).status == "completed"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/conversations/{c}/items?limit=0", 400),
        ("/conversations/{c}/items?limit=101", 400),
        ("/conversations/{c}/items?order=random", 400),
        ("/conversations/{c}/items?after=msg_none", 404),
        ("/responses/{r}?stream=true&starting_after=x", 400),
        ("/responses/{r}?stream=true", 200),
    ],
)
async def test_what_stands_in_the_address_is_checked_too(
    http: httpx.AsyncClient, client: AsyncOpenAI, path: str, status: int
) -> None:
    conversation = (await client.conversations.create()).id
    [first, *_] = await play(client, "hello", background=True)
    answer = await http.get(path.format(c=conversation, r=first.response.id))
    assert answer.status_code == status


async def test_unknown_ids_are_not_found_and_unstored_answers_are_unknown(
    client: AsyncOpenAI,
) -> None:
    unstored = await client.responses.create(model=MODEL, input="hello", store=False)
    for asked in (
        client.responses.retrieve(unstored.id),
        client.responses.cancel("resp_none"),
        client.conversations.retrieve("conv_../../etc"),
        client.conversations.delete("conv_none"),
        client.conversations.items.list("conv_none"),
    ):
        with pytest.raises(openai.NotFoundError):
            await asked


# Triggers


@pytest.mark.parametrize(
    ("trigger", "kind", "code"),
    [
        ("/error", openai.InternalServerError, None),
        ("/503", openai.InternalServerError, "server_overloaded"),
        ("/429", openai.RateLimitError, "rate_limit_exceeded"),
        ("/quota", openai.RateLimitError, "insufficient_quota"),
        ("/401", openai.AuthenticationError, "invalid_api_key"),
        ("/403", openai.PermissionDeniedError, "unsupported_country_region_territory"),
        ("/404", openai.NotFoundError, "model_not_found"),
        ("/locked", openai.BadRequestError, "conversation_locked"),
    ],
)
async def test_triggers_that_refuse_do_so_before_a_stream_begins(
    client: AsyncOpenAI,
    upstream: ScriptedUpstream,
    trigger: str,
    kind: type[openai.APIStatusError],
    code: str | None,
) -> None:
    with pytest.raises(kind) as refused:
        await play(client, trigger)
    assert refused.value.code == code
    assert refused.value.request_id
    if trigger == "/429":
        assert refused.value.response.headers["retry-after"] == "1"
    assert upstream.journal.answers_asked == 1
    assert upstream.answers_running == 0


@pytest.mark.parametrize(
    ("trigger", "last", "has_text"),
    [
        ("/empty", "response.completed", False),
        ("/error-mid", "response.failed", True),
        ("/failed", "response.failed", False),
        ("/error-event", "response.failed", True),
        ("/incomplete", "response.incomplete", True),
        ("/refusal", "response.completed", False),
        ("/novelty", "response.completed", True),
        ("/slow", "response.completed", True),
        ("/cut", None, True),
        ("/json", None, False),
    ],
)
async def test_triggers_that_answer_end_as_their_table_says(
    client: AsyncOpenAI,
    upstream: ScriptedUpstream,
    trigger: str,
    last: str | None,
    has_text: bool,
) -> None:
    conversation = (await client.conversations.create()).id
    events = await play(client, trigger, conversation=conversation)
    ended = [e.type for e in events if e.type in TERMINAL]
    assert ended == ([] if last is None else [last])
    assert bool(text_of(events)) is has_text
    assert ("error" in [e.type for e in events]) is (trigger == "/error-event")
    assert (trigger == "/refusal") is any(e.type == "response.refusal.delta" for e in events)
    async with asyncio.timeout(5):
        await upstream.all_quiet()
    assert (await play(client, "hello", conversation=conversation))[-1].type in TERMINAL


@pytest.mark.parametrize(
    ("trigger", "kind", "has_text"),
    [
        ("/reset", openai.APIConnectionError, True),
        ("/hangup", openai.APIConnectionError, False),
        ("/error-nested", openai.APIError, True),
        ("/junk", json.JSONDecodeError, True),
    ],
)
async def test_triggers_that_break_the_stream_raise_in_the_sdk(
    client: AsyncOpenAI,
    trigger: str,
    kind: type[Exception],
    has_text: bool,
) -> None:
    stream = await client.responses.create(model=MODEL, input=trigger, stream=True)
    seen: list[Any] = []

    async def read() -> None:
        async for event in stream:
            seen.append(event)  # noqa: PERF401 - what came before the break is the point

    with pytest.raises(kind):
        await read()
    assert bool(text_of(seen)) is has_text
    assert not any(event.type in TERMINAL for event in seen)


@pytest.mark.parametrize("trigger", ["/cut", "/reset"])
async def test_an_unstreamed_answer_that_breaks_off_breaks_the_connection(
    client: AsyncOpenAI, trigger: str
) -> None:
    with pytest.raises(openai.APIConnectionError):
        await client.responses.create(model=MODEL, input=trigger)


async def test_a_test_can_have_the_next_request_refused_once(
    client: AsyncOpenAI, upstream: ScriptedUpstream
) -> None:
    upstream.refuse_next(refusals.scopes_missing("api.model.read"))
    with pytest.raises(openai.PermissionDeniedError, match="Missing scopes"):
        await client.models.retrieve(MODEL)
    assert (await client.models.retrieve(MODEL)).id == MODEL


# Its own contract, and the process


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.telepathy.delta"},
        {"type": "error", "code": None, "message": "x", "param": None},
        {
            "type": "error",
            "code": None,
            "message": "x",
            "param": None,
            "sequence_number": 1,
            "more": 1,
        },
    ],
)
def test_an_event_the_sdk_does_not_know_never_leaves(event: dict[str, Any]) -> None:
    with pytest.raises(ContractBroken):
        fit_event(event)


async def test_it_serves_on_the_port_it_is_told_and_frees_it(upstream: ScriptedUpstream) -> None:
    async with serve(upstream) as address:
        pass
    async with serve(upstream, address.port) as again:
        assert again == address
        with pytest.raises(OSError):  # noqa: PT011 - the system's own words vary
            async with serve(upstream, address.port):
                pass
