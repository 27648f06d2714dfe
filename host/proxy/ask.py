"""`POST …/ask`: one question to an assistant by a program, answered whole or as an event stream.

The question becomes a message in a thread of the caller's, exactly as if typed in the chat, and
is metered by `host.runs`. A caller who leaves does not stop the answer: it is theirs, and it is in
the thread. With an idempotency key the ids of message and thread follow from the key, so the same
question again finds the same answer.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.types import Send

from host.errors import (
    FareboxError,
    MalformedRequest,
    MethodNotRegistered,
    UnknownEndpoint,
    credits_number,
    problem,
)
from host.proxy.answers import Charge, json_answer, send_answer
from host.proxy.calls import Call
from host.proxy.headers import CORS, SANDBOX, values
from host.runs.answers import LiveAnswer
from host.runs.lifecycle import Reason
from host.runs.naming import KeyedNames
from host.runs.outcomes import Outcome
from host.runs.runner import Runs
from storage.ids import new_id

PATH: Final = "/ask"
BODY_BYTES_MAX: Final = 512 * 1024
"""Room for the longest message, even when all of it is escaped."""
PATIENCE_S: Final = 20.0
"""How long a question waits for the one before it in the same thread."""

_EXPECTED: Final = 'The body must be JSON such as {"message": "…", "thread_id": "…"}'


class _Body(BaseModel):
    # A mistyped `thread_id` must not start, and pay for, a conversation that nobody wanted.
    model_config = ConfigDict(extra="forbid", strict=True)

    message: str = Field(min_length=1)
    thread_id: str | None = Field(default=None, min_length=1, max_length=64)


@dataclass(frozen=True, slots=True)
class _Asked:
    body: _Body
    thread_id: str
    message_id: str


class Ask:
    """Answers programs' questions to assistants."""

    def __init__(self, runs: Runs, *, public_url: str) -> None:
        self._runs = runs
        self._public_url = public_url

    def check(self, call: Call) -> None:
        """Refuse everything but `POST /ask`.

        Raises:
            UnknownEndpoint, MethodNotRegistered: it is something else.
        """
        if call.path.normal != PATH:
            raise UnknownEndpoint("An assistant is asked by POST …/ask; there is nothing else.")
        if call.method != "POST":
            raise MethodNotRegistered(
                f"This endpoint does not take {call.method}; it takes POST.",
                headers={"Allow": "POST"},
            )

    async def serve(self, call: Call, account_id: int, send: Send) -> None:
        """Ask, wait for the answer and send it.

        Raises:
            FareboxError: it was refused, or failed; nothing is charged.
        """
        names = self._runs.naming.of(account_id, call.key) if call.key is not None else None
        asked = _asked(await call.upload.whole(), names)
        answer = await self._runs.begin(
            account_id=account_id,
            thread_id=asked.thread_id,
            offering_slug=call.offering.slug,
            text=asked.body.message,
            message_id=asked.message_id,
            only_existing=asked.body.thread_id is not None,
            patience_s=PATIENCE_S,
            by_program=True,
        )
        if _wants_events(call):
            await self._send_events(answer, send)
            return
        outcome = await answer.outcome()
        error = _error(answer, outcome)
        if error is not None:
            raise error
        facts = _facts(answer, outcome)
        await send_answer(send, json_answer(facts, headers=_charge(outcome).headers()))

    async def _send_events(self, answer: LiveAnswer, send: Send) -> None:
        """The text as it comes, then one event that states how it ended and what it cost."""
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
            *CORS,
            *SANDBOX,
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async for delta in answer.listen():
            await _send_event(send, "delta", {"text": delta.text})
        outcome = await answer.outcome()
        error = _error(answer, outcome)
        if error is None:
            receipt = {"receipt": _charge(outcome).receipt_id}
            await _send_event(send, "answer", _facts(answer, outcome) | receipt)
        else:
            await _send_event(send, "problem", problem(error, public_url=self._public_url))
        await send({"type": "http.response.body", "body": b""})


def _asked(raw: bytes, names: KeyedNames | None) -> _Asked:
    try:
        body = _Body.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise MalformedRequest(f"{_EXPECTED}; {where}: {first['msg']}.") from None
    names = names or KeyedNames(thread_id=new_id(), message_id=new_id())
    return _Asked(body, body.thread_id or names.thread_id, names.message_id)


def _error(answer: LiveAnswer, outcome: Outcome) -> FareboxError | None:
    """The refusal in place of an answer; None where there is one, whole or stopped."""
    error = outcome.error()
    if error is not None:
        if outcome.reason is not Reason.UNDECIDED:
            error.headers["Farebox-Credits-Charged"] = "0"
        error.facts |= {"thread_id": answer.thread_id, "run_id": answer.run_id}
    return error


def _facts(answer: LiveAnswer, outcome: Outcome) -> dict[str, Any]:
    remaining = outcome.available
    return {
        "answer": outcome.text,
        "thread_id": answer.thread_id,
        "run_id": answer.run_id,
        "credits_charged": credits_number(outcome.charged),
        "credits_remaining": None if remaining is None else credits_number(remaining),
    }


def _charge(outcome: Outcome) -> Charge:
    """What the headers say. The builder's own question leaves no receipt."""
    is_own = outcome.available is None
    return Charge(
        charged=outcome.charged,
        remaining=outcome.available,
        receipt_id=None if is_own else outcome.receipt_id,
    )


def _wants_events(call: Call) -> bool:
    accepted = b",".join(values(call.headers, b"accept")).lower()
    return b"text/event-stream" in accepted


async def _send_event(send: Send, name: str, facts: dict[str, Any]) -> None:
    data = json.dumps(facts, ensure_ascii=False)
    event = f"event: {name}\ndata: {data}\n\n".encode()
    await send({"type": "http.response.body", "body": event, "more_body": True})
