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
from storage.file_kinds import FileKind
from storage.ledger import RefundLine
from storage.models.conversations import Attachment, Element, Message, Run, Speaker, Step
from storage.moments import Micros
from storage.notices import DISCLOSURE, NOTHING, Beside

RUN: Final = "on_message"
"""The name by which Chainlit's page knows the run that an answer belongs to."""
KEPT_WITH_PARENT: Final = frozenset({TOOL, DISCLOSURE})
"""Steps of ours, whose parents are a run and a question."""


def drawn(history: History, live: LiveAnswer | None, beside: Beside = NOTHING) -> ThreadDict:
    """The whole conversation; of an answer still being written, what it says by now."""
    drawing = _Drawing(history, live, beside)
    drawing.lay_questions()
    for run in history.runs:
        drawing.lay_run(run)
    drawing.lay_feedback()
    return _thread(history, drawing.in_order(), drawing.elements)


class _Drawing:
    """A conversation on its way to the page: the steps, where each stands, and the elements."""

    def __init__(self, history: History, live: LiveAnswer | None, beside: Beside) -> None:
        self._history, self._live, self._beside = history, live, beside
        self._messages = {message.id: message for message in history.messages}
        self._steps = {step.id: _step(step) for step in history.steps}
        self._order = {step.id: (step.created_at, 0) for step in history.steps}
        self.elements: list[ElementDict] = [element_dict(one) for one in history.elements]
        self.elements += [file_element(one) for one in history.attachments]

    def lay_questions(self) -> None:
        """What was asked, and what was disclosed right after a question."""
        for message in self._history.messages:
            if message.speaker == Speaker.SUBSCRIBER:
                self._steps[message.id] = _question(message, self._steps.get(message.id))
                self._order.setdefault(message.id, (message.created_at, 0))
        for step in self._history.steps:
            if step.type == DISCLOSURE:
                asked_at = self._order.get(step.parent_id or "", self._order[step.id])[0]
                self._order[step.id] = (asked_at, 1)

    def lay_run(self, run: Run) -> None:
        """A run with its tools, its answer and its receipt.

        An answer stands right after its question, whenever it was finished.
        """
        history, message = self._history, self._messages.get(run.answer_id)
        begun = self._order.get(run.question_id, (run.created_at, 0))[0]
        answer = _answer(run, message, self._live)
        answer["name"] = cards.speaker(history.offering_title or config.ui.name)
        tools = _tools(run, history, self._live)
        for number, step in enumerate([_run(run), *tools, answer], start=2):
            self._steps[step["id"]], self._order[step["id"]] = step, (begun, number)
        refunds = history.refunds.get(run.hold_id or 0, ())
        if (receipt := _receipt(run, message, refunds, self._beside)) is not None:
            self.elements.append(receipt)

    def lay_feedback(self) -> None:
        """Thumbs, on what they were given to."""
        for given in self._history.feedback:
            if given.for_id in self._steps:
                self._steps[given.for_id]["feedback"] = FeedbackDict(
                    forId=given.for_id,
                    id=given.id,
                    value=_thumb(given.value),
                    comment=given.comment,
                )

    def in_order(self) -> list[StepDict]:
        """The steps as they stand on the page."""
        order = self._order
        return [self._steps[key] for key in sorted(self._steps, key=lambda k: (*order[k], k))]


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


def file_element(attachment: Attachment) -> ElementDict:
    """A file under its message, sent or drawn: a picture, or something to download."""
    return ElementDict(
        id=attachment.id,
        threadId=attachment.thread_id,
        forId=attachment.message_id,
        type="image" if attachment.kind == FileKind.IMAGE else "file",
        name=attachment.name,
        display="inline",
        mime=attachment.media_type,
        url=f"/files/{attachment.id}",
        size=None,
    )


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
        output=asides.tool_explained(step.tool),
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
