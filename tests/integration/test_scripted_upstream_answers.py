"""The scripted upstream as the real SDK sees it over a socket: answers, items, background."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI

from farebox.demo.upstream.app import DEFAULT_KEY, ScriptedUpstream
from farebox.demo.upstream.pace import INSTANT
from farebox.demo.upstream.script import BANNER
from farebox.demo.upstream.server import Address, serve

MODEL = "gpt-6-luna"
TUTOR = "You are a patient math tutor."


@pytest.fixture
def upstream() -> ScriptedUpstream:
    return ScriptedUpstream([DEFAULT_KEY], INSTANT)


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


async def ask(client: AsyncOpenAI, text: str, **more: Any) -> list[Any]:
    """All events of one streamed answer."""
    fields = {"model": MODEL, "instructions": TUTOR, **more}
    stream = await client.responses.create(input=text, stream=True, **fields)
    return [event async for event in stream]


def text_of(events: list[Any]) -> str:
    return "".join(e.delta for e in events if e.type == "response.output_text.delta")


async def test_a_streamed_answer_has_openais_events_in_order_and_counts_its_words(
    client: AsyncOpenAI,
) -> None:
    events = await ask(client, "what is 17*23")

    assert [e.sequence_number for e in events] == list(range(len(events)))
    kinds = [e.type for e in events if e.type != "response.output_text.delta"]
    assert kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert "391" in text_of(events)
    final = events[-1].response
    assert final.status == "completed"
    assert final.output_text == text_of(events)
    assert final.usage.output_tokens == len(text_of(events).split())
    assert final.usage.total_tokens == final.usage.input_tokens + final.usage.output_tokens


async def test_a_conversation_remembers_the_name_the_turns_and_what_was_said(
    client: AsyncOpenAI,
) -> None:
    conversation = (await client.conversations.create(metadata={"farebox_chat": "1"})).id

    first = text_of(await ask(client, "My name is Ada", conversation=conversation))
    second = text_of(await ask(client, "what is 2+2?", conversation=conversation))
    third = text_of(await ask(client, "What is my name?", conversation={"id": conversation}))

    assert first.startswith(BANNER)
    assert BANNER not in second + third
    assert "**4**" in second
    assert "turn 2" in second
    assert "You said earlier: “My name is Ada”" in second
    assert "**Ada**" in third
    assert "turn 3" in third


async def test_the_instructions_decide_what_it_talks_about(client: AsyncOpenAI) -> None:
    maths = text_of(await ask(client, "what can you do"))
    travel = text_of(
        await ask(client, "what can you do", instructions="You plan trips. Never do math.")
    )
    own = text_of(await ask(client, "hello there", instructions="You are a beekeeper."))
    beekeeper = text_of(
        await ask(client, "how do hives work", instructions="You are a beekeeper {x}.")
    )

    assert "maths tutor" in maths
    assert "travel helper" in travel
    assert own != maths
    assert "beekeeper" in beekeeper


async def test_the_same_question_gets_the_same_answer(client: AsyncOpenAI) -> None:
    question = "how do I begin with fractions"
    assert text_of(await ask(client, question)) == text_of(await ask(client, question))


async def test_an_unstreamed_answer_says_the_same_as_a_streamed_one(client: AsyncOpenAI) -> None:
    streamed = text_of(await ask(client, "what is 6 times 7"))
    whole = await client.responses.create(
        model=MODEL, instructions=TUTOR, input="what is 6 times 7"
    )
    assert whole.output_text == streamed
    assert (await client.responses.retrieve(whole.id)).output_text == streamed


async def test_items_join_the_conversation_only_when_the_answer_completes(
    client: AsyncOpenAI,
) -> None:
    conversation = (await client.conversations.create()).id
    await ask(client, "hello", conversation=conversation)
    for trigger in ("/error-mid", "/cut", "/incomplete"):
        await ask(client, trigger, conversation=conversation)

    items = await client.conversations.items.list(conversation, order="asc")

    assert [item.role for item in items.data if item.type == "message"] == ["user", "assistant"]


async def test_items_can_be_seeded_listed_by_pages_and_deleted_with_the_conversation(
    client: AsyncOpenAI,
) -> None:
    conversation = await client.conversations.create(
        items=[{"role": "user", "content": "my name is Bob"}]
    )
    await client.conversations.items.create(
        conversation.id,
        items=[
            {"type": "message", "role": "assistant", "content": "Noted."},
            {
                "type": "message",
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "look"},
                    {
                        "type": "input_image",
                        "image_url": "https://x.test/a.png",
                        "detail": "auto",
                    },
                ],
            },
        ],
    )

    listed = [i async for i in client.conversations.items.list(conversation.id, limit=2)]
    assert [i.role for i in listed if i.type == "message"] == ["user", "assistant", "user"]
    answer = text_of(await ask(client, "who am i", conversation=conversation.id))
    assert "**Bob**" in answer

    assert (await client.conversations.retrieve(conversation.id)).id == conversation.id
    assert (await client.conversations.delete(conversation.id)).deleted
    with pytest.raises(openai.NotFoundError):
        await client.conversations.retrieve(conversation.id)


async def test_an_answer_goes_on_from_a_previous_response(client: AsyncOpenAI) -> None:
    first = await client.responses.create(model=MODEL, input="call me Eve")
    second = await client.responses.create(
        model=MODEL, input="what's my name", previous_response_id=first.id
    )
    assert "**Eve**" in second.output_text


async def test_the_limit_of_output_tokens_cuts_the_answer_short(client: AsyncOpenAI) -> None:
    events = await ask(client, "/long", max_output_tokens=16)

    assert events[-1].type == "response.incomplete"
    assert events[-1].response.incomplete_details.reason == "max_output_tokens"
    assert len(text_of(events).split()) == 16


async def test_a_long_answer_is_about_twenty_seconds_at_the_demos_pace(
    client: AsyncOpenAI,
) -> None:
    words = len(text_of(await ask(client, "/long")).split())
    assert 780 <= words <= 860


async def test_a_background_answer_can_be_read_again_from_any_event(client: AsyncOpenAI) -> None:
    events = await ask(client, "hello", background=True, store=True)
    assert "response.queued" in [e.type for e in events]
    response_id = events[0].response.id

    again = await client.responses.retrieve(response_id, stream=True, starting_after=4)

    assert [e.sequence_number async for e in again] == list(range(5, len(events)))


async def test_a_background_answer_survives_its_reader_and_can_be_cancelled(
    client: AsyncOpenAI, upstream: ScriptedUpstream
) -> None:
    gate = upstream.hold_answers(after_words=3)
    async with asyncio.timeout(5):
        stream = await client.responses.create(
            model=MODEL, input="hello", background=True, stream=True
        )
        first = await anext(stream)
        assert first.type == "response.created"
        await gate.reached()
        await stream.close()
        assert (await client.responses.retrieve(first.response.id)).status == "in_progress"

        cancelled = await client.responses.cancel(first.response.id)

        assert cancelled.status == "cancelled"
        assert upstream.answers_running == 0
        assert (await client.responses.cancel(first.response.id)).status == "cancelled"


async def test_a_background_answer_without_a_stream_is_queued_then_complete(
    client: AsyncOpenAI, upstream: ScriptedUpstream
) -> None:
    queued = await client.responses.create(model=MODEL, input="hello", background=True)
    assert queued.status == "queued"
    async with asyncio.timeout(5):
        await upstream.all_quiet()
    assert (await client.responses.retrieve(queued.id)).status == "completed"
    with pytest.raises(openai.BadRequestError, match="cannot be streamed"):
        await client.responses.retrieve(queued.id, stream=True)


async def test_a_caller_who_leaves_stops_the_answer_and_frees_the_conversation(
    client: AsyncOpenAI, upstream: ScriptedUpstream
) -> None:
    conversation = (await client.conversations.create()).id
    gate = upstream.hold_answers(after_words=2)
    async with asyncio.timeout(5):
        stream = await client.responses.create(
            model=MODEL, input="hello", conversation=conversation, stream=True
        )
        await gate.reached()
        assert upstream.answers_running == 1
        await stream.close()
        await upstream.all_quiet()
        gate.open()
        assert await ask(client, "hello again", conversation=conversation)
    items = await client.conversations.items.list(conversation, order="asc")
    assert len(items.data) == 2


async def test_the_conversation_is_free_once_the_terminal_event_is_read(
    client: AsyncOpenAI,
) -> None:
    conversation, completed = (await client.conversations.create()).id, 0
    for _ in range(5):
        stream = await client.responses.create(
            model=MODEL, input="hello", conversation=conversation, stream=True
        )
        async for event in stream:
            if event.type == "response.completed":
                completed += 1
                break
    assert completed == 5


async def test_conversations_kept_in_a_directory_are_found_after_a_restart(
    tmp_path: Path,
) -> None:
    async with restarted(tmp_path) as client:
        conversation = (await client.conversations.create()).id
        await ask(client, "my name is Ada", conversation=conversation)

    async with restarted(tmp_path) as client:
        answer = await ask(client, "what is my name", conversation=conversation)
        assert "**Ada**" in text_of(answer)
        await client.conversations.delete(conversation)

    async with restarted(tmp_path) as client:
        with pytest.raises(openai.NotFoundError):
            await client.conversations.retrieve(conversation)


@asynccontextmanager
async def restarted(keep_in: Path) -> AsyncIterator[AsyncOpenAI]:
    """A client of a fresh upstream over the same directory."""
    upstream = ScriptedUpstream([DEFAULT_KEY], INSTANT, keep_in=keep_in)
    async with (
        serve(upstream) as address,
        AsyncOpenAI(api_key=DEFAULT_KEY, base_url=address.openai_base_url) as client,
    ):
        yield client


async def test_every_answer_has_a_request_id(address: Address) -> None:
    async with httpx.AsyncClient(base_url=address.url) as http:
        answers = [await http.get("/v1/models"), await http.get("/nowhere")]
    ids = {answer.headers["x-request-id"] for answer in answers}
    assert len(ids) == 2
    assert answers[1].json()["error"]["message"] == "Invalid URL (GET /nowhere)"


async def test_models_are_listed_with_the_dates_they_stop(client: AsyncOpenAI) -> None:
    listed = [model.id async for model in client.models.list()]
    assert MODEL in listed
    assert (await client.models.retrieve("gpt-4o")).shutdown_date == "2027-01-14"
    with pytest.raises(openai.NotFoundError) as refused:
        await client.models.retrieve("gpt-nowhere")
    assert refused.value.code == "model_not_found"


async def test_the_journal_says_what_was_asked_and_by_whom_without_the_key(
    client: AsyncOpenAI, upstream: ScriptedUpstream
) -> None:
    await ask(client, "hello")
    assert upstream.journal.answers_asked == 1
    assert [r.key_ends for r in upstream.journal.requests] == ["abcd"]
    assert DEFAULT_KEY not in repr(upstream.journal.requests) + repr(vars(upstream.journal))
