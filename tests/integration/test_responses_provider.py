"""The provider `responses` over a real socket, against the scripted upstream."""

import asyncio
import json
import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from farebox.demo.upstream import refusals
from farebox.demo.upstream.app import DEFAULT_KEY, ScriptedUpstream
from farebox.demo.upstream.pace import INSTANT
from farebox.demo.upstream.server import serve
from host.providers.base import (
    Credential,
    Delivered,
    FailureKind,
    KeyState,
    RunCompleted,
    RunEvent,
    RunFailed,
    RunIncomplete,
    RunRequest,
    RunStarted,
    TextDelta,
    UpstreamError,
)
from host.providers.openai_client import OpenAIClients
from host.providers.openai_responses import ResponsesProvider

MODEL = "gpt-6-luna"
OTHER_KEY = "sk-demo-somebody-else-111111111111"
NOBODY_LISTENS = "http://127.0.0.1:9/v1"


@dataclass
class Stage:
    """A provider in front of a scripted upstream, and what the upstream told it."""

    upstream: ScriptedUpstream
    provider: ResponsesProvider
    credential: Credential
    heard: list[RunEvent] = field(default_factory=list)

    async def show(self, event: RunEvent) -> None:
        self.heard.append(event)

    async def ask(self, text: str, *, thread: str | None = None) -> list[RunEvent]:
        name = thread or await self.provider.open_thread(self.credential, thread_id="our-thread")
        await self.provider.run(self.request(text, name), self.show)
        return self.heard

    def request(self, text: str, thread: str) -> RunRequest:
        return RunRequest(
            credential=self.credential,
            model=MODEL,
            instructions="You are a patient math tutor.",
            provider_thread=thread,
            text=text,
            run_id="our-run",
            subscriber="a-hash",
        )

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.heard if isinstance(event, TextDelta))


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    upstream = ScriptedUpstream([DEFAULT_KEY, OTHER_KEY], INSTANT)
    async with serve(upstream) as address, asyncio.timeout(20):
        clients = OpenAIClients([address.openai_base_url, NOBODY_LISTENS])
        try:
            yield Stage(
                upstream,
                ResponsesProvider(clients, retry_after_s=0),
                Credential(key=DEFAULT_KEY, base_url=address.openai_base_url),
            )
        finally:
            await clients.close()


def responses_asked(stage: Stage) -> int:
    return stage.upstream.journal.count("POST", "/v1/responses")


async def test_an_answer_is_its_name_its_pieces_and_its_usage(stage: Stage) -> None:
    heard = await stage.ask("What is 17 * 23?")
    assert isinstance(heard[0], RunStarted)
    assert all(isinstance(event, TextDelta) for event in heard[1:-1])
    assert len(heard) > 3
    assert "391" in stage.text
    last = heard[-1]
    assert isinstance(last, RunCompleted)
    assert last.usage is not None
    assert last.usage.output == len(stage.text.split())


async def test_a_conversation_remembers(stage: Stage) -> None:
    thread = await stage.provider.open_thread(stage.credential, thread_id="our-thread")
    await stage.ask("My name is Ada.", thread=thread)
    stage.heard.clear()
    await stage.ask("What is my name?", thread=thread)
    assert "Ada" in stage.text


@pytest.mark.parametrize("trigger", ["/cut", "/json"])
async def test_a_stream_without_its_terminal_event_shows_none(stage: Stage, trigger: str) -> None:
    heard = await stage.ask(f"{trigger} tell me something")
    assert not [e for e in heard if isinstance(e, RunCompleted | RunIncomplete | RunFailed)]


@pytest.mark.parametrize("trigger", ["/failed", "/error-mid", "/error-event"])
async def test_an_upstream_that_says_it_failed_has_failed(stage: Stage, trigger: str) -> None:
    heard = await stage.ask(f"{trigger} tell me something")
    assert heard[-1] == RunFailed(FailureKind.SERVER_ERROR)
    assert len([event for event in heard if isinstance(event, RunFailed)]) == 1


