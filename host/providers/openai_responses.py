"""The provider `responses`: OpenAI's Responses and Conversations, and whatever speaks them.

A thread is a conversation upstream and a run is a response. The response is created streaming and
stored, so that after a crash it can be asked for by its id. `Reading` turns the wire's events into
ours, and `ResponsesProvider` does the calling. Nothing that begins a turn is sent twice, except
when it is certain that nothing began.
"""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import suppress
from typing import Final

from openai import AsyncOpenAI, AsyncStream
from openai.types.responses import (
    Response,
    ResponseInputMessageContentListParam,
    ResponseOutputItem,
    ResponseStreamEvent,
    ResponseUsage,
)
from openai.types.responses.response_output_text_annotation_added_event import Annotation
from openai.types.responses.response_usage import InputTokensDetails, OutputTokensDetails

from host.providers.base import (
    FOR_BUILDERS,
    Cited,
    Credential,
    Delivered,
    FailureKind,
    KeyCheck,
    KeyState,
    RunCompleted,
    RunEvent,
    RunFailed,
    RunIncomplete,
    RunRequest,
    RunStarted,
    Show,
    TextDelta,
    Tool,
    ToolBegan,
    ToolEnded,
    UpstreamError,
    Usage,
)
from host.providers.openai_client import OpenAIClients
from host.providers.openai_errors import guarded, kind_of_code, safe_word

CHECK_TIMEOUT_S: Final = 10.0
RETRY_AFTER_S: Final = 0.5
RETRY_AFTER_MAX_S: Final = 2.0
"""Told to wait longer than this, we say so instead of keeping somebody waiting."""
LAST_BYTES_S: Final = 0.25
"""How long the stream may take to end after its last event, so that its connection is kept."""

_TOOLS: Final[Mapping[str, Tool]] = {
    "web_search_call": Tool.WEB_SEARCH,
    "file_search_call": Tool.FILE_SEARCH,
    "code_interpreter_call": Tool.CODE,
    "image_generation_call": Tool.PICTURE,
    "mcp_call": Tool.OTHER,
}
"""Items of an answer that are work done on the way to it."""
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
        try:
            await _read(stream, show)
        finally:  # closing the connection is what stops the upstream
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
        return Delivered(_text_of(found), _usage(found.usage))

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
                input=[{"role": "user", "content": content}],
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


class Reading:
    """Turns events of the wire into ours; keeps only which part of the answer came last."""

    def __init__(self) -> None:
        self._part: tuple[str, int] | None = None
        self._told: set[tuple[str, int]] = set()

    def after(self, event: ResponseStreamEvent) -> RunEvent | None:
        """What the event means to us; None for progress, and for types nobody knew in 2026.

        The SDK parses an unknown event as the first class of its union, so only the string
        `type` can be trusted.
        """
        match event.type:
            case "response.created":
                return RunStarted(event.response.id)
            case "response.output_text.delta" | "response.refusal.delta":
                return self._text((event.item_id, event.content_index), event.delta)
            case "response.output_text.done":
                return self._whole((event.item_id, event.content_index), event.text)
            case "response.refusal.done":  # a refusal is the answer, and is shown
                return self._whole((event.item_id, event.content_index), event.refusal)
            case "error":  # flat; the nested form is raised by the SDK
                return RunFailed(kind_of_code(safe_word(event.code)))
            case _:
                return _beside_text(event) or _terminal(event)

    def _text(self, part: tuple[str, int], text: str) -> TextDelta:
        is_next = self._part is not None and self._part != part
        self._part = part
        self._told.add(part)
        return TextDelta(_storable("\n\n" + text if is_next else text))

    def _whole(self, part: tuple[str, int], text: str) -> TextDelta | None:
        """The text of a part of which there were no deltas."""
        return None if part in self._told else self._text(part, text)


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


async def _read(stream: AsyncStream[ResponseStreamEvent], show: Show) -> None:
    events, reading = aiter(stream), Reading()
    while True:
        # Our own `show` stays outside of what is guarded: its errors are not the upstream's.
        event = await guarded(_next(events, reading))
        if event is None:
            return
        await show(event)
        if isinstance(event, RunCompleted | RunIncomplete | RunFailed):
            with suppress(TimeoutError, UpstreamError):
                async with asyncio.timeout(LAST_BYTES_S):
                    await guarded(_next(events, reading))
            return


