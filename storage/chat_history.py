"""What the chat's page asks for and saves: conversations, their steps, elements and feedback.

Plain queries; what they mean to Chainlit is said by `chat_ui.data_layer`. Two rules live here,
because only the row can tell: a step or element never moves to another thread, and a thread never
changes hands. The truth about what was said is in `message` and `run`, written by the runs; a step
is only what was drawn, so whoever reads a history gets all of them and lays one over the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import delete, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel, col, select

from storage import search as searching
from storage.ledger import RefundLine, refund_lines
from storage.models.catalogue import Offering
from storage.models.conversations import (
    Attachment,
    Element,
    Feedback,
    Message,
    Run,
    Step,
    Thread,
)
from storage.models.money import Refund
from storage.moments import Micros

TITLE_MAX: Final = 80


@dataclass(frozen=True, slots=True)
class History:
    """One conversation, everything of it."""

    thread: Thread
    offering_slug: str | None
    offering_title: str | None
    steps: Sequence[Step]
    messages: Sequence[Message]
    runs: Sequence[Run]
    elements: Sequence[Element]
    feedback: Sequence[Feedback]
    attachments: Sequence[Attachment]
    """Files that were sent, in the order of their messages."""
    refunds: Mapping[int, Sequence[RefundLine]]
    """What was given back of these runs' charges, by the run's hold."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page of conversations ended."""

    updated_at: int
    thread_id: str


@dataclass(frozen=True, slots=True)
class ThreadPage:
    """Conversations, most recently used first, and whether there are more."""

    threads: Sequence[Thread]
    has_more: bool


def read_history(session: Session, thread_id: str) -> History | None:
    """Everything of one conversation, oldest first."""
    thread = session.get(Thread, thread_id)
    if thread is None:
        return None
    offering = session.get(Offering, thread.offering_id) if thread.offering_id else None
    return History(
        thread=thread,
        offering_slug=offering.slug if offering else None,
        offering_title=offering.title if offering else None,
        steps=session.exec(
            select(Step).where(Step.thread_id == thread_id).order_by(col(Step.created_at), Step.id)
        ).all(),
        messages=session.exec(
            select(Message)
            .where(Message.thread_id == thread_id)
            .order_by(col(Message.created_at), Message.id)
        ).all(),
        runs=session.exec(
            select(Run).where(Run.thread_id == thread_id).order_by(col(Run.created_at), Run.id)
        ).all(),
        elements=session.exec(
            select(Element)
            .where(Element.thread_id == thread_id)
            .order_by(col(Element.created_at), Element.id)
        ).all(),
        feedback=session.exec(select(Feedback).where(Feedback.thread_id == thread_id)).all(),
        attachments=session.exec(
            select(Attachment)
            .where(Attachment.thread_id == thread_id, col(Attachment.message_id).is_not(None))
            .order_by(col(Attachment.message_id), col(Attachment.position))
        ).all(),
        refunds=_refunds(session, thread_id),
    )


def author_of(session: Session, thread_id: str) -> int | None:
    """Whose conversation it is; None if there is no such conversation."""
    thread = session.get(Thread, thread_id)
    return thread.account_id if thread else None


def assistant_title(session: Session, thread_id: str) -> str | None:
    """What the assistant of a conversation is called; None if it is with none."""
    return session.exec(
        select(Offering.title)
        .join(Thread, col(Thread.offering_id) == col(Offering.id))
        .where(Thread.id == thread_id)
    ).first()


def list_threads(
    session: Session,
    account_id: int,
    *,
    first: int,
    after: Cursor | None = None,
    search: str | None = None,
    feedback: int | None = None,
) -> ThreadPage:
    """One page of a person's conversations; `search` looks in titles and in what was said."""
    assert first > 0, "a negative limit would mean everything"
    query = select(Thread).where(Thread.account_id == account_id)
    if after is not None:
        query = query.where(
            tuple_(col(Thread.updated_at), col(Thread.id)) < (after.updated_at, after.thread_id)
        )
    if search:
        found_in = searching.threads_with(session, account_id, search)
        if found_in is None:
            return ThreadPage([], has_more=False)
        query = query.where(col(Thread.id).in_(found_in))
    if feedback is not None:
        scored = select(Feedback.thread_id).where(Feedback.value == feedback)
        query = query.where(col(Thread.id).in_(scored))
    query = query.order_by(col(Thread.updated_at).desc(), col(Thread.id).desc())
    found = session.exec(query.limit(first + 1)).all()
    return ThreadPage(found[:first], has_more=len(found) > first)


def open_thread(session: Session, thread_id: str, account_id: int | None, now: Micros) -> Thread:
    """The conversation, made if it is new; an owner is set once and never changed."""
    _insert_if_new(
        session,
        {
            "id": thread_id,
            "account_id": account_id,
            "chat_metadata": {},
            "tags": [],
            "created_at": now,
            "updated_at": now,
        },
    )
    thread = session.get_one(Thread, thread_id)
    if thread.account_id is None and account_id is not None:
        is_nobodys = (col(Thread.id) == thread_id, col(Thread.account_id).is_(None))
        session.execute(update(Thread).where(*is_nobodys).values(account_id=account_id))
        session.refresh(thread)  # perhaps it was somebody else's by then
    return thread


def name_thread(session: Session, thread_id: str, title: str) -> None:
    """Give the conversation a name, which stands on one line; what it was marked as goes."""
    if (thread := session.get(Thread, thread_id)) is not None:
        thread.title = " ".join(title.split())[:TITLE_MAX]
        thread.tags = []


