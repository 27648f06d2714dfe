"""The provider `responses`: OpenAI's Responses and Conversations, and whatever speaks them.

A thread is a conversation upstream and a run is a response. The response is created streaming and
stored, so that after a crash it can be asked for by its id. `ResponsesProvider` does the calling;
what the stream says is read by `host.providers.openai_events`. Nothing that begins a turn is sent
twice, except when it is certain that nothing began.
"""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from typing import Final

from openai import AsyncOpenAI, AsyncStream
from openai.types.responses import (
    ResponseInputItemParam,
    ResponseInputMessageContentListParam,
    ResponseStreamEvent,
)

from host.providers.base import (
    FOR_BUILDERS,
    Credential,
    Delivered,
    FailureKind,
    KeyCheck,
    KeyState,
    RunCompleted,
    RunFailed,
    RunIncomplete,
    RunRequest,
    Show,
    UpstreamError,
)
from host.providers.openai_client import OpenAIClients
from host.providers.openai_errors import guarded
from host.providers.openai_events import Reading, delivered

CHECK_TIMEOUT_S: Final = 10.0
RETRY_AFTER_S: Final = 0.5
RETRY_AFTER_MAX_S: Final = 2.0
"""Told to wait longer than this, we say so instead of keeping somebody waiting."""
LAST_BYTES_S: Final = 0.25
"""How long the stream may take to end after its last event, so that its connection is kept."""

_NOTHING_BEGAN: Final = frozenset(
    {FailureKind.UNREACHABLE, FailureKind.RATE_LIMITED, FailureKind.THREAD_BUSY}
)
_KEY_IS_BAD: Final = frozenset(
    {FailureKind.KEY_REJECTED, FailureKind.KEY_FORBIDDEN, FailureKind.ADDRESS_NOT_ALLOWED}
)


class ResponsesProvider:
    """Carries out runs as responses on conversations."""

    def __init__(self, clients: OpenAIClients, *, retry_after_s: float = RETRY_AFTER_S) -> None:
        self._clients = clients
        self._retry_after_s = retry_after_s

    async def check_key(self, credential: Credential, *, model: str) -> KeyCheck:
        """Ask for the model: it is free, and proves the key and the model at once."""
        try:
            client = self._client(credential)
            found = await guarded(client.models.retrieve(model, timeout=CHECK_TIMEOUT_S))
        except UpstreamError as error:
            return _failed_check(error.kind)
        if found.shutdown_date:
            return KeyCheck(
                KeyState.VALID, f"The key works; the model will stop on {found.shutdown_date}."
            )
        return KeyCheck(KeyState.VALID, "The key works, and may use this model.")

    async def open_thread(self, credential: Credential, *, thread_id: str) -> str:
        """Make a conversation.

        Raises:
            UpstreamError: it could not be made.
        """
        client = self._client(credential)
        made = await guarded(client.conversations.create(metadata={"farebox_chat": thread_id}))
        return made.id

    async def run(self, request: RunRequest, show: Show) -> None:
        """Create a response and show its events, until the terminal one or the stream's end.

        Raises:
            UpstreamError: it failed before, or in between, events.
        """
        try:
            stream = await self._create(request)
        except UpstreamError as error:
            delay = self._delay_before_retry(error)
            if delay is None:
                raise
            await asyncio.sleep(delay)
            stream = await self._create(request)
        # The bytes and not the SDK's events: a typed object for each word is most of its cost.
        pieces = stream.response.aiter_bytes()
        try:
            await _read(pieces, show)
        finally:  # closing the connection is what stops the upstream
            with suppress(UpstreamError):
                await guarded(pieces.aclose())
            with suppress(UpstreamError):
                await guarded(stream.close())

    async def forget_thread(
        self,
        credential: Credential,
        *,
        provider_thread: str | None,
        provider_runs: tuple[str, ...],
    ) -> None:
        """Delete the conversation and its responses: each is kept on its own upstream.

        Raises:
            UpstreamError: something of it may still be there.
        """
        client = self._client(credential)
        if provider_thread is not None:
            await _gone(client.conversations.delete(provider_thread, timeout=CHECK_TIMEOUT_S))
        for run in provider_runs:
            await _gone(client.responses.delete(run, timeout=CHECK_TIMEOUT_S))

    async def ask_outcome(self, credential: Credential, *, provider_run: str) -> Delivered | None:
        """Retrieve the response; only `completed` is certain.

        Raises:
            UpstreamError: it cannot be asked now.
        """
        client = self._client(credential)
        found = await guarded(client.responses.retrieve(provider_run, timeout=CHECK_TIMEOUT_S))
        if found.status != "completed":
            return None
        return delivered(found.to_dict())

    def _client(self, credential: Credential) -> AsyncOpenAI:
        return self._clients.client_for(credential.key, credential.base_url)

    async def _create(self, request: RunRequest) -> AsyncStream[ResponseStreamEvent]:
        client = self._client(request.credential)
        content = (
            _content(request) if not request.files else await asyncio.to_thread(_content, request)
        )
        return await guarded(
            client.responses.create(
                model=request.model,
                instructions=request.instructions,
                conversation=request.provider_thread,
                input=[*_missed(request), {"role": "user", "content": content}],
                stream=True,
                store=True,
                stream_options={"include_obfuscation": False},
                metadata={"farebox_run": request.run_id},
                safety_identifier=request.subscriber,
            )
        )

    def _delay_before_retry(self, error: UpstreamError) -> float | None:
        """How long to wait before the one retry; None when it must not be tried again."""
        if error.kind not in _NOTHING_BEGAN:
            return None
        delay = self._retry_after_s if error.retry_after_s is None else error.retry_after_s
        return delay if delay <= RETRY_AFTER_MAX_S else None


