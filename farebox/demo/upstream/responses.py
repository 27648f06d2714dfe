"""The addresses under `/v1/responses`: the four ways an answer can be asked for, and reading it.

Streamed or not, in the foreground or in the background. A stream of a background answer can be
read again from any event; a foreground answer is the connection it is sent over.
"""

from starlette.requests import Request
from starlette.responses import Response

from farebox.demo.upstream.contract import fit_response
from farebox.demo.upstream.desk import Desk, Kept
from farebox.demo.upstream.narrator import Frame
from farebox.demo.upstream.performance import ABRUPT, ConnectionTorn
from farebox.demo.upstream.reading import json_answer, read_body
from farebox.demo.upstream.refusals import Refusal, parameter_wrong
from farebox.demo.upstream.streaming import EventStream, HangUp
from farebox.demo.upstream.triggers import Ending

FROM_THE_START = -1


class ResponseRoutes:
    """What can be done with answers over HTTP."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def create(self, request: Request) -> Response:
        """POST /v1/responses."""
        kept = self._desk.take(await read_body(request))
        ask = kept.answer.ask
        if ask.in_background:
            return self._begun_in_background(kept)
        if ask.streams and kept.answer.script.ending is not Ending.JSON:
            return EventStream(lambda show: self._desk.run(kept, show))
        return await self._whole(kept)

    async def show(self, request: Request) -> Response:
        """GET /v1/responses/{id}, also as a stream from an event on."""
        kept = self._desk.find(str(request.path_params["response_id"]))
        if request.query_params.get("stream") != "true":
            return json_answer(fit_response(kept.answer.as_json()))
        log = kept.log
        if log is None or not kept.answer.ask.streams:
            raise Refusal(
                400,
                "This response cannot be streamed because it was not created with"
                " background=true and stream=true.",
                param="stream",
            )
        after = _starting_after(request)
        return EventStream(lambda show: log.follow(after, show))

    async def delete(self, request: Request) -> Response:
        """DELETE /v1/responses/{id}."""
        name = str(request.path_params["response_id"])
        self._desk.delete(name)
        return json_answer({"id": name, "object": "response", "deleted": True})

    async def cancel(self, request: Request) -> Response:
        """POST /v1/responses/{id}/cancel."""
        answer = await self._desk.cancel(str(request.path_params["response_id"]))
        return json_answer(fit_response(answer.as_json()))

    def _begun_in_background(self, kept: Kept) -> Response:
        log = self._desk.run_in_background(kept)
        if kept.answer.ask.streams:
            return EventStream(lambda show: log.follow(FROM_THE_START, show))
        # The task has not had its first step yet, and that step is what queues it.
        return json_answer(fit_response(kept.answer.as_json() | {"status": "queued"}))

    async def _whole(self, kept: Kept) -> Response:
        """The answer as one piece of JSON."""
        try:
            await self._desk.run(kept, _unheard)
        except ConnectionTorn:
            return HangUp()
        if kept.answer.script.ending in ABRUPT:
            return HangUp()
        return json_answer(fit_response(kept.answer.as_json()))


async def _unheard(_frame: Frame) -> None:
    """Nobody follows the events of an answer that comes as one piece."""


def _starting_after(request: Request) -> int:
    given = request.query_params.get("starting_after")
    if given is None:
        return FROM_THE_START
    if not given.isdecimal():
        raise parameter_wrong("starting_after", "it is the number of an event")
    return int(given)
