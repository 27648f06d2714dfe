"""A person's own conversations, as programs read them and as they are taken away.

A conversation is put together from what was said, the files that went with it, and the runs: what
each answer cost is said by its run, as under the answer in the chat.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from host.api.views import Credits, View
from host.errors import credits_number
from host.runs.outcomes import outcome_of, refunds_written
from storage.cards import OfferingCard
from storage.chat_history import History
from storage.models.conversations import (
    Attachment,
    Message,
    Run,
    Speaker,
    Step,
    Thread,
    UpstreamDeletion,
)
from storage.moments import Micros, to_datetime

DRAWN_WORDS = {"user_message": "you", "assistant_message": "farebox"}
"""Who spoke in what was drawn and is no message: the setup bot, and refusals."""


class ThreadLine(View):
    """One conversation in a list; the excerpt is where a search was found."""

    id: str
    title: str | None
    assistant: str | None
    offering: str | None
    created_at: datetime
    updated_at: datetime
    excerpt: str | None


class ThreadPageView(View):
    """A page of conversations, most recently used first; `next` leads to the page after it."""

    threads: list[ThreadLine]
    next: str | None


class FileView(View):
    """A file that was sent with a message, and where it is."""

    name: str
    media_type: str
    bytes: int
    address: str


class ChargeView(View):
    """What an answer cost, in numbers and as it is said under it."""

    receipt: str | None
    credits: Credits
    refunded: Credits
    sentence: str


class MessageView(View):
    """What was said, by whom and when."""

    id: str
    speaker: str
    text: str
    at: datetime
    files: list[FileView]
    charge: ChargeView | None


class ThreadView(View):
    """A whole conversation, and what it cost in all, less what was given back."""

    id: str
    title: str | None
    assistant: str | None
    offering: str | None
    created_at: datetime
    updated_at: datetime
    credits: Credits
    messages: list[MessageView]


class Deleted(View):
    """What became of a deletion: at once here, and perhaps later at the assistant's provider."""

    deleted: bool
    deleted_upstream: bool


class WaitingDeletion(View):
    """A conversation that is deleted here, and not yet at its assistant's provider."""

    thread: str
    deleted_at: datetime
    tries: int
    is_given_up: bool


def line_view(
    thread: Thread, cards: Mapping[int, OfferingCard], excerpts: Mapping[str, str]
) -> ThreadLine:
    """A line of the list."""
    card = cards.get(thread.offering_id or 0)
    return ThreadLine(
        id=thread.id,
        title=thread.title,
        assistant=card.title if card else None,
        offering=card.slug if card else None,
        created_at=to_datetime(Micros(thread.created_at)),
        updated_at=to_datetime(Micros(thread.updated_at)),
        excerpt=excerpts.get(thread.id),
    )


def thread_view(history: History) -> ThreadView:
    """A whole conversation."""
    thread = history.thread
    runs = {run.answer_id: run for run in history.runs}
    known = {message.id for message in history.messages} | {run.id for run in history.runs}
    said = [(m.created_at, _said(m, runs.get(m.id), history)) for m in history.messages]
    said += [
        (step.created_at, _drawn(step))
        for step in history.steps
        if step.id not in known and step.type in DRAWN_WORDS and step.output
    ]
    said.sort(key=lambda one: one[0])
    refunded = sum(line.amount for lines in history.refunds.values() for line in lines)
    return ThreadView(
        id=thread.id,
        title=thread.title,
        assistant=history.offering_title,
        offering=history.offering_slug,
        created_at=to_datetime(Micros(thread.created_at)),
        updated_at=to_datetime(Micros(thread.updated_at)),
        credits=credits_number(sum(run.charged for run in history.runs) - refunded),
        messages=[one for _at, one in said],
    )


def deletion_view(note: UpstreamDeletion) -> WaitingDeletion:
    """What is still to be deleted elsewhere."""
    return WaitingDeletion(
        thread=note.thread_id,
        deleted_at=to_datetime(Micros(note.created_at)),
        tries=note.tries,
        is_given_up=note.next_at is None,
    )


def _said(message: Message, run: Run | None, history: History) -> MessageView:
    is_question = message.speaker == Speaker.SUBSCRIBER
    return MessageView(
        id=message.id,
        speaker="you" if is_question else history.offering_title or "assistant",
        text=message.text,
        at=to_datetime(Micros(message.created_at)),
        files=_files(one for one in history.attachments if one.message_id == message.id),
        charge=None if run is None else _charge(run, message.text, history),
    )


def _files(attachments: Iterable[Attachment]) -> list[FileView]:
    return [
        FileView(
            name=one.name, media_type=one.media_type, bytes=one.size, address=f"/files/{one.id}"
        )
        for one in attachments
    ]


def _charge(run: Run, text: str, history: History) -> ChargeView | None:
    if run.ended_at is None:
        return None
    outcome, refunds = outcome_of(run, text), history.refunds.get(run.hold_id or 0, ())
    back = f" · {refunds_written(refunds)}" if refunds else ""
    return ChargeView(
        receipt=outcome.receipt_id if run.hold_id is not None else None,
        credits=credits_number(run.charged),
        refunded=credits_number(sum(line.amount for line in refunds)),
        sentence=f"{outcome.sentence}{back}",
    )


def _drawn(step: Step) -> MessageView:
    return MessageView(
        id=step.id,
        speaker=DRAWN_WORDS[step.type],
        text=step.output,
        at=to_datetime(Micros(step.created_at)),
        files=[],
        charge=None,
    )
