"""The ledger on PostgreSQL: every verb is one call of a function inside the database.

The functions are made by the migrations (`storage/migrations/postgresql`). They lock the wallet
before they read anything, so the rules run where the rows are and a verb costs one round trip.
Nothing here begins or commits; the unit of work does. `storage.books_sqlite` gives the same
answers with statements of its own, and the same tests hold for both.
"""

from typing import Any, Final, NoReturn

import psycopg

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
    NotRefundable,
    OpenHold,
    OverCap,
    RefundAnswer,
    RefundCharge,
    RefundConflict,
    Refunded,
    Renewed,
    RevokeGrant,
    Swept,
)
from storage.credits import (
    GrantEvent,
    GrantState,
    HoldClosedError,
    HoldEvent,
    HoldState,
    MilliCredits,
    grant_after,
    next_state,
)
from storage.driver_errors import is_read_only, trouble
from storage.errors import StatementBroke
from storage.moments import Micros

_OPEN_WALLET: Final = "SELECT ledger_open_wallet(%s)"
_GRANT: Final = (
    "SELECT grant_id, is_new, at_version"
    " FROM ledger_grant(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
)
_HOLD: Final = (
    "SELECT outcome, hold_id, public_id, run_id, state, amount, captured, at_version, available,"
    " cap, spent, resets_at, is_operators FROM ledger_hold("
    "%s, %s, %s, %s, %s, %s, %s::bigint[], %s, %s, %s, %s, %s)"
)
_END: Final = (
    "SELECT outcome, public_id, state, captured, shortfall, at_version, available"
    " FROM ledger_end(%s, %s, %s::bigint[], %s, %s, %s)"
)
_RENEW: Final = "SELECT is_open, at_version FROM ledger_renew(%s, %s, %s)"
_REFUND: Final = (
    "SELECT outcome, refund_id, amount, at_version FROM ledger_refund(%s, %s, %s, %s, %s)"
)
_REVOKE: Final = "SELECT state, taken, revoked, at_version FROM ledger_revoke(%s, %s, %s, %s)"
_SET_FROZEN: Final = (
    "SELECT state, 0, revoked, at_version FROM ledger_set_frozen(%s, %s, %s, %s, %s, %s)"
)
_SET_CAP: Final = "SELECT * FROM ledger_set_cap(%s, %s, %s, %s)"
_SWEEP: Final = "SELECT holds, grants FROM ledger_sweep(%s, %s::int)"
_AVAILABLE: Final = "SELECT * FROM ledger_available(%s, %s::bigint[], %s)"


