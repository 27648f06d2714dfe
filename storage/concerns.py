"""Find and save what subscribers ask about a receipt: reports, and requests for a refund.

Of each kind a receipt has one at most, whoever asks how often: the database decides. Whether a
receipt is the asker's own is for the caller to have asked.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select, update

from storage.models.accounts import Account
from storage.models.catalogue import Offering
from storage.models.money import Hold
from storage.models.people import Concern, ConcernKind, ConcernState
from storage.moments import Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcernLine:
    """One concern, and what it is about."""

    id: str
    kind: ConcernKind
    state: ConcernState
    text: str
    note: str
    account_id: int
    email: str
    receipt_id: str
    offering_title: str | None
    charged: int
    """Milli-credits, before any refund."""
    created_at: Micros
    closed_at: Micros | None


def hold_of_receipt(session: Session, receipt_id: str) -> int | None:
    """The hold that this receipt is of; the id must be written as ids are."""
    return session.exec(select(Hold.id).where(Hold.public_id == receipt_id)).first()


def add_concern(session: Session, concern: Concern) -> bool:
    """Save a concern; False when the receipt has one of this kind already."""
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    insert = (sqlite.insert if is_sqlite else postgresql.insert)(Concern)
    values = insert.values(concern.model_dump()).on_conflict_do_nothing()
    return session.execute(values.returning(col(Concern.id))).scalar_one_or_none() is not None


def concerns_about(session: Session, receipt_id: str) -> dict[ConcernKind, ConcernLine]:
    """What was asked about a receipt, by kind."""
    return {line.kind: line for line in _lines(session, col(Hold.public_id) == receipt_id)}


def raised_about(
    session: Session, receipt_ids: Collection[str]
) -> Mapping[str, Mapping[ConcernKind, ConcernState]]:
    """What was asked about which of these receipts, and what became of it."""
    raised: dict[str, dict[ConcernKind, ConcernState]] = {}
    rows = session.exec(
        select(Hold.public_id, Concern.kind, Concern.state)
        .join(Concern, col(Concern.hold_id) == col(Hold.id))
        .where(col(Hold.public_id).in_(receipt_ids))
    )
    for receipt_id, kind, state in rows:
        raised.setdefault(receipt_id, {})[ConcernKind(kind)] = ConcernState(state)
    return raised


def concerns_of(session: Session, account_id: int) -> list[ConcernLine]:
    """What an account has asked, the oldest first."""
    return list(_lines(session, col(Concern.account_id) == account_id))


def list_concerns(session: Session, *, with_closed: bool) -> list[ConcernLine]:
    """What was asked by anybody, the oldest first: what is open, or everything."""
    states = list(ConcernState) if with_closed else [ConcernState.OPEN]
    return list(_lines(session, col(Concern.state).in_([state.value for state in states])))


def find_concern(session: Session, concern_id: str) -> ConcernLine | None:
    """The concern of this id."""
    return next(iter(_lines(session, col(Concern.id) == concern_id)), None)


def close_concern(
    session: Session, concern_id: str, *, state: ConcernState, note: str, now: Micros
) -> bool:
    """Close an open concern; False when there is none to close."""
    statement = (
        update(Concern)
        .where(col(Concern.id) == concern_id, col(Concern.state) == ConcernState.OPEN.value)
        .values(state=state.value, note=note, closed_at=now)
    )
    return session.exec(statement).rowcount == 1


def note_refunded(session: Session, hold_id: int, now: Micros) -> None:
    """The charge was given back: that answers who asked for it, also who was declined before."""
    session.exec(
        update(Concern)
        .where(col(Concern.hold_id) == hold_id, col(Concern.kind) == ConcernKind.REFUND.value)
        .values(state=ConcernState.REFUNDED.value, closed_at=now)
    )


def _lines(session: Session, where: ColumnElement[bool]) -> Iterable[ConcernLine]:
    rows = session.exec(
        select(Concern, Hold, Account, Offering)
        .join(Hold, col(Hold.id) == col(Concern.hold_id))
        .join(Account, col(Account.id) == col(Concern.account_id))
        .join(Offering, col(Offering.id) == col(Hold.offering_id), isouter=True)
        .where(where)
        .order_by(col(Concern.created_at), col(Concern.id))
    )
    return (_line(*row) for row in rows)


def _line(
    concern: Concern, hold: Hold, account: Account, offering: Offering | None
) -> ConcernLine:
    return ConcernLine(
        id=concern.id,
        kind=ConcernKind(concern.kind),
        state=ConcernState(concern.state),
        text=concern.text,
        note=concern.note,
        account_id=concern.account_id,
        email=account.email,
        receipt_id=hold.public_id,
        offering_title=offering.title if offering else None,
        charged=hold.captured,
        created_at=Micros(concern.created_at),
        closed_at=None if concern.closed_at is None else Micros(concern.closed_at),
    )