async def _next(events: AsyncIterator[ResponseStreamEvent], reading: Reading) -> RunEvent | None:
    """The next event that means something to us; None at the end of the stream."""
    async for wire_event in events:
        event = reading.after(wire_event)
        if event is not None:
            return event
    return None


async def _gone(deleting: Awaitable[object]) -> None:
    """Await a deletion; there being nothing to delete is as good."""
    try:
        await guarded(deleting)
    except UpstreamError as error:
        if error.kind is not FailureKind.NOT_FOUND:
            raise


def _storable(text: str) -> str:
    """The text without what no database keeps: NUL, and halves of characters."""
    return text.replace("\0", "").encode(errors="ignore").decode()


def _beside_text(event: ResponseStreamEvent) -> RunEvent | None:
    match event.type:
        case "response.output_text.annotation.added":
            return _cited(event.annotation)
        case "response.output_item.added":
            return _begun(event.item)
        case "response.output_item.done":
            return _done(event.item)
        case _:
            return None


def _begun(item: ResponseOutputItem) -> ToolBegan | None:
    tool = _TOOLS.get(item.type)
    return None if tool is None else ToolBegan(str(getattr(item, "id", "")), tool)


def _done(item: ResponseOutputItem) -> ToolEnded | None:
    if item.type not in _TOOLS:
        return None
    is_failed = getattr(item, "status", None) in {"failed", "incomplete"}
    return ToolEnded(str(getattr(item, "id", "")), is_failed)


def _cited(annotation: Annotation) -> Cited | None:
    """The source; None for what is no citation, and for kinds nobody knew in 2026."""
    if annotation is None:
        return None
    match annotation.type:
        case "url_citation":
            return Cited(_storable(annotation.title), _storable(annotation.url))
        case "file_citation" | "container_file_citation":
            return Cited(_storable(annotation.filename), None)
        case _:
            return None


def _terminal(event: ResponseStreamEvent) -> RunEvent | None:
    match event.type:
        case "response.completed":
            return RunCompleted(_usage(event.response.usage))
        case "response.incomplete":
            details = event.response.incomplete_details
            reason = safe_word(details.reason) if details else None
            return RunIncomplete(reason or "unknown", _usage(event.response.usage))
        case "response.failed":
            error = event.response.error
            return RunFailed(kind_of_code(safe_word(error.code) if error else None))
        case _:
            return None


def _usage(usage: ResponseUsage | None) -> Usage | None:
    if usage is None:
        return None
    return Usage(
        input=usage.input_tokens,
        output=usage.output_tokens,
        cached_input=_cached(usage.input_tokens_details),
        reasoning=_reasoning(usage.output_tokens_details),
    )


# Other implementations of the wire leave the details out, and the SDK then says None.


def _cached(details: InputTokensDetails | None) -> int:
    return details.cached_tokens if details is not None else 0


def _reasoning(details: OutputTokensDetails | None) -> int:
    return details.reasoning_tokens if details is not None else 0


def _text_of(response: Response) -> str:
    """The whole answer, put together as `Reading` does, refusals included."""
    parts = [
        content.text if content.type == "output_text" else content.refusal
        for item in response.output
        if item.type == "message"
        for content in item.content
    ]
    return _storable("\n\n".join(parts))


def _failed_check(kind: FailureKind) -> KeyCheck:
    sentence = FOR_BUILDERS[kind]
    if kind in _KEY_IS_BAD or kind is FailureKind.UNKNOWN_MODEL:
        return KeyCheck(KeyState.REJECTED, sentence, kind)
    if kind is FailureKind.MISSING_SCOPES:  # it may still create responses
        return KeyCheck(
            KeyState.VALID, f"{sentence} It could not be fully checked; test it.", kind
        )
    return KeyCheck(KeyState.UNVERIFIED, f"The key could not be checked. {sentence}", kind)