class PostgresBooks:
    """The ledger's verbs on one PostgreSQL connection, in a transaction somebody else began."""

    def __init__(self, connection: "psycopg.Connection[tuple[Any, ...]]") -> None:
        self._connection = connection

    def open_wallet(self, subscriber_id: int) -> int:
        """The subscriber's wallet, made when there is none."""
        wallet_id: int = self._call(_OPEN_WALLET, subscriber_id)[0]
        return wallet_id

    def grant(self, request: GrantCredits) -> Granted:
        """Put credits in the wallet, once for each (source, source_ref)."""
        grant_id, is_new, version = self._call(
            _GRANT,
            *(request.wallet_id, request.plan_id, request.plan_version_id),
            *(request.source.value, request.source_ref, request.amount, request.priority),
            *(request.effective_at, request.expires_at, request.now),
            *(request.cost_minor, request.currency),
        )
        return Granted(grant_id=grant_id, is_new=is_new, version=version)

    def open_hold(self, request: OpenHold) -> HoldAnswer:
        """Set credits aside, in draw-down order."""
        return hold_answer(
            self._call(
                _HOLD,
                *(request.wallet_id, request.public_id, request.operation.value, request.key),
                *(request.fingerprint, request.amount, list(request.plan_ids), request.owner),
                *(request.now, request.expires_at, request.offering_id, request.run_id),
            )
        )

    def capture(self, request: EndHold, used: MilliCredits) -> HoldEnded:
        """Charge what was used, at most what was held; the rest goes back where it came from."""
        return self._end(request, HoldEvent.CAPTURE, used)

    def release(self, request: EndHold) -> HoldEnded:
        """End the hold and charge nothing."""
        return self._end(request, HoldEvent.RELEASE, MilliCredits(0))

    def renew(self, *, wallet_id: int, hold_id: int, expires_at: Micros) -> Renewed:
        """Move an open hold's deadline, never to earlier."""
        is_open, version = self._call(_RENEW, wallet_id, hold_id, expires_at)
        return Renewed(is_open=is_open, version=version)

    def refund(self, request: RefundCharge) -> RefundAnswer:
        """Give back part or all of a charge."""
        outcome, refund_id, amount, version = self._call(
            _REFUND,
            *(request.wallet_id, request.hold_id, request.key, request.amount, request.now),
        )
        if outcome == "conflict":
            return RefundConflict(version=version)
        if outcome == "too much":
            return NotRefundable(refundable=amount, version=version)
        return Refunded(
            refund_id=refund_id, amount=amount, is_new=outcome == "refunded", version=version
        )

    def revoke(self, request: RevokeGrant) -> GrantAnswer:
        """Take back what is unspent of a grant."""
        return self._standing(
            request.grant_id,
            _REVOKE,
            *(request.wallet_id, request.grant_id, request.target, request.now),
        )

    def freeze(self, *, wallet_id: int, grant_id: int, now: Micros) -> GrantAnswer:
        """Let nothing more be held of a grant."""
        return self._set_frozen(wallet_id, grant_id, GrantEvent.FREEZE, now)

    def unfreeze(self, *, wallet_id: int, grant_id: int, now: Micros) -> GrantAnswer:
        """Let a frozen grant be spent again."""
        return self._set_frozen(wallet_id, grant_id, GrantEvent.UNFREEZE, now)

    def set_cap(
        self,
        *,
        wallet_id: int,
        cap: MilliCredits | None,
        now: Micros,
        is_operators: bool = False,
    ) -> int:
        """Limit what may be spent in a day, or lift the limit."""
        version: int = self._call(_SET_CAP, wallet_id, cap, is_operators, now)[0]
        return version

    def sweep(self, now: Micros, *, most: int = 256) -> Swept:
        """Expire holds and grants that are past their time, of wallets nobody is working on."""
        holds, grants = self._call(_SWEEP, now, most)
        return Swept(holds=holds, grants=grants)

    def available(self, wallet_id: int, plan_ids: tuple[int, ...], now: Micros) -> MilliCredits:
        """What can be spent now from live grants of these plans."""
        return MilliCredits(self._call(_AVAILABLE, wallet_id, list(plan_ids), now)[0])

    def _end(self, request: EndHold, event: HoldEvent, used: MilliCredits) -> HoldEnded:
        wanted = next_state(HoldState.OPEN, event)
        row = self._call(
            _END,
            *(request.wallet_id, request.hold_id, list(request.plan_ids), request.now),
            *(wanted.value, used),
        )
        return hold_ended(row, event)

    def _set_frozen(
        self, wallet_id: int, grant_id: int, event: GrantEvent, now: Micros
    ) -> GrantAnswer:
        before = next(state for state in GrantState if grant_after(state, event) is not state)
        after = grant_after(before, event)
        return self._standing(
            grant_id,
            _SET_FROZEN,
            *(wallet_id, grant_id, event.value, before.value, after.value, now),
        )

    def _standing(self, grant_id: int, statement: str, *values: object) -> GrantAnswer:
        state, taken, revoked, version = self._call(statement, *values)
        return GrantAnswer(
            grant_id=grant_id,
            state=GrantState(state),
            taken=MilliCredits(taken),
            revoked=MilliCredits(revoked),
            version=version,
        )

    def _call(self, statement: str, *values: object) -> tuple[Any, ...]:
        try:
            row = self._connection.execute(statement, values).fetchone()
        except psycopg.Error as error:
            refuse(error)
        if row is None:
            raise LookupError("there is no such wallet, or no such hold or grant in it")
        return row


def hold_answer(row: tuple[Any, ...]) -> HoldAnswer:
    """The answer in a row of `ledger_hold`."""
    outcome, hold_id, public_id, run_id, state, amount, captured, version, *rest = row
    available, cap, spent, resets_at, is_operators = rest
    match outcome:
        case "opened":
            return HoldOpened(
                hold_id=hold_id, public_id=public_id, version=version, available=available
            )
        case "insufficient":
            return Insufficient(required=amount, available=available, version=version)
        case "over cap":
            return OverCap(
                required=amount,
                cap=cap,
                is_operators=is_operators,
                spent=spent,
                resets_at=resets_at,
                version=version,
            )
        case "conflict":
            return HoldConflict(version=version)
        case _:
            return HoldReplayed(
                hold_id=hold_id,
                public_id=public_id,
                run_id=run_id,
                state=HoldState(state),
                amount=amount,
                captured=captured,
                version=version,
                available=available,
            )


def hold_ended(row: tuple[Any, ...], event: HoldEvent) -> HoldEnded:
    """The answer in a row of `ledger_end`.

    Raises:
        HoldClosedError: it had ended in another way.
    """
    outcome, public_id, state, captured, shortfall, version, available = row
    if outcome == "closed":
        raise HoldClosedError(HoldState(state), event, version=version)
    return HoldEnded(
        public_id=public_id,
        state=HoldState(state),
        captured=captured,
        shortfall=shortfall,
        version=version,
        available=available,
    )


def refuse(error: psycopg.Error) -> NoReturn:
    """The driver's error in our words; its text may quote values, so it is not kept."""
    if isinstance(error, psycopg.OperationalError) or is_read_only(error):
        raise trouble(error) from None
    raise StatementBroke(type(error).__name__) from None
