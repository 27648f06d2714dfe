"""A run folded from its events, and whether its price is due: the charging table for messages."""

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.providers.base import (
    FailureKind,
    RunCompleted,
    RunEvent,
    RunFailed,
    RunIncomplete,
    RunStarted,
    TextDelta,
    Usage,
)
from host.runs.lifecycle import Reason
from host.runs.transcript import TEXT_MAX, Transcript
from storage.run_states import RunState

STARTED = RunStarted("resp_1")
HELLO = (STARTED, TextDelta("Hel"), TextDelta("lo"))
USAGE = Usage(input=3, output=2)

EVENTS = st.one_of(
    st.builds(RunStarted, st.just("resp_1")),
    st.builds(TextDelta, st.text(max_size=3)),
    st.builds(RunCompleted, st.none()),
    st.builds(RunIncomplete, st.just("max_output_tokens"), st.none()),
    st.builds(RunFailed, st.sampled_from(FailureKind)),
)


def folded(*events: RunEvent) -> Transcript:
    return reduce(Transcript.after, events, Transcript())


def test_pieces_add_up_to_the_answer_and_its_price_is_due() -> None:
    done = folded(*HELLO, RunCompleted(USAGE))
    assert done == Transcript(RunState.COMPLETED, "Hello", "resp_1", USAGE)
    assert done.is_payable


def test_an_answer_that_grows_beyond_all_measure_is_cut_off_and_not_due() -> None:
    cut = folded(STARTED, TextDelta("x" * TEXT_MAX), TextDelta("y"), RunCompleted(USAGE))
    assert (cut.state, cut.reason) == (RunState.INCOMPLETE, Reason.INCOMPLETE)
    assert cut.text == "x" * TEXT_MAX
    assert not cut.is_payable
    assert folded(STARTED, TextDelta("x" * TEXT_MAX), RunCompleted(USAGE)).is_payable


def test_what_no_table_can_hold_is_taken_out() -> None:
    assert folded(STARTED, TextDelta("a\0b\ud800"), RunCompleted(None)).text == "ab?"


@pytest.mark.parametrize(
    ("last", "reason", "state"),
    [
        (RunIncomplete("content_filter"), Reason.INCOMPLETE, RunState.INCOMPLETE),
        (RunFailed(FailureKind.SERVER_ERROR), Reason.UPSTREAM_FAILED, RunState.FAILED),
        (RunFailed(FailureKind.KEY_REJECTED), Reason.UPSTREAM_REFUSES, RunState.FAILED),
        (RunFailed(FailureKind.OUT_OF_QUOTA), Reason.UPSTREAM_REFUSES, RunState.FAILED),
        (RunFailed(FailureKind.RATE_LIMITED), Reason.UPSTREAM_BUSY, RunState.FAILED),
        (RunFailed(FailureKind.CONTEXT_TOO_LONG), Reason.CONTEXT_TOO_LONG, RunState.FAILED),
        (RunFailed(FailureKind.TIMED_OUT), Reason.UPSTREAM_TIMEOUT, RunState.EXPIRED),
    ],
)
def test_an_upstream_that_fails_after_visible_text_is_not_paid_and_the_text_is_kept(
    last: RunEvent, reason: Reason, state: RunState
) -> None:
    ended = folded(*HELLO, last)
    assert (ended.reason, ended.state, ended.text) == (reason, state, "Hello")
    assert not ended.is_payable


@pytest.mark.parametrize("text", ["", " \n\t", "\u2003"])
@pytest.mark.parametrize("last", [RunCompleted(USAGE), RunIncomplete("max_output_tokens")])
def test_an_empty_answer_is_not_paid(text: str, last: RunEvent) -> None:
    ended = folded(STARTED, TextDelta(text), last)
    assert ended.reason is Reason.EMPTY_ANSWER
    assert not ended.is_payable


@pytest.mark.parametrize(
    "reason", [Reason.UPSTREAM_TRUNCATED, Reason.INTERRUPTED, Reason.UPSTREAM_TIMEOUT]
)
@pytest.mark.parametrize("events", [(), (STARTED,), HELLO])
def test_without_its_terminal_event_an_answer_is_not_paid(
    events: tuple[RunEvent, ...], reason: Reason
) -> None:
    assert not folded(*events).ended(reason).is_payable


@pytest.mark.parametrize(
    ("events", "is_due"),
    [((), False), ((STARTED,), False), ((TextDelta(" "),), False), (HELLO, True)],
)
def test_stopping_costs_the_price_once_something_was_visible(
    events: tuple[RunEvent, ...], is_due: bool
) -> None:
    stopped = folded(*events).ended(Reason.STOPPED)
    assert stopped.state is RunState.CANCELLED
    assert stopped.is_payable is is_due


def test_stopping_an_answer_that_is_complete_changes_nothing() -> None:
    done = folded(*HELLO, RunCompleted())
    assert done.ended(Reason.STOPPED) == done


@given(events=st.lists(EVENTS, max_size=8), last=EVENTS)
def test_whatever_is_told_the_end_stays_as_it_was_and_only_whole_answers_are_paid(
    events: list[RunEvent], last: RunEvent
) -> None:
    before = folded(*events)
    after = before.after(last)
    if before.is_over:
        assert after == before
    assert after.text.startswith(before.text)
    if after.is_payable:
        assert after.text.strip()
        assert any(isinstance(event, RunCompleted) for event in (*events, last))
