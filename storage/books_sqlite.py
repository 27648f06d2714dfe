"""The ledger on SQLite: fixed statements on the writer's own connection, no ORM.

Nothing here begins or commits. `storage.writer` holds the file's only write lock (BEGIN IMMEDIATE)
while a unit runs, so what a verb has read cannot change before it writes. Lists of plans go in as
one JSON parameter, so that a statement is the same for every length. The row and the history are
`storage.wallet_sqlite`, refunds and revocations `storage.corrections_sqlite`;
`storage.books_postgres` gives the same answers from functions inside the database. Longer than
most modules, because a verb can only be judged beside its statements.
"""

import json
import sqlite3
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from storage import corrections_sqlite as corrections
from storage.books import (
    EndHold,
    GrantAnswer,
    GrantCredits,
    Granted,
    HoldAnswer,
    HoldConflict,
    HoldEnded,
    HoldOpened,
    HoldReplayed,
    Insufficient,
    OpenHold,
    OverCap,
    RefundAnswer,
    RefundCharge,
    Renewed,
    RevokeGrant,
    Swept,
)
from storage.chain import FIRST_HEAD
from storage.credits import (
    BalanceMark,
    GrantEvent,
    GrantState,
    HoldClosedError,
    HoldEvent,
    HoldState,
    MilliCredits,
    Share,
    SpendableGrant,
    balance_mark,
    crossed,
    day_of,
    draw_down,
    first_part,
    next_state,
)
from storage.models.money import EntryKind
from storage.moments import DAY, Micros
from storage.wallet_sqlite import SqliteWallets, WalletRow

_NEW_WALLET: Final = (
    "INSERT INTO wallet (subscriber_id, credits, debits, held, seq, version, head, last_at)"
    " VALUES (?, 0, 0, 0, 0, 0, ?, 0) ON CONFLICT (subscriber_id) DO NOTHING"
)
_WALLET_OF: Final = "SELECT id FROM wallet WHERE subscriber_id = ?"
_GRANTED: Final = (
    "SELECT grant_id, version FROM entry"
    " WHERE wallet_id = ? AND kind = 'grant' AND idempotency_key = ?"
)
_NEW_GRANT: Final = (
    "INSERT INTO credit_grant (wallet_id, plan_id, plan_version_id, source, source_ref, priority,"
    " effective_at, expires_at, amount, remaining, held, revoked, state, cost_minor, currency)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 'active', ?, ?)"
)
_LIVE: Final = (
    " FROM credit_grant WHERE wallet_id = ? AND remaining + held > 0 AND state = 'active'"
    " AND effective_at <= ? AND expires_at > ? AND plan_id IN (SELECT value FROM json_each(?))"
)
_SPENDABLE: Final = f"SELECT id, priority, effective_at, expires_at, remaining{_LIVE}"
# SQLite takes a bare column from the row that has the MAX, here the newest grant.
_BALANCE: Final = (
    "SELECT COALESCE(SUM(remaining), 0), COALESCE(SUM(remaining + held), 0), MAX(id), amount"
    f"{_LIVE}"
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
    "SELECT a.grant_id, a.amount, g.state, g.claimed FROM allocation a"
    " JOIN credit_grant g ON g.id = a.grant_id"
    " WHERE a.hold_id = ? ORDER BY g.priority, g.expires_at, g.id"
)
_RETURN: Final = (
    "UPDATE credit_grant SET held = held - ?1, remaining = remaining + ?2, revoked = revoked + ?3,"
    " claimed = min(claimed - ?3, held - ?1) WHERE id = ?4"
)
_END_HOLD: Final = (
    "UPDATE hold SET state = ?, captured = ?, shortfall = ?, ended_at = ?, ended_version = ?"
    " WHERE id = ?"
)
_LATE: Final = "UPDATE hold SET shortfall = ? WHERE id = ? AND shortfall = 0"
# What a hold charged to grants that count in a balance over these plans.
_CHARGED_OF_BALANCE: Final = (
    "SELECT COALESCE(-SUM(e.amount), 0) FROM entry e JOIN credit_grant g ON g.id = e.grant_id"
    " WHERE e.hold_id = ? AND e.kind = 'charge' AND g.state = 'active' AND g.effective_at <= ?"
    " AND g.expires_at > ? AND g.plan_id IN (SELECT value FROM json_each(?))"
)
_TELL: Final = "INSERT INTO outbox (topic, payload, created_at) VALUES (?, ?, ?)"
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


