"""The files that go with a question: whether they may, and their bytes when the provider is asked.

A file goes with one message, once, in the thread it was uploaded in. What the assistant takes is
read again here, because it may have changed since the upload.
"""

from collections.abc import Sequence

from sqlmodel import Session

from host.errors import IdempotencyConflict, MalformedRequest, UnknownFile
from host.files.limits import check_kind, check_whole
from host.providers.base import SentFile
from host.runs.answers import Question
from storage import attachments
from storage.cards import OfferingCard
from storage.database import Unit
from storage.file_kinds import Accepts, FileKind
from storage.models.conversations import Attachment


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
        raise MalformedRequest("A file is there twice. Nothing was charged.")
    check_whole([0] * len(question.files))
    files = attachments.find_attachments(unit.session, question.files, is_locked=True)
    theirs = (question.account_id, question.thread_id)
    if len(files) < len(question.files) or any(
        (one.account_id, one.thread_id) != theirs for one in files
    ):
        raise UnknownFile(
            "A file of this message is no longer here; attach it again. Nothing was charged."
        )
    if any(one.message_id is not None for one in files):
        raise IdempotencyConflict(
            "A file of this message was sent before; attach it again. Nothing was charged."
        )
    check_whole([one.size for one in files])
    accepts = card.assistant.accepts if card.assistant else Accepts.NONE
    for one in files:
        check_kind(FileKind(one.kind), accepts, title=card.title)
    return files


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
