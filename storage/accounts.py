"""Find and save people: accounts, their roles, and the links that work once.

Login sessions are in `storage.login_sessions`. Whether somebody may do a thing is decided by
`host.identity`; here a clash is reported where the database notices it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, delete, func, or_, select, update

from storage.models.accounts import (
    Account,
    AccountRole,
    AccountState,
    LinkPurpose,
    OneTimeLink,
    Role,
)
from storage.moments import Micros


class EmailTaken(Exception):
    """Another account has this address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRecord:
    """One account with its roles."""

    id: int
    email: str
    name: str
    state: AccountState
    roles: frozenset[Role]
    created_at: Micros
    password_hash: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """An account to be made, its address already in lower case."""

    email: str
    name: str
    password_hash: str | None
    roles: frozenset[Role]
    given_by: int | None
    now: Micros


def add_account(session: Session, new: NewAccount) -> int:
    """Save an account with its roles. Returns its id.

    Raises:
        EmailTaken: there is one with this address.
    """
    account = Account(
        email=new.email, name=new.name, password_hash=new.password_hash, created_at=new.now
    )
    session.add(account)
    try:
        session.flush()
    except IntegrityError:  # the address is the only thing here that must be unique
        raise EmailTaken(new.email) from None
    assert account.id is not None
    for role in sorted(new.roles):
        give_role(session, account.id, role, given_by=new.given_by, now=new.now)
    return account.id


def find_account(session: Session, account_id: int) -> AccountRecord | None:
    """The account of this id."""
    account = session.get(Account, account_id)
    return None if account is None else _record(session, account)


def find_account_by_email(session: Session, email: str) -> AccountRecord | None:
    """The account with this address, which must be in lower case."""
    account = session.exec(select(Account).where(Account.email == email)).first()
    return None if account is None else _record(session, account)


def list_accounts(session: Session) -> list[AccountRecord]:
    """Every account that is somebody's, oldest first."""
    roles: dict[int, set[Role]] = {}
    for row in session.exec(select(AccountRole)):
        roles.setdefault(row.account_id, set()).add(Role(row.role))
    accounts = session.exec(
        select(Account)
        .where(Account.state != AccountState.DELETED.value)
        .order_by(col(Account.id))
    )
    return [_with_roles(a, frozenset(roles.get(a.id or 0, ()))) for a in accounts]


def roles_of(session: Session, account_id: int) -> frozenset[Role]:
    """What the account may do."""
    rows = session.exec(select(AccountRole.role).where(AccountRole.account_id == account_id))
    return frozenset(Role(role) for role in rows)


def give_role(
    session: Session, account_id: int, role: Role, *, given_by: int | None, now: Micros
) -> bool:
    """Give a role; False when the account has it already."""
    if session.get(AccountRole, (account_id, role.value)) is not None:
        return False
    session.add(
        AccountRole(account_id=account_id, role=role.value, given_by=given_by, given_at=now)
    )
    session.flush()
    return True


def take_role(session: Session, account_id: int, role: Role) -> bool:
    """Take a role back; False when the account does not have it."""
    statement = delete(AccountRole).where(
        col(AccountRole.account_id) == account_id, col(AccountRole.role) == role.value
    )
    return session.exec(statement).rowcount == 1


def count_active_with_role(session: Session, role: Role) -> int:
    """How many accounts that may come in have the role."""
    return session.exec(
        select(func.count())
        .select_from(AccountRole)
        .join(Account, col(Account.id) == col(AccountRole.account_id))
        .where(AccountRole.role == role.value, Account.state == AccountState.ACTIVE.value)
    ).one()


def exists_with_role(session: Session, role: Role) -> bool:
    """Whether anybody has the role, suspended or not."""
    rows = select(AccountRole.account_id).where(AccountRole.role == role.value)
    return session.exec(rows.limit(1)).first() is not None


def is_suspended(session: Session, account_id: int) -> bool:
    """Whether the account may use nothing for the time being."""
    account = session.get(Account, account_id)
    return account is not None and account.state != AccountState.ACTIVE


def set_state(session: Session, account_id: int, state: AccountState) -> None:
    """Suspend an account, or let it in again."""
    session.exec(update(Account).where(col(Account.id) == account_id).values(state=state.value))


def set_password_hash(session: Session, account_id: int, password_hash: str) -> None:
    """Keep a new password's hash."""
    session.exec(
        update(Account).where(col(Account.id) == account_id).values(password_hash=password_hash)
    )


def add_link(session: Session, link: OneTimeLink) -> None:
    """Save a link, in place of every unused one for the same purpose and person."""
    same = [
        col(OneTimeLink.purpose) == link.purpose,
        col(OneTimeLink.used_at).is_(None),
        col(OneTimeLink.account_id).is_not_distinct_from(link.account_id),
        col(OneTimeLink.email).is_not_distinct_from(link.email),
    ]
    session.exec(update(OneTimeLink).where(*same).values(used_at=link.created_at))
    session.add(link)
    session.flush()


def find_link(
    session: Session, purpose: LinkPurpose, secret_hash: bytes, now: Micros
) -> OneTimeLink | None:
    """The link, if it can still be used."""
    return session.exec(
        select(OneTimeLink).where(
            OneTimeLink.secret_hash == secret_hash,
            OneTimeLink.purpose == purpose.value,
            col(OneTimeLink.used_at).is_(None),
            OneTimeLink.expires_at > now,
        )
    ).first()


def use_link(session: Session, link: OneTimeLink, now: Micros) -> bool:
    """Use the link up; False when somebody has just done so. One statement decides."""
    statement = (
        update(OneTimeLink)
        .where(col(OneTimeLink.id) == link.id, col(OneTimeLink.used_at).is_(None))
        .values(used_at=now)
    )
    return session.exec(statement).rowcount == 1


def void_links_of(session: Session, account_id: int, email: str, now: Micros) -> None:
    """Use up every link that would still change this account."""
    statement = (
        update(OneTimeLink)
        .where(
            or_(col(OneTimeLink.account_id) == account_id, col(OneTimeLink.email) == email),
            col(OneTimeLink.used_at).is_(None),
        )
        .values(used_at=now)
    )
    session.exec(statement)


def _record(session: Session, account: Account) -> AccountRecord:
    assert account.id is not None
    return _with_roles(account, roles_of(session, account.id))


def _with_roles(account: Account, roles: Iterable[Role]) -> AccountRecord:
    assert account.id is not None
    return AccountRecord(
        id=account.id,
        email=account.email,
        name=account.name,
        state=AccountState(account.state),
        roles=frozenset(roles),
        created_at=Micros(account.created_at),
        password_hash=account.password_hash,
    )
