"""What is written down of a run while it goes on: its text, and its names upstream.

The run can do without any of it when it cannot be written. What is still on its way when the run
ends is waited for, so that no half of the text lands on the whole.
"""

import asyncio
import traceback
from collections.abc import Callable

import structlog

from host.clock import Clock
from host.runs.opening import Opened
from storage import conversations as saved
from storage.database import Database, Unit

log = structlog.get_logger(__name__)


class Saving:
    """The notes of one run."""

    def __init__(self, database: Database, clock: Clock, opened: Opened) -> None:
        self._database, self._clock, self._opened = database, clock, opened
        self._writing: set[asyncio.Task[None]] = set()

    async def provider_thread(self, name: str) -> None:
        """Keep by which name the upstream has the conversation."""
        thread_id = self._opened.question.thread_id
        await self._write(lambda unit: saved.set_provider_thread(unit.session, thread_id, name))

    def provider_run(self, name: str) -> None:
        """Keep by which name the upstream has the run.

        Not waited for: the first word would come a commit later.
        """
        run_id = self._opened.run_id
        self._begin(lambda unit: saved.set_provider_run(unit.session, run_id, name))

    async def first_text(self, text: str) -> None:
        """Keep that there is something to be read from now on, and what it is."""
        run_id, now = self._opened.run_id, self._clock.now()
        await self._write(lambda unit: saved.note_first_text(unit.session, run_id, now))
        await self.text(text)

    async def text(self, text: str) -> None:
        """Keep what the answer says so far."""
        now, opened = self._clock.now(), self._opened
        await self._write(
            lambda unit: saved.save_text(
                unit.session,
                opened.run_id,
                answer_id=opened.question.answer_id,
                text=text,
                now=now,
            )
        )

    async def landed(self) -> None:
        """Wait until nothing is on its way any more."""
        await asyncio.gather(*self._writing)

    async def _write(self, work: Callable[[Unit], object]) -> None:
        await asyncio.shield(self._begin(work))

    def _begin(self, work: Callable[[Unit], object]) -> "asyncio.Task[None]":
        writing = asyncio.create_task(self._attempt(work))
        self._writing.add(writing)
        writing.add_done_callback(self._writing.discard)
        return writing

    async def _attempt(self, work: Callable[[Unit], object]) -> None:
        try:
            await self._database.run(work)
        except Exception as error:  # noqa: BLE001 - the answer matters more
            log_fault("run.unsaved", self._opened.run_id, error)


def log_fault(event: str, run_id: str, error: Exception) -> None:
    """Where it went wrong, without the error's text: that of SQL quotes what people wrote."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    log.error(
        event,
        run_id=run_id,
        kind=type(error).__name__,
        where=f"{frame.filename}:{frame.lineno}",
    )
