"""Who did what to whom: lines that are only ever added.

A line is written in the unit of work whose deed it records. It never holds a secret or the text
of a message.
"""

from collections.abc import Mapping
from typing import Any

from sqlmodel import Session, col, select

from storage.models.accounts import AuditLine
from storage.moments import Micros


def note(
    session: Session,
    action: str,
    subject: str,
    *,
    at: Micros,
    actor_id: int | None = None,
    **detail: Any,
) -> None:
    """Record a deed: `action` is a noun with its verb, as in `account.created`."""
    session.add(AuditLine(at=at, actor_id=actor_id, action=action, subject=subject, detail=detail))


def noted(
    session: Session, action: str, subject: str, *, request: str
) -> Mapping[str, Any] | None:
    """The detail of the deed that this request did to this subject; None when it did none."""
    lines = session.exec(
        select(AuditLine.detail)
        .where(AuditLine.subject == subject, AuditLine.action == action)
        .order_by(col(AuditLine.id))
    )
    return next((detail for detail in lines if detail.get("request") == request), None)
