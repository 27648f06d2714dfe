"""Draw-down, as a pure rule: who bears an amount, and how much of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.credits import (
    HOLD_TRANSITIONS,
    HoldClosedError,
    HoldEvent,
    HoldState,
    MilliCredits,
    Share,
    SpendableGrant,
    draw_down,
    first_part,
    next_state,
)
from storage.moments import NEVER, Micros

NOW = Micros(1000)


def spendable(
    number: int,
    remaining: int = 10,
    *,
    priority: int = 0,
    effective_at: int = 0,
    expires_at: int = NEVER,
) -> SpendableGrant:
    return SpendableGrant(
        id=number,
        priority=priority,
        effective_at=Micros(effective_at),
        expires_at=Micros(expires_at),
        remaining=MilliCredits(remaining),
    )


GRANTS = st.lists(
    st.builds(
        spendable,
        number=st.integers(1, 1000),
        remaining=st.integers(0, 20),
        priority=st.integers(0, 2),
        effective_at=st.integers(990, 1005),
        expires_at=st.integers(995, 1020),
    ),
    unique_by=lambda grant: grant.id,
    max_size=8,
)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(
            spendable(2, priority=0), spendable(1, priority=1, expires_at=1001), id="by priority"
        ),
        pytest.param(spendable(2, expires_at=2000), spendable(1), id="never-expiring last"),
        pytest.param(spendable(1), spendable(2), id="older first"),
    ],
)
def test_draw_down_empties_the_first_grant_before_touching_the_second(
    first: SpendableGrant, second: SpendableGrant
) -> None:
    shares = draw_down([second, first], MilliCredits(15), NOW)

    assert shares == (Share(first.id, MilliCredits(10)), Share(second.id, MilliCredits(5)))


@pytest.mark.parametrize(
    "grant",
    [
        pytest.param(spendable(1, effective_at=1001), id="scheduled"),
        pytest.param(spendable(1, expires_at=1000), id="expiring this moment"),
        pytest.param(spendable(1, remaining=0), id="empty"),
    ],
)
def test_a_grant_that_is_not_live_bears_nothing(grant: SpendableGrant) -> None:
    assert draw_down([grant], MilliCredits(1), NOW) == ()


@given(grants=GRANTS, amount=st.integers(0, 200))
def test_shares_make_up_the_amount_or_all_there_is(
    grants: list[SpendableGrant], amount: int
) -> None:
    shares = draw_down(grants, MilliCredits(amount), NOW)

    live = {grant.id: grant for grant in grants if grant.is_live(NOW)}
    assert sum(share.amount for share in shares) == min(
        amount, sum(grant.remaining for grant in live.values())
    )
    assert all(0 < share.amount <= live[share.grant_id].remaining for share in shares)
    assert all(share.amount == live[share.grant_id].remaining for share in shares[:-1])


@given(grants=GRANTS, amount=st.integers(0, 200), part=st.integers(0, 200))
def test_the_first_part_of_a_draw_down_is_the_draw_down_of_that_part(
    grants: list[SpendableGrant], amount: int, part: int
) -> None:
    whole = draw_down(grants, MilliCredits(amount), NOW)

    smaller = min(part, amount)
    assert first_part(whole, MilliCredits(smaller)) == draw_down(
        grants, MilliCredits(smaller), NOW
    )


@pytest.mark.parametrize("state", [state for state in HoldState if state is not HoldState.OPEN])
@pytest.mark.parametrize("event", HoldEvent)
def test_a_hold_ends_once(state: HoldState, event: HoldEvent) -> None:
    with pytest.raises(HoldClosedError, match=f"a hold that is {state} cannot {event}"):
        next_state(state, event)


def test_every_end_of_a_hold_can_be_reached() -> None:
    assert set(HOLD_TRANSITIONS.values()) == set(HoldState) - {HoldState.OPEN}
