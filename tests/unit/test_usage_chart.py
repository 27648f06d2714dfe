"""Where the bars of a chart stand: inside it, on top of one another, as high as their numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.pages.usage_chart import NARROW, REST, WIDE, Drawing, usage_chart
from storage.credits import MilliCredits
from storage.usage_days import UsageDay

FIRST = 20_000
DAYS = 30


def used(day: int, title: str | None, charged: int, count: int = 1) -> UsageDay:
    return UsageDay(
        day=FIRST + day,
        offering_slug=title,
        offering_title=title,
        charged=MilliCredits(charged),
        refunded=MilliCredits(0),
        count=count,
    )


LINES = st.dictionaries(
    st.tuples(st.integers(0, DAYS - 1), st.sampled_from([*"abcdefgh", None])),
    st.integers(0, 10**9),
)


@given(LINES)
def test_every_bar_is_inside_and_days_add_up(lines: dict[tuple[int, str | None], int]) -> None:
    told = [used(day, title, amount) for (day, title), amount in lines.items()]
    chart = usage_chart(told, first_day=FIRST, days=DAYS)
    for drawing in (chart.wide, chart.narrow):
        size = drawing.size
        for bar in drawing.bars:
            assert size.left <= bar.x
            assert bar.x + bar.width <= size.width - size.right
            assert size.top - 0.01 <= bar.y
            assert bar.y + bar.height <= size.height - size.bottom + 0.01
            assert 0 <= bar.series < len(chart.names) <= 6
    days = {line.day for line in told if line.charged or not any(one.charged for one in told)}
    assert len({bar.x for bar in chart.wide.bars}) == len(days)


def heights(drawing: Drawing) -> list[float]:
    return [bar.height for bar in drawing.bars]


def test_bars_are_as_high_as_their_numbers_and_the_busiest_stands_below() -> None:
    chart = usage_chart(
        [used(0, "tutor", 6_000), used(0, "songs", 2_000), used(1, "tutor", 4_000)],
        first_day=FIRST,
        days=DAYS,
    )
    assert chart.names == ("tutor", "songs")
    first, second, third = chart.wide.bars
    assert first.height == pytest.approx(3 * second.height, abs=0.1)
    assert third.height == pytest.approx(2 * second.height, abs=0.1)
    assert second.y == pytest.approx(first.y - second.height, abs=0.1)
    assert [tick.label for tick in chart.wide.values] == ["0", "5", "10"]
    assert len(heights(chart.narrow)) == 3


def test_where_everything_was_included_messages_are_counted() -> None:
    chart = usage_chart([used(3, "travel", 0, count=4)], first_day=FIRST, days=DAYS)
    assert [bar.label.endswith("travel, 4") for bar in chart.wide.bars] == [True]


def test_more_offerings_than_colours_share_the_last() -> None:
    told = [used(0, name, 1_000 * (9 - number)) for number, name in enumerate("abcdefgh")]
    chart = usage_chart(told, first_day=FIRST, days=DAYS)
    assert chart.names == ("a", "b", "c", "d", "e", REST)
    assert sum(heights(chart.wide)[-1:]) > 0
    assert len(chart.wide.bars) == 6


def test_nothing_is_a_chart_without_bars() -> None:
    chart = usage_chart([], first_day=FIRST, days=DAYS)
    assert (chart.names, chart.wide.bars) == ((), ())
    assert (chart.wide.size, chart.narrow.size) == (WIDE, NARROW)
