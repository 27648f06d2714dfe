"""Answers that are being written, kept by thread: anybody may join one, leave it, or stop it.

An answer belongs to its thread and not to a browser: who listens gets what was written so far and
then what comes, and may go away at any time. Listeners pull, so a slow one holds nobody up. What
writes an answer is `host.runs.drive`; other processes' answers are not seen here.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from typing_extensions import override

from host.providers.base import TextDelta
from host.runs.lifecycle import Reason
from host.runs.outcomes import Outcome
from host.runs.tool_steps import Steps, ToolStep


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What somebody asks, where, and under which names it is remembered."""

    account_id: int
    thread_id: str
    offering_slug: str
    text: str = field(repr=False)
    message_id: str
    answer_id: str
    files: tuple[str, ...] = ()
    """The ids of files that are sent with it, in order."""

    def is_same(self, other: "Question") -> bool:
        """Whether this is the other one sent again."""
        return replace(self, answer_id=other.answer_id) == other


class LiveAnswer:
    """One answer, from its question to its outcome."""

    def __init__(self, question: Question, run_id: str) -> None:
        self.question, self.run_id = question, run_id
        self.text = ""
        """What was written so far."""
        self.steps: Steps = ()
        """What the upstream did for it so far."""
        self._news = asyncio.Event()
        self._halt: asyncio.Future[Reason] = asyncio.get_running_loop().create_future()
        self._outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    @property
    def answer_id(self) -> str:
        """The message that the answer becomes."""
        return self.question.answer_id

    @property
    def question_id(self) -> str:
        """The message that is answered."""
        return self.question.message_id

    @property
    def thread_id(self) -> str:
        """Where it is written."""
        return self.question.thread_id

    @property
    def is_over(self) -> bool:
        """Whether there is an outcome."""
        return self._outcome.done()

    def listen(self) -> AsyncIterator[TextDelta]:
        """What was written so far, then what comes, until the answer is over."""
        return _Listener(self)

    def follow(self, *, every_s: float) -> AsyncIterator[TextDelta | ToolStep]:
        """As `listen`, with each use of a tool when it begins and when it ends.

        The first text comes at once; after that what is written within `every_s` comes together,
        for a page draws no faster.
        """
        return _Follower(self, every_s)

    async def outcome(self) -> Outcome:
        """How it ended, once it has."""
        return await asyncio.shield(self._outcome)  # one waiter's leaving is not the others'

    async def stop(self) -> None:
        """Stop writing, and wait until that has been settled."""
        self.halt(Reason.STOPPED)
        await self.outcome()

    def halt(self, reason: Reason) -> None:
        """Ask for the end; the first to ask says why."""
        if not self._halt.done():
            self._halt.set_result(reason)

    @property
    def halted(self) -> "asyncio.Future[Reason]":
        """Done once somebody has asked for the end. For who writes the answer."""
        return self._halt

    def write(self, text: str) -> None:
        """Say what the answer says by now. For who writes the answer."""
        self.text = text
        self._tell()

    def note(self, steps: Steps) -> None:
        """Say what the upstream did by now. For who writes the answer."""
        if steps != self.steps:
            self.steps = steps
            self._tell()

    def close(self, outcome: Outcome) -> None:
        """Say how it ended. For who writes the answer."""
        self.text = outcome.text
        self._outcome.set_result(outcome)
        self._tell()

    async def changed(self) -> None:
        """Wait until there is more text, a tool is used, or there is an outcome."""
        await self._news.wait()

    async def over_within(self, seconds: float) -> None:
        """Wait for the outcome, and no longer than this."""
        await asyncio.wait({self._outcome}, timeout=max(0.0, seconds))

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


class _Listener(AsyncIterator[TextDelta]):
    """A place in an answer. No generator, so that one which is abandoned leaves nothing open."""

    def __init__(self, answer: LiveAnswer) -> None:
        self._answer = answer
        self._heard = 0

    @override
    async def __anext__(self) -> TextDelta:
        while self._heard >= len(self._answer.text):
            if self._answer.is_over:
                raise StopAsyncIteration
            await self._answer.changed()
        piece = self._answer.text[self._heard :]
        self._heard += len(piece)
        return TextDelta(piece)


class _Follower(AsyncIterator[TextDelta | ToolStep]):
    """A place in an answer for a page. What is new of the tools comes before new text."""

    def __init__(self, answer: LiveAnswer, every_s: float) -> None:
        self._answer, self._every_s = answer, every_s
        self._heard = 0
        self._steps: Steps = ()
        self._next_text_at = 0.0

    @override
    async def __anext__(self) -> TextDelta | ToolStep:
        answer, now = self._answer, asyncio.get_running_loop().time
        while True:
            step = self._next_step()
            if step is not None:
                return step
            if self._heard >= len(answer.text):
                if answer.is_over:
                    raise StopAsyncIteration
                await answer.changed()
            elif not answer.is_over and now() < self._next_text_at:
                await answer.over_within(self._next_text_at - now())
            else:
                self._next_text_at = now() + self._every_s
                piece = answer.text[self._heard :]
                self._heard += len(piece)
                return TextDelta(piece)

    def _next_step(self) -> ToolStep | None:
        """The first step that is new, or that has ended since it was told."""
        for number, step in enumerate(self._answer.steps):
            if number >= len(self._steps) or self._steps[number] != step:
                self._steps = (*self._steps[:number], step, *self._steps[number + 1 :])
                return step
        return None


class Answers:
    """The answers of this process that are being written, at most one to a thread."""

    def __init__(self) -> None:
        self._live: dict[str, LiveAnswer] = {}
        self._doors: dict[str, tuple[asyncio.Lock, int]] = {}

    def of(self, thread_id: str) -> LiveAnswer | None:
        """The answer being written in the thread."""
        return self._live.get(thread_id)

    def all(self) -> Collection[LiveAnswer]:
        """Every answer being written now."""
        return list(self._live.values())

    def add(self, answer: LiveAnswer) -> None:
        """Begin to know an answer."""
        assert answer.thread_id not in self._live, "the thread's door lets one through"
        self._live[answer.thread_id] = answer

    def forget(self, answer: LiveAnswer) -> None:
        """Stop knowing an answer that is over."""
        self._live.pop(answer.thread_id, None)

    @asynccontextmanager
    async def door(self, thread_id: str) -> AsyncIterator[None]:
        """Let one question at a time into the thread; held only until its answer has begun."""
        lock, waiting = self._doors.get(thread_id, (asyncio.Lock(), 0))
        self._doors[thread_id] = lock, waiting + 1
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._doors.pop(thread_id)
            if waiting > 1:
                self._doors[thread_id] = lock, waiting - 1
