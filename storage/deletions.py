"""Deleting conversations: every row of them here, and a note of what is left at the provider.

What was paid stays in the ledger with its receipt: the hold keeps amounts and the offering, and no
word of what was said. The note names the conversation upstream and the key to delete it with;
`host.runs.forgetting` works the notes off, and a note that was worked off is gone as well.

Who deletes and who writes lock in one order, or on PostgreSQL each could wait for the other:
orders, threads, the wallet, accounts; and within a thread its runs, its files, and the rest. A new
thread names its account, which locks that too, so it is made behind the wallet's lock
(`host.runs.opening`); one that is there is locked before the wallet.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import ColumnElement, delete, update
from sqlmodel import Session, col, select

from storage import attachments
from storage.models.catalogue import Assistant
from storage.models.conversations import (
    Attachment,
    Element,
    Feedback,
    Message,
    Run,
    Step,
    Thread,
    UpstreamDeletion,
)
from storage.moments import Micros

NOTES_MAX: Final = 50
"""Notes that are worked off at a time, and listed at most."""


def delete_thread(session: Session, thread_id: str, now: Micros) -> int | None:
    """Forget a conversation. Returns the note of what its provider has, if it has anything."""
    lock_threads(session, Thread.id == thread_id)
    runs = select(Run.id).where(Run.thread_id == thread_id).order_by(col(Run.id))
    session.execute(runs.with_for_update())
    note = _note(session, thread_id, now)
    attachments.forget(session, Attachment.thread_id == thread_id)
    for table in (Feedback, Element, Step, Message, Run):
        session.execute(delete(table).where(col(table.thread_id) == thread_id))
    session.execute(delete(Thread).where(col(Thread.id) == thread_id))
    if note is None:
        return None
    session.add(note)
    session.flush()
    return note.id


def lock_threads(session: Session, *which: ColumnElement[bool] | bool) -> Sequence[str]:
    """Let nobody else begin or end anything in these threads until the unit ends; their ids."""
    statement = select(Thread.id).where(*which).order_by(col(Thread.id)).with_for_update()
    return session.exec(statement).all()


def due_deletions(session: Session, now: Micros) -> Sequence[UpstreamDeletion]:
    """Notes that are to be worked off now, the oldest first."""
    query = select(UpstreamDeletion).where(col(UpstreamDeletion.next_at) <= now)
    return session.exec(query.order_by(col(UpstreamDeletion.id)).limit(NOTES_MAX)).all()


def take_deletion(
    session: Session, note_id: int, *, now: Micros, until: Micros
) -> UpstreamDeletion | None:
    """The note, for its taker alone until then; None if it is gone, not due, or taken."""
    is_due = (col(UpstreamDeletion.id) == note_id, col(UpstreamDeletion.next_at) <= now)
    taking = update(UpstreamDeletion).where(*is_due).values(next_at=until)
    return session.scalars(taking.returning(UpstreamDeletion)).first()


def deletions_of(session: Session, account_id: int) -> Sequence[UpstreamDeletion]:
    """What a person deleted and its provider has still not, the newest first."""
    query = select(UpstreamDeletion).where(UpstreamDeletion.account_id == account_id)
    return session.exec(query.order_by(col(UpstreamDeletion.id).desc()).limit(NOTES_MAX)).all()


def worked_off(session: Session, note_id: int) -> None:
    """Forget the note: it is deleted there."""
    session.execute(delete(UpstreamDeletion).where(col(UpstreamDeletion.id) == note_id))


def put_off(session: Session, note_id: int, *, tries: int, next_at: Micros | None) -> None:
    """Note that it did not work, and when to try again; None gives it up."""
    note = session.get(UpstreamDeletion, note_id)
    if note is not None:
        note.tries, note.next_at = tries, next_at


def _note(session: Session, thread_id: str, now: Micros) -> UpstreamDeletion | None:
    thread = session.get(Thread, thread_id)
    assistant = (
        session.get(Assistant, thread.offering_id) if thread and thread.offering_id else None
    )
    if thread is None or assistant is None:
        return None
    runs = session.exec(
        select(Run.provider_run).where(
            Run.thread_id == thread_id, col(Run.provider_run).is_not(None)
        )
    ).all()
    if thread.provider_thread is None and not runs:
        return None
    return UpstreamDeletion(
        account_id=thread.account_id,
        thread_id=thread_id,
        provider=assistant.provider,
        base_url=assistant.base_url,
        secret_id=assistant.secret_id,
        provider_thread=thread.provider_thread,
        provider_runs=[run for run in runs if run],
        next_at=now,
        created_at=now,
    )
