"""The life of a run: every step in the table, and none beside it."""

import pytest

from host.runs.lifecycle import (
    RUN_TRANSITIONS,
    UNFINISHED,
    RunClosedError,
    RunStep,
    next_state,
)
from storage.run_states import RunState

IMPOSSIBLE = [
    (state, step) for state in RunState for step in RunStep if (state, step) not in RUN_TRANSITIONS
]


@pytest.mark.parametrize(("state", "step"), IMPOSSIBLE)
def test_a_step_that_is_not_in_the_table_cannot_happen(state: RunState, step: RunStep) -> None:
    with pytest.raises(RunClosedError) as refused:
        next_state(state, step)
    assert (refused.value.state, refused.value.step) == (state, step)


def test_nothing_is_completed_that_did_not_begin() -> None:
    assert (RunState.QUEUED, RunStep.COMPLETE) in IMPOSSIBLE
    assert next_state(RunState.QUEUED, RunStep.START) is RunState.IN_PROGRESS


def test_whatever_has_not_ended_can_fail_expire_and_be_cancelled() -> None:
    for state in UNFINISHED:
        for step in (RunStep.FAIL, RunStep.EXPIRE, RunStep.CANCEL):
            assert next_state(state, step) not in UNFINISHED


def test_no_step_leads_out_of_an_end() -> None:
    assert {state for state, _ in RUN_TRANSITIONS} == UNFINISHED
