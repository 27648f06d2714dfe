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
from typing import Any, Final

import structlog

from host.runs.answers import LiveAnswer, Question
from host.runs.drive import Means
from host.runs.lifecycle import Reason
from host.runs.outcomes import Outcome, outcome_of
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
        self._recovery: asyncio.Future[object] | None = None

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
        # Not at the end of the task itself: one that is cancelled early never gets there.
        task.add_done_callback(lambda watching: self._unwatched(watching, run, live))
        return live

    async def close(self) -> None:
        """Look no longer."""
        tasks: set[asyncio.Future[Any]] = set(self._watching)
        if self._recovery is not None:
            tasks.add(self._recovery)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _watch(self, run: Run, live: LiveAnswer) -> None:
        """Read what is stored until there is an outcome."""
        is_passed_on = False
        while not live.is_over:
            try:
                if live.halted.done() and not is_passed_on:
                    await self._pass_on_stop(run.id)
                    is_passed_on = True
                await self._look(run, live)
            except StorageError as error:  # it is looked again in a moment
                log.warning("run.unseen", run_id=run.id, kind=type(error).__name__)
                await asyncio.sleep(LOOK_EVERY_S)
            else:
                await _pause(() if is_passed_on else (live.halted,))

    def _unwatched(self, watching: "asyncio.Task[None]", run: Run, live: LiveAnswer) -> None:
        """Nobody here is to wait for an answer at which nobody here looks any more."""
        self._watching.discard(watching)
        if self._shown.get(live.thread_id) is live:
            del self._shown[live.thread_id]
        error = None if watching.cancelled() else watching.exception()
        if error is not None:  # by name alone: an error may quote what people wrote
            log.error("run.unwatched", run_id=run.id, kind=type(error).__name__)
        if not live.is_over:  # its writer may go on, so what it costs is not known
            live.close(self._ended(run, live, Reason.UNDECIDED))

    def _ended(self, run: Run, live: LiveAnswer, reason: Reason) -> Outcome:
        ended = {"ended_at": self._means.clock.now(), "outcome": reason.value}
        return outcome_of(run.model_copy(update=ended), live.text)

    async def _look(self, run: Run, live: LiveAnswer) -> None:
        glance = await self._glance(run)
        if glance.said is None or glance.said.run is None:  # deleted meanwhile
            live.close(self._ended(run, live, Reason.INTERRUPTED))
        elif glance.said.run.ended_at is not None:
            live.close(outcome_of(glance.said.run, glance.said.message.text))
        else:
            if len(glance.said.message.text) > len(live.text):
                live.write(glance.said.message.text)
            if not glance.is_driven:
                await self._recovered()

    async def _recovered(self) -> None:
        """What recovers one recovers all, so those who watch wait for the same."""
        recovery = self._recovery
        if recovery is None or recovery.done():
            recovery = self._recovery = asyncio.ensure_future(self._recover())
        await asyncio.shield(recovery)  # one watcher's leaving is not the others'

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
