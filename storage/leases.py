"""Which processes are alive: each renews a lease, and what a dead one left open is resolved.

A lease says nothing about who may write; the ledger's locks do. It only tells a hold whose process
is still working from one whose process is gone. Resolving those is `host.metering` and
`host.runs`.
"""

from sqlmodel import Session, col, delete, select, update

from storage.models.money import ProcessLease
from storage.moments import Micros


def take(session: Session, owner: str, *, now: Micros, expires_at: Micros) -> None:
    """Begin to be alive. An owner is one start of one process: its name is never used again."""
    session.add(ProcessLease(owner=owner, started_at=now, expires_at=expires_at))


def renew(session: Session, owner: str, *, expires_at: Micros) -> bool:
    """Stay alive until then. False when the lease is gone: others may have taken us for dead."""
    statement = update(ProcessLease).where(col(ProcessLease.owner) == owner)
    return session.exec(statement.values(expires_at=expires_at)).rowcount > 0


def drop(session: Session, owner: str) -> None:
    """Stop being alive, in good order or because somebody resolved what a dead owner left."""
    session.exec(delete(ProcessLease).where(col(ProcessLease.owner) == owner))


def is_alive(session: Session, owner: str, now: Micros) -> bool:
    """Whether the process has said lately that it is there."""
    lease = session.get(ProcessLease, owner)
    return lease is not None and lease.expires_at > now


def dead_owners(session: Session, now: Micros) -> tuple[str, ...]:
    """Owners whose lease ran out and whom nobody has dropped yet."""
    past = select(ProcessLease.owner).where(col(ProcessLease.expires_at) <= now)
    return tuple(session.exec(past.order_by(col(ProcessLease.expires_at))))