@pytest.mark.parametrize(
    ("trigger", "kind"),
    [
        ("/error-nested", FailureKind.SERVER_ERROR),
        ("/junk", FailureKind.GARBLED),
        ("/reset", FailureKind.CONNECTION_LOST),
        ("/hangup", FailureKind.CONNECTION_LOST),
        ("/error", FailureKind.SERVER_ERROR),
        ("/503", FailureKind.SERVER_ERROR),
        ("/401", FailureKind.KEY_REJECTED),
        ("/403", FailureKind.KEY_FORBIDDEN),
        ("/404", FailureKind.UNKNOWN_MODEL),
        ("/quota", FailureKind.OUT_OF_QUOTA),
    ],
)
async def test_a_broken_or_refused_answer_is_an_error_of_its_kind_and_asked_for_once(
    stage: Stage, trigger: str, kind: FailureKind
) -> None:
    with pytest.raises(UpstreamError) as raised:
        await stage.ask(f"{trigger} tell me something")
    assert raised.value.kind is kind
    assert responses_asked(stage) == 1
    assert DEFAULT_KEY[:10] not in repr(vars(raised.value))


async def test_an_answer_without_text_completes_without_text(stage: Stage) -> None:
    heard = await stage.ask("/empty")
    assert stage.text == ""
    assert isinstance(heard[-1], RunCompleted)


async def test_a_refusal_of_the_model_is_shown_as_the_answer(stage: Stage) -> None:
    heard = await stage.ask("/refusal tell me something")
    assert stage.text
    assert isinstance(heard[-1], RunCompleted)


async def test_an_answer_cut_at_the_limit_says_why(stage: Stage) -> None:
    heard = await stage.ask("/incomplete tell me something")
    last = heard[-1]
    assert isinstance(last, RunIncomplete)
    assert last.reason == "max_output_tokens"


async def test_events_that_nobody_knew_in_2026_are_passed_over(stage: Stage) -> None:
    heard = await stage.ask("/novelty What is 6 * 7?")
    assert "42" in stage.text
    assert isinstance(heard[-1], RunCompleted)


@pytest.mark.parametrize(
    "refusal", [refusals.too_fast(0), refusals.conversation_locked()], ids=["rate limit", "locked"]
)
async def test_what_certainly_did_not_begin_is_tried_once_more(
    stage: Stage, refusal: refusals.Refusal
) -> None:
    thread = await stage.provider.open_thread(stage.credential, thread_id="our-thread")
    stage.upstream.refuse_next(refusal)
    await stage.ask("What is 6 * 7?", thread=thread)
    assert "42" in stage.text
    assert responses_asked(stage) == 2


async def test_a_second_refusal_is_final(stage: Stage) -> None:
    thread = await stage.provider.open_thread(stage.credential, thread_id="our-thread")
    stage.upstream.refuse_next(refusals.too_fast(0), refusals.too_fast(0))
    with pytest.raises(UpstreamError) as raised:
        await stage.ask("What is 6 * 7?", thread=thread)
    assert raised.value.kind is FailureKind.RATE_LIMITED
    assert responses_asked(stage) == 2


async def test_told_to_wait_long_it_says_so_instead(stage: Stage) -> None:
    thread = await stage.provider.open_thread(stage.credential, thread_id="our-thread")
    stage.upstream.refuse_next(refusals.too_fast(30))
    with pytest.raises(UpstreamError):
        await stage.ask("What is 6 * 7?", thread=thread)
    assert responses_asked(stage) == 1


async def test_being_cancelled_closes_the_stream_and_frees_the_conversation(stage: Stage) -> None:
    gate = stage.upstream.hold_answers(after_words=2)
    thread = await stage.provider.open_thread(stage.credential, thread_id="our-thread")
    asking = asyncio.create_task(stage.ask("What is 6 * 7?", thread=thread))
    await gate.reached()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await stage.upstream.all_quiet()
    gate.open()
    await stage.ask("What is 6 * 7?", thread=thread)
    assert "42" in stage.text


