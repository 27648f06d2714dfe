"""Attempts are counted before they are made, over a window that slides, for a bounded crowd."""

import pytest

from host.errors import RateLimited
from host.identity import throttle as module
from host.identity.throttle import Throttle
from host.language import N_, Language, speaking
from storage.moments import MINUTE, SECOND
from tests.fakes.clock import ManualClock


@pytest.fixture
def throttle(clock: ManualClock) -> Throttle:
    return Throttle(clock, most=3, window_s=600, sentence="Too many.")


def spend(throttle: Throttle, key: str, times: int) -> None:
    for _ in range(times):
        throttle.spend(key)


def test_one_attempt_too_many_is_told_when_to_come_back(
    throttle: Throttle, clock: ManualClock
) -> None:
    throttle.spend("sam")
    clock.advance(MINUTE)
    spend(throttle, "sam", 2)
    with pytest.raises(RateLimited, match=r"^Too many\. Try again in 9 minutes\.$") as refused:
        throttle.spend("sam")
    assert refused.value.headers["Retry-After"] == "540"
    clock.advance(540 * SECOND - 1)
    with pytest.raises(RateLimited, match="in a minute"):
        throttle.spend("sam")
    clock.advance(1)
    throttle.spend("sam")
    with pytest.raises(RateLimited):
        throttle.spend("sam")


def test_whom_it_stops_is_told_in_their_language(clock: ManualClock) -> None:
    throttle = Throttle(clock, most=1, window_s=120, sentence=N_("Too many wrong passwords."))
    throttle.spend("sam")
    with speaking(Language.SPANISH), pytest.raises(RateLimited) as refused:
        throttle.spend("sam")
    assert refused.value.detail == (
        "Demasiadas contraseñas incorrectas. Inténtalo de nuevo en 2 minutos."
    )


def test_refused_attempts_do_not_make_the_wait_longer(
    throttle: Throttle, clock: ManualClock
) -> None:
    spend(throttle, "sam", 3)
    for _ in range(20):
        with pytest.raises(RateLimited):
            throttle.spend("sam")
    clock.advance(600 * SECOND)
    spend(throttle, "sam", 3)


def test_one_name_does_not_count_for_another(throttle: Throttle) -> None:
    spend(throttle, "sam", 3)
    with pytest.raises(RateLimited):
        throttle.spend("sam")
    spend(throttle, "bea", 3)


def test_what_turned_out_well_does_not_count(throttle: Throttle) -> None:
    for _ in range(10):
        throttle.spend("sam")
        throttle.give_back("sam")
    spend(throttle, "sam", 3)
    throttle.forget("sam")
    spend(throttle, "sam", 3)
    throttle.give_back("nobody")
    throttle.forget("nobody")
    with pytest.raises(RateLimited):
        throttle.spend("sam")


def test_the_crowd_it_remembers_is_bounded(
    throttle: Throttle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEYS_MAX", 5)
    for number in range(50):
        throttle.spend(str(number))
    assert len(throttle._attempts) == 5