@dataclass(frozen=True, slots=True)
class _Leg:
    """The part of a hold that one grant bears, and how that grant stands."""

    grant_id: int
    amount: int
    grant_state: str
    claimed: int


@dataclass(frozen=True, slots=True)
class _Balance:
    """What is left on some plans, in milli-credits."""

    spendable: int
    unspent: int
    """With what open holds have set aside."""
    last_grant: int
    """The amount of the newest grant that still bears anything."""


class SqliteBooks:
    """The ledger's verbs on one SQLite connection, in a transaction somebody else began."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._wallets = SqliteWallets(connection)
        self._do = self._wallets.do
        self._rows = self._wallets.rows

    def open_wallet(self, subscriber_id: int) -> int:
        """The subscriber's wallet, made when there is none."""
        self._do(_NEW_WALLET, subscriber_id, FIRST_HEAD)
        wallet_id: int = self._rows(_WALLET_OF, subscriber_id)[0][0]
        return wallet_id

    def grant(self, request: GrantCredits) -> Granted:
        """Put credits in the wallet, once for each (source, source_ref)."""
        wallet = self._wallets.wallet(request.wallet_id, request.now)
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
        self._wallets.append(wallet, EntryKind.GRANT, request.amount, grant_id=grant_id, key=key)
        self._wallets.save(wallet)
        return Granted(grant_id=grant_id, is_new=True, version=wallet.version)

    def open_hold(self, request: OpenHold) -> HoldAnswer:
        """Set credits aside, in draw-down order."""
        wallet = self._wallets.wallet(request.wallet_id, request.now)
        grants = self._spendable(wallet, request.plan_ids)
        available = MilliCredits(sum(grant.remaining for grant in grants))
        for row in self._rows(_HOLD_OF_KEY, wallet.id, request.operation, request.key):
            return _again(_found(row), request, wallet, available)
        refusal = _refusal(wallet, request, available)
        if refusal is not None:
            return refusal
        wallet.held += request.amount
        wallet.version += 1
        hold_id = self._do(
            _NEW_HOLD,
            *(UUID(request.public_id).bytes, wallet.id, request.operation, request.key),
            *(request.fingerprint, request.offering_id, request.run_id, request.owner),
            *(request.amount, wallet.last_at, request.expires_at, wallet.version),
        )
        for share in draw_down(grants, request.amount, Micros(wallet.last_at)):
            self._do(_ALLOCATE, hold_id, share.grant_id, wallet.id, share.amount)
            self._do(_SET_ASIDE, share.amount, share.grant_id)
        self._wallets.save(wallet)
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

    def renew(self, *, wallet_id: int, hold_id: int, expires_at: Micros) -> Renewed:
        """Move an open hold's deadline, never to earlier."""
        wallet = self._wallets.wallet(wallet_id, Micros(0))
        renewed = self._connection.execute(_RENEW, (expires_at, hold_id, wallet_id))
        return Renewed(is_open=renewed.rowcount > 0, version=wallet.version)

    def refund(self, request: RefundCharge) -> RefundAnswer:
        """Give back part or all of a charge."""
        return corrections.refund(self._wallets, request)

    def revoke(self, request: RevokeGrant) -> GrantAnswer:
        """Take back what is unspent of a grant."""
        return corrections.revoke(self._wallets, request)

    def freeze(self, *, wallet_id: int, grant_id: int, now: Micros) -> GrantAnswer:
        """Let nothing more be held of a grant."""
        return corrections.set_frozen(
            self._wallets, GrantEvent.FREEZE, wallet_id=wallet_id, grant_id=grant_id, now=now
        )

    def unfreeze(self, *, wallet_id: int, grant_id: int, now: Micros) -> GrantAnswer:
        """Let a frozen grant be spent again."""
        return corrections.set_frozen(
            self._wallets, GrantEvent.UNFREEZE, wallet_id=wallet_id, grant_id=grant_id, now=now
        )

    def set_cap(
        self,
        *,
        wallet_id: int,
        cap: MilliCredits | None,
        now: Micros,
        is_operators: bool = False,
    ) -> int:
        """Limit what may be spent in a day, or lift the limit."""
        return corrections.set_cap(
            self._wallets, wallet_id=wallet_id, cap=cap, now=now, is_operators=is_operators
        )

    def sweep(self, now: Micros, *, most: int = 256) -> Swept:
        """Expire holds and grants that are past their time."""
        holds = self._rows(_DUE_HOLDS, now, most)
        for wallet_id, hold_id in holds:
            wallet = self._wallets.wallet(wallet_id, now)
            self._close(wallet, self._hold(hold_id, wallet_id), HoldEvent.EXPIRE, 0)
            self._wallets.save(wallet)
        grants = self._rows(_DUE_GRANTS, now, most)  # now, since holds have given back
        for wallet_id, grant_id, remaining in grants:
            wallet = self._wallets.wallet(wallet_id, now)
            self._do(_EXPIRE_GRANT, grant_id)
            if remaining > 0:
                self._wallets.append(wallet, EntryKind.EXPIRE, -remaining, grant_id=grant_id)
            self._wallets.save(wallet)
        return Swept(holds=len(holds), grants=len(grants))

    def available(self, wallet_id: int, plan_ids: tuple[int, ...], now: Micros) -> MilliCredits:
        """What can be spent now from live grants of these plans."""
        wallet = self._wallets.wallet(wallet_id, now)
        return MilliCredits(self._balance(wallet, plan_ids).spendable)

    def _end(self, request: EndHold, event: HoldEvent, used: MilliCredits) -> HoldEnded:
        wallet = self._wallets.wallet(request.wallet_id, request.now)
        hold = self._hold(request.hold_id, wallet.id)
        is_first = hold.state == HoldState.OPEN
        if is_first:
            hold = self._close(wallet, hold, event, used)
            self._wallets.save(wallet)
        elif hold.state == HoldState.EXPIRED:
            hold = self._note_late_use(hold, used)
        else:
            _check_same_end(wallet, hold, event, used)
        balance = self._balance(wallet, request.plan_ids)
        if is_first and hold.captured:
            self._tell_if_low(wallet, hold, request.plan_ids, balance)
        return _ended(hold, balance)

    def _close(self, wallet: WalletRow, hold: _Hold, event: HoldEvent, used: int) -> _Hold:
        """End an open hold: charge in draw-down order, give back the rest."""
        state = next_state(HoldState(hold.state), event)
        captured = MilliCredits(min(used, hold.amount))
        legs = [_Leg(*row) for row in self._rows(_LEGS, hold.id)]
        shares = (Share(leg.grant_id, MilliCredits(leg.amount)) for leg in legs)
        uses = {share.grant_id: share.amount for share in first_part(shares, captured)}
        for leg in legs:
            use = uses.get(leg.grant_id, 0)
            if use > 0:
                self._wallets.append(
                    wallet, EntryKind.CHARGE, -use, grant_id=leg.grant_id, hold_id=hold.id
                )
            self._give_back(wallet, leg, leg.amount - use)
        if state is HoldState.CAPTURED and captured == 0:
            self._wallets.append(wallet, EntryKind.CHARGE, 0, hold_id=hold.id)
        if captured > 0:
            day = day_of(wallet.last_at)
            wallet.spent = wallet.spent_on(day) + captured
            wallet.spent_day = day
        wallet.held -= hold.amount
        wallet.version += 1
        ended = replace(
            hold,
            state=state,
            captured=captured,
            shortfall=used - captured,
            ended_version=wallet.version,
        )
        self._do(
            _END_HOLD,
            *(state, captured, ended.shortfall, wallet.last_at, wallet.version, hold.id),
        )
        return ended

    def _give_back(self, wallet: WalletRow, leg: _Leg, back: int) -> None:
        """Undo what a hold set aside; what is claimed of it, or comes back too late, is gone."""
        revoked = min(back, leg.claimed)
        expired = back - revoked if leg.grant_state == GrantState.EXPIRED else 0
        self._do(_RETURN, leg.amount, back - revoked - expired, revoked, leg.grant_id)
        if revoked > 0:
            self._wallets.append(wallet, EntryKind.REVOKE, -revoked, grant_id=leg.grant_id)
        if expired > 0:
            self._wallets.append(wallet, EntryKind.EXPIRE, -expired, grant_id=leg.grant_id)

    def _note_late_use(self, hold: _Hold, used: int) -> _Hold:
        """A use after expiry is a loss on record, once, and never a debit."""
        if hold.shortfall or not used:
            return hold
        self._do(_LATE, used, hold.id)
        return replace(hold, shortfall=used)

    def _tell_if_low(
        self, wallet: WalletRow, hold: _Hold, plan_ids: tuple[int, ...], balance: _Balance
    ) -> None:
        """Announce, with the charge itself, the threshold that it crossed.

        What it took from a grant that has ended meanwhile had left the balance before.
        """
        left, price, last_grant = balance.unspent, hold.amount, balance.last_grant
        if balance_mark(left, price=price, last_grant=last_grant) is BalanceMark.FINE:
            return
        at = wallet.last_at
        charged = self._rows(_CHARGED_OF_BALANCE, hold.id, at, at, json.dumps(plan_ids))[0][0]
        mark = crossed(left, charged=charged, price=price, last_grant=last_grant)
        if mark is None:
            return
        payload = {
            "wallet_id": wallet.id,
            "plan_ids": list(plan_ids),
            "left": left,
            "price": price,
            "version": wallet.version,
        }
        self._do(_TELL, f"balance.{mark}", json.dumps(payload), wallet.last_at)

    def _hold(self, hold_id: int, wallet_id: int) -> _Hold:
        for row in self._rows(_HOLD, hold_id, wallet_id):
            return _found(row)
        raise LookupError(f"there is no hold {hold_id} in wallet {wallet_id}")

    def _spendable(self, wallet: WalletRow, plan_ids: tuple[int, ...]) -> list[SpendableGrant]:
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

    def _balance(self, wallet: WalletRow, plan_ids: tuple[int, ...]) -> _Balance:
        at = wallet.last_at
        row = self._rows(_BALANCE, wallet.id, at, at, json.dumps(plan_ids))[0]
        return _Balance(spendable=row[0], unspent=row[1], last_grant=row[3] or 0)


