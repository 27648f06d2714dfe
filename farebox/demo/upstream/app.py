"""The scripted upstream: OpenAI's addresses, each handing over to what knows the answer.

A request is noted, its key checked, its body read, and then: models here, conversations in
`conversations`, answers in `responses`. A `Refusal` raised anywhere becomes OpenAI's error in one
place. Every answer carries `x-request-id`. Neither keys nor messages are logged.
"""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from secrets import compare_digest
from typing import Final, TypeAlias

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from farebox.demo.upstream.contract import fit_model
from farebox.demo.upstream.conversations import ConversationRoutes
from farebox.demo.upstream.desk import Desk
from farebox.demo.upstream.items import new_id
from farebox.demo.upstream.journal import Journal
from farebox.demo.upstream.memory import Memory
from farebox.demo.upstream.models import model_json, model_names
from farebox.demo.upstream.pace import Gate, Pace
from farebox.demo.upstream.reading import json_answer, key_of
from farebox.demo.upstream.refusals import Refusal, key_missing, key_unknown, model_unknown
from farebox.demo.upstream.responses import ResponseRoutes
from host.clock import Clock, SystemClock

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]

DEFAULT_KEY: Final = "sk-demo-builder-key-0123456789abcd"


class ScriptedUpstream:
    """An ASGI application that answers like OpenAI, for the keys it was given and no other.

    Conversations live as long as the object, or longer if `keep_in` names a directory.
    """

    def __init__(
        self,
        keys: Iterable[str],
        pace: Pace | None = None,
        *,
        clock: Clock | None = None,
        keep_in: Path | None = None,
    ) -> None:
        self.journal = Journal()
        self._keys = tuple(key.encode() for key in keys)
        self._refuse_next: deque[Refusal] = deque()
        memory = Memory(clock or SystemClock(), keep_in)
        self._models = model_names()
        self._desk = Desk(memory, self._models, pace or Pace())
        self._app = Starlette(
            routes=self._routes(ConversationRoutes(memory), ResponseRoutes(self._desk)),
            exception_handlers={Refusal: _refused, HTTPException: _no_such_address},
            lifespan=self._lifespan,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, noted and numbered."""
        if scope["type"] == "http":
            self.journal.note(scope["method"], scope["path"], key_of(Request(scope)))
        await self._app(scope, receive, _numbered(send))

    @property
    def answers_running(self) -> int:
        """How many answers are being written now."""
        return self._desk.running.value

    async def all_quiet(self) -> None:
        """Wait until no answer is being written: ended, cancelled, or its caller has left."""
        await self._desk.running.until(lambda running: running == 0)

    def hold_answers(self, *, after_words: int) -> Gate:
        """Stop every answer that begins from now on after so many words, until the gate opens."""
        self._desk.gate = Gate(after_words=after_words)
        return self._desk.gate

    def refuse_next(self, *refusals: Refusal) -> None:
        """Answer the next requests that bring a good key with these refusals, one each."""
        self._refuse_next.extend(refusals)

    def _routes(self, conversations: ConversationRoutes, responses: ResponseRoutes) -> list[Route]:
        table: list[tuple[str, str, Endpoint]] = [
            ("GET", "/v1/models", self._list_models),
            ("GET", "/v1/models/{model}", self._show_model),
            ("POST", "/v1/conversations", conversations.create),
            ("GET", "/v1/conversations/{conversation_id}", conversations.show),
            ("DELETE", "/v1/conversations/{conversation_id}", conversations.delete),
            ("POST", "/v1/conversations/{conversation_id}/items", conversations.add_items),
            ("GET", "/v1/conversations/{conversation_id}/items", conversations.list_items),
            ("POST", "/v1/responses", responses.create),
            ("GET", "/v1/responses/{response_id}", responses.show),
            ("DELETE", "/v1/responses/{response_id}", responses.delete),
            ("POST", "/v1/responses/{response_id}/cancel", responses.cancel),
        ]
        return [
            Route(path, self._for_known_keys(endpoint), methods=[method])
            for method, path, endpoint in table
        ]

    def _for_known_keys(self, endpoint: Endpoint) -> Endpoint:
        async def guarded(request: Request) -> Response:
            self._check_key(key_of(request))
            if self._refuse_next:
                raise self._refuse_next.popleft()
            return await endpoint(request)

        return guarded

    def _check_key(self, key: str | None) -> None:
        if key is None:
            raise key_missing()
        if not any(compare_digest(known, key.encode()) for known in self._keys):
            raise key_unknown(key)

    async def _list_models(self, _request: Request) -> Response:
        data = [fit_model(model_json(name)) for name in self._models]
        return json_answer({"object": "list", "data": [*data]})

    async def _show_model(self, request: Request) -> Response:
        name = str(request.path_params["model"])
        if name not in self._models:
            raise model_unknown(name)
        return json_answer(fit_model(model_json(name)))

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await self._desk.close()


def _numbered(send: Send) -> Send:
    """The same `send`, adding a request id to the headers."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).append("x-request-id", new_id("req"))
        await send(message)

    return sending


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    answer = json_answer(error.as_json(), error.status)
    answer.headers.update(error.headers)
    return answer


async def _no_such_address(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = f"Invalid URL ({request.method} {request.url.path})"
    return await _refused(request, Refusal(error.status_code, message))
