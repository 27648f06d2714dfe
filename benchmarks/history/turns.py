"""Turns taken in rotated order, so that a noisy machine is noisy for all; ratios of one round."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import TypeAlias

Turn: TypeAlias = Callable[[], Awaitable[float]]
"""Does something once and says what it took, in whatever is measured."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What every turn took, by who had it and by round."""

    turns: Mapping[str, tuple[float, ...]]

    def of(self, name: str) -> float:
        """What a turn takes."""
        return median(self.turns[name])

    def ratio(self, name: str, base: str) -> float:
        """One beside another, in the same round."""
        pairs = zip(self.turns[name], self.turns[base], strict=True)
        return median(one / max(other, 1e-9) for one, other in pairs)


async def interleave(entrants: Mapping[str, Turn], *, rounds: int) -> Taken:
    """Let everybody take a turn in each round, after one that does not count."""
    turns: dict[str, list[float]] = {name: [] for name in entrants}
    names = list(entrants)
    for turn in entrants.values():
        await turn()
    for number in range(rounds):
        first = number % len(names)
        for name in (*names[first:], *names[:first]):
            turns[name].append(await entrants[name]())
    return Taken({name: tuple(taken) for name, taken in turns.items()})


def timed(work: Callable[[], Awaitable[object]]) -> Turn:
    """A turn that takes milliseconds."""

    async def turn() -> float:
        began_at = time.perf_counter()
        await work()
        return (time.perf_counter() - began_at) * 1e3

    return turn
