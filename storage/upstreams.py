"""Moving what upstreams are remembered by, when the same upstream answers at another address.

Secrets are bound to the address they were checked against, so they move along. Only for an
upstream that is known to be the same: to any other, a builder enters the key again.
"""

from sqlmodel import Session, col, select, update

from storage.models.catalogue import Assistant, Draft, Service
from storage.models.vault import Secret


def move_upstreams(session: Session, *, assistants: str, services: str) -> None:
    """Every assistant now runs at the one address, every service is at the other."""
    session.exec(update(Assistant).values(base_url=assistants))
    session.exec(update(Service).values(upstream_url=services))
    for table, address in ((Assistant, assistants), (Draft, assistants), (Service, services)):
        theirs = select(table.secret_id)
        session.exec(update(Secret).where(col(Secret.id).in_(theirs)).values(bound_to=address))
