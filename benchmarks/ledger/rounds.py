"""Turns, taken one after another in rotated order, so that a noisy machine is noisy for all.

What is compared is what two contestants did in the *same* round; the median over rounds is the
ratio. Absolute figures are medians as well, and good for nothing but a rough idea.
"""

import asyncio
import gc
import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from statistics import median
from typing import Final

from benchmarks.ledger.contestants import Contestant

WARM_UP_SHARE: Final = 0.2
"""How much of a turn everybody runs first, uncounted."""
_NOTHING: Final = 1e-9
"""Instead of zero messages a second, which only the shortest of turns can come to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one contestant did in one round."""

    per_s: float
    """Messages finished within the turn, for each second of it."""
    cpu_us: float
    """CPU time of this process for each message, all its threads together."""
    p99_ms: float
    """What all but the slowest hundredth waited at most for a whole message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """Who takes turns, with how many callers, and what must be set up around a turn."""

    contestant: Contestant
    callers: int
    around: Callable[[], AbstractContextManager[None]] = nullcontext


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """Two entrants compared."""

    per_s: float
    base_per_s: float
    ratio: float
    """The median over rounds, which need not be the one figure over the other."""


@dataclass(frozen=True, slots=True)
class Results:
    """Every turn of every entrant, by name and round."""

    turns: Mapping[str, tuple[Turn, ...]]

    def per_s(self, name: str) -> float:
        """Messages a second."""
        return median(turn.per_s for turn in self.turns[name])

    def cpu_us(self, name: str) -> float:
        """Microseconds of CPU a message."""
        return median(turn.cpu_us for turn in self.turns[name])

    def p99_ms(self, name: str) -> float:
        """What one in a hundred waits at least."""
        return median(turn.p99_ms for turn in self.turns[name])

    def beside(self, name: str, base: str) -> Beside:
        """One entrant beside another."""
        pairs = zip(self.turns[name], self.turns[base], strict=True)
        return Beside(
            per_s=self.per_s(name),
            base_per_s=self.per_s(base),
            ratio=median(turn.per_s / max(other.per_s, _NOTHING) for turn, other in pairs),
        )


async def interleave(entrants: Mapping[str, Entrant], *, rounds: int, turn_s: float) -> Results:
    """Let every entrant take a turn of `turn_s` seconds in each round, after a short warm-up."""
    turns: dict[str, list[Turn]] = {name: [] for name in entrants}
    names = list(entrants)
    for entrant in entrants.values():
        await _turn(entrant, turn_s * WARM_UP_SHARE)
    for number in range(rounds):
        first = number % len(names)
        for name in (*names[first:], *names[:first]):
            turns[name].append(await _turn(entrants[name], turn_s))
    return Results({name: tuple(taken) for name, taken in turns.items()})


async def _turn(entrant: Entrant, turn_s: float) -> Turn:
    gc.collect()  # nobody pays for what the one before has left behind
    waited_s: list[float] = []
    numbers = itertools.count()
    with entrant.around():
        cpu_before_s = time.process_time()
        ends_at = time.perf_counter() + turn_s
        callers = [
            _call(entrant.contestant, numbers, ends_at, waited_s) for _ in range(entrant.callers)
        ]
        in_time = sum(await asyncio.gather(*callers))
        cpu_s = time.process_time() - cpu_before_s
    waited_s.sort()
    return Turn(
        per_s=in_time / turn_s,
        cpu_us=cpu_s / max(len(waited_s), 1) * 1e6,
        p99_ms=waited_s[int(len(waited_s) * 0.99)] * 1e3 if waited_s else turn_s * 1e3,
    )


async def _call(
    contestant: Contestant, numbers: Iterator[int], ends_at: float, waited_s: list[float]
) -> int:
    """One caller: a message after another until the turn is over. How many were in time."""
    in_time = 0
    while (began_at := time.perf_counter()) < ends_at:
        is_charged = await contestant.message(next(numbers))
        ended_at = time.perf_counter()
        if is_charged:
            waited_s.append(ended_at - began_at)
            in_time += ended_at <= ends_at
    return in_time
