"""A stored conversation as Chainlit's page draws it. Pure.

Three layers, each over the one before: the steps that were drawn, the messages that were said,
and the runs that tied them together and what these cost. So an answer finished while nobody
watched, or asked for by a program, is there like any other, and a step cannot contradict the
ledger.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from chainlit.config import config
from chainlit.element import ElementDict
from chainlit.step import StepDict
from chainlit.types import FeedbackDict, ThreadDict

from chat_ui import asides, cards, wording
from chat_ui.pictures import without_pictures
from chat_ui.stamps import iso
from host.providers.base import Tool
from host.runs.answers import LiveAnswer
from host.runs.outcomes import outcome_of
from host.runs.tool_steps import ToolStep
from storage.chat_history import History
from storage.conversations import TOOL, tool_step_id
from storage.ledger import RefundLine
from storage.models.conversations import Element, Message, Run, Speaker, Step
from storage.moments import Micros
from storage.notices import DISCLOSURE, NOTHING, Beside

RUN: Final = "on_message"
"""The name by which Chainlit's page knows the run that an answer belongs to."""
KEPT_WITH_PARENT: Final = frozenset({TOOL, DISCLOSURE})
"""Steps of ours, whose parents are a run and a question."""


def drawn(history: History, live: LiveAnswer | None, beside: Beside = NOTHING) -> ThreadDict:
    """The whole conversation; of an answer still being written, what it says by now."""
    messages = {message.id: message for message in history.messages}
    feedback = {given.for_id: given for given in history.feedback}
    steps = {step.id: _step(step) for step in history.steps}
    elements: list[ElementDict] = [element_dict(element) for element in history.elements]
    order = {step.id: (step.created_at, 0) for step in history.steps}
    for message in history.messages:
        if message.speaker == Speaker.SUBSCRIBER:
            steps[message.id] = _question(message, steps.get(message.id))
            order.setdefault(message.id, (message.created_at, 0))
    for step in history.steps:
        if step.type == DISCLOSURE:  # right after the question with which it was said
            asked_at = order.get(step.parent_id or "", order[step.id])[0]
            order[step.id] = (asked_at, 1)
    for run in history.runs:
        steps[run.id] = _run(run)
        answer = _answer(run, messages.get(run.answer_id), live)
        answer["name"] = cards.speaker(history.offering_title or config.ui.name)
        steps[run.answer_id] = answer
        # An answer stands right after its question, whenever it was finished.
        begun = order.get(run.question_id, (run.created_at, 0))[0]
        order[run.id], order[run.answer_id] = (begun, 2), (begun, 1000)
        for number, tool in enumerate(_tools(run, history, live), start=3):
            steps[tool["id"]], order[tool["id"]] = tool, (begun, number)
        refunds = history.refunds.get(run.hold_id or 0, ())
        if (receipt := _receipt(run, messages.get(run.answer_id), refunds, beside)) is not None:
            elements.append(receipt)
    for step_id, given in feedback.items():
        if step_id in steps:
            steps[step_id]["feedback"] = FeedbackDict(
                forId=step_id, id=given.id, value=_thumb(given.value), comment=given.comment
            )
    in_order = sorted(steps, key=lambda step_id: (*order[step_id], step_id))
    return _thread(history, [steps[step_id] for step_id in in_order], elements)


def element_dict(element: Element) -> ElementDict:
    """A stored element as Chainlit wants it."""
    known: dict[str, Any] = {
        **element.extra,
        "id": element.id,
        "threadId": element.thread_id,
        "forId": element.for_id,
        "type": element.type,
        "name": element.name,
        "display": element.display,
        "props": element.props,
        "mime": element.mime,
        "url": None,
        "chainlitKey": None,
    }
    return cast("ElementDict", known)


def profile_of(slug: str | None, metadata: Mapping[str, Any]) -> str | None:
    """Whom a conversation is with; an assistant's own thread says so itself."""
    return slug or metadata.get("chat_profile")


def _thread(history: History, steps: list[StepDict], elements: list[ElementDict]) -> ThreadDict:
    thread = history.thread
    owner = None if thread.account_id is None else str(thread.account_id)
    profile = profile_of(history.offering_slug, thread.chat_metadata)
    return ThreadDict(
        id=thread.id,
        createdAt=iso(thread.created_at),
        name=thread.title,
        userId=owner,
        userIdentifier=owner,
        tags=list(thread.tags),
        metadata={"chat_profile": profile} if profile else {},
        steps=steps,
        elements=elements,
    )


