"""Uses of tools folded from a run's events: which and how long, not what they were given."""

from host.providers.base import TextDelta, Tool, ToolBegan, ToolEnded
from host.runs.tool_steps import STEPS_MAX, Steps, ToolStep, after, closed
from storage.moments import SECOND, Micros

T0, T2, T9 = Micros(0), Micros(2 * SECOND), Micros(9 * SECOND)
SEARCHING = ToolStep(call="ws_1", number=1, tool=Tool.WEB_SEARCH, began_at=T0)


def test_a_tool_begins_and_ends() -> None:
    begun = after((), ToolBegan("ws_1", Tool.WEB_SEARCH), T0)
    assert begun == (SEARCHING,)
    assert begun[0].seconds is None
    (done,) = after(after(begun, TextDelta("x"), T2), ToolEnded("ws_1"), T2)
    assert (done.seconds, done.is_failed) == (2.0, False)


def test_an_end_is_told_once_and_only_of_what_began() -> None:
    (done,) = after((SEARCHING,), ToolEnded("ws_1", is_failed=True), T2)
    assert after((done,), ToolEnded("ws_1"), T9) == (done,)
    assert after((SEARCHING,), ToolEnded("ws_2"), T2) == (SEARCHING,)
    assert after((SEARCHING,), ToolBegan("ws_1", Tool.CODE), T2) == (SEARCHING,)


def test_what_was_not_finished_when_the_run_ended_was_not_done() -> None:
    (cut,) = closed((SEARCHING,), T9)
    assert (cut.ended_at, cut.is_failed) == (T9, True)


def test_an_upstream_that_never_stops_using_tools_is_listed_up_to_a_limit() -> None:
    steps: Steps = ()
    for number in range(STEPS_MAX + 5):
        steps = after(steps, ToolBegan(str(number), Tool.OTHER), T0)
    assert [step.number for step in steps] == list(range(1, STEPS_MAX + 1))
