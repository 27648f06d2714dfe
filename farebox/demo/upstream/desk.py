"""Where answers are asked for, run, kept and stopped: what `/v1/responses` is made of.

An answer in the foreground runs inside the request that asked for it. One in the background runs
in a task of the desk's own and writes its events into a log, which any number of requests follow
from any point. HTTP is in `app`; the rules that need nothing stored are in `contract` and `rules`.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from farebox.demo.upstream.answer import Answer, Ask
from farebox.demo.upstream.contract import check_new_response
from farebox.demo.upstream.items import items_from, said_in
from farebox.demo.upstream.memory import Conversation, Memory
from farebox.demo.upstream.narrator import Frame
from farebox.demo.upstream.pace import Gate, Pace, Watched
from farebox.demo.upstream.performance import ConnectionTorn, Show, perform
from farebox.demo.upstream.refusals import (
    Refusal,
    previous_response_unknown,
    response_unknown,
)
from farebox.demo.upstream.rules import check_calls_answered, check_response_rules
from farebox.demo.upstream.script import write_script
from farebox.demo.upstream.seeing import seen_in
from farebox.demo.upstream.wire import Json, JsonObject, object_or_empty, text_or_none

MOST_KEPT: Final = 1000  # answers that can be asked for again; the oldest are dropped


class Log:
    """The events of an answer in the background, kept so that they can be read again."""

    def __init__(self) -> None:
        self._frames: list[Frame] = []
        self._count = Watched()
        self._is_closed = False

    async def write(self, frame: Frame) -> None:
        """Add an event; followers see it."""
        self._frames.append(frame)
        self._count.add(1)

    def close(self) -> None:
        """No event will follow."""
        self._is_closed = True
        self._count.add(0)

    async def follow(self, after: int, show: Show) -> None:
        """Show every event numbered above `after`, those to come too, until the log closes."""
        at = 0
        while True:
            while at < len(self._frames):
                frame = self._frames[at]
                at += 1
                if frame.number > after:
                    await show(frame)
            if self._is_closed:
                return
            seen = at
            await self._count.until(lambda count: count > seen or self._is_closed)  # noqa: B023


@dataclass(slots=True)
class Kept:
    """An answer that can be asked for by its id; it has a log if it is in the background."""

    answer: Answer
    log: Log | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)


class Desk:
    """Takes questions and has them answered."""

    def __init__(self, memory: Memory, models: Iterable[str], pace: Pace) -> None:
        self._memory, self._models, self._pace = memory, frozenset(models), pace
        self._kept: dict[str, Kept] = {}
        self.gate: Gate | None = None
        self.running = Watched()

    def take(self, body: JsonObject) -> Kept:
        """Check a request, lock its conversation and decide its answer.

        Raises:
            Refusal: it breaks a rule, names something unknown, or types a trigger.
        """
        check_new_response(body)
        check_response_rules(body, self._models)
        ask = self._understood(body)
        check_calls_answered([*ask.history, *ask.new_items])
        said = said_in(ask.new_items)
        script = write_script(
            instructions=ask.instructions,
            history=[*said_in(ask.history), *said[:-1]],
            message=said[-1].text if said else "",
            seen=seen_in(ask.new_items),
            most_words=ask.most_words,
        )
        if ask.conversation is not None:
            ask.conversation.lock()
        self.running.add(1)
        kept = Kept(
            Answer(ask=ask, script=script, created_at=self._memory.now_s(), on_end=self._ended)
        )
        if ask.is_stored:
            self._kept[kept.answer.id] = kept
            while len(self._kept) > MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))
        return kept

    async def run(self, kept: Kept, show: Show) -> None:
        """Answer now, in the request that asked.

        Raises:
            ConnectionTorn: the script wants the connection to break.
        """
        await perform(kept.answer, self._pace, self.gate, show)

    def run_in_background(self, kept: Kept) -> Log:
        """Answer in a task of its own."""
        log = kept.log = Log()
        kept.task = asyncio.create_task(self._run_into(kept, log))
        kept.task.add_done_callback(lambda _: _closed(kept, log))
        return log

    def find(self, response_id: str) -> Kept:
        """The answer of that id.

        Raises:
            Refusal: there is none, or it is being written in the foreground.
        """
        kept = self._kept.get(response_id)
        if kept is None or (kept.log is None and not kept.answer.is_over):
            raise response_unknown(response_id)
        return kept

    def delete(self, response_id: str) -> None:
        """Forget an answer.

        Raises:
            Refusal: there is none.
        """
        if self._kept.pop(response_id, None) is None:
            raise response_unknown(response_id)

    async def cancel(self, response_id: str) -> Answer:
        """Stop an answer in the background; one that has ended stays as it is.

        Raises:
            Refusal: there is none, or it is in the foreground.
        """
        kept = self._kept.get(response_id)
        if kept is None:
            raise response_unknown(response_id)
        if kept.task is None:
            raise Refusal(400, "Cannot cancel a synchronous response.")
        kept.task.cancel()
        await asyncio.gather(kept.task, return_exceptions=True)
        return kept.answer

    async def close(self) -> None:
        """Stop everything in the background."""
        tasks = [kept.task for kept in self._kept.values() if kept.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run_into(self, kept: Kept, log: Log) -> None:
        # There is no connection to tear here: the log just ends.
        with suppress(ConnectionTorn):
            await perform(kept.answer, self._pace, self.gate, log.write)

    def _understood(self, body: JsonObject) -> Ask:
        conversation = self._conversation(body.get("conversation"))
        return Ask(
            body=body,
            model=str(body["model"]),
            instructions=text_or_none(body.get("instructions")) or "",
            new_items=items_from(body["input"]),
            history=self._history(conversation, text_or_none(body.get("previous_response_id"))),
            conversation=conversation,
            streams=body.get("stream") is True,
            in_background=body.get("background") is True,
            is_stored=body.get("store") is not False,
        )

    def _conversation(self, given: Json) -> Conversation | None:
        name = given if isinstance(given, str) else object_or_empty(given).get("id")
        return None if name is None else self._memory.find(str(name))

    def _history(
        self, conversation: Conversation | None, previous: str | None
    ) -> list[JsonObject]:
        if conversation is not None:
            return [*conversation.items]
        if previous is None:
            return []
        kept = self._kept.get(previous)
        if kept is None:
            raise previous_response_unknown(previous)
        ask = kept.answer.ask
        return [*ask.history, *ask.new_items, *kept.answer.output()]

    def _ended(self, answer: Answer) -> None:
        """Free the conversation; what was completed joins it."""
        self.running.add(-1)
        conversation = answer.ask.conversation
        if conversation is None:
            return
        conversation.is_locked = False
        if answer.status == "completed":
            self._memory.append(conversation, [*answer.ask.new_items, *answer.output()])


def _closed(kept: Kept, log: Log) -> None:
    """Runs when a task is over, even one that was cancelled before its first step."""
    kept.answer.end("cancelled")
    log.close()
