"""The ledger as a few lists in memory: what both databases must agree with.

Slow and plain on purpose, and it shares no code with `storage` but the words: credits are drawn
down one grant after another, a history is a list, what a day came to is summed from it again.
`tests/integration/test_books_machine.py` runs it beside the real ones. It is one module, and
longer than most, because only a whole ledger can be compared with one.
"""

from dataclasses import dataclass, field

from storage.books import (
    GrantAnswer,
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
from storage.books import GrantCredits as GrantRequest
from storage.credits import GrantState, HoldClosedError, HoldEvent, HoldState, MilliCredits
from storage.moments import Micros
from tests.fakes.model_rows import ModelEntry, ModelGrant, ModelHold, ModelRefund

DAY = 24 * 60 * 60 * 1_000_000
ALIVE = ("active", "frozen")


@dataclass(slots=True)
class ModelBooks:
    """One wallet."""

    last_at: int = 0
    version: int = 0
    cap: int | None = None
    operator_cap: int | None = None
    grants: list[ModelGrant] = field(default_factory=list)
    holds: list[ModelHold] = field(default_factory=list)
    entries: list[ModelEntry] = field(default_factory=list)
    refunds: list[ModelRefund] = field(default_factory=list)
    changes: list[tuple[int, str, int | None, int | None]] = field(default_factory=list)
    told: list[tuple[str, dict[str, object], int]] = field(default_factory=list)

    def grant(self, request: GrantRequest, grant_id: int) -> Granted:
        for old in self.grants:
            if (old.source, old.ref) == (request.source, request.source_ref):
                return Granted(grant_id=old.id, is_new=False, version=old.version)
        self._touch(request.now)
        made = ModelGrant(
            id=grant_id,
            plan=request.plan_id,
            priority=request.priority,
            begins=request.effective_at,
            ends=request.expires_at,
            amount=request.amount,
            remaining=request.amount,
            source=request.source,
            ref=request.source_ref,
            version=self.version + 1,
        )
        self.grants.append(made)
        self._enter("grant", request.amount, made)
        return Granted(grant_id=grant_id, is_new=True, version=self.version)

    def open_hold(self, request: OpenHold, hold_id: int) -> HoldAnswer:
        available = self.available(request.plan_ids, request.now)
        for old in self.holds:
            if old.request.key == request.key:
                return self._again(old, request, available)
        if request.amount > available:
            return Insufficient(required=request.amount, available=available, version=self.version)
        at = max(self.last_at, request.now)
        counted = self.spent_on(at // DAY) + self.held()
        caps = (self.operator_cap, self.cap)  # where both are passed, the smaller one is told
        passed = [cap for cap in caps if cap is not None and counted + request.amount > cap]
        if passed and request.amount > 0:
            return OverCap(
                required=request.amount,
                cap=MilliCredits(min(passed)),
                is_operators=self.operator_cap == min(passed),
                spent=MilliCredits(counted),
                resets_at=Micros(at - at % DAY + DAY),
                version=self.version,
            )
        live = self._live(request.plan_ids, request.now)
        self._touch(request.now)
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
            ModelHold(
                hold_id, request, self.version, self.last_at, legs, expires_at=request.expires_at
            )
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
            live = self._live(plans, now)
            before = sum(grant.remaining + grant.held + grant.revoked for grant in live)
            self._close(hold, wanted, used, now)
            before -= sum(grant.revoked for grant in live)  # taken back by the way, and no charge
            if hold.captured:
                self._tell(hold, before, plans)
        elif hold.state is HoldState.EXPIRED:
            hold.shortfall = hold.shortfall or used
        elif hold.state is not wanted or hold.captured + hold.shortfall != used:
            raise HoldClosedError(hold.state, event, version=self.version)
        assert hold.ended_version is not None
        return HoldEnded(
            public_id=hold.request.public_id,
            state=hold.state,
            captured=MilliCredits(hold.captured),
            shortfall=MilliCredits(hold.shortfall),
            version=hold.ended_version,
            available=self.available(plans, now),
        )

    def renew(self, hold: ModelHold, until: int) -> Renewed:
        is_open = hold.state is HoldState.OPEN
        if is_open and until > hold.expires_at:
            hold.expires_at = until
        return Renewed(is_open=is_open, version=self.version)

    def refundable(self, hold_id: int) -> int:
        charges = [entry for entry in self.entries if entry.hold == hold_id]
        numbers = [self.entries.index(charge) + 1 for charge in charges]
        back = sum(entry.amount for entry in self.entries if entry.reverses in numbers)
        return -sum(charge.amount for charge in charges) - back

    def refund(self, request: RefundCharge, refund_id: int) -> RefundAnswer:
        for old in self.refunds:
            if old.request.key == request.key:
                if (old.request.hold_id, old.request.amount) != (request.hold_id, request.amount):
                    return RefundConflict(version=self.version)
                return Refunded(
                    refund_id=old.id, amount=request.amount, is_new=False, version=old.version
                )
        if request.amount > self.refundable(request.hold_id):
            left = MilliCredits(self.refundable(request.hold_id))
            return NotRefundable(refundable=left, version=self.version)
        self._touch(request.now)
        left_over = int(request.amount)
        for number in range(len(self.entries), 0, -1):
            charge = self.entries[number - 1]
            if charge.hold != request.hold_id or charge.grant is None:
                continue
            back = sum(entry.amount for entry in self.entries if entry.reverses == number)
            part = min(-charge.amount - back, left_over)
            if part > 0:
                left_over -= part
                self._grant_again(charge.grant, part, number, f"{request.key}/{number}")
        self.refunds.append(ModelRefund(refund_id, request, self.version))
        return Refunded(
            refund_id=refund_id, amount=request.amount, is_new=True, version=self.version
        )

    def revoke(self, grant: ModelGrant, request: RevokeGrant) -> GrantAnswer:
        wanted = request.target - grant.revoked
        taken = min(grant.remaining, wanted) if wanted > 0 else 0
        still_wanted = min(wanted - taken, grant.held)
        claims = still_wanted > grant.claimed
        ends = request.target >= grant.amount and grant.state in ALIVE
        if taken or claims or ends:
            self._touch(request.now)
        if taken:
            grant.remaining -= taken
            grant.revoked += taken
            self._enter("revoke", -taken, grant)
        if claims:
            grant.claimed = still_wanted
        if ends:
            grant.state = "revoked"
        if claims or ends:
            self._change("revoke", grant.id)
        return self._standing(grant, taken)

    def freeze(self, grant: ModelGrant, now: int) -> GrantAnswer:
        if grant.state == "active":
            self._touch(now)
            grant.state = "frozen"
            self._change("freeze", grant.id)
        return self._standing(grant, 0)

    def unfreeze(self, grant: ModelGrant, now: int) -> GrantAnswer:
        if grant.state == "frozen":
            self._touch(now)
            grant.state = "active"
            self._change("unfreeze", grant.id)
        return self._standing(grant, 0)

    def set_cap(self, cap: int | None, now: int, *, is_operators: bool) -> int:
        if is_operators and cap != self.operator_cap:
            self._touch(now)
            self.operator_cap = cap
            self._change("operator_cap", None, cap)
        elif not is_operators and cap != self.cap:
            self._touch(now)
            self.cap = cap
            self._change("cap", None, cap)
        return self.version

    def sweep(self, now: int) -> Swept:
        due_holds = [
            hold for hold in self.holds if hold.state is HoldState.OPEN and hold.expires_at <= now
        ]
        for hold in sorted(due_holds, key=lambda hold: (hold.expires_at, hold.id)):
            self._close(hold, HoldState.EXPIRED, 0, now)
        due = [grant for grant in self.grants if grant.state == "active" and grant.ends <= now]
        for grant in sorted(due, key=lambda grant: (grant.ends, grant.id)):
            self._touch(now)
            grant.state = "expired"
            if grant.remaining:
                self._enter("expire", -grant.remaining, grant)
                grant.remaining = 0
        return Swept(holds=len(due_holds), grants=len(due))

    def available(self, plans: tuple[int, ...], now: int) -> MilliCredits:
        return MilliCredits(sum(grant.remaining for grant in self._live(plans, now)))

    def held(self) -> int:
        return sum(hold.request.amount for hold in self.holds if hold.state is HoldState.OPEN)

    def spent_on(self, day: int) -> int:
        charges = (entry for entry in self.entries if entry.kind == "charge")
        return -sum(entry.amount for entry in charges if entry.created_at // DAY == day)

    def last_day(self) -> int:
        """The day of the last charge of something; 0 before the first."""
        days = [e.created_at // DAY for e in self.entries if e.kind == "charge" and e.amount]
        return days[-1] if days else 0

    def _live(self, plans: tuple[int, ...], now: int) -> list[ModelGrant]:
        at = max(self.last_at, now)
        live = [
            grant
            for grant in self.grants
            if grant.state == "active" and grant.plan in plans and grant.begins <= at < grant.ends
        ]
        return sorted(live, key=lambda grant: grant.turn)

    def _unspent(self, plans: tuple[int, ...], at: int) -> int:
        return sum(grant.remaining + grant.held for grant in self._live(plans, at))

    def _close(self, hold: ModelHold, state: HoldState, used: int, now: int) -> None:
        self._touch(now)
        left = hold.captured = min(used, hold.request.amount)
        hold.shortfall = used - hold.captured
        for grant, amount in sorted(hold.legs, key=lambda leg: leg[0].turn):
            charge = min(left, amount)
            left -= charge
            back = amount - charge
            grant.held -= amount
            if charge:
                self._enter("charge", -charge, grant, hold=hold.id)
            self._come_back(grant, back)
        if state is HoldState.CAPTURED and not hold.captured:
            self._enter("charge", 0, None, hold=hold.id)
        self.version += 1
        hold.state, hold.ended_at, hold.ended_version = state, self.last_at, self.version

    def _come_back(self, grant: ModelGrant, back: int) -> None:
        """What somebody waits for is theirs first; the rest is spendable, or comes too late."""
        theirs = min(back, grant.claimed)
        rest = back - theirs
        grant.revoked += theirs
        # What was spent will not come back, whoever waits for it.
        grant.claimed = min(grant.claimed - theirs, grant.held)
        if theirs:
            self._enter("revoke", -theirs, grant)
        if rest and grant.state == "expired":
            self._enter("expire", -rest, grant)
        else:
            grant.remaining += rest

    def _tell(self, hold: ModelHold, before: int, plans: tuple[int, ...]) -> None:
        """A threshold that the balance fell through with this charge is told with it."""
        price = hold.request.amount
        left = self._unspent(plans, self.last_at)
        bearing = [grant for grant in self._live(plans, 0) if grant.remaining + grant.held]
        last = max(bearing, key=lambda grant: grant.id).amount if bearing else 0
        is_out, was_out = left < price, before < price
        is_low, was_low = (
            left_at < price * 5 and left_at * 5 < last for left_at in (left, before)
        )
        if is_out and not was_out:
            topic = "balance.exhausted"
        elif is_low and not (was_low or was_out or is_out):
            topic = "balance.low"
        else:
            return
        payload: dict[str, object] = {
            "wallet_id": hold.request.wallet_id,
            "plan_ids": list(plans),
            "left": left,
            "price": price,
            "version": self.version,
        }
        self.told.append((topic, payload, self.last_at))

    def _grant_again(self, old: ModelGrant, amount: int, reverses: int, ref: str) -> None:
        made = ModelGrant(
            id=max(grant.id for grant in self.grants) + 1,
            plan=old.plan,
            priority=old.priority,
            begins=self.last_at,
            ends=max(old.ends, self.last_at + 30 * DAY),
            amount=amount,
            remaining=amount,
            source="refund",
            ref=ref,
            version=self.version + 1,
            origin=old.origin or old,
        )
        self.grants.append(made)
        self._enter("refund", amount, made, reverses=reverses)

    def _enter(
        self,
        kind: str,
        amount: int,
        grant: ModelGrant | None,
        *,
        hold: int | None = None,
        reverses: int | None = None,
    ) -> None:
        self.version += 1
        self.entries.append(
            ModelEntry(self.version, kind, amount, self.last_at, grant, hold, reverses)
        )

    def _change(self, kind: str, grant_id: int | None, amount: int | None = None) -> None:
        self.version += 1
        self.changes.append((self.version, kind, grant_id, amount))

    def _touch(self, now: int) -> None:
        """A history never runs backwards."""
        self.last_at = max(self.last_at, now)

    def _standing(self, grant: ModelGrant, taken: int) -> GrantAnswer:
        return GrantAnswer(
            grant_id=grant.id,
            state=GrantState(grant.state),
            taken=MilliCredits(taken),
            revoked=MilliCredits(grant.revoked),
            version=self.version,
        )

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
