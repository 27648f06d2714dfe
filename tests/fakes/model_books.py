"""The ledger as a few lists in memory: what both databases must agree with.

Slow and plain on purpose, and it shares no code with `storage` but the words: credits are drawn
down one grant after another, a history is a count. `tests/integration/test_books_machine.py` runs
it beside the real ones.
"""

from dataclasses import dataclass, field

from storage.books import GrantCredits as GrantRequest
from storage.books import (
    Granted,
    HoldAnswer,
    HoldConflict,
    HoldEnded,
    HoldOpened,
    HoldReplayed,
    Insufficient,
    OpenHold,
    Renewed,
    Swept,
)
from storage.credits import HoldClosedError, HoldEvent, HoldState, MilliCredits


@dataclass(slots=True)
class ModelGrant:
    """A grant, and the entries that explain it."""

    id: int
    request: GrantRequest
    version: int
    remaining: int
    held: int = 0
    has_expired: bool = False


@dataclass(slots=True)
class ModelHold:
    """A hold, and which grant bears how much of it."""

    id: int
    request: OpenHold
    version: int
    legs: list[tuple[ModelGrant, int]]
    state: HoldState = HoldState.OPEN
    expires_at: int = 0
    captured: int = 0
    shortfall: int = 0
    ended_version: int = 0


@dataclass(slots=True)
class ModelBooks:
    """One wallet."""

    last_at: int = 0
    version: int = 0
    entries: int = 0
    grants: list[ModelGrant] = field(default_factory=list)
    holds: list[ModelHold] = field(default_factory=list)

    def grant(self, request: GrantRequest, grant_id: int) -> Granted:
        for old in self.grants:
            if (old.request.source, old.request.source_ref) == (
                request.source,
                request.source_ref,
            ):
                return Granted(grant_id=old.id, is_new=False, version=old.version)
        self.last_at = max(self.last_at, request.now)
        self._enter()
        self.grants.append(ModelGrant(grant_id, request, self.version, request.amount))
        return Granted(grant_id=grant_id, is_new=True, version=self.version)

    def open_hold(self, request: OpenHold, hold_id: int) -> HoldAnswer:
        available = self.available(request.plan_ids, request.now)
        for old in self.holds:
            if old.request.key == request.key:
                return self._again(old, request, available)
        if request.amount > available:
            return Insufficient(required=request.amount, available=available, version=self.version)
        live = self._live(request.plan_ids, request.now)
        self.last_at = max(self.last_at, request.now)
        self.version += 1
        left, legs = int(request.amount), []
        for grant in live:
            part = min(left, grant.remaining)
            if part:
                legs.append((grant, part))
                grant.remaining -= part
                grant.held += part
                left -= part
        self.holds.append(
            ModelHold(hold_id, request, self.version, legs, expires_at=request.expires_at)
        )
        return HoldOpened(
            hold_id=hold_id,
            public_id=request.public_id,
            version=self.version,
            available=MilliCredits(available - request.amount),
        )

    def end(
        self, hold: ModelHold, event: HoldEvent, used: int, now: int, plans: tuple[int, ...]
    ) -> HoldEnded:
        wanted = {
            HoldEvent.CAPTURE: HoldState.CAPTURED,
            HoldEvent.RELEASE: HoldState.RELEASED,
        }[event]
        if hold.state is HoldState.OPEN:
            self._close(hold, wanted, used, now)
        elif hold.state is HoldState.EXPIRED:
            hold.shortfall = hold.shortfall or used
        elif hold.state is not wanted or hold.captured + hold.shortfall != used:
            raise HoldClosedError(hold.state, event)
        return HoldEnded(
            public_id=hold.request.public_id,
            state=hold.state,
            captured=MilliCredits(hold.captured),
            shortfall=MilliCredits(hold.shortfall),
            version=hold.ended_version,
            available=self.available(plans, now),
        )

    def renewed(self, hold: ModelHold) -> Renewed:
        return Renewed(is_open=hold.state is HoldState.OPEN, version=self.version)

    def sweep(self, now: int) -> Swept:
        due_holds = [
            hold for hold in self.holds if hold.state is HoldState.OPEN and hold.expires_at <= now
        ]
        for hold in sorted(due_holds, key=lambda hold: (hold.expires_at, hold.id)):
            self._close(hold, HoldState.EXPIRED, 0, now)
        due = [
            grant
            for grant in self.grants
            if not grant.has_expired and grant.request.expires_at <= now
        ]
        for grant in due:
            self.last_at = max(self.last_at, now)
            grant.has_expired = True
            if grant.remaining:
                grant.remaining = 0
                self._enter()
        return Swept(holds=len(due_holds), grants=len(due))

    def available(self, plans: tuple[int, ...], now: int) -> MilliCredits:
        return MilliCredits(sum(grant.remaining for grant in self._live(plans, now)))

    def _live(self, plans: tuple[int, ...], now: int) -> list[ModelGrant]:
        at = max(self.last_at, now)
        live = [
            grant
            for grant in self.grants
            if not grant.has_expired
            and grant.request.plan_id in plans
            and grant.request.effective_at <= at < grant.request.expires_at
        ]
        return sorted(live, key=_turn)

    def _close(self, hold: ModelHold, state: HoldState, used: int, now: int) -> None:
        self.last_at = max(self.last_at, now)
        left = hold.captured = min(used, hold.request.amount)
        hold.shortfall = used - hold.captured
        for grant, amount in sorted(hold.legs, key=lambda leg: _turn(leg[0])):
            charge = min(left, amount)
            left -= charge
            back = amount - charge
            grant.held -= amount
            if charge:
                self._enter()
            if back and grant.has_expired:
                self._enter()
            elif back:
                grant.remaining += back
        if state is HoldState.CAPTURED and not hold.captured:
            self._enter()
        self.version += 1
        hold.state, hold.ended_version = state, self.version

    def _enter(self) -> None:
        self.version += 1
        self.entries += 1

    def _again(self, old: ModelHold, request: OpenHold, available: MilliCredits) -> HoldAnswer:
        if old.request.fingerprint != request.fingerprint:
            return HoldConflict(version=self.version)
        return HoldReplayed(
            hold_id=old.id,
            public_id=old.request.public_id,
            run_id=old.request.run_id,
            state=old.state,
            amount=old.request.amount,
            captured=MilliCredits(old.captured),
            version=old.version,
            available=available,
        )


def _turn(grant: ModelGrant) -> tuple[int, int, int]:
    return grant.request.priority, grant.request.expires_at, grant.id
