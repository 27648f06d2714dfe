"""The ledger on SQLite: fixed statements on the writer's own connection, no ORM.

Nothing here begins or commits. `storage.writer` holds the file's only write lock (BEGIN IMMEDIATE)
while a unit runs, so what a verb has read cannot change before it writes. Every verb reads the
wallet first, changes that copy and saves it once, last. The statements are constants and therefore
prepared once: lists of plans go in as one JSON parameter. `storage.books_postgres` gives the same
answers from functions inside the database. Longer than most modules, because a verb can only be
judged beside its statements.
"""

import json
import sqlite3
from dataclasses import dataclass
from typing import Any, Final

from storage.books import (
    EndHold,
    GrantCredits,
    Granted,
    HoldAnswer,
    HoldConflict,
    HoldEnded,
    HoldOpened,
    HoldReplayed,
    Insufficient,
    OpenHold,
    Swept,
)
from storage.chain import FIRST_HEAD, EntryLine, entry_hash
from storage.credits import (
    HoldClosedError,
    HoldEvent,
    HoldState,
    MilliCredits,
    Share,
    SpendableGrant,
    draw_down,
    first_part,
    next_state,
)
from storage.models.money import EntryKind
from storage.moments import Micros

_NEW_WALLET: Final = (
    "INSERT INTO wallet (subscriber_id, credits, debits, held, seq, version, head, last_at)"
    " VALUES (?, 0, 0, 0, 0, 0, ?, 0) ON CONFLICT (subscriber_id) DO NOTHING"
)
_WALLET_OF: Final = "SELECT id FROM wallet WHERE subscriber_id = ?"
_WALLET: Final = (
    "SELECT id, credits, debits, held, seq, version, head, last_at FROM wallet WHERE id = ?"
)
_SAVE_WALLET: Final = (
    "UPDATE wallet SET credits = ?, debits = ?, held = ?, seq = ?, version = ?, head = ?,"
    " last_at = ? WHERE id = ?"
)
_APPEND: Final = (
    "INSERT INTO entry (wallet_id, seq, version, kind, amount, balance_after, grant_id, hold_id,"
    " reverses, idempotency_key, created_at, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_GRANTED: Final = (
    "SELECT grant_id, version FROM entry"
    " WHERE wallet_id = ? AND kind = 'grant' AND idempotency_key = ?"
)
_NEW_GRANT: Final = (
    "INSERT INTO credit_grant (wallet_id, plan_id, plan_version_id, source, source_ref, priority,"
    " effective_at, expires_at, amount, remaining, held, revoked, state, cost_minor, currency)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 'active', ?, ?)"
)
_SPENDABLE: Final = (
    "SELECT id, priority, effective_at, expires_at, remaining FROM credit_grant"
    " WHERE wallet_id = ? AND remaining > 0 AND state = 'active' AND effective_at <= ?"
    " AND expires_at > ? AND plan_id IN (SELECT value FROM json_each(?))"
)
_HOLD_COLUMNS: Final = (
    "SELECT id, public_id, run_id, fingerprint, state, amount, captured, shortfall,"
    " opened_version, ended_version FROM hold"
)
_HOLD_OF_KEY: Final = (
    f"{_HOLD_COLUMNS} WHERE wallet_id = ? AND operation = ? AND idempotency_key = ?"
)
_HOLD: Final = f"{_HOLD_COLUMNS} WHERE id = ? AND wallet_id = ?"
_NEW_HOLD: Final = (
    "INSERT INTO hold (public_id, wallet_id, operation, idempotency_key, fingerprint, offering_id,"
    " run_id, owner, amount, captured, shortfall, state, created_at, expires_at, opened_version)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 'open', ?, ?, ?)"
)
_ALLOCATE: Final = (
    "INSERT INTO allocation (hold_id, grant_id, wallet_id, amount) VALUES (?, ?, ?, ?)"
)
_SET_ASIDE: Final = (
    "UPDATE credit_grant SET remaining = remaining - ?1, held = held + ?1 WHERE id = ?2"
)
_LEGS: Final = (
    "SELECT a.grant_id, a.amount, g.state FROM allocation a"
    " JOIN credit_grant g ON g.id = a.grant_id"
    " WHERE a.hold_id = ? ORDER BY g.priority, g.expires_at, g.id"
)
_RETURN: Final = "UPDATE credit_grant SET held = held - ?, remaining = remaining + ? WHERE id = ?"
_END_HOLD: Final = (
    "UPDATE hold SET state = ?, captured = ?, shortfall = ?, ended_at = ?, ended_version = ?"
    " WHERE id = ?"
)
_LATE: Final = "UPDATE hold SET shortfall = ? WHERE id = ? AND shortfall = 0"
_RENEW: Final = (
    "UPDATE hold SET expires_at = max(expires_at, ?)"
    " WHERE id = ? AND wallet_id = ? AND state = 'open'"
)
_DUE_HOLDS: Final = (
    "SELECT wallet_id, id FROM hold WHERE state = 'open' AND expires_at <= ?"
    " ORDER BY expires_at, id LIMIT ?"
)
_DUE_GRANTS: Final = (
    "SELECT wallet_id, id, remaining FROM credit_grant WHERE state = 'active' AND expires_at <= ?"
    " ORDER BY expires_at, id LIMIT ?"
)
_EXPIRE_GRANT: Final = "UPDATE credit_grant SET remaining = 0, state = 'expired' WHERE id = ?"


