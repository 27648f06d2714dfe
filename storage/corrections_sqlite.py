"""What corrects a wallet on SQLite: refunds, revocations, frozen grants, the daily cap.

Nothing old is changed: what was charged by mistake comes back as a new grant, what was given by
mistake is taken back by a new entry. `storage.books_sqlite` has the verbs of every day.
"""

from dataclasses import dataclass
from typing import Final

from storage.books import (
    GrantAnswer,
    NotRefundable,
    RefundAnswer,
    RefundCharge,
    RefundConflict,
    Refunded,
    RevokeGrant,
)
from storage.credits import (
    REFUND_LIVES_AT_LEAST,
    ChargedLeg,
    GrantEvent,
    GrantState,
    MilliCredits,
    grant_after,
    refund_legs,
)
from storage.models.money import EntryKind, GrantSource, WalletChangeKind
from storage.moments import Micros
from storage.wallet_sqlite import SqliteWallets, WalletRow

_REFUND_OF_KEY: Final = (
    "SELECT id, hold_id, amount, version FROM refund WHERE wallet_id = ? AND idempotency_key = ?"
)
_CHARGED_LEGS: Final = (
    "SELECT c.seq, c.grant_id, -c.amount - COALESCE((SELECT SUM(r.amount) FROM entry r"
    " WHERE r.wallet_id = c.wallet_id AND r.reverses = c.seq), 0)"
    " FROM entry c WHERE c.wallet_id = ? AND c.hold_id = ? AND c.kind = 'charge' AND c.amount < 0"
)
_NEW_REFUND: Final = (
    "INSERT INTO refund (wallet_id, hold_id, idempotency_key, amount, version, created_at)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)
_GRANT_AGAIN: Final = (
    "INSERT INTO credit_grant (wallet_id, plan_id, plan_version_id, source, source_ref, priority,"
    " effective_at, expires_at, amount, remaining, held, revoked, state, origin_id)"
    " SELECT wallet_id, plan_id, plan_version_id, ?, ?, priority, ?, max(expires_at, ?), ?, ?, 0,"
    " 0, 'active', COALESCE(origin_id, id) FROM credit_grant WHERE id = ?"
)
_GRANT: Final = (
    "SELECT id, amount, remaining, held, revoked, claimed, state FROM credit_grant"
    " WHERE id = ? AND wallet_id = ?"
)
_REVOKE: Final = (
    "UPDATE credit_grant SET remaining = remaining - ?1, revoked = revoked + ?1, claimed = ?2,"
    " state = ?3 WHERE id = ?4"
)
_SET_STATE: Final = "UPDATE credit_grant SET state = ? WHERE id = ?"


@dataclass(frozen=True, slots=True)
class _Grant:
    """What the verbs need to know of a grant."""

    id: int
    amount: int
    remaining: int
    held: int
    revoked: int
    claimed: int
    state: str


def refund(wallets: SqliteWallets, request: RefundCharge) -> RefundAnswer:
    """Give back part or all of a charge, the newest leg first, each as a new grant."""
    wallet = wallets.wallet(request.wallet_id, request.now)
    for refund_id, hold_id, amount, version in wallets.rows(
        _REFUND_OF_KEY, wallet.id, request.key
    ):
        if (hold_id, amount) != (request.hold_id, request.amount):
            return RefundConflict(version=wallet.version)
        return Refunded(refund_id=refund_id, amount=amount, is_new=False, version=version)
    legs = [ChargedLeg(*row) for row in wallets.rows(_CHARGED_LEGS, wallet.id, request.hold_id)]
    refundable = MilliCredits(sum(leg.refundable for leg in legs))
    if request.amount > refundable:
        return NotRefundable(refundable=refundable, version=wallet.version)
    for leg in refund_legs(legs, request.amount):
        _grant_again(wallets, wallet, leg, f"{request.key}/{leg.seq}")
    refund_id = wallets.do(
        _NEW_REFUND,
        *(wallet.id, request.hold_id, request.key, request.amount),
        *(wallet.version, wallet.last_at),
    )
    wallets.save(wallet)
    return Refunded(
        refund_id=refund_id, amount=request.amount, is_new=True, version=wallet.version
    )


def revoke(wallets: SqliteWallets, request: RevokeGrant) -> GrantAnswer:
    """Take back what is unspent until the target is reached; claim of what is held the rest."""
    wallet = wallets.wallet(request.wallet_id, request.now)
    grant = _grant(wallets, wallet, request.grant_id)
    taken = max(0, min(grant.remaining, request.target - grant.revoked))
    claimed = max(grant.claimed, min(grant.held, request.target - grant.revoked - taken))
    before = GrantState(grant.state)
    is_all = request.target >= grant.amount
    after = grant_after(before, GrantEvent.REVOKE) if is_all else before
    if taken > 0:
        wallets.append(wallet, EntryKind.REVOKE, -taken, grant_id=grant.id)
    is_changed = (after, claimed) != (before, grant.claimed)
    if is_changed:
        wallets.change(wallet, WalletChangeKind.REVOKE, grant_id=grant.id)
    if taken > 0 or is_changed:
        wallets.do(_REVOKE, taken, claimed, after, grant.id)
        wallets.save(wallet)
    return GrantAnswer(
        grant_id=grant.id,
        state=after,
        taken=MilliCredits(taken),
        revoked=MilliCredits(grant.revoked + taken),
        version=wallet.version,
    )


def set_frozen(
    wallets: SqliteWallets, event: GrantEvent, *, wallet_id: int, grant_id: int, now: Micros
) -> GrantAnswer:
    """Freeze or unfreeze a grant; nothing happens to one that has ended."""
    wallet = wallets.wallet(wallet_id, now)
    grant = _grant(wallets, wallet, grant_id)
    after = grant_after(GrantState(grant.state), event)
    if after != grant.state:
        wallets.do(_SET_STATE, after, grant_id)
        wallets.change(wallet, WalletChangeKind(event), grant_id=grant_id)
        wallets.save(wallet)
    return GrantAnswer(
        grant_id=grant_id,
        state=after,
        taken=MilliCredits(0),
        revoked=MilliCredits(grant.revoked),
        version=wallet.version,
    )


def set_cap(
    wallets: SqliteWallets,
    *,
    wallet_id: int,
    cap: MilliCredits | None,
    now: Micros,
    is_operators: bool,
) -> int:
    """Limit what may be spent in a day, or lift the limit; the other limit stays as it is."""
    wallet = wallets.wallet(wallet_id, now)
    before = (wallet.daily_cap, wallet.operator_cap)
    if is_operators:
        wallet.operator_cap = cap
    else:
        wallet.daily_cap = cap
    if (wallet.daily_cap, wallet.operator_cap) != before:
        kind = WalletChangeKind.OPERATOR_CAP if is_operators else WalletChangeKind.CAP
        wallets.change(wallet, kind, amount=cap)
        wallets.save(wallet)
    return wallet.version


def _grant_again(wallets: SqliteWallets, wallet: WalletRow, leg: ChargedLeg, ref: str) -> None:
    """A new grant like the one that bore the leg, and the entry that puts it in the wallet."""
    grant_id = wallets.do(
        _GRANT_AGAIN,
        *(GrantSource.REFUND, ref, wallet.last_at, wallet.last_at + REFUND_LIVES_AT_LEAST),
        *(leg.refundable, leg.refundable, leg.grant_id),
    )
    wallets.append(
        wallet, EntryKind.REFUND, leg.refundable, grant_id=grant_id, reverses=leg.seq, key=ref
    )


def _grant(wallets: SqliteWallets, wallet: WalletRow, grant_id: int) -> _Grant:
    for row in wallets.rows(_GRANT, grant_id, wallet.id):
        return _Grant(*row)
    raise LookupError(f"there is no grant {grant_id} in wallet {wallet.id}")
