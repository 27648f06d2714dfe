"""How fast answers come, and how a test holds one in mid-flight without a clock.

`Pace` says how long to wait before each word. `Gate` stops answers after their n-th word until
it is opened, and tells when they got there, so tests of stopping, disconnecting and racing need
no sleeping. Both live on the server's event loop.
"""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Words a second and seconds before the first, for ordinary answers and for `/slow`."""

    words_per_s: float = 40.0
    first_word_s: float = 0.3
    slow_words_per_s: float = 4.0
    slow_first_word_s: float = 5.0

    def seconds_before(self, word: int, *, is_slow: bool) -> float:
        """How long to wait before sending the word of this number, counted from 0."""
        if word == 0:
            return self.slow_first_word_s if is_slow else self.first_word_s
        return 1 / (self.slow_words_per_s if is_slow else self.words_per_s)


INSTANT: Final = Pace(
    words_per_s=math.inf, first_word_s=0, slow_words_per_s=math.inf, slow_first_word_s=0
)
"""Everything at once, `/slow` too: for tests, which hold answers with a gate."""


class Watched:
    """A count that is changed without waiting and whose changes can be waited for."""

    def __init__(self) -> None:
        self.value = 0
        self._changed = asyncio.Event()

    def add(self, amount: int) -> None:
        """Change the count and wake whoever waits."""
        self.value += amount
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, reached: Callable[[int], bool]) -> None:
        """Wait until the count is as wanted."""
        while not reached(self.value):
            await self._changed.wait()


class Gate:
    """Holds every answer once it has sent `after_words` words (or all it has), until opened."""

    def __init__(self, *, after_words: int) -> None:
        self._after_words = after_words
        self._open = asyncio.Event()
        self._held = Watched()

    @property
    def held(self) -> int:
        """How many answers stand at the gate now."""
        return self._held.value

    async def pass_by(self, *, sent: int, is_end: bool) -> None:
        """Called by an answer before each word and before its end."""
        if self._open.is_set() or not (
            sent == self._after_words or (is_end and sent < self._after_words)
        ):
            return
        self._held.add(1)
        try:
            await self._open.wait()
        finally:
            self._held.add(-1)

    async def reached(self, answers: int = 1) -> None:
        """Wait until so many answers stand at the gate."""
        await self._held.until(lambda held: held >= answers)

    async def deserted(self) -> None:
        """Wait until none does: they went on, or their callers left."""
        await self._held.until(lambda held: held == 0)

    def open(self) -> None:
        """Let all answers go on, the held and the coming."""
        self._open.set()
