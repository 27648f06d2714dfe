"""The answers that one page draws, one after the other, each to its end. No Chainlit here.

A conversation may go on before a page has drawn all of an answer: the next one then waits for its
last bytes and its receipt. An answer that is not over when another begins in its place is drawn
no further. Either way whoever waits for an answer to be drawn waits no longer than that.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from host.runs.answers import LiveAnswer

_tasks: set[asyncio.Task[None]] = set()


@dataclass(frozen=True, slots=True)
class Pen:
    """How a page draws."""

    draw: Callable[[LiveAnswer], Awaitable[None]]
    """Draws an answer, first word to receipt. Raises nothing."""
    rest: Callable[[], Awaitable[None]]
    """Says on the page that nothing is going on there any more."""


@dataclass(slots=True, eq=False)
class Following:
    """A page shows an answer, from its first word to its receipt."""

    live: LiveAnswer
    before: "Following | None" = None
    """What is drawn to its end first."""
    done: asyncio.Event = field(default_factory=asyncio.Event)
    task: "asyncio.Task[None] | None" = None


@dataclass(slots=True)
class Shown:
    """What one page shows of answers."""

    following: Following | None = None
    """The newest that is not drawn to its end."""
    last: str = ""
    """The run whose answer was drawn last."""

    def follow(self, live: LiveAnswer, pen: Pen) -> Following:
        """Draw the answer, once, however often this is asked."""
        before = self.following
        if before is None and self.last == live.run_id:
            return _ended(live)
        if before is not None and before.live is live:
            return before
        if before is not None and not before.live.is_over:
            _give_up(before)
            before = before.before
        self.following = Following(live, before)
        self._begin(self.following, pen)
        return self.following

    def pause(self) -> None:
        """Draw no more of what is followed, until `go_on`."""
        following = self.following
        while following is not None:
            if following.task is not None:
                following.task.cancel()
                following.task = None
            following = following.before

    def go_on(self, pen: Pen) -> None:
        """Draw what is followed again from its first word: the page was drawn anew meanwhile."""
        following = self.following
        while following is not None:
            if following.task is None:
                self._begin(following, pen)
            following = following.before

    def _begin(self, following: Following, pen: Pen) -> None:
        task = asyncio.create_task(self._draw(following, pen))
        following.task = task
        _tasks.add(task)  # the loop itself keeps only a weak hold of a task
        task.add_done_callback(_tasks.discard)

    async def _draw(self, following: Following, pen: Pen) -> None:
        if following.before is not None:
            await following.before.done.wait()
            following.before = None
        await pen.draw(following.live)
        is_newest = self.following is following
        if is_newest:
            self.following, self.last = None, following.live.run_id
        following.done.set()
        if is_newest:  # and no other has begun at once
            await pen.rest()


def _ended(live: LiveAnswer) -> Following:
    """An answer that was drawn to its end."""
    following = Following(live)
    following.done.set()
    return following


def _give_up(following: Following) -> None:
    """Draw it no further; nobody is to wait for that."""
    if following.task is not None:
        following.task.cancel()
    following.done.set()
