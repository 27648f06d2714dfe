"""Answers that other processes write, seen here as far as they are stored.

Replicas share the database and nothing else. Whoever drives a run stores its text about once a
second; here that text is read as often, and given to those who listen by a `LiveAnswer` like any
other. Its end is read too: from the tables, so it says what was settled. Asked to stop, it leaves
word in the run for its driver. Whose driver has died is ended by `host.runs.recovery`, which is
called at once and not at its next round, because somebody here is waiting.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog

from host.runs.answers import LiveAnswer, Question
from host.runs.drive import Means
from host.runs.lifecycle import Reason
from host.runs.outcomes import outcome_of
from storage import conversations as saved
from storage import leases
from storage.errors import StorageError
from storage.models.conversations import Run

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 0.5
"""Its driver stores about once a second; what is seen here is half of that late on average."""


@dataclass(frozen=True, slots=True)
class _Glance:
    """What the tables say of an answer."""

    said: saved.Said | None
    is_driven: bool


class Elsewhere:
    """What this process shows of other processes' answers, one to a thread."""

    def __init__(self, means: Means, recover: Callable[[], Awaitable[object]]) -> None:
        self._means = means
        self._recover = recover
        self._shown: dict[str, LiveAnswer] = {}
        self._watching: set[asyncio.Task[None]] = set()

    async def join(self, thread_id: str, *, account_id: int | None) -> LiveAnswer | None:
        """The answer that another process is writing in this person's thread."""
        owner = self._means.meter.owner
        found = await self._means.database.read(
            lambda s: saved.written_elsewhere(s, thread_id, owner=owner)
        )
        if found is None or found.run.account_id != account_id:
            return None
        known = self._shown.get(thread_id)
        if known is not None and known.run_id == found.run.id:
            return known
        return self._show(found.run, found.question)

    def _show(self, run: Run, question: str) -> LiveAnswer:
        asked = Question(
            account_id=run.account_id,
            thread_id=run.thread_id,
            offering_slug="",
            text=question,
            message_id=run.question_id,
            answer_id=run.answer_id,
        )
        live = LiveAnswer(asked, run.id)
        self._shown[run.thread_id] = live
        task = asyncio.create_task(self._watch(run, live))
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)
        return live

    async def close(self) -> None:
        """Look no longer."""
        for task in self._watching:
            task.cancel()
        if self._watching:
            await asyncio.wait(self._watching)

    async def _watch(self, run: Run, live: LiveAnswer) -> None:
        """Read what is stored until there is an outcome."""
        is_passed_on = False
        try:
            while not live.is_over:
                try:
                    if live.halted.done() and not is_passed_on:
                        await self._pass_on_stop(run.id)
                        is_passed_on = True
                    await self._look(run, live)
                except StorageError as error:  # it is looked again in a moment
                    log.warning("run.unseen", run_id=run.id, kind=type(error).__name__)
                waits_for = () if is_passed_on else (live.halted,)
                await _pause(waits_for)
        finally:
            if self._shown.get(live.thread_id) is live:
                del self._shown[live.thread_id]

    async def _look(self, run: Run, live: LiveAnswer) -> None:
        glance = await self._glance(run)
        if glance.said is None or glance.said.run is None:  # deleted meanwhile
            ended = {"ended_at": self._means.clock.now(), "outcome": Reason.INTERRUPTED.value}
            live.close(outcome_of(run.model_copy(update=ended), live.text))
        elif glance.said.run.ended_at is not None:
            live.close(outcome_of(glance.said.run, glance.said.message.text))
        else:
            if len(glance.said.message.text) > len(live.text):
                live.write(glance.said.message.text)
            if not glance.is_driven:
                await self._recover()

    async def _glance(self, run: Run) -> _Glance:
        now = self._means.clock.now()
        return await self._means.database.read(
            lambda s: _Glance(
                saved.find_said(s, run.answer_id), leases.is_alive(s, run.owner, now)
            )
        )

    async def _pass_on_stop(self, run_id: str) -> None:
        await self._means.database.run(lambda unit: saved.ask_to_stop(unit.session, run_id))


async def _pause(halted: tuple["asyncio.Future[Reason]", ...]) -> None:
    if halted:
        await asyncio.wait(halted, timeout=LOOK_EVERY_S)
    else:
        await asyncio.sleep(LOOK_EVERY_S)