def _refusal(
    wallet: WalletRow, request: OpenHold, available: MilliCredits
) -> Insufficient | OverCap | None:
    """Why the amount cannot be set aside: too little is left, or the day's cap would be passed."""
    if request.amount > available:
        return Insufficient(required=request.amount, available=available, version=wallet.version)
    day = day_of(wallet.last_at)
    spent = wallet.spent_on(day) + wallet.held
    cap = wallet.cap
    if cap is None or not request.amount or spent + request.amount <= cap:
        return None
    return OverCap(
        required=request.amount,
        cap=MilliCredits(cap),
        is_operators=cap == wallet.operator_cap,
        spent=MilliCredits(spent),
        resets_at=Micros((day + 1) * DAY),
        version=wallet.version,
    )


def _found(row: tuple[Any, ...]) -> _Hold:
    hold_id, public_id, *rest = row
    return _Hold(hold_id, str(UUID(bytes=public_id)), *rest)


def _ended(hold: _Hold, balance: _Balance) -> HoldEnded:
    assert hold.ended_version is not None, "it has just ended, or had before"
    return HoldEnded(
        public_id=hold.public_id,
        state=HoldState(hold.state),
        captured=MilliCredits(hold.captured),
        shortfall=MilliCredits(hold.shortfall),
        version=hold.ended_version,
        available=MilliCredits(balance.spendable),
    )


def _again(
    hold: _Hold, request: OpenHold, wallet: WalletRow, available: MilliCredits
) -> HoldAnswer:
    """The answer to a key that was used before."""
    if hold.fingerprint != request.fingerprint:
        return HoldConflict(version=wallet.version)
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


def _check_same_end(wallet: WalletRow, hold: _Hold, event: HoldEvent, used: int) -> None:
    """A retry after a lost answer is welcome, a different end is not."""
    state = HoldState(hold.state)
    same = next_state(HoldState.OPEN, event) is state
    if not same or hold.captured + hold.shortfall != used:
        raise HoldClosedError(state, event, version=wallet.version)
