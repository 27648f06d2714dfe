"""Find and save login sessions: browsers that are signed in, until they are not.

A login session is live while nobody has ended it, its absolute end has not come and it has been
seen within the idle time. Ended ones stay as rows, so that the list can be explained.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_
from sqlmodel import Session, col, select, update

from storage.accounts import roles_of
from storage.models.accounts import Account, AccountState, LoginSession, Role
from storage.moments import Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveLogin:
    """A live login session and whose it is."""

    id: int
    account_id: int
    email: str
    name: str
    roles: frozenset[Role]
    seen_at: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginLine:
    """One line of the list of an account's login sessions."""

    id: int
    browser: str
    created_at: Micros
    seen_at: Micros


def add_login_session(session: Session, login: LoginSession) -> int:
    """Save a new login session. Returns its id."""
    session.add(login)
    session.flush()
    assert login.id is not None
    return login.id


def find_live_login(
    session: Session, secret_hash: bytes, *, now: Micros, idle_since: Micros
) -> LiveLogin | None:
    """The live login session with this secret, of an account that may come in."""
    row = session.exec(
        select(LoginSession, Account)
        .join(Account, col(Account.id) == col(LoginSession.account_id))
        .where(
            LoginSession.secret_hash == secret_hash,
            Account.state == AccountState.ACTIVE.value,
            _is_live(now, idle_since),
        )
    ).first()
    if row is None:
        return None
    login, account = row
    assert login.id is not None
    return LiveLogin(
        id=login.id,
        account_id=login.account_id,
        email=account.email,
        name=account.name,
        roles=roles_of(session, login.account_id),
        seen_at=Micros(login.seen_at),
    )


def list_live_logins(
    session: Session, account_id: int, *, now: Micros, idle_since: Micros
) -> list[LoginLine]:
    """The account's live login sessions, the one seen last first."""
    rows = session.exec(
        select(LoginSession)
        .where(LoginSession.account_id == account_id, _is_live(now, idle_since))
        .order_by(col(LoginSession.seen_at).desc(), col(LoginSession.id).desc())
    )
    return [
        LoginLine(
            id=row.id or 0,
            browser=row.browser,
            created_at=Micros(row.created_at),
            seen_at=Micros(row.seen_at),
        )
        for row in rows
    ]


def touch_login_session(session: Session, login_session_id: int, now: Micros) -> None:
    """Record that the browser was here."""
    session.exec(
        update(LoginSession).where(col(LoginSession.id) == login_session_id).values(seen_at=now)
    )


def end_login_session(
    session: Session, login_session_id: int, *, account_id: int, now: Micros
) -> bool:
    """End one login session of this account; False when there is none that could be ended."""
    statement = (
        update(LoginSession)
        .where(
            col(LoginSession.id) == login_session_id,
            col(LoginSession.account_id) == account_id,
            col(LoginSession.ended_at).is_(None),
        )
        .values(ended_at=now)
    )
    return session.exec(statement).rowcount == 1


def end_login_sessions_of(
    session: Session, account_id: int, now: Micros, *, but: int | None = None
) -> int:
    """End every login session of this account, but for one if it is named. Returns how many."""
    statement = (
        update(LoginSession)
        .where(col(LoginSession.account_id) == account_id, col(LoginSession.ended_at).is_(None))
        .values(ended_at=now)
    )
    if but is not None:
        statement = statement.where(col(LoginSession.id) != but)
    return session.exec(statement).rowcount


def _is_live(now: Micros, idle_since: Micros) -> ColumnElement[bool]:
    return and_(
        col(LoginSession.ended_at).is_(None),
        col(LoginSession.expires_at) > now,
        col(LoginSession.seen_at) > idle_since,
    )
