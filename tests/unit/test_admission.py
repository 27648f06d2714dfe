from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.errors import (
    AccountSuspended,
    FareboxError,
    NotInPlan,
    OfferingPaused,
    PlanEnded,
    UnknownOffering,
)
from host.metering.admission import Admitted, Asked, Refused, admit
from storage.credits import MilliCredits
from storage.entitlement import Entitlement, Period, entitlement
from storage.moments import DAY, NEVER, Micros
from tests.fakes.clock import START

PRICE = MilliCredits(5_000)
WEEK = 7 * DAY


def period(
    start: int, end: int, *, plan_id: int = 1, is_time: bool = False, is_taken_back: bool = False
) -> Period:
    return Period(
        plan_id=plan_id,
        is_time=is_time,
        starts_at=Micros(start),
        ends_at=Micros(end),
        is_taken_back=is_taken_back,
    )


def entitled(*periods: Period, at: int = START) -> Entitlement:
    return entitlement(periods, now=Micros(at))


PACK = period(START, NEVER)
PASS = period(START, START + WEEK, plan_id=2, is_time=True)
SUBSCRIBER = Asked(
    title="Math Tutor",
    is_draft=False,
    is_paused=False,
    is_retired=False,
    is_owner=False,
    is_suspended=False,
    price=PRICE,
    entitlement=entitled(PACK),
    ended_plan=None,
    buy_url="https://farebox.example/buy/pack-100",
)
OWNER = replace(SUBSCRIBER, is_owner=True, entitlement=entitled())


def refusal(asked: Asked) -> FareboxError:
    admission = admit(asked)
    assert isinstance(admission, Refused)
    return admission.error


def test_a_running_credit_plan_holds_the_price() -> None:
    assert admit(SUBSCRIBER) == Admitted(
        amount=PRICE, is_free=False, plan_ids=(1,), included_until=None
    )


def test_an_active_time_plan_is_used_before_credits() -> None:
    admission = admit(replace(SUBSCRIBER, entitlement=entitled(PACK, PASS)))
    assert admission == Admitted(
        amount=MilliCredits(0),
        is_free=False,
        plan_ids=(1, 2),
        included_until=Micros(START + WEEK),
    )


def test_credits_are_used_once_the_time_plan_has_ended() -> None:
    admission = admit(replace(SUBSCRIBER, entitlement=entitled(PACK, PASS, at=START + WEEK)))
    assert isinstance(admission, Admitted)
    assert (admission.amount, admission.included_until) == (PRICE, None)


def test_the_owners_own_is_free_and_holds_nothing() -> None:
    for asked in (OWNER, replace(OWNER, is_draft=True), replace(OWNER, is_paused=True)):
        assert admit(asked) == Admitted(amount=MilliCredits(0), is_free=True)


def test_a_draft_does_not_exist_for_anybody_else() -> None:
    assert isinstance(refusal(replace(SUBSCRIBER, is_draft=True)), UnknownOffering)


def test_a_paused_offering_refuses_and_says_that_nothing_was_charged() -> None:
    error = refusal(replace(SUBSCRIBER, is_paused=True))
    assert isinstance(error, OfferingPaused)
    assert "Nothing was charged" in error.detail


def test_a_retired_offering_refuses_even_its_owner() -> None:
    for asked in (SUBSCRIBER, OWNER):
        assert isinstance(refusal(replace(asked, is_retired=True)), OfferingPaused)


def test_a_suspended_account_may_do_nothing_at_all() -> None:
    for asked in (SUBSCRIBER, OWNER):
        assert isinstance(refusal(replace(asked, is_suspended=True)), AccountSuspended)


def test_who_never_had_a_plan_is_told_where_to_get_one() -> None:
    error = refusal(replace(SUBSCRIBER, entitlement=entitled()))
    assert isinstance(error, NotInPlan)
    assert "https://farebox.example/buy/pack-100" in error.detail
    assert error.headers["Link"] == '<https://farebox.example/buy/pack-100>; rel="payment"'


def test_whose_plan_ended_is_told_when_and_where_to_get_it_again() -> None:
    error = refusal(replace(SUBSCRIBER, entitlement=entitled(PASS, at=START + WEEK)))
    assert isinstance(error, PlanEnded)
    assert "ended on 25 November 2026" in error.detail
    assert "/buy/pack-100" in error.detail
    assert error.facts == {"balance": 0, "required": 5, "topup_url": SUBSCRIBER.buy_url}


def test_whose_plan_was_taken_back_is_told_which_when_and_where_to_get_it_again() -> None:
    lost = replace(PACK, ends_at=Micros(START), is_taken_back=True)
    asked = replace(SUBSCRIBER, entitlement=entitled(lost), ended_plan="Pack 100")
    error = refusal(asked)
    assert isinstance(error, PlanEnded)
    told = "Pack 100 was taken back by the operator on 18 November 2026. Get a plan at "
    assert error.detail.startswith(told)


def test_a_refusal_stands_alone_when_no_plan_is_for_sale() -> None:
    error = refusal(replace(SUBSCRIBER, entitlement=entitled(), buy_url=None))
    assert "No plan that covers it is for sale" in error.detail
    assert "Link" not in error.headers


def test_a_time_plan_got_again_counts_to_its_last_end() -> None:
    again = period(START + WEEK, START + 2 * WEEK, plan_id=2, is_time=True)
    assert entitled(PASS, again).included_until == START + 2 * WEEK


def test_a_period_includes_its_first_moment_and_not_its_end() -> None:
    assert PASS.runs(Micros(START))
    assert PASS.runs(Micros(START + WEEK - 1))
    assert not PASS.runs(Micros(START + WEEK))
    assert not PASS.runs(Micros(START - 1))


periods = st.builds(
    lambda plan_id, is_time, is_taken_back, start, length: period(
        start, start + length, plan_id=plan_id, is_time=is_time, is_taken_back=is_taken_back
    ),
    st.integers(1, 3),
    st.booleans(),
    st.booleans(),
    st.integers(0, 20),
    st.integers(1, 20),
)


@given(st.lists(periods, max_size=6), st.integers(0, 45))
def test_an_entitlement_never_contradicts_itself(known: list[Period], now: int) -> None:
    found = entitled(*known, at=now)
    assert found.had_plan == bool(known)
    assert found.is_running == any(one.runs(Micros(now)) for one in known)
    assert (found.ended is None) == (found.is_running or not known)
    assert found.ended is None or found.ended.ends_at == max(one.ends_at for one in known)
    assert set(found.plan_ids) == {one.plan_id for one in known if not one.is_taken_back}
    if found.included_until is not None:
        assert found.is_running
        assert found.included_until > now


@pytest.mark.parametrize("price", [0, 5_000])
@given(known=st.lists(periods, max_size=6), now=st.integers(0, 45))
def test_only_a_running_plan_admits_and_never_for_more_than_the_price(
    price: int, known: list[Period], now: int
) -> None:
    asked = replace(SUBSCRIBER, price=MilliCredits(price), entitlement=entitled(*known, at=now))
    admission = admit(asked)
    assert isinstance(admission, Admitted) == asked.entitlement.is_running
    if isinstance(admission, Admitted):
        assert admission.amount in {0, price}
