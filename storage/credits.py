"""What may happen to credits, decided without touching a database.

The story, top to bottom: amounts and how people write them, the order in which grants are drawn
down and charges refunded, when a balance is low, and the tables of what may become of a hold and
of a grant. The statements that make it durable are `storage.books_sqlite` and the functions behind
`storage.books_postgres`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, NewType

from storage.moments import DAY, Micros

MilliCredits = NewType("MilliCredits", int)
"""Thousandths of a credit: a whole number, never a float, never negative."""

PER_CREDIT: Final = 1000
MOST: Final = MilliCredits(10**12)
"""A billion credits: below 2**53 even when a thousand such amounts are summed in JSON."""

_WRITTEN: Final = re.compile(r"(?P<whole>[0-9]{1,10})(?:\.(?P<part>[0-9]{1,3}))?")


def parse_credits(written: str) -> MilliCredits:
    """Credits as people write them (`5`, `0.25`) in milli-credits.

    Raises:
        ValueError: not a decimal number with at most three decimals, or more than `MOST`.
    """
    match = _WRITTEN.fullmatch(written.strip())
    if match is None:
        raise ValueError("credits are a number such as 5 or 0.25, with at most three decimals")
    amount = int(match["whole"]) * PER_CREDIT + int((match["part"] or "").ljust(3, "0"))
    if amount > MOST:
        raise ValueError(f"at most {format_credits(MOST)} credits")
    return MilliCredits(amount)


def format_credits(amount: int) -> str:
    """Milli-credits as people read them: exact, at most three decimals, no trailing zeros."""
    sign = "-" if amount < 0 else ""
    whole, part = divmod(abs(amount), PER_CREDIT)
    return f"{sign}{whole}" if not part else f"{sign}{whole}.{part:03d}".rstrip("0")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendableGrant:
    """What draw-down needs to know of a grant."""

    id: int
    priority: int
    effective_at: Micros
    expires_at: Micros
    remaining: MilliCredits

    def is_live(self, now: Micros) -> bool:
        """Whether it can be spent at that moment; its end is no longer part of its life."""
        return self.remaining > 0 and self.effective_at <= now < self.expires_at


@dataclass(frozen=True, slots=True)
class Share:
    """The part of an amount that one grant bears."""

    grant_id: int
    amount: MilliCredits


def draw_down(
    grants: Iterable[SpendableGrant], amount: MilliCredits, now: Micros
) -> tuple[Share, ...]:
    """Who bears `amount`: by priority, then the soonest to expire, then the oldest.

    The shares add up to less than `amount` when the live grants do not cover it.
    """
    live = [grant for grant in grants if grant.is_live(now)]
    live.sort(key=lambda grant: (grant.priority, grant.expires_at, grant.id))
    return first_part((Share(grant.id, grant.remaining) for grant in live), amount)


def first_part(shares: Iterable[Share], amount: MilliCredits) -> tuple[Share, ...]:
    """The shares from the front that make up `amount`, the last of them cut to fit."""
    taken: list[Share] = []
    left = int(amount)
    for share in shares:
        if left <= 0:
            break
        part = MilliCredits(min(share.amount, left))
        taken.append(Share(share.grant_id, part))
        left -= part
    return tuple(taken)


@dataclass(frozen=True, slots=True)
class ChargedLeg:
    """What one entry charged to one grant, and how much of it has not been given back."""

    seq: int
    grant_id: int
    refundable: MilliCredits


def refund_legs(legs: Iterable[ChargedLeg], amount: MilliCredits) -> tuple[ChargedLeg, ...]:
    """The newest legs that make up `amount`, the last of them cut to fit.

    What was drawn last comes back first: it came from the grant that would have lasted longest.
    """
    taken: list[ChargedLeg] = []
    left = int(amount)
    for leg in sorted(legs, key=lambda leg: leg.seq, reverse=True):
        part = MilliCredits(min(leg.refundable, left))
        if part > 0:
            taken.append(replace(leg, refundable=part))
            left -= part
    return tuple(taken)


REFUND_LIVES_AT_LEAST: Final = 30 * DAY
"""Credits given back can be spent for this long, also when the grant they came from has ended."""

LOW_MESSAGES: Final = 5
LOW_SHARE: Final = 5
"""Low is: not enough for five more, and less than a fifth of the last grant."""


class BalanceMark(StrEnum):
    """How far down a balance is; the order is the order of the thresholds."""

    FINE = "fine"
    LOW = "low"
    EXHAUSTED = "exhausted"


_MARKS: Final = tuple(BalanceMark)


def balance_mark(left: int, *, price: int, last_grant: int) -> BalanceMark:
    """Where `left` stands for somebody who pays `price` a time and was last granted so much."""
    if left < price:
        return BalanceMark.EXHAUSTED
    if left < LOW_MESSAGES * price and left * LOW_SHARE < last_grant:
        return BalanceMark.LOW
    return BalanceMark.FINE


def crossed(left: int, *, charged: int, price: int, last_grant: int) -> BalanceMark | None:
    """The threshold that a charge of `charged` has just crossed, down to `left`; None if none.

    At one price, and between two grants, each is crossed once: a balance only falls. Who pays
    several prices has a threshold for each. What falls because a grant ended crosses none: that is
    told as the end of a plan.
    """
    before = balance_mark(left + charged, price=price, last_grant=last_grant)
    after = balance_mark(left, price=price, last_grant=last_grant)
    return after if _MARKS.index(after) > _MARKS.index(before) else None


def day_of(moment: int) -> int:
    """The day of a moment, in days since 1970-01-01, UTC: what a daily cap is counted by."""
    return moment // DAY


class HoldState(StrEnum):
    """Where a hold is; all but the first are final."""

    OPEN = "open"
    CAPTURED = "captured"
    RELEASED = "released"
    EXPIRED = "expired"


class HoldEvent(StrEnum):
    """What may end a hold."""

    CAPTURE = "capture"
    RELEASE = "release"
    EXPIRE = "expire"


HOLD_TRANSITIONS: Final[Mapping[tuple[HoldState, HoldEvent], HoldState]] = {
    (HoldState.OPEN, HoldEvent.CAPTURE): HoldState.CAPTURED,
    (HoldState.OPEN, HoldEvent.RELEASE): HoldState.RELEASED,
    (HoldState.OPEN, HoldEvent.EXPIRE): HoldState.EXPIRED,
}


class HoldClosedError(Exception):
    """The hold has already ended in another way."""

    def __init__(self, state: HoldState, event: HoldEvent, *, version: int | None = None) -> None:
        """`version`: the wallet's, where one was asked."""
        super().__init__(f"a hold that is {state} cannot {event}")
        self.state, self.event, self.version = state, event, version


