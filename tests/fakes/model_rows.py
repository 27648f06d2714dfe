"""What the model of the ledger remembers: grants, holds, lines of history, refunds."""

from dataclasses import dataclass

from storage.books import OpenHold, RefundCharge
from storage.credits import HoldState


@dataclass(slots=True, kw_only=True)
class ModelGrant:
    """A grant and what became of it."""

    id: int
    plan: int
    priority: int
    begins: int
    ends: int
    amount: int
    remaining: int
    source: str
    ref: str
    version: int
    held: int = 0
    revoked: int = 0
    claimed: int = 0
    state: str = "active"
    origin: "ModelGrant | None" = None

    @property
    def turn(self) -> tuple[int, int, int]:
        return self.priority, self.ends, self.id


@dataclass(slots=True)
class ModelHold:
    """A hold, and which grant bears how much of it."""

    id: int
    request: OpenHold
    version: int
    created_at: int
    legs: list[tuple[ModelGrant, int]]
    state: HoldState = HoldState.OPEN
    expires_at: int = 0
    captured: int = 0
    shortfall: int = 0
    ended_at: int | None = None
    ended_version: int | None = None


@dataclass(slots=True)
class ModelEntry:
    """A line of the history; the place in the list is its number."""

    version: int
    kind: str
    amount: int
    created_at: int
    grant: ModelGrant | None = None
    hold: int | None = None
    reverses: int | None = None


@dataclass(slots=True)
class ModelRefund:
    """A refund that was made."""

    id: int
    request: RefundCharge
    version: int
