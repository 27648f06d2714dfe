"""Find and save drafts of the setup bot. What is in their fields is `host.drafts`'s business.

Every save names the version it began from, and lands only on that: of two windows that answer at
once, one is told.
"""

from collections.abc import Mapping
from typing import Any, Final

from sqlmodel import Session, col, select, update
from sqlmodel.sql.expression import SelectOfScalar

from storage.models.catalogue import Draft
from storage.moments import Micros

OPEN: Final = "open"


def add_draft(session: Session, draft: Draft) -> None:
    """Save a new draft."""
    session.add(draft)
    session.flush()


def find_draft(session: Session, draft_id: str) -> Draft | None:
    """The draft, if it is there."""
    return session.get(Draft, draft_id)


def lock_draft(session: Session, draft_id: str) -> Draft | None:
    """The draft, for this unit alone to change."""
    return session.exec(select(Draft).where(Draft.id == draft_id).with_for_update()).first()


def find_draft_of_thread(session: Session, *, account_id: int, thread_id: str) -> Draft | None:
    """The draft that was last talked about in this thread."""
    return session.exec(
        _newest_first(account_id).where(Draft.thread_id == thread_id).limit(1)
    ).first()


def find_current_draft(session: Session, *, account_id: int, thread_id: str) -> Draft | None:
    """The draft of this thread, else the open one that its builder touched last."""
    newest_open = _newest_first(account_id).where(Draft.state == OPEN).limit(1)
    return (
        find_draft_of_thread(session, account_id=account_id, thread_id=thread_id)
        or session.exec(newest_open).first()
    )


def set_draft_thread(session: Session, draft_id: str, thread_id: str | None) -> None:
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