def _step(step: Step) -> StepDict:
    stored: dict[str, Any] = {
        **step.extra,
        "id": step.id,
        "threadId": step.thread_id,
        # Other parents are runs of Chainlit's own, which we do not keep.
        "parentId": step.parent_id if step.type in KEPT_WITH_PARENT else None,
        "type": step.type,
        "name": step.name,
        "input": step.input,
        "output": step.output,
        "isError": step.is_error,
        "createdAt": iso(step.created_at),
        "start": iso(step.start_at) if step.start_at is not None else None,
        "end": iso(step.end_at) if step.end_at is not None else None,
        "streaming": False,
    }
    return cast("StepDict", stored)


def _question(message: Message, step: StepDict | None) -> StepDict:
    asked = StepDict(
        id=message.id,
        threadId=message.thread_id,
        parentId=None,
        type="user_message",
        name="",
        createdAt=iso(message.created_at),
        metadata={},
    )
    if step is not None:
        asked = step
    asked["output"] = message.text
    return asked


def _run(run: Run) -> StepDict:
    return StepDict(
        id=run.id,
        threadId=run.thread_id,
        parentId=run.question_id,
        type="run",
        name=RUN,
        input="",
        output="",
        createdAt=iso(run.created_at),
        start=iso(run.created_at),
        end=iso(run.ended_at) if run.ended_at is not None else None,
        metadata={},
    )


def tool_dict(thread_id: str, run_id: str, step: ToolStep) -> StepDict:
    """One use of a tool on the way to an answer, collapsed; of what it did only the kind."""
    return StepDict(
        id=tool_step_id(run_id, step.number),
        threadId=thread_id,
        parentId=run_id,
        type="tool",
        name=asides.tool_line(step.tool, step.seconds, is_failed=step.is_failed),
        input="",
        output=asides.TOOL_EXPLAINED,
        isError=False,
        createdAt=iso(step.began_at),
        start=iso(step.began_at),
        end=iso(step.ended_at) if step.ended_at is not None else None,
        defaultOpen=False,
        metadata={},
    )


def disclosure_dict(step: Step) -> StepDict:
    """What Farebox itself says in a conversation."""
    return _step(step)


def _tools(run: Run, history: History, live: LiveAnswer | None) -> list[StepDict]:
    if live is not None and live.run_id == run.id:
        return [tool_dict(run.thread_id, run.id, step) for step in live.steps]
    kept = [_tool_step(s) for s in history.steps if s.type == TOOL and s.parent_id == run.id]
    kept.sort(key=lambda step: step.number)
    return [tool_dict(run.thread_id, run.id, step) for step in kept]


def _tool_step(step: Step) -> ToolStep:
    began = step.start_at or step.created_at
    return ToolStep(
        call="",
        number=int(step.id.rpartition(".")[2]),
        tool=Tool(step.name),
        began_at=Micros(began),
        ended_at=Micros(step.end_at if step.end_at is not None else began),
        is_failed=step.is_error,
    )


def _answer(run: Run, message: Message | None, live: LiveAnswer | None) -> StepDict:
    text = message.text if message else ""
    if run.ended_at is not None:
        text = wording.answer_or_sentence(outcome_of(run, text))
    elif live is not None and live.run_id == run.id:
        text = live.text
    return StepDict(
        id=run.answer_id,
        threadId=run.thread_id,
        parentId=run.id,
        type="assistant_message",
        name=config.ui.name,
        output=without_pictures(text),
        createdAt=iso(run.created_at),
        streaming=run.ended_at is None,
        metadata={},
    )


def _receipt(
    run: Run, message: Message | None, refunds: Sequence[RefundLine], beside: Beside
) -> ElementDict | None:
    if run.ended_at is None:
        return None
    outcome = outcome_of(run, message.text if message else "")
    return cards.receipt_element(run.thread_id, outcome, refunds, beside)


def _thumb(value: int) -> Any:
    """Chainlit's type knows 0 and 1 by name; the column holds any number."""
    return 1 if value else 0
