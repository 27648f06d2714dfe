"""A statement: what was in a wallet, each entry of a period, and what was in it then.

Opening and closing balance are read from the entries around the period and not summed from its
lines, so that a statement that adds up says something. A wallet's times never run backwards, so a
period is a run of its numbered entries. For one plan the entries on its grants are told, and the
balances are theirs. Balances are credits − debits: what is held is still in them. Reading only.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate

from sqlalchemy import func
from sqlalchemy import select as select_columns
from sqlmodel import Session, col

from storage.chain import FIRST_HEAD
from storage.ledger import find_wallet
from storage.models.money import CreditGrant, Entry, EntryKind
from storage.moments import Micros
from storage.usage import UsageLine, history, line_of


class TooManyLines(Exception):
    """The period has more entries than were asked for at most."""

    def __init__(self, lines: int) -> None:
        super().__init__(f"the period has {lines} entries")
        self.lines = lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """The history of one wallet over a period. Amounts in milli-credits.

    `opening` and the amounts of all `lines` make up `closing`.
    """

    wallet_id: int | None
    """None for an account that never had credits."""
    since: Micros
    until: Micros
    """The first moment that is no longer told."""
    opening: int
    lines: tuple[UsageLine, ...]
    """The oldest first; on a statement about one plan, `balance_after` is that plan's."""
    closing: int
    head_seq: int
    """The wallet's last entry before `until`, whatever plan it is about; 0 when there is none."""
    head: bytes
    """That entry's hash: with the balances it closes the period for good."""

    @property
    def totals(self) -> Mapping[EntryKind, int]:
        """What the lines of each kind come to, signed."""
        totals = Counter[EntryKind]()
        for line in self.lines:
            totals[line.kind] += line.amount
        return {kind: totals[kind] for kind in EntryKind}


@dataclass(frozen=True, slots=True)
class _Mark:
    """Where a wallet's history stood at some moment."""

    seq: int = 0
    balance: int = 0
    head: bytes = FIRST_HEAD


def statement(
    session: Session,
    account_id: int,
    *,
    since: Micros,
    until: Micros,
    plan_id: int | None = None,
    most: int | None = None,
) -> Statement:
    """The account's statement from `since`, until before `until`; of one plan, if told.

    Raises:
        TooManyLines: the wallet has more than `most` entries in that time.
    """
    wallet_id = find_wallet(session, account_id)
    if wallet_id is None:
        first, last = _Mark(), _Mark()
    else:
        first, last = _stood(session, wallet_id, since), _stood(session, wallet_id, until)
    if most is not None and last.seq - first.seq > most:
        raise TooManyLines(last.seq - first.seq)
    lines = tuple(_lines(session, wallet_id, first, last, plan_id))
    opening, closing = first.balance, last.balance
    if plan_id is not None and wallet_id is not None:
        opening = _plan_balance(session, wallet_id, plan_id, first)
        closing = _plan_balance(session, wallet_id, plan_id, last)
        lines = _running(lines, opening)
    return Statement(
        wallet_id=wallet_id,
        since=since,
        until=until,
        opening=opening,
        lines=lines,
        closing=closing,
        head_seq=last.seq,
        head=last.head,
    )


def _stood(session: Session, wallet_id: int, moment: Micros) -> _Mark:
    """After the wallet's last entry before that moment."""
    row = (
        session.connection()
        .execute(
            select_columns(col(Entry.seq), col(Entry.balance_after), col(Entry.hash))
            .where(col(Entry.wallet_id) == wallet_id, col(Entry.created_at) < moment)
            .order_by(col(Entry.seq).desc())
            .limit(1)
        )
        .first()
    )
    return _Mark() if row is None else _Mark(row.seq, row.balance_after, bytes(row.hash))


def _lines(
    session: Session, wallet_id: int | None, first: _Mark, last: _Mark, plan_id: int | None
) -> Iterator[UsageLine]:
    query = (
        history()
        .where(
            col(Entry.wallet_id) == wallet_id,
            col(Entry.seq) > first.seq,
            col(Entry.seq) <= last.seq,
        )
        .order_by(col(Entry.seq))
    )
    if plan_id is not None:
        query = query.where(col(CreditGrant.plan_id) == plan_id)
    return map(line_of, session.connection().execute(query))


def _plan_balance(session: Session, wallet_id: int, plan_id: int, mark: _Mark) -> int:
    """What was left by then of the grants of one plan."""
    return int(
        session.connection().scalar(
            select_columns(func.coalesce(func.sum(col(Entry.amount)), 0))
            .join(CreditGrant, col(CreditGrant.id) == col(Entry.grant_id))
            .where(
                col(Entry.wallet_id) == wallet_id,
                col(Entry.seq) <= mark.seq,
                col(CreditGrant.plan_id) == plan_id,
            )
        )
        or 0
    )


def _running(lines: tuple[UsageLine, ...], opening: int) -> tuple[UsageLine, ...]:
    """The lines with the balance of the plan after each, instead of the whole wallet's."""
    balances = accumulate((line.amount for line in lines), initial=opening)
    next(balances)
    return tuple(
        replace(line, balance_after=balance) for line, balance in zip(lines, balances, strict=True)
    )