def merge_metadata(session: Session, thread_id: str, changes: Mapping[str, object]) -> None:
    """Note things about a conversation; a None takes a note away. Unknown threads are left be."""
    if (thread := session.get(Thread, thread_id)) is not None:
        merged = {**thread.chat_metadata, **changes}
        thread.chat_metadata = {k: v for k, v in merged.items() if v is not None}


def is_known(session: Session, step_id: str) -> bool:
    """Whether something has been said or drawn under this id, in any conversation."""
    return session.get(Step, step_id) is not None or session.get(Message, step_id) is not None


def save_step(session: Session, step: Step, now: Micros) -> bool:
    """Save what was drawn, new or again; False if the id belongs to another conversation."""
    # Locked before the step, as by whoever deletes the two.
    thread = session.get(Thread, step.thread_id, with_for_update=True)
    if not _save(session, step):
        return False
    if thread is not None:
        thread.updated_at = max(thread.updated_at, now)
    return True


def add_step(session: Session, step: Step) -> bool:
    """Save a step that is said once; False, and nothing changes, if its id is taken."""
    insert = _inserting(session, Step).values(step.model_dump()).on_conflict_do_nothing()
    return session.execute(insert.returning(col(Step.id))).scalar_one_or_none() is not None


def find_step(session: Session, step_id: str) -> Step | None:
    """The step of this id."""
    return session.get(Step, step_id)


def delete_step(session: Session, thread_id: str, step_id: str) -> None:
    """Forget a step with its elements and feedback."""
    for table in (Feedback, Element):
        session.execute(
            delete(table).where(col(table.for_id) == step_id, col(table.thread_id) == thread_id)
        )
    session.execute(delete(Step).where(col(Step.id) == step_id, col(Step.thread_id) == thread_id))


def save_element(session: Session, element: Element) -> bool:
    """Save something drawn with a step; False if the id belongs to another conversation."""
    return _save(session, element)


def find_element(session: Session, thread_id: str, element_id: str) -> Element | None:
    """The element, if it is in this conversation."""
    element = session.get(Element, element_id)
    return element if element is not None and element.thread_id == thread_id else None


def delete_element(session: Session, thread_id: str, element_id: str) -> None:
    """Forget one element of a conversation."""
    session.execute(
        delete(Element).where(col(Element.id) == element_id, col(Element.thread_id) == thread_id)
    )


def thread_of_step(session: Session, step_id: str) -> str | None:
    """In which conversation a run, step or message is."""
    row = session.get(Run, step_id) or session.get(Step, step_id) or session.get(Message, step_id)
    return row.thread_id if row else None


def thread_of_feedback(session: Session, feedback_id: str) -> str | None:
    """In which conversation a piece of feedback was given."""
    feedback = session.get(Feedback, feedback_id)
    return feedback.thread_id if feedback else None


def save_feedback(session: Session, feedback: Feedback) -> str:
    """Save thumbs up or down; each answer has one, and a second replaces it. Returns its id."""
    insert = _inserting(session, Feedback).values(feedback.model_dump())
    upsert = insert.on_conflict_do_update(
        index_elements=["for_id"],
        set_={name: insert.excluded[name] for name in ("value", "comment")},
    )
    saved: str = session.execute(upsert.returning(col(Feedback.id))).scalar_one()
    return saved


def delete_feedback(session: Session, feedback_id: str) -> bool:
    """Take feedback back; False if there is none of that id."""
    feedback = session.get(Feedback, feedback_id)
    if feedback is None:
        return False
    session.delete(feedback)
    return True


def last_offering_slug(session: Session, account_id: int) -> str | None:
    """The assistant a person talked to last."""
    query = (
        select(Offering.slug)
        .join(Thread, col(Thread.offering_id) == col(Offering.id))
        .where(Thread.account_id == account_id)
        .order_by(col(Thread.updated_at).desc(), col(Thread.id).desc())
    )
    return session.exec(query.limit(1)).first()


def _insert_if_new(session: Session, values: dict[str, Any]) -> None:
    """Insert a thread; one that is there already, or comes at the same moment, is no error."""
    session.execute(_inserting(session, Thread).values(values).on_conflict_do_nothing())


def _save(session: Session, row: Step | Element) -> bool:
    """Insert or overwrite, all but when it was made; False if it is in another thread.

    One statement, because two that are saved at the same moment must not see each other missing.
    """
    table = type(row)
    insert = _inserting(session, table).values(row.model_dump())
    upsert = insert.on_conflict_do_update(
        index_elements=["id"],
        set_={
            name: insert.excluded[name]
            for name in table.model_fields
            if name not in {"id", "thread_id", "created_at"}
        },
        where=col(table.thread_id) == row.thread_id,
    )
    saved = session.execute(upsert.returning(col(table.id)))
    return saved.scalar_one_or_none() is not None


def _inserting(session: Session, table: type[SQLModel]) -> sqlite.Insert | postgresql.Insert:
    """An insert that can say what happens when the row is there."""
    if session.get_bind().dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)


def _refunds(session: Session, thread_id: str) -> Mapping[int, Sequence[RefundLine]]:
    found: dict[int, list[RefundLine]] = {}
    for refund in session.exec(
        select(Refund)
        .join(Run, col(Run.hold_id) == col(Refund.hold_id))
        .where(Run.thread_id == thread_id)
        .order_by(col(Refund.id))
    ):
        found.setdefault(refund.hold_id, []).extend(refund_lines([refund]))
    return found
