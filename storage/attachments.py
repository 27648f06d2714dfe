"""Find and keep files: sent with a message, waiting to be sent, or drawn for an answer.

A file belongs to one person and one thread from its first moment, and to one message from when it
is sent, or from its answer's end, for good; what is sent again is a copy. Files of a refused
message that is kept wait for as long as it does. Who may send what is decided by `host.files` and
`host.runs`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, exists, func, insert, literal, or_, update
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select

from storage.file_kinds import FileKind, Picture
from storage.ids import new_id
from storage.models.conversations import Attachment, AttachmentContent, Step, Thread
from storage.moments import Micros


@dataclass(frozen=True, slots=True)
class Waiting:
    """How much a person has uploaded and not sent."""

    count: int
    size: int


def add_attachment(session: Session, attachment: Attachment, content: bytes) -> None:
    """Keep a file with its bytes."""
    session.add(attachment)
    session.flush()
    session.add(AttachmentContent(attachment_id=attachment.id, content=content))


def waiting_of(session: Session, account_id: int) -> Waiting:
    """What a person has uploaded and not sent."""
    count, size = session.exec(
        select(func.count(), func.coalesce(func.sum(Attachment.size), 0)).where(
            Attachment.account_id == account_id, col(Attachment.message_id).is_(None)
        )
    ).one()
    return Waiting(int(count), int(size))


def bytes_sent_by(session: Session, account_id: int) -> int:
    """How large the files are together that a person has sent or got, and not deleted since.

    By way of the person's threads, which have an index; what was sent has a thread.
    """
    size = session.exec(
        select(func.coalesce(func.sum(Attachment.size), 0))
        .join(Thread, col(Thread.id) == col(Attachment.thread_id))
        .where(
            Thread.account_id == account_id,
            Attachment.account_id == account_id,
            col(Attachment.message_id).is_not(None),
        )
    ).one()
    return int(size)


def find_attachments(
    session: Session, ids: Sequence[str], *, is_locked: bool = False
) -> list[Attachment]:
    """The files of these ids, in this order; what there is none of is left out."""
    query = select(Attachment).where(col(Attachment.id).in_(ids)).order_by(col(Attachment.id))
    if is_locked:
        query = query.with_for_update()
    found = {one.id: one for one in session.exec(query)}
    return [found[wanted] for wanted in ids if wanted in found]


def find_content(session: Session, attachment_id: str) -> bytes | None:
    """The bytes of a file."""
    content = session.get(AttachmentContent, attachment_id)
    return content.content if content else None


def send_with(session: Session, files: Sequence[Attachment], message_id: str) -> None:
    """From now on the files belong to the message."""
    for position, attachment in enumerate(files):
        attachment.message_id, attachment.position = message_id, position
        attachment.kept_for = None


def copy_of(session: Session, original: Attachment, name: str, now: Micros) -> Attachment:
    """The same file once more, under this id and not sent; its bytes stay in the database."""
    facts = original.model_dump() | {"id": name, "message_id": None, "created_at": now}
    copy = Attachment(**facts)
    session.add(copy)
    session.flush()
    content = select_columns(literal(name), col(AttachmentContent.content)).where(
        col(AttachmentContent.attachment_id) == original.id
    )
    columns = ["attachment_id", "content"]
    session.execute(insert(AttachmentContent).from_select(columns, content))
    return copy


def add_drawn(
    session: Session,
    pictures: Sequence[Picture],
    answer_id: str,
    *,
    account_id: int,
    thread_id: str,
    now: Micros,
) -> None:
    """Keep what was drawn for an answer, as files of it that belong to whoever asked."""
    for position, picture in enumerate(pictures):
        drawn = Attachment(
            id=new_id(),
            account_id=account_id,
            thread_id=thread_id,
            message_id=answer_id,
            position=position,
            name=picture.name,
            kind=FileKind.IMAGE.value,
            media_type=picture.media_type,
            size=len(picture.content),
            width=picture.width,
            height=picture.height,
            created_at=now,
        )
        add_attachment(session, drawn, picture.content)


def keep_with(
    session: Session, ids: Sequence[str], refused_id: str, *, account_id: int, thread_id: str
) -> None:
    """Let unsent files of this person's conversation wait with a message that was refused."""
    for position, name in enumerate(ids):
        session.execute(
            update(Attachment)
            .where(
                col(Attachment.id) == name,
                col(Attachment.account_id) == account_id,
                col(Attachment.thread_id) == thread_id,
                col(Attachment.message_id).is_(None),
            )
            .values(kept_for=refused_id, position=position)
        )


def kept_with(session: Session, thread_id: str, refused_id: str) -> Sequence[Attachment]:
    """The files that wait in a thread with a refused message, in their order."""
    return session.exec(
        select(Attachment)
        .where(
            Attachment.thread_id == thread_id,
            Attachment.kept_for == refused_id,
            col(Attachment.message_id).is_(None),
        )
        .order_by(col(Attachment.position))
    ).all()


def sent_with(session: Session, message_id: str) -> Sequence[Attachment]:
    """The files of a message, in their order."""
    return session.exec(
        select(Attachment)
        .where(Attachment.message_id == message_id)
        .order_by(col(Attachment.position))
    ).all()


def forget_unsent(session: Session, *, before: Micros) -> int:
    """Remove files that were uploaded before that moment and never sent; how many they were.

    Those of a refused message stay while it is kept.
    """
    is_kept = exists().where(col(Step.id) == col(Attachment.kept_for))
    unsent = (
        col(Attachment.message_id).is_(None),
        col(Attachment.created_at) < before,
        or_(col(Attachment.kept_for).is_(None), ~is_kept),
    )
    return forget(session, *unsent)


def forget(session: Session, *which: ColumnElement[bool] | bool) -> int:
    """Remove files and their bytes, locking each file before its bytes; how many they were."""
    ids = session.exec(
        select(Attachment.id).where(*which).order_by(col(Attachment.id)).with_for_update()
    ).all()
    session.execute(delete(AttachmentContent).where(col(AttachmentContent.attachment_id).in_(ids)))
    session.execute(delete(Attachment).where(col(Attachment.id).in_(ids)))
    return len(ids)
