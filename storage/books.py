"""The ledger's verbs and their answers, the same for both databases.

A *unit of work* is handed its `Books`; what it does through them lands together with everything
else in the unit, or not at all. `storage.books_sqlite` and `storage.books_postgres` carry the
verbs out; `storage.credits` says what may happen to a hold and to a grant. Expected refusals are
values.

Every change of a wallet advances its `version`, and every answer carries one: of a grant, a hold,
its end or a refund the version it was given, also when it is asked again; of what changed nothing,
a refusal among them, the version it was true at. Two have none: what is `available` is no event,
and a sweep goes over many wallets.
"""

from dataclasses import dataclass
from typing import Protocol, TypeAlias

from storage.credits import GrantState, HoldState, MilliCredits
from storage.models.money import GrantSource, Operation
from storage.moments import Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantCredits:
    """Put credits in a wallet. `source` and `source_ref` together say it only once."""

    wallet_id: int
    plan_id: int
    plan_version_id: int
    source: GrantSource
    source_ref: str
    amount: MilliCredits
    effective_at: Micros
    expires_at: Micros
    now: Micros
    priority: int = 0
    cost_minor: int | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """The grant, and whether this call made it."""

    grant_id: int
    is_new: bool
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenHold:
    """Set aside the most a message or call may cost, from grants of the given plans."""

    wallet_id: int
    public_id: str
    operation: Operation
    key: str
    """The caller's idempotency key; its scope is (wallet, operation)."""
    fingerprint: bytes
    """16 bytes over what the caller sent."""
    amount: MilliCredits
    plan_ids: tuple[int, ...]
    owner: str
    now: Micros
    expires_at: Micros
    offering_id: int | None = None
    run_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldOpened:
    """The credits are set aside; `available` is what is left to spend over the given plans."""

    hold_id: int
    public_id: str
    version: int
    available: MilliCredits


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldReplayed:
    """The key was used before, for the same thing. This is never permission to do the work."""

    hold_id: int
    public_id: str
    run_id: str | None
    state: HoldState
    amount: MilliCredits
    captured: MilliCredits
    version: int
    available: MilliCredits


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldConflict:
    """The key was used before, for something else."""

    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Insufficient:
    """The live grants of the given plans do not cover the amount. Nothing was taken."""

    required: MilliCredits
    available: MilliCredits
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OverCap:
    """A limit for the day would be passed. Nothing was taken."""

    required: MilliCredits
    cap: MilliCredits
    """The smaller of the subscriber's own limit and the operator's."""
    is_operators: bool = False
    """Whose it is; where both are the same, the operator's: to lift one's own would not help."""
    spent: MilliCredits
    """What the day's charges and all open holds come to."""
    resets_at: Micros
    """Midnight, UTC."""
    version: int


HoldAnswer: TypeAlias = HoldOpened | HoldReplayed | HoldConflict | Insufficient | OverCap


@dataclass(frozen=True, slots=True, kw_only=True)
class EndHold:
    """Which hold to end. `plan_ids` only decides over what a balance is counted afterwards."""

    wallet_id: int
    hold_id: int
    plan_ids: tuple[int, ...]
    now: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldEnded:
    """How the hold ended, by this call or an equal one before it."""

    public_id: str
    state: HoldState
    captured: MilliCredits
    shortfall: MilliCredits
    version: int
    available: MilliCredits


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewed:
    """Whether the hold was still open and has its new deadline."""

    is_open: bool
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundCharge:
    """Give back part or all of what a hold was charged, once for each key."""

    wallet_id: int
    hold_id: int
    key: str
    amount: MilliCredits
    """More than nothing."""
    now: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Refunded:
    """The credits are back as new grants, by this call or an equal one before it."""

    refund_id: int
    amount: MilliCredits
    is_new: bool
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotRefundable:
    """More than what is left of the charge. Nothing was given back."""

    refundable: MilliCredits
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundConflict:
    """The key was used before, for another charge or amount."""

    version: int


RefundAnswer: TypeAlias = Refunded | NotRefundable | RefundConflict


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeGrant:
    """Take back what is left of a grant until `target` has been taken back in all.

    What is missing of it and held is claimed: it is taken as soon as it comes back.
    """

    wallet_id: int
    grant_id: int
    target: MilliCredits
    """In all, not in addition: asked twice it takes once. The whole amount ends the grant."""
    now: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantAnswer:
    """How a grant stands after it was revoked, frozen or unfrozen."""

    grant_id: int
    state: GrantState
    taken: MilliCredits
    """What this call took back."""
    revoked: MilliCredits
    """What has been taken back in all."""
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """How many holds and grants were past their time and are now expired."""

    holds: int
    grants: int


class Books(Protocol):
    """Write in the ledger, inside the unit of work that lent it."""

    def open_wallet(self, subscriber_id: int) -> int:
        """The subscriber's wallet, made when there is none. Returns its id."""
        ...

    def grant(self, request: GrantCredits) -> Granted:
        """Put credits in the wallet, once for each (source, source_ref)."""
        ...

    def open_hold(self, request: OpenHold) -> HoldAnswer:
        """Set credits aside, in draw-down order: priority, soonest expiry, id."""
        ...

    def capture(self, request: EndHold, used: MilliCredits) -> HoldEnded:
        """Charge what was used, at most what was held; the rest goes back where it came from.

        A charge that takes the balance below a threshold (`storage.credits.crossed`) leaves a
        line in the outbox. A hold that has expired is not charged: what was used is recorded as
        its shortfall.

        Raises:
            HoldClosedError: it was released, or captured with another amount.
        """
        ...

    def release(self, request: EndHold) -> HoldEnded:
        """End the hold and charge nothing. An expired hold stays expired.

        Raises:
            HoldClosedError: it was captured.
        """
        ...

    def renew(self, *, wallet_id: int, hold_id: int, expires_at: Micros) -> Renewed:
        """Move an open hold's deadline, never to earlier."""
        ...

    def refund(self, request: RefundCharge) -> RefundAnswer:
        """Give back part or all of a charge, the newest leg first, each as a new grant.

        The new grants keep the plan and the priority of those they come from, and live as long,
        but at least another 30 days. Nothing old is changed.
        """
        ...

    def revoke(self, request: RevokeGrant) -> GrantAnswer:
        """Take back what is unspent, and claim of what is held the rest of the target.

        What is held comes back only when its hold ends; what is claimed of it is then taken, and
        never spent by another hold. Spent credits stay spent, and no wallet owes anything.
        """
        ...

    def freeze(self, *, wallet_id: int, grant_id: int, now: Micros) -> GrantAnswer:
        """Let nothing more be held of a grant, while its order is disputed. Open holds go on."""
        ...

    def unfreeze(self, *, wallet_id: int, grant_id: int, now: Micros) -> GrantAnswer:
        """Let a frozen grant be spent again."""
        ...

    def set_cap(
        self,
        *,
        wallet_id: int,
        cap: MilliCredits | None,
        now: Micros,
        is_operators: bool = False,
    ) -> int:
        """Limit what may be spent in a day (UTC), or lift the limit. Returns the version.

        The subscriber's own limit and the operator's are two, and the smaller counts.
        """
        ...

    def sweep(self, now: Micros, *, most: int = 256) -> Swept:
        """Expire holds and grants that are past their time; may be called again and again."""
        ...

    def available(self, wallet_id: int, plan_ids: tuple[int, ...], now: Micros) -> MilliCredits:
        """What can be spent now from live grants of these plans."""
        ...