async def test_an_error_of_the_listener_is_not_blamed_on_the_upstream(stage: Stage) -> None:
    async def stumble(_event: RunEvent) -> None:
        raise LookupError("ours")

    thread = await stage.provider.open_thread(stage.credential, thread_id="our-thread")
    with pytest.raises(LookupError, match="ours"):
        await stage.provider.run(stage.request("What is 6 * 7?", thread), stumble)
    await stage.upstream.all_quiet()


async def test_a_completed_run_can_be_asked_for_later(stage: Stage) -> None:
    heard = await stage.ask("What is 17 * 23?")
    started, last = heard[0], heard[-1]
    assert isinstance(started, RunStarted)
    assert isinstance(last, RunCompleted)
    found = await stage.provider.ask_outcome(stage.credential, provider_run=started.provider_run)
    assert found == Delivered(stage.text, last.usage)


async def test_a_run_that_failed_is_not_confirmed(stage: Stage) -> None:
    heard = await stage.ask("/error-mid tell me something")
    started = heard[0]
    assert isinstance(started, RunStarted)
    assert (
        await stage.provider.ask_outcome(stage.credential, provider_run=started.provider_run)
        is None
    )


async def test_a_run_that_nobody_knows_is_an_error(stage: Stage) -> None:
    with pytest.raises(UpstreamError) as raised:
        await stage.provider.ask_outcome(stage.credential, provider_run="resp_unknown")
    assert raised.value.kind is FailureKind.NOT_FOUND


@pytest.mark.parametrize(
    ("key", "model", "state", "kind"),
    [
        (DEFAULT_KEY, MODEL, KeyState.VALID, None),
        (DEFAULT_KEY, "gpt-unheard-of", KeyState.REJECTED, FailureKind.UNKNOWN_MODEL),
        ("sk-demo-wrong", MODEL, KeyState.REJECTED, FailureKind.KEY_REJECTED),
        ("sk-with\nnewline", MODEL, KeyState.REJECTED, FailureKind.KEY_REJECTED),
        ("sk-ünïcode", MODEL, KeyState.REJECTED, FailureKind.KEY_REJECTED),
        ("", MODEL, KeyState.REJECTED, FailureKind.KEY_REJECTED),
    ],
)
async def test_a_key_is_tried_with_its_model(
    stage: Stage, key: str, model: str, state: KeyState, kind: FailureKind | None
) -> None:
    credential = Credential(key=key, base_url=stage.credential.base_url)
    check = await stage.provider.check_key(credential, model=model)
    assert (check.state, check.kind) == (state, kind)


async def test_a_restricted_key_is_accepted_with_a_warning(stage: Stage) -> None:
    stage.upstream.refuse_next(refusals.scopes_missing("model.read"))
    check = await stage.provider.check_key(stage.credential, model=MODEL)
    assert (check.state, check.kind) == (KeyState.VALID, FailureKind.MISSING_SCOPES)


@pytest.mark.parametrize(
    "refusal", [refusals.too_fast(), refusals.server_error(), refusals.quota_used_up()]
)
async def test_a_key_that_cannot_be_tried_now_is_not_called_wrong(
    stage: Stage, refusal: refusals.Refusal
) -> None:
    stage.upstream.refuse_next(refusal)
    check = await stage.provider.check_key(stage.credential, model=MODEL)
    assert check.state is KeyState.UNVERIFIED


async def test_nobody_at_the_address_leaves_the_key_unverified(stage: Stage) -> None:
    away = Credential(key=DEFAULT_KEY, base_url=NOBODY_LISTENS)
    check = await stage.provider.check_key(away, model=MODEL)
    assert (check.state, check.kind) == (KeyState.UNVERIFIED, FailureKind.UNREACHABLE)


