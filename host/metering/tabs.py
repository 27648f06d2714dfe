"""The tab of one message or call, as values: what was asked for, what was opened, how it ended.

How a tab is opened and ended is `host.metering.meter`.
"""

import hashlib
from dataclasses import dataclass
from typing import TypeAlias

from host.metering.admission import Admitted
from storage.books import HoldEnded, HoldOpened, HoldReplayed
from storage.cards import OfferingCard
from storage.credits import HoldState, MilliCredits
from storage.ids import new_id
from storage.models.money import Operation
from storage.moments import Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class MeteredWork:
    """One message or call that wants to begin."""

    account_id: int
    offering: OfferingCard
    operation: Operation
    key: str
    """The message's id, or the caller's idempotency key."""
    fingerprint: bytes
    """Over what the caller sent; see `fingerprint`."""
    price: MilliCredits
    """The most it may cost."""
    run_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """The work may begin; what it may cost is set aside. End it once: capture or release."""

    receipt_id: str
    wallet_id: int | None
    hold_id: int | None
    """None for the owner's own work, which is free and leaves no receipt."""
    amount: MilliCredits
    available: MilliCredits
    """What is left to spend on this offering while the hold is open."""
    plan_ids: tuple[int, ...]
    included_until: Micros | None
    """The end of the time plan that includes it."""

    @property
    def is_free(self) -> bool:
        """Whether this is the owner's own work: nothing held, nothing recorded."""
        return self.hold_id is None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedTab:
    """The same key was used before for the same thing. Never permission to do the work again."""

    receipt_id: str
    run_id: str | None
    state: HoldState
    amount: MilliCredits
    captured: MilliCredits
    available: MilliCredits
    included_until: Micros | None


Opening: TypeAlias = Tab | ReplayedTab


def fingerprint(*parts: str | bytes) -> bytes:
    """16 bytes over what a caller sent: offering, method and path or thread, the body.

    Nothing that we computed belongs in it: a price that changed between two tries must not turn a
    retry into a conflict.
    """
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        digest.update(len(raw).to_bytes(8, "big"))  # so that "ab","c" differs from "a","bc"
        digest.update(raw)
    return digest.digest()[:16]


def opened_tab(opened: HoldOpened, wallet_id: int, admitted: Admitted) -> Tab:
    """The tab on a hold that has just been opened."""
    return Tab(
        receipt_id=opened.public_id,
        wallet_id=wallet_id,
        hold_id=opened.hold_id,
        amount=admitted.amount,
        available=opened.available,
        plan_ids=admitted.plan_ids,
        included_until=admitted.included_until,
    )


def replayed_tab(before: HoldReplayed, *, included_until: Micros | None) -> ReplayedTab:
    """The tab that a key had before."""
    return ReplayedTab(
        receipt_id=before.public_id,
        run_id=before.run_id,
        state=before.state,
        amount=before.amount,
        captured=before.captured,
        available=before.available,
        included_until=included_until,
    )


def free_tab() -> Tab:
    """The tab of an owner's own work: nothing is held, nothing will be recorded."""
    return Tab(
        receipt_id=new_id(),
        wallet_id=None,
        hold_id=None,
        amount=MilliCredits(0),
        available=MilliCredits(0),
        plan_ids=(),
        included_until=None,
    )


def free_end(tab: Tab, state: HoldState) -> HoldEnded:
    """How a tab without a hold ends."""
    return HoldEnded(
        public_id=tab.receipt_id,
        state=state,
        captured=MilliCredits(0),
        shortfall=MilliCredits(0),
        version=0,
        available=MilliCredits(0),
    )
