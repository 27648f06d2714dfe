"""Turns, taken one after another in rotated order, so that a noisy machine is noisy for all.

What is compared is what two contestants did in the *same* round; the median over rounds is the
ratio. Absolute figures are medians as well, and good for nothing but a rough idea.
"""

import asyncio
import gc
import random
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from statistics import median
from typing import Final

from benchmarks.ledger.contestants import Contestant

WARM_UP_SHARE: Final = 0.2
"""How much of a turn everybody runs first, uncounted."""
START_UP_SHARE: Final = 0.2
"""How much of a turn is over before messages are counted."""
SEED: Final = 7
"""Whose message comes next is chance, as in life, and the same chance for everybody."""
_NOTHING: Final = 1e-9
"""Instead of zero messages a second, which only the shortest of turns can come to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one contestant did in one round."""

    per_s: float
    """Messages charged each second, once the turn is under way."""
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
    charged: list[tuple[float, float]] = []
    numbers = random.Random(SEED)
    with entrant.around():
        cpu_before_s, began_at = time.process_time(), time.perf_counter()
        ends_at = began_at + turn_s
        callers = [
            _call(entrant.contestant, numbers, ends_at, charged) for _ in range(entrant.callers)
        ]
        await asyncio.gather(*callers)
        cpu_s = time.process_time() - cpu_before_s
    # Counted once everybody is waiting: what was under way then makes up for what is at the end.
    counts_from = began_at + turn_s * START_UP_SHARE
    counted = sum(counts_from < ended <= ends_at for _, ended in charged)
    waited_s = sorted(ended - began for began, ended in charged)
    return Turn(
        per_s=counted / (ends_at - counts_from),
        cpu_us=cpu_s / max(len(charged), 1) * 1e6,
        p99_ms=waited_s[int(len(waited_s) * 0.99)] * 1e3 if waited_s else turn_s * 1e3,
    )


async def _call(
    contestant: Contestant,
    numbers: random.Random,
    ends_at: float,
    charged: list[tuple[float, float]],
) -> None:
    """One caller: a message after another until the turn is over; when each began and ended."""
    while (began_at := time.perf_counter()) < ends_at:
        if await contestant.message(numbers.getrandbits(32)):
            charged.append((began_at, time.perf_counter()))
