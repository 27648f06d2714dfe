"""Refunds of an order converge: however they are told, they end in the same place."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from host.purchase.refunds import Refunding, take_from

ORDERS = st.builds(
    Refunding,
    gives=st.integers(1, 10**12),
    amount_minor=st.integers(1, 10**9),
)


def after(order: Refunding, told: list[int], *, left: int) -> tuple[Refunding, int]:
    """Tell an order these refunds one by one, taking what there is."""
    for in_all in told:
        order = order.told(in_all)
        taken = min(left, order.still_to_take)
        order, left = order.took(taken), left - taken
    return order, left


@st.composite
def orders_and_refunds(draw: st.DrawFn) -> tuple[Refunding, list[int], list[int], int]:
    """An order, refunds of it, the same in another order and partly twice, what is left."""
    order = draw(ORDERS)
    told = draw(st.lists(st.integers(0, order.amount_minor), min_size=1, max_size=6))
    again = draw(st.permutations(told + draw(st.lists(st.sampled_from(told), max_size=3))))
    return order, told, again, draw(st.integers(0, order.gives))


@given(orders_and_refunds())
def test_in_any_order_and_however_often_they_end_the_same(
    case: tuple[Refunding, list[int], list[int], int],
) -> None:
    order, told, again, left = case
    assert after(order, told, left=left) == after(order, again, left=left)


@given(orders_and_refunds())
def test_a_stale_one_changes_nothing(
    case: tuple[Refunding, list[int], list[int], int],
) -> None:
    order, told, again, left = case
    done, rest = after(order, told, left=left)
    assert after(done, again, left=rest) == (done, rest)


@given(orders_and_refunds())
def test_what_is_taken_is_in_proportion_and_never_more_than_there_is(
    case: tuple[Refunding, list[int], list[int], int],
) -> None:
    order, told, _, left = case
    done, rest = after(order, told, left=left)
    assert rest >= 0
    assert done.taken_back == min(left, done.target)
    assert 0 <= done.gives * max(told) - done.target * done.amount_minor < done.amount_minor
    assert done.is_all == (max(told) == order.amount_minor)


def test_three_of_five_hundred_told_in_two_steps_take_sixty_of_a_hundred() -> None:
    order = Refunding(gives=100, amount_minor=500)
    assert after(order, [200, 300], left=100) == after(order, [300, 200], left=100)
    assert after(order, [200, 300], left=100)[1] == 40
    assert after(order, [200, 300, 500], left=100)[1] == 0


@given(st.lists(st.integers(0, 10**6), max_size=5), st.integers(0, 10**7))
def test_what_is_wanted_is_taken_from_the_first_first(unspent: list[int], wanted: int) -> None:
    taken = take_from(tuple(unspent), wanted)
    assert sum(taken) == min(wanted, sum(unspent))
    touched = [index for index, part in enumerate(taken) if part]
    for index in touched[:-1]:
        assert taken[index] == unspent[index]


@given(ORDERS, st.data())
def test_what_is_claimed_is_not_claimed_again(order: Refunding, data: st.DataObject) -> None:
    told = order.told(data.draw(st.integers(0, order.amount_minor)))
    taken = data.draw(st.integers(0, told.target))
    claimed = data.draw(st.integers(0, told.target - taken))
    known = replace(told, taken_back=taken, claimed=claimed)
    assert known.unclaimed == told.target - taken - claimed
    assert replace(known, claimed=known.still_to_take).unclaimed == 0
