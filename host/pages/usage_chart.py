"""A chart of usage by day, as places and sizes that a template draws: no script, no picture file.

One bar a day, stacked by offering. What an offering's colour is, is the style sheet's business,
so that it changes with light and dark; past the busiest few the rest share one. The same numbers
stand in a table beside it, for whoever cannot see it. Nothing here reads or writes anything.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from host.language import N_, _
from host.pages.rendering import day_of_month
from host.writing import amount
from storage.credits import PER_CREDIT
from storage.usage_days import UsageDay

SERIES_MOST: Final = 5
"""Offerings with a colour of their own; more could not be told apart."""
REST: Final = N_("Everything else")
GONE: Final = N_("Something withdrawn")
TOPS: Final = (1, 2, 4, 6, 10)
"""What the axis may end at, times a power of ten: whole numbers of credits, and of messages."""


@dataclass(frozen=True, slots=True)
class Size:
    """The drawing's own units, which the page scales to its width."""

    width: int
    height: int = 220
    left: int = 44
    right: int = 4
    top: int = 12
    bottom: int = 26
    day_every: int = 7
    """How many days lie between two dates that are written below."""


WIDE: Final = Size(width=720)
NARROW: Final = Size(width=342, left=36, day_every=10)


@dataclass(frozen=True, slots=True)
class Bar:
    """One offering's part of one day."""

    x: float
    y: float
    width: float
    height: float
    series: int
    label: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A written value beside an axis."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """Everything that is drawn."""

    size: Size
    bars: tuple[Bar, ...]
    values: tuple[Tick, ...]
    days: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class UsageChart:
    """The usage of a period: in words, as a legend, and drawn for wide and for narrow screens."""

    names: tuple[str, ...]
    """The legend, in the order of the colours."""
    wide: Drawing
    narrow: Drawing


def usage_chart(used: Sequence[UsageDay], *, first_day: int, days: int) -> UsageChart:
    """The chart of so many days from `first_day` on."""
    in_credits = any(line.charged for line in used)
    values = {
        (line.day, _name(line)): line.charged if in_credits else line.count * PER_CREDIT
        for line in used
    }
    names = _series(values)
    stacked = _stacked(values, names)
    top = _top(max(_by_day(stacked).values(), default=0))

    def drawn(size: Size) -> Drawing:
        bars = tuple(_bars(stacked, names, size=size, first_day=first_day, days=days, top=top))
        return Drawing(size, bars, _values(top, size), _days(first_day, days, size))

    return UsageChart(names, drawn(WIDE), drawn(NARROW))


def _name(line: UsageDay) -> str:
    return line.offering_title or _(GONE)


def _series(values: Mapping[tuple[int, str], int]) -> tuple[str, ...]:
    """The offerings by what they came to, the largest first; the smallest under one name."""
    totals: dict[str, int] = {}
    for (_day, name), value in values.items():
        totals[name] = totals.get(name, 0) + value
    names = sorted((name for name in totals if totals[name]), key=lambda n: (-totals[n], n))
    if len(names) <= SERIES_MOST + 1:
        return tuple(names)
    return (*names[:SERIES_MOST], _(REST))


def _stacked(
    values: Mapping[tuple[int, str], int], names: Sequence[str]
) -> dict[tuple[int, str], int]:
    """By day and name of the legend."""
    stacked: dict[tuple[int, str], int] = {}
    for (day, name), value in values.items():
        if value:
            key = (day, name if name in names else _(REST))
            stacked[key] = stacked.get(key, 0) + value
    return stacked


def _by_day(stacked: Mapping[tuple[int, str], int]) -> dict[int, int]:
    totals: dict[int, int] = {}
    for (day, _offering), value in stacked.items():
        totals[day] = totals.get(day, 0) + value
    return totals


def _top(most: int) -> int:
    """Where the axis ends: a round number that the highest day fits under."""
    power = PER_CREDIT
    while True:
        for factor in TOPS:
            if factor * power >= most and factor * power > PER_CREDIT:
                return factor * power
        power *= 10


def _bars(
    stacked: Mapping[tuple[int, str], int],
    names: Sequence[str],
    *,
    size: Size,
    first_day: int,
    days: int,
    top: int,
) -> Iterable[Bar]:
    slot = (size.width - size.left - size.right) / days
    depth = size.height - size.top - size.bottom
    order = sorted(stacked, key=lambda key: (key[0], names.index(key[1])))
    for day, keys in groupby(order, key=lambda key: key[0]):
        floor = float(size.height - size.bottom)
        for key in keys:
            height = depth * stacked[key] / top
            floor -= height
            yield Bar(
                x=round(size.left + (day - first_day) * slot + slot * 0.14, 2),
                y=round(floor, 2),
                width=round(slot * 0.72, 2),
                height=round(height, 2),
                series=names.index(key[1]),
                label=f"{day_of_month(day)}: {key[1]}, {amount(stacked[key])}",
            )


def _values(top: int, size: Size) -> tuple[Tick, ...]:
    depth = size.height - size.top - size.bottom
    return tuple(
        Tick(round(size.top + depth * (1 - part), 2), amount(int(top * part)))
        for part in (0, 0.5, 1)
    )


def _days(first_day: int, days: int, size: Size) -> tuple[Tick, ...]:
    slot = (size.width - size.left - size.right) / days
    return tuple(
        Tick(round(size.left + (number + 0.5) * slot, 2), day_of_month(first_day + number))
        for number in range(days - 1, -1, -size.day_every)
    )
