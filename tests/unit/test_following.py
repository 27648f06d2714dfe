"""How a page follows an answer: at once at first, then no more often than it draws."""

import asyncio

from host.providers.base import TextDelta, Tool, ToolBegan, ToolEnded
from host.runs.answers import LiveAnswer, Question
from host.runs.lifecycle import Reason
from host.runs.outcomes import Outcome
from host.runs.tool_steps import ToolStep, after
from storage.credits import MilliCredits
from storage.moments import Micros
from storage.run_states import RunState

AN_HOUR_S = 3600.0
NOW = Micros(0)


def new_answer() -> LiveAnswer:
    question = Question(
        account_id=1,
        thread_id="t",
        offering_slug="math-tutor",
        text="?",
        message_id="q",
        answer_id="a",
    )
    return LiveAnswer(question, "run")


def over(text: str) -> Outcome:
    return Outcome(
        run_id="run",
        answer_id="a",
        state=RunState.COMPLETED,
        text=text,
        price=MilliCredits(0),
        charged=MilliCredits(0),
        available=None,
        receipt_id="r",
        included_until=None,
        reason=Reason.STOPPED,
        seconds=1.0,
    )


async def test_the_first_text_comes_at_once_and_the_rest_together() -> None:
    answer = new_answer()
    following = answer.follow(every_s=AN_HOUR_S)
    answer.write("One")
    assert await anext(following) == TextDelta("One")
    answer.write("One two")
    waiting = asyncio.ensure_future(anext(following))
    await asyncio.sleep(0)
    answer.write("One two three")
    await asyncio.sleep(0)
    assert not waiting.done()
    answer.close(over("One two three"))  # what is left does not wait any longer
    assert await asyncio.wait_for(waiting, 5) == TextDelta(" two three")
    assert [news async for news in following] == []


async def test_a_tool_is_told_when_it_begins_and_when_it_ends_whatever_the_text() -> None:
    answer = new_answer()
    following = answer.follow(every_s=AN_HOUR_S)
    begun = after((), ToolBegan("ws", Tool.WEB_SEARCH), NOW)
    answer.note(begun)
    assert await anext(following) == begun[0]
    answer.write("One")
    assert await anext(following) == TextDelta("One")
    done = after(begun, ToolEnded("ws"), NOW)
    answer.note(done)
    told = await anext(following)
    assert isinstance(told, ToolStep)
    assert told == done[0]


async def test_who_comes_late_gets_everything_so_far() -> None:
    answer = new_answer()
    steps = after(after((), ToolBegan("ws", Tool.CODE), NOW), ToolEnded("ws"), NOW)
    answer.note(steps)
    answer.write("One two")
    answer.close(over("One two"))
    assert [news async for news in answer.follow(every_s=AN_HOUR_S)] == [
        steps[0],
        TextDelta("One two"),
    ]