@dataclass(slots=True)
class _Wallet:
    """A wallet's row while a verb changes it."""

    id: int
    credits: int
    debits: int
    held: int
    seq: int
    version: int
    head: bytes
    last_at: int


@dataclass(frozen=True, slots=True)
class _Hold:
    """What the verbs need to know of a hold."""

    id: int
    public_id: str
    run_id: str | None
    fingerprint: bytes
    state: str
    amount: int
    captured: int
    shortfall: int
    opened_version: int
    ended_version: int | None


class SqliteBooks:
    """The ledger's verbs on one SQLite connection, in a transaction somebody else began."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def open_wallet(self, subscriber_id: int) -> int:
        """The subscriber's wallet, made when there is none."""
        self._do(_NEW_WALLET, subscriber_id, FIRST_HEAD)
        wallet_id: int = self._rows(_WALLET_OF, subscriber_id)[0][0]
        return wallet_id

    def grant(self, request: GrantCredits) -> Granted:
        """Put credits in the wallet, once for each (source, source_ref)."""
        wallet = self._wallet(request.wallet_id, request.now)
        key = f"{request.source}:{request.source_ref}"
        for grant_id, version in self._rows(_GRANTED, wallet.id, key):
            return Granted(grant_id=grant_id, is_new=False, version=version)
        grant_id = self._do(
            _NEW_GRANT,
            *(wallet.id, request.plan_id, request.plan_version_id),
            *(request.source, request.source_ref, request.priority),
            *(request.effective_at, request.expires_at, request.amount, request.amount),
            *(request.cost_minor, request.currency),
        )
        self._append(wallet, EntryKind.GRANT, request.amount, grant_id=grant_id, key=key)
        self._save(wallet)
        return Granted(grant_id=grant_id, is_new=True, version=wallet.version)

    def open_hold(self, request: OpenHold) -> HoldAnswer:
        """Set credits aside, in draw-down order."""
        wallet = self._wallet(request.wallet_id, request.now)
        grants = self._spendable(wallet, request.plan_ids)
        available = MilliCredits(sum(grant.remaining for grant in grants))
        for row in self._rows(_HOLD_OF_KEY, wallet.id, request.operation, request.key):
            return _again(_Hold(*row), request, available)
        if request.amount > available:
            return Insufficient(
                required=request.amount, available=available, version=wallet.version
            )
        wallet.held += request.amount
        wallet.version += 1
        hold_id = self._do(
            _NEW_HOLD,
            *(request.public_id, wallet.id, request.operation, request.key, request.fingerprint),
            *(request.offering_id, request.run_id, request.owner, request.amount),
            *(wallet.last_at, request.expires_at, wallet.version),
        )
        for share in draw_down(grants, request.amount, Micros(wallet.last_at)):
            self._do(_ALLOCATE, hold_id, share.grant_id, wallet.id, share.amount)
            self._do(_SET_ASIDE, share.amount, share.grant_id)
        self._save(wallet)
        return HoldOpened(
            hold_id=hold_id,
            public_id=request.public_id,
            version=wallet.version,
            available=MilliCredits(available - request.amount),
        )

    def capture(self, request: EndHold, used: MilliCredits) -> HoldEnded:
        """Charge what was used, at most what was held; the rest goes back where it came from."""
        return self._end(request, HoldEvent.CAPTURE, used)

    def release(self, request: EndHold) -> HoldEnded:
        """End the hold and charge nothing."""
        return self._end(request, HoldEvent.RELEASE, MilliCredits(0))

    def renew(self, *, wallet_id: int, hold_id: int, expires_at: Micros) -> bool:
        """Move an open hold's deadline, never to earlier. False when it has ended."""
        return self._connection.execute(_RENEW, (expires_at, hold_id, wallet_id)).rowcount > 0

    def sweep(self, now: Micros, *, most: int = 256) -> Swept:
        """Expire holds and grants that are past their time."""
        holds = self._rows(_DUE_HOLDS, now, most)
        for wallet_id, hold_id in holds:
            wallet, hold = self._wallet_and_hold(wallet_id, hold_id, now)
            self._close(wallet, hold, HoldEvent.EXPIRE, 0)
        grants = self._rows(_DUE_GRANTS, now, most)  # now, since holds have given back
        for wallet_id, grant_id, remaining in grants:
            wallet = self._wallet(wallet_id, now)
            self._do(_EXPIRE_GRANT, grant_id)
            if remaining > 0:
                self._append(wallet, EntryKind.EXPIRE, -remaining, grant_id=grant_id)
            self._save(wallet)
        return Swept(holds=len(holds), grants=len(grants))

    def available(self, wallet_id: int, plan_ids: tuple[int, ...], now: Micros) -> MilliCredits:
        """What can be spent now from live grants of these plans."""
        return self._available(self._wallet(wallet_id, now), plan_ids)

    def _end(self, request: EndHold, event: HoldEvent, used: MilliCredits) -> HoldEnded:
        wallet, hold = self._wallet_and_hold(request.wallet_id, request.hold_id, request.now)
        if hold.state == HoldState.OPEN:
            self._close(wallet, hold, event, used)
        elif hold.state == HoldState.EXPIRED:
            self._do(_LATE, used, hold.id)  # a late use is a loss on record, never a debit
        else:
            _check_same_end(hold, event, used)
        ended = self._hold(hold.id, wallet.id)
        assert ended.ended_version is not None, "it has just ended, or had before"
        return HoldEnded(
            public_id=ended.public_id,
            state=HoldState(ended.state),
            captured=MilliCredits(ended.captured),
            shortfall=MilliCredits(ended.shortfall),
            version=ended.ended_version,
            available=self._available(wallet, request.plan_ids),
        )

    def _close(self, wallet: _Wallet, hold: _Hold, event: HoldEvent, used: int) -> None:
        """End an open hold: charge in draw-down order, give back the rest."""
        state = next_state(HoldState(hold.state), event)
        captured = MilliCredits(min(used, hold.amount))
        legs = self._rows(_LEGS, hold.id)
        shares = (Share(grant_id, amount) for grant_id, amount, _ in legs)
        uses = {share.grant_id: share.amount for share in first_part(shares, captured)}
        for grant_id, amount, grant_state in legs:
            use = uses.get(grant_id, 0)
            if use > 0:
                self._append(wallet, EntryKind.CHARGE, -use, grant_id=grant_id, hold_id=hold.id)
            self._give_back(wallet, Share(grant_id, amount), amount - use, grant_state)
        if state is HoldState.CAPTURED and captured == 0:
            self._append(wallet, EntryKind.CHARGE, 0, hold_id=hold.id)
        wallet.held -= hold.amount
        wallet.version += 1
        self._do(
            _END_HOLD, state, captured, used - captured, wallet.last_at, wallet.version, hold.id
        )
        self._save(wallet)

    def _give_back(self, wallet: _Wallet, leg: Share, back: int, grant_state: str) -> None:
        """Undo what a hold set aside. What comes back to a grant that has expired expires too."""
        has_expired = grant_state == "expired"
        self._do(_RETURN, leg.amount, 0 if has_expired else back, leg.grant_id)
        if back > 0 and has_expired:
            self._append(wallet, EntryKind.EXPIRE, -back, grant_id=leg.grant_id)

    def _append(
        self,
        wallet: _Wallet,
        kind: EntryKind,
        amount: int,
        *,
        grant_id: int | None = None,
        hold_id: int | None = None,
        key: str | None = None,
    ) -> None:
        """Write the wallet's next entry."""
        wallet.seq += 1
        wallet.version += 1
        wallet.credits += max(amount, 0)
        wallet.debits -= min(amount, 0)
        line = EntryLine(
            wallet.id,
            wallet.seq,
            wallet.version,
            kind,
            amount,
            wallet.credits - wallet.debits,
            grant_id,
            hold_id,
            None,
            key,
            wallet.last_at,
        )
        wallet.head = entry_hash(wallet.head, line)
        self._do(
            _APPEND,
            *(line.wallet_id, line.seq, line.version, line.kind, line.amount, line.balance_after),
            *(grant_id, hold_id, None, key, line.created_at, wallet.head),
        )

    def _wallet(self, wallet_id: int, now: Micros) -> _Wallet:
        """The wallet, at `now` or at its last change: a clock set back reorders no history."""
        for row in self._rows(_WALLET, wallet_id):
            wallet = _Wallet(*row)
            wallet.last_at = max(wallet.last_at, now)
            return wallet
        raise LookupError(f"there is no wallet {wallet_id}")

    def _hold(self, hold_id: int, wallet_id: int) -> _Hold:
        for row in self._rows(_HOLD, hold_id, wallet_id):
            return _Hold(*row)
        raise LookupError(f"there is no hold {hold_id} in wallet {wallet_id}")

    def _wallet_and_hold(self, wallet_id: int, hold_id: int, now: Micros) -> tuple[_Wallet, _Hold]:
        return self._wallet(wallet_id, now), self._hold(hold_id, wallet_id)

    def _spendable(self, wallet: _Wallet, plan_ids: tuple[int, ...]) -> list[SpendableGrant]:
        at = wallet.last_at
        return [
            SpendableGrant(
                id=row[0],
                priority=row[1],
                effective_at=row[2],
                expires_at=row[3],
                remaining=row[4],
            )
            for row in self._rows(_SPENDABLE, wallet.id, at, at, json.dumps(plan_ids))
        ]

    def _available(self, wallet: _Wallet, plan_ids: tuple[int, ...]) -> MilliCredits:
        return MilliCredits(sum(grant.remaining for grant in self._spendable(wallet, plan_ids)))

    def _save(self, wallet: _Wallet) -> None:
        self._do(
            _SAVE_WALLET,
            *(wallet.credits, wallet.debits, wallet.held, wallet.seq, wallet.version),
            *(wallet.head, wallet.last_at, wallet.id),
        )

    def _do(self, statement: str, *values: object) -> int:
        """Run a statement that writes. Returns the id of the row it inserted, if it did."""
        return self._connection.execute(statement, values).lastrowid or 0

    def _rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, values).fetchall()


def _again(hold: _Hold, request: OpenHold, available: MilliCredits) -> HoldAnswer:
    """The answer to a key that was used before."""
    if hold.fingerprint != request.fingerprint:
        return HoldConflict(version=hold.opened_version)
    return HoldReplayed(
        hold_id=hold.id,
        public_id=hold.public_id,
        run_id=hold.run_id,
        state=HoldState(hold.state),
        amount=MilliCredits(hold.amount),
        captured=MilliCredits(hold.captured),
        version=hold.opened_version,
        available=available,
    )


def _check_same_end(hold: _Hold, event: HoldEvent, used: int) -> None:
    """A retry after a lost answer is welcome, a different end is not."""
    state = HoldState(hold.state)
    same = next_state(HoldState.OPEN, event) is state
    if not same or hold.captured + hold.shortfall != used:
        raise HoldClosedError(state, event)