def next_state(state: HoldState, event: HoldEvent) -> HoldState:
    """What becomes of a hold.

    Raises:
        HoldClosedError: it has ended already.
    """
    try:
        return HOLD_TRANSITIONS[state, event]
    except KeyError:
        raise HoldClosedError(state, event) from None


class GrantState(StrEnum):
    """Where a grant is. Scheduled and exhausted follow from its times and what remains."""

    ACTIVE = "active"
    FROZEN = "frozen"
    EXPIRED = "expired"
    REVOKED = "revoked"


class GrantEvent(StrEnum):
    """What may happen to a grant as a whole."""

    FREEZE = "freeze"
    UNFREEZE = "unfreeze"
    EXPIRE = "expire"
    REVOKE = "revoke"


GRANT_TRANSITIONS: Final[Mapping[tuple[GrantState, GrantEvent], GrantState]] = {
    (GrantState.ACTIVE, GrantEvent.FREEZE): GrantState.FROZEN,
    (GrantState.FROZEN, GrantEvent.UNFREEZE): GrantState.ACTIVE,
    (GrantState.ACTIVE, GrantEvent.EXPIRE): GrantState.EXPIRED,
    (GrantState.ACTIVE, GrantEvent.REVOKE): GrantState.REVOKED,
    (GrantState.FROZEN, GrantEvent.REVOKE): GrantState.REVOKED,
}
"""A frozen grant does not expire: it goes with the next sweep after it is unfrozen."""


def grant_after(state: GrantState, event: GrantEvent) -> GrantState:
    """What becomes of a grant; what is not in the table changes nothing."""
    return GRANT_TRANSITIONS.get((state, event), state)
