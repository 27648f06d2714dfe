"""What an upstream did on the way to an answer, folded from its events. Pure: time comes in.

Kept is which kind of tool and how long, never what it was given or what it found: that is between
the assistant and its upstream, and may quote files of the builder.
"""

from dataclasses import dataclass, replace
from typing import Final

from host.providers.base import RunEvent, Tool, ToolBegan, ToolEnded
from storage.moments import SECOND, Micros

STEPS_MAX: Final = 50
"""Of one answer; whatever an upstream does beyond them is not listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStep:
    """One use of a tool."""

    call: str
    """The upstream's name for it."""
    number: int
    tool: Tool
    began_at: Micros
    ended_at: Micros | None = None
    is_failed: bool = False

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it goes on."""
        return None if self.ended_at is None else (self.ended_at - self.began_at) / SECOND


Steps = tuple[ToolStep, ...]


def after(steps: Steps, event: RunEvent, now: Micros) -> Steps:
    """The steps once `event` has happened; what concerns no tool changes nothing."""
    match event:
        case ToolBegan(call, tool):
            if len(steps) >= STEPS_MAX or any(step.call == call for step in steps):
                return steps
            return (*steps, ToolStep(call=call, number=len(steps) + 1, tool=tool, began_at=now))
        case ToolEnded(call, is_failed):
            return tuple(
                replace(step, ended_at=now, is_failed=is_failed)
                if step.call == call and step.ended_at is None
                else step
                for step in steps
            )
        case _:
            return steps


def closed(steps: Steps, now: Micros) -> Steps:
    """The steps once the run is over: what was not finished then was not done."""
    return tuple(
        step if step.ended_at is not None else replace(step, ended_at=now, is_failed=True)
        for step in steps
    )
