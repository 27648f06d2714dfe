"""Find and save drafts of the setup bot. What is in their fields is `host.drafts.fields`'s.

Every save names the version it began from, and lands only on that: of two windows that answer at
once, one is told.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlmodel import Session, col, select, update
from sqlmodel.sql.expression import SelectOfScalar

from storage.models.catalogue import Assistant, Draft, Service
from storage.models.vault import Secret
from storage.moments import Micros

OPEN: Final = "open"


@dataclass(frozen=True, slots=True)
class KeptDraft:
    """A draft, and the upstream that its key may be sent to."""

    row: Draft
    bound_to: str | None


def add_draft(session: Session, draft: Draft) -> None:
    """Save a new draft."""
    session.add(draft)
    session.flush()


def find_draft(session: Session, draft_id: str) -> KeptDraft | None:
    """The draft, if it is there."""
    return _with_binding(session, session.get(Draft, draft_id))


def lock_draft(session: Session, draft_id: str) -> KeptDraft | None:
    """The draft, for this unit alone to change."""
    query = select(Draft).where(Draft.id == draft_id).with_for_update()
    return _with_binding(session, session.exec(query).first())


def find_current_draft(session: Session, *, account_id: int, thread_id: str) -> KeptDraft | None:
    """The draft last talked about in this thread, else the open one its builder touched last."""
    newest = _newest_first(account_id).limit(1)
    row = (
        session.exec(newest.where(Draft.thread_id == thread_id)).first()
        or session.exec(newest.where(Draft.state == OPEN)).first()
    )
    return _with_binding(session, row)


def open_drafts(session: Session) -> list[Draft]:
    """Every draft that is being talked about."""
    return list(session.exec(select(Draft).where(Draft.state == OPEN)))


def lock_idle_drafts(session: Session, *, before: Micros, most: int) -> list[Draft]:
    """Open drafts that nobody has touched since then, for this unit alone to change."""
    query = (
        select(Draft)
        .where(Draft.state == OPEN, col(Draft.updated_at) < before)
        .order_by(col(Draft.updated_at))
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    return list(session.exec(query))


def lock_draft_of(session: Session, *, account_id: int, offering_id: int) -> Draft | None:
    """The draft that an offering was described in last, for this unit alone to change."""
    newest = _newest_first(account_id).where(Draft.offering_id == offering_id)
    return session.exec(newest.limit(1).with_for_update()).first()


def leave_thread(session: Session, *, account_id: int, thread_id: str) -> None:
    """No draft is talked about in this thread any more."""
    session.exec(
        update(Draft)
        .where(col(Draft.account_id) == account_id, col(Draft.thread_id) == thread_id)
        .values(thread_id=None)
    )


def set_draft_thread(session: Session, draft_id: str, thread_id: str) -> None:
    """Remember where the draft is talked about; its builder sees no change in it."""
    session.exec(update(Draft).where(col(Draft.id) == draft_id).values(thread_id=thread_id))


def save_draft(
    session: Session, draft_id: str, *, version: int, fields: Mapping[str, Any], now: Micros
) -> bool:
    """Put these fields in place of those of `version`; False when the draft has moved on."""
    statement = (
        update(Draft)
        .where(col(Draft.id) == draft_id, col(Draft.version) == version)
        .where(col(Draft.state) == OPEN)
        .values(version=version + 1, fields=dict(fields), updated_at=now)
    )
    return session.exec(statement).rowcount == 1


def _newest_first(account_id: int) -> SelectOfScalar[Draft]:
    return (
        select(Draft)
        .where(Draft.account_id == account_id)
        .order_by(col(Draft.updated_at).desc(), col(Draft.id).desc())
    )


def secret_in_use(session: Session, offering_id: int | None) -> str | None:
    """The secret that an offering is run with, if it has one."""
    if offering_id is None:
        return None
    assistant, service = session.get(Assistant, offering_id), session.get(Service, offering_id)
    if assistant is not None:
        return assistant.secret_id
    return None if service is None else service.secret_id


def _with_binding(session: Session, row: Draft | None) -> KeptDraft | None:
    if row is None:
        return None
    bound_to = None
    secret_id = row.secret_id or secret_in_use(session, row.offering_id)
    if secret_id is not None:
        query = select(Secret.bound_to).where(Secret.id == secret_id)
        bound_to = session.exec(query).first()
    return KeptDraft(row, bound_to)
