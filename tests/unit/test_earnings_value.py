"""What a paid grant is worth as it is used: no cent is lost or invented, in whatever steps."""

from hypothesis import given
from hypothesis import strategies as st

from storage.earnings import DayOfGrant, value_by_day, value_of

AMOUNTS = st.integers(1, 10**12)
COSTS = st.integers(0, 10**12)


@st.composite
def lives(draw: st.DrawFn) -> tuple[int, list[DayOfGrant]]:
    """A grant's amount, and what was used of it day by day, never more than there was."""
    amount = draw(AMOUNTS)
    used, days = 0, []
    for day in range(draw(st.integers(1, 12))):
        refunded = draw(st.integers(0, used))
        used -= refunded
        charged = draw(st.integers(0, amount - used))
        expired = draw(st.integers(0, amount - used - charged))
        used += charged + expired
        days.append(DayOfGrant(day, charged, refunded, expired))
    return amount, days


def earned(amount: int, cost_minor: int, days: list[DayOfGrant]) -> list[int]:
    used = sum(day.used for day in days)
    newest_first = value_by_day(days[::-1], used=used, amount=amount, cost_minor=cost_minor)
    return list(newest_first)[::-1]


@given(life=lives(), cost_minor=COSTS)
def test_days_add_up_to_the_value_of_what_is_used(
    life: tuple[int, list[DayOfGrant]], cost_minor: int
) -> None:
    amount, days = life
    values = earned(amount, cost_minor, days)
    for until in range(len(days) + 1):
        used = sum(day.used for day in days[:until])
        together = sum(values[:until])
        assert together == value_of(used, amount=amount, cost_minor=cost_minor)
        assert 0 <= cost_minor * used - together * amount < amount, "at most a part of a cent"


@given(life=lives(), cost_minor=COSTS)
def test_a_grant_that_is_used_up_has_earned_its_cost(
    life: tuple[int, list[DayOfGrant]], cost_minor: int
) -> None:
    amount, days = life
    rest = amount - sum(day.used for day in days)
    assert sum(earned(amount, cost_minor, [*days, DayOfGrant(99, 0, 0, rest)])) == cost_minor


@given(life=lives(), cost_minor=COSTS, data=st.data())
def test_what_was_before_the_days_one_looks_at_changes_nothing(
    life: tuple[int, list[DayOfGrant]], cost_minor: int, data: st.DataObject
) -> None:
    amount, days = life
    since = data.draw(st.integers(0, len(days)))
    used = sum(day.used for day in days)
    late = value_by_day(days[since:][::-1], used=used, amount=amount, cost_minor=cost_minor)
    assert list(late)[::-1] == earned(amount, cost_minor, days)[since:]
