"""Plays an answer: its events in order, at its pace, to whatever end the script has.

The listener is a callback, so that whoever stops listening stops the performance by cancelling
it. However it stops, the answer is ended and its conversation free.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from farebox.demo.upstream.answer import Answer
from farebox.demo.upstream.narrator import Frame, Narrator
from farebox.demo.upstream.pace import Gate, Pace
from farebox.demo.upstream.triggers import Ending

Show: TypeAlias = Callable[[Frame], Awaitable[None]]

# The endings that leave the stream without a terminal event.
ABRUPT: Final = frozenset({Ending.END_OF_FILE, Ending.TORN, Ending.JUNK, Ending.NESTED_ERROR})


class ConnectionTorn(Exception):
    """The script wants the connection to break here."""


async def perform(answer: Answer, pace: Pace, gate: Gate | None, show: Show) -> None:
    """Tell the whole answer to `show`.

    Raises:
        ConnectionTorn: the answer ends by breaking its connection.
    """
    narrator = Narrator(answer)
    try:
        await _open(answer, narrator, show)
        await _use_tools(answer, narrator, show, pace)
        await _speak(answer, narrator, show, pace, gate)
        await _end(answer, narrator, show)
    finally:
        answer.end("cancelled")


async def _open(answer: Answer, narrator: Narrator, show: Show) -> None:
    if answer.ask.in_background:
        answer.status = "queued"
    await show(narrator.response("created"))
    if answer.ask.in_background:
        await show(narrator.response("queued"))
        answer.status = "in_progress"
    await show(narrator.response("in_progress"))


async def _use_tools(answer: Answer, narrator: Narrator, show: Show, pace: Pace) -> None:
    for number in range(len(answer.script.tools)):
        for frame in narrator.tool_begins(number):
            await show(frame)
        await asyncio.sleep(pace.seconds_before(0, is_slow=answer.script.is_slow))
        for frame in narrator.tool_ends(number):
            await show(frame)


async def _speak(
    answer: Answer, narrator: Narrator, show: Show, pace: Pace, gate: Gate | None
) -> None:
    script = answer.script
    words = script.words
    if not words:  # an answer without text is waited for as well
        await asyncio.sleep(pace.seconds_before(0, is_slow=script.is_slow))
    for number, word in enumerate(words):
        if gate is not None:
            await gate.pass_by(sent=number, is_end=False)
        await asyncio.sleep(pace.seconds_before(number, is_slow=script.is_slow))
        if number == 0:
            for frame in narrator.beginning():
                await show(frame)
        answer.text += word
        await show(narrator.delta(word))
        for frame in narrator.citations():
            await show(frame)
    if gate is not None:
        await gate.pass_by(sent=len(words), is_end=True)


async def _end(answer: Answer, narrator: Narrator, show: Show) -> None:
    ending = answer.script.ending
    if ending in ABRUPT:
        await _break_off(answer, narrator, show)
        return
    if ending is Ending.NOVELTY:
        await show(narrator.novelty())
    if ending is Ending.ERROR_EVENT:
        await show(narrator.error())
    match ending:
        case Ending.FAILED | Ending.ERROR_EVENT:
            answer.end("failed")
        case Ending.CUT_SHORT:
            answer.end("incomplete")
        case _:
            answer.end("completed")
    if answer.has_begun and answer.status != "failed":
        for frame in narrator.ending():
            await show(frame)
    await show(narrator.response(answer.status))


async def _break_off(answer: Answer, narrator: Narrator, show: Show) -> None:
    answer.end("failed")
    match answer.script.ending:
        case Ending.TORN:
            raise ConnectionTorn
        case Ending.JUNK:
            await show(narrator.junk())
        case Ending.NESTED_ERROR:
            await show(narrator.nested_error())
        case _:
            return
