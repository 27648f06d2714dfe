"""The files that go with a question: whether they may, and their bytes when the provider is asked.

A file goes with one message, once, in the thread it was uploaded in; a question asked again takes
copies along. What the assistant takes is read again here, because it may have changed.
"""

from collections.abc import Sequence

from sqlmodel import Session

from host.errors import IdempotencyConflict, MalformedRequest, UnknownFile
from host.files.limits import check_kind, check_whole
from host.language import _
from host.providers.base import SentFile
from host.runs.again import Again, find_replaced
from host.runs.answers import Question
from storage import attachments
from storage.cards import OfferingCard
from storage.database import Unit
from storage.file_kinds import Accepts, FileKind
from storage.models.conversations import Attachment
from storage.moments import Micros


def enclosed(unit: Unit, question: Question, card: OfferingCard) -> Sequence[Attachment]:
    """The files of a question that is about to be asked, locked.

    Raises:
        UnknownFile: one of them is not there, or not theirs, or belongs to another conversation.
        UnsupportedFile: the assistant does not take one of them.
        PayloadTooLarge: they are too many, or together too large.
        IdempotencyConflict: one of them was sent with another message.
        MalformedRequest: one is there twice.
    """
    if not question.files:
        return ()
    if len(set(question.files)) != len(question.files):
        raise MalformedRequest(_("A file is there twice. Nothing was charged."), says_charge=True)
    check_whole([0] * len(question.files))
    files = attachments.find_attachments(unit.session, question.files, is_locked=True)
    theirs = (question.account_id, question.thread_id)
    if len(files) < len(question.files) or any(
        (one.account_id, one.thread_id) != theirs for one in files
    ):
        raise UnknownFile(
            _("A file of this message is no longer here; attach it again. Nothing was charged."),
            says_charge=True,
        )
    if any(one.message_id is not None for one in files):
        raise IdempotencyConflict(
            _("A file of this message was sent before; attach it again. Nothing was charged."),
            says_charge=True,
        )
    check_whole([one.size for one in files])
    _check_kinds(files, card)
    return files


def enclosed_again(
    unit: Unit, question: Question, card: OfferingCard, again: Again, now: Micros
) -> Sequence[Attachment]:
    """Copies of what went with a question, for the same question asked again.

    Raises:
        UnknownThread: there is no such answer in this person's conversation.
        UnsupportedFile: the assistant does not take one of them any more.
    """
    replaced = find_replaced(
        unit.session, question.account_id, question.thread_id, again.answer_id
    )
    _check_kinds(replaced.files, card)
    return [
        attachments.copy_of(unit.session, original, name, now)
        for original, name in zip(replaced.files, question.files, strict=True)
    ]


def _check_kinds(files: Sequence[Attachment], card: OfferingCard) -> None:
    accepts = card.assistant.accepts if card.assistant else Accepts.NONE
    for one in files:
        check_kind(FileKind(one.kind), accepts, title=card.title)


def is_enclosed(unit: Unit, question: Question) -> bool:
    """Whether the message went with the same files before."""
    before = attachments.sent_with(unit.session, question.message_id)
    return tuple(one.id for one in before) == question.files


def files_of(session: Session, message_id: str) -> tuple[SentFile, ...]:
    """The files of a message, whole, in their order."""
    return tuple(
        SentFile(
            name=one.name,
            media_type=one.media_type,
            is_image=one.kind == FileKind.IMAGE,
            content=attachments.find_content(session, one.id) or b"",
        )
        for one in attachments.sent_with(session, message_id)
    )