def _missed(request: RunRequest) -> list[ResponseInputItemParam]:
    """Turns that did not complete: OpenAI adds to a conversation only those that did.

    With this response they join it, so each is told once.
    """
    told: list[ResponseInputItemParam] = []
    for turn in request.missed:
        if turn.question:
            told.append({"role": "user", "content": turn.question})
        told.append({"role": "assistant", "content": turn.answer})
    return told


def _content(request: RunRequest) -> ResponseInputMessageContentListParam:
    """The question and its files, inline: what is kept upstream is kept with the conversation."""
    parts: ResponseInputMessageContentListParam = []
    if request.text:
        parts.append({"type": "input_text", "text": request.text})
    for file in request.files:
        url = f"data:{file.media_type};base64,{b64encode(file.content).decode()}"
        if file.is_image:
            parts.append({"type": "input_image", "image_url": url, "detail": "auto"})
        else:
            parts.append({"type": "input_file", "filename": file.name, "file_data": url})
    return parts


async def _read(pieces: AsyncIterator[bytes], show: Show) -> None:
    reading = Reading()
    while (piece := await guarded(anext(pieces, None))) is not None:
        for event in reading.feed(piece):
            # Our own `show` stays outside of what is guarded: its errors are not the upstream's.
            await show(event)
            if isinstance(event, RunCompleted | RunIncomplete | RunFailed):
                await _last_bytes(pieces)
                return


async def _last_bytes(pieces: AsyncIterator[bytes]) -> None:
    """Let the stream end, so that its connection is kept; what comes is not read."""
    with suppress(TimeoutError, UpstreamError):
        async with asyncio.timeout(LAST_BYTES_S):
            while await guarded(anext(pieces, None)) is not None:
                pass


async def _gone(deleting: Awaitable[object]) -> None:
    """Await a deletion; there being nothing to delete is as good."""
    try:
        await guarded(deleting)
    except UpstreamError as error:
        if error.kind is not FailureKind.NOT_FOUND:
            raise


def _failed_check(kind: FailureKind) -> KeyCheck:
    sentence = FOR_BUILDERS[kind]
    if kind in _KEY_IS_BAD or kind is FailureKind.UNKNOWN_MODEL:
        return KeyCheck(KeyState.REJECTED, sentence, kind)
    if kind is FailureKind.MISSING_SCOPES:  # it may still create responses
        return KeyCheck(
            KeyState.VALID, f"{sentence} It could not be fully checked; test it.", kind
        )
    return KeyCheck(KeyState.UNVERIFIED, f"The key could not be checked. {sentence}", kind)
