"""Find and save sealed secrets. What is in them is `host.vault`'s business."""

from sqlalchemy import inspect
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, delete, func, select, update

from storage.addresses import sqlite_path
from storage.models.conversations import UpstreamDeletion
from storage.models.vault import Secret
from storage.reaching import looking


def add_secret(session: Session, secret: Secret) -> None:
    """Save a new sealed secret."""
    session.add(secret)
    session.flush()


def add_secret_once(session: Session, secret: Secret) -> Secret:
    """Save a new sealed secret unless there is one of its name; returns the one that is kept."""
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    insert = (sqlite.insert if is_sqlite else postgresql.insert)(Secret)
    session.execute(insert.values(secret.model_dump()).on_conflict_do_nothing())
    return session.get_one(Secret, secret.id)


def find_secret(session: Session, secret_id: str) -> Secret | None:
    """The sealed secret, if it is there."""
    return session.get(Secret, secret_id)


def replace_secret(session: Session, secret: Secret) -> bool:
    """Put a newly sealed value in place of the version before it; False if that has moved on."""
    values = secret.model_dump(exclude={"id"})
    statement = (
        update(Secret)
        .where(col(Secret.id) == secret.id, col(Secret.version) == secret.version - 1)
        .values(**values)
    )
    return session.exec(statement).rowcount == 1


def delete_secret(session: Session, secret_id: str) -> None:
    """Forget a secret that nothing refers to any more."""
    session.exec(delete(Secret).where(col(Secret.id) == secret_id))


def supersede_secret(session: Session, secret_id: str, *, by: str | None) -> None:
    """Forget a secret that another one, or none, has taken the place of.

    What is still to be deleted at its upstream is deleted with the new one, if there is one.
    """
    if by is not None:
        session.exec(
            update(UpstreamDeletion)
            .where(col(UpstreamDeletion.secret_id) == secret_id)
            .values(secret_id=by)
        )
    session.flush()
    delete_secret(session, secret_id)


def count_secrets_of_other_keys(session: Session, master_key_id: str) -> int:
    """How many secrets were sealed under another master key than this one."""
    return session.exec(
        select(func.count()).select_from(Secret).where(Secret.master_key_id != master_key_id)
    ).one()


def sealing_keys(address: str) -> frozenset[str]:
    """The fingerprints of the master keys under which a database's secrets were sealed.

    Raises:
        LedgerDown: the database cannot be reached.
    """
    path = sqlite_path(address)
    if path is not None and not path.exists():
        return frozenset()
    with looking(address) as connection:
        if not inspect(connection).has_table(Secret.__tablename__):
            return frozenset()
        return frozenset(connection.scalars(select(Secret.master_key_id).distinct()))