async def test_a_key_goes_to_no_address_but_the_operators(stage: Stage) -> None:
    elsewhere = Credential(key=DEFAULT_KEY, base_url="http://127.0.0.1:8/v1")
    check = await stage.provider.check_key(elsewhere, model=MODEL)
    assert (check.state, check.kind) == (KeyState.REJECTED, FailureKind.ADDRESS_NOT_ALLOWED)


async def test_two_builders_at_once_each_use_their_own_key(stage: Stage) -> None:
    other = Credential(key=OTHER_KEY, base_url=stage.credential.base_url)
    await asyncio.gather(
        *(
            stage.provider.open_thread(credential, thread_id="t")
            for credential in (stage.credential, other) * 10
        )
    )
    ends = [str(request.key_ends) for request in stage.upstream.journal.requests]
    assert sorted(ends) == [OTHER_KEY[-4:]] * 10 + [DEFAULT_KEY[-4:]] * 10


async def test_a_cookie_set_for_one_builder_is_not_sent_for_another() -> None:
    async with _answering(_with_cookie) as (provider, credential, received):
        for _ in range(2):
            await provider.open_thread(credential, thread_id="t")
    assert [request.headers.get("cookie") for request in received] == [None, None]


async def test_a_redirect_is_not_followed() -> None:
    async with _answering(_redirecting) as (provider, credential, received):
        with pytest.raises(UpstreamError) as raised:
            await provider.open_thread(credential, thread_id="t")
    assert raised.value.kind is FailureKind.GARBLED
    assert len(received) == 1


def test_environment_variables_of_the_sdk_reach_nobody() -> None:
    planted = {
        "OPENAI_API_KEY": "sk-from-the-environment",
        "OPENAI_BASE_URL": "http://elsewhere.invalid/v1",
        "OPENAI_ORG_ID": "org-planted",
        "OPENAI_CUSTOM_HEADERS": "Authorization: Bearer sk-from-the-environment",
    }
    program = """
import json, os
from host.providers.openai_client import OpenAIClients
client = OpenAIClients(["http://ours.invalid/v1"]).client_for("sk-ours", "http://ours.invalid/v1")
print(json.dumps([
    sorted(name for name in os.environ if name.startswith("OPENAI_")),
    client.api_key, str(client.base_url), client.organization,
    client.default_headers.get("Authorization"),
]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=dict(os.environ) | planted,  # noqa: TID251 - the child needs its path
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == [
        [],
        "sk-ours",
        "http://ours.invalid/v1/",
        None,
        None,
    ]


async def test_nothing_of_the_key_or_the_message_is_logged(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await stage.ask("a very private question")
    with pytest.raises(UpstreamError):
        await stage.ask("/401 a very private question")
    assert DEFAULT_KEY[:12] not in caplog.text
    assert "private" not in caplog.text
    assert "conv_" not in caplog.text


async def _with_cookie(_request: Request) -> Response:
    made = {"id": "conv_1", "object": "conversation", "created_at": 0, "metadata": {}}
    return JSONResponse(made, headers={"set-cookie": "who=the-first-builder"})


async def _redirecting(_request: Request) -> Response:
    return Response(status_code=307, headers={"location": "/v1/elsewhere"})


@asynccontextmanager
async def _answering(
    endpoint: Callable[[Request], Awaitable[Response]],
) -> AsyncIterator[tuple[ResponsesProvider, Credential, list[Request]]]:
    """A provider in front of a server that answers every request the same way."""
    received: list[Request] = []

    async def noted(request: Request) -> Response:
        received.append(request)
        return await endpoint(request)

    app = Starlette(routes=[Route("/{path:path}", noted, methods=["GET", "POST"])])
    async with serve(app) as address, asyncio.timeout(10):
        clients = OpenAIClients([address.openai_base_url])
        try:
            credential = Credential(key=DEFAULT_KEY, base_url=address.openai_base_url)
            yield ResponsesProvider(clients), credential, received
        finally:
            await clients.close()
