"""Moving what upstreams are remembered by, when the same upstream answers at another address.

Secrets are bound to the address they were checked against, so they move along. Only for an
upstream that is known to be the same: to any other, a builder enters the key again.
"""

from sqlmodel import Session, col, update

from storage.models.catalogue import Assistant, Service
from storage.models.vault import Secret


def move_upstream(session: Session, *, before: str, now: str) -> None:
    """Whatever ran or was at the one address does so at the other, with its secrets."""
    session.exec(update(Assistant).where(col(Assistant.base_url) == before).values(base_url=now))
    session.exec(
        update(Service).where(col(Service.upstream_url) == before).values(upstream_url=now)
    )
    session.exec(update(Secret).where(col(Secret.bound_to) == before).values(bound_to=now))
