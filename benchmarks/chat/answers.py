"""One answer of 500 words, and a hundred chats at ten words a second, both beside the SDK."""

import asyncio
import os
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.chat.place import open_place
from benchmarks.chat.talkers import LONG, Direct, Talker, Timing, straight, through_farebox
from benchmarks.ledger.report import Line, limit_line

WORDS: Final = 500
PACED_PER_S: Final = 100.0
CROWD_PER_S: Final = 10.0
AT_ONCE: Final = 1_000_000.0
ADDED_ALONE_MS: Final = 15.0
ADDED_IN_CROWD_MS: Final = 60.0
THROUGHPUT_LEAST: Final = 0.9


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured."""

    rounds: int
    chats: int
    words: int = WORDS


FULL: Final = Sizes(rounds=9, chats=100)
QUICK: Final = Sizes(rounds=3, chats=30)
SMALLEST: Final = Sizes(rounds=1, chats=2, words=20)


async def measure_paced(sizes: Sizes, directory: Path) -> list[Line]:
    """An answer at the pace of a fast model: what is added before and during it."""
    ours, theirs, cpu_s = await _in_turn(sizes, directory, PACED_PER_S)
    added = [(o.first_s - t.first_s) * 1000 for o, t in zip(ours, theirs, strict=True)]
    ratio = median(t.last_s / o.last_s for o, t in zip(ours, theirs, strict=True))
    return [
        limit_line(
            "added to the first word, 1 chat",
            median(added),
            "ms",
            at_most=ADDED_ALONE_MS,
            baseline=f"{median(t.first_s for t in theirs) * 1000:.1f} ms alone",
        ),
        _throughput(
            f"words/s of {sizes.words}, 1 chat", sizes, ours, theirs, ratio, THROUGHPUT_LEAST
        ),
        _cpu_line(cpu_s, sizes.rounds * sizes.words),
    ]


async def measure_at_once(sizes: Sizes, directory: Path) -> list[Line]:
    """An answer that the upstream gives as fast as it can: what the way through costs."""
    ours, theirs, _ = await _in_turn(sizes, directory, AT_ONCE)
    ratio = median(t.last_s / o.last_s for o, t in zip(ours, theirs, strict=True))
    return [_throughput(f"words/s of {sizes.words}, no pace", sizes, ours, theirs, ratio, None)]


async def measure_crowd(sizes: Sizes, directory: Path) -> list[Line]:
    """Many chats being answered at once: what one more waits for its first word."""
    async with AsyncExitStack() as stack:
        place = await stack.enter_async_context(open_place(directory, words_per_s=CROWD_PER_S))
        direct = await stack.enter_async_context(straight(place))
        talkers = [
            await stack.enter_async_context(through_farebox(place)) for _ in range(sizes.chats)
        ]
        alone = [await direct.ask(LONG, 1) for _ in range(5)]
        before = _cpu_s(place.process)
        timings, beside = await _crowd(talkers, direct, sizes)
        cpu_s = _cpu_s(place.process) - before
    base = median(t.first_s for t in [*alone, *beside])
    added = sorted((timing.first_s - base) * 1000 for timing in timings)
    lasting = [timing.last_s - timing.first_s for timing in timings]
    due = (_crowd_words(sizes) - 1) / CROWD_PER_S
    return [
        limit_line(
            f"added to the first word, {sizes.chats} chats, median",
            median(added),
            "ms",
            at_most=ADDED_IN_CROWD_MS,
            baseline=f"{base * 1000:.1f} ms straight",
        ),
        Line(name="the same, 9 of 10", ours=f"{added[int(len(added) * 0.9) - 1]:.1f} ms"),
        Line(
            name="words shown per second beside words sent",
            ours=f"{median(due / one for one in lasting):.2f}",
        ),
        _cpu_line(cpu_s, sizes.chats * _crowd_words(sizes)),
    ]


async def _crowd(
    talkers: list[Talker], direct: Direct, sizes: Sizes
) -> tuple[list[Timing], list[Timing]]:
    """Everybody asks within the time of one answer, so that all are being answered at once."""
    words = _crowd_words(sizes)
    spread_s = words / CROWD_PER_S / 2

    async def one(number: int, talker: Talker) -> Timing:
        await asyncio.sleep(spread_s * number / len(talkers))
        return await talker.ask(LONG, words)

    async def beside() -> list[Timing]:
        await asyncio.sleep(spread_s / 2)
        return [await direct.ask(LONG, 1) for _ in range(10)]

    *timings, straight_ones = await asyncio.gather(
        *(one(number, talker) for number, talker in enumerate(talkers)), beside()
    )
    return timings, straight_ones  # type: ignore[return-value]


def _crowd_words(sizes: Sizes) -> int:
    return min(sizes.words, 200)


async def _in_turn(
    sizes: Sizes, directory: Path, words_per_s: float
) -> tuple[list[Timing], list[Timing], float]:
    """Both in turn, who begins changing from round to round; and the server's time."""
    ours: list[Timing] = []
    theirs: list[Timing] = []
    cpu_s = 0.0
    async with (
        open_place(directory, words_per_s=words_per_s) as place,
        straight(place) as direct,
        through_farebox(place) as talker,
    ):
        for number in range(sizes.rounds):
            for turn in (number, number + 1):
                if turn % 2:
                    theirs.append(await direct.ask(LONG, sizes.words))
                else:
                    before = _cpu_s(place.process)
                    ours.append(await talker.ask(LONG, sizes.words))
                    cpu_s += _cpu_s(place.process) - before
    return ours, theirs, cpu_s


def _throughput(
    name: str,
    sizes: Sizes,
    ours: list[Timing],
    theirs: list[Timing],
    ratio: float,
    at_least: float | None,
) -> Line:
    return Line(
        name=name,
        ours=f"{median(sizes.words / o.last_s for o in ours):,.0f}/s",
        baseline=f"{median(sizes.words / t.last_s for t in theirs):,.0f}/s",
        ratio=ratio,
        target="" if at_least is None else f"ratio >= {at_least:g}",
        is_met=None if at_least is None else ratio >= at_least,
    )


def _cpu_line(cpu_s: float, words: int) -> Line:
    return Line(name="server CPU per 1,000 words", ours=f"{cpu_s / words * 1_000_000:.0f} ms")


def _cpu_s(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
