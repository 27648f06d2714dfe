"""The life of a run as a table, and the reasons for which one ends other than well.

queued → in_progress → COMPLETED · INCOMPLETE, and from either of the first two → FAILED · EXPIRED
· CANCELLED. What is not in the table cannot happen.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from storage.run_states import RunState


class RunStep(StrEnum):
    """What may happen to a run."""

    START = "start"
    COMPLETE = "complete"
    CUT_SHORT = "cut short"
    FAIL = "fail"
    EXPIRE = "expire"
    CANCEL = "cancel"


RUN_TRANSITIONS: Final[Mapping[tuple[RunState, RunStep], RunState]] = {
    (RunState.QUEUED, RunStep.START): RunState.IN_PROGRESS,
    (RunState.QUEUED, RunStep.FAIL): RunState.FAILED,
    (RunState.QUEUED, RunStep.EXPIRE): RunState.EXPIRED,
    (RunState.QUEUED, RunStep.CANCEL): RunState.CANCELLED,
    (RunState.IN_PROGRESS, RunStep.COMPLETE): RunState.COMPLETED,
    (RunState.IN_PROGRESS, RunStep.CUT_SHORT): RunState.INCOMPLETE,
    (RunState.IN_PROGRESS, RunStep.FAIL): RunState.FAILED,
    (RunState.IN_PROGRESS, RunStep.EXPIRE): RunState.EXPIRED,
    (RunState.IN_PROGRESS, RunStep.CANCEL): RunState.CANCELLED,
}
UNFINISHED: Final = frozenset({RunState.QUEUED, RunState.IN_PROGRESS})


class RunClosedError(Exception):
    """The run has ended, or has not begun."""

    def __init__(self, state: RunState, step: RunStep) -> None:
        super().__init__(f"a run that is {state} cannot {step}")
        self.state, self.step = state, step


def next_state(state: RunState, step: RunStep) -> RunState:
    """What becomes of a run.

    Raises:
        RunClosedError: that step is not in the table.
    """
    try:
        return RUN_TRANSITIONS[state, step]
    except KeyError:
        raise RunClosedError(state, step) from None


class Reason(StrEnum):
    """Why a run did not end well; stored as its outcome."""

    UPSTREAM_FAILED = "upstream_failed"
    UPSTREAM_REFUSES = "upstream_refuses"
    """It will until the builder mends the key, its money, the model or the address."""
    UPSTREAM_BUSY = "upstream_busy"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    UPSTREAM_TRUNCATED = "upstream_truncated"
    CONTEXT_TOO_LONG = "context_too_long"
    INCOMPLETE = "incomplete"
    EMPTY_ANSWER = "empty_answer"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    HOLD_EXPIRED = "hold_expired"
    UNDECIDED = "undecided"
    """Its end could not be written down, so nobody knows yet what it cost. Never stored."""
