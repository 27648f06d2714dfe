"""Any order of events in one wallet, beside a model of it.

Every answer must be the model's, and after every step so must the database
(`tests.ledger_comparing`).
"""

import itertools
from collections.abc import Callable

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from storage.books import EndHold, HoldOpened, RefundCharge, Refunded, RevokeGrant
from storage.credits import HoldClosedError, HoldEvent, HoldState, MilliCredits
from storage.models.money import GrantSource
from storage.moments import DAY, HOUR, MINUTE, SECOND, Micros
from tests.builders import grant_of, hold_of
from tests.fakes.model_rows import ModelGrant, ModelHold
from tests.ledger_comparing import ComparedBooks
from tests.ledger_desk import Desk

STEPS_PER_EXAMPLE = 40

AMOUNTS = st.one_of(st.integers(1, 12), st.sampled_from([25, 60, 200]))
PRICES = st.one_of(st.integers(0, 15), st.sampled_from([1, 3, 5]))
USED = st.one_of(st.none(), st.integers(0, 6), st.integers(0, 25))
"""None is the whole price."""
STEPS = st.sampled_from([1, 30 * SECOND, MINUTE, MINUTE, 3 * MINUTE, 9 * HOUR, DAY, 31 * DAY])
COVERED = st.sampled_from([(0, 1), (0, 1), (0, 1), (0,), (1,), ()])
LASTS = st.sampled_from([1, MINUTE, MINUTE, 10 * MINUTE, 2 * DAY])
WHICH = st.integers(0, 3)


class LedgerMachine(ComparedBooks):
    """One subscriber's wallet, two plans, and whatever may happen to them."""

    @initialize(priorities=st.permutations([0, 1, 2]))
    def some_credits(self, priorities: list[int]) -> None:
        for ref, priority in enumerate(priorities):
            amount, lasts = ((10, 10 * MINUTE), (25, 2 * DAY), (200, 90 * DAY))[ref]
            self.grant(amount=amount, plan=ref % 2, ref=-ref, priority=priority, lasts=lasts)

    @rule(by=STEPS, is_back=st.sampled_from([False, False, True]))
    def time_passes(self, *, by: int, is_back: bool) -> None:
        self.clock.advance(-by if is_back else by)

    @rule(
        amount=AMOUNTS,
        plan=st.integers(0, 1),
        ref=st.integers(0, 9),
        priority=st.integers(0, 1),
        begins=st.sampled_from([0, 0, 0, MINUTE, -MINUTE]),
        lasts=st.sampled_from([2 * MINUTE, 10 * MINUTE, 2 * DAY, 90 * DAY, 90 * DAY]),
    )
    def grant(
        self, *, amount: int, plan: int, ref: int, priority: int, lasts: int, begins: int = 0
    ) -> None:
        now = self.clock.now()
        request = grant_of(
            self.shop,
            amount,
            plan=self.desk.plans[plan],
            source=GrantSource.ORDER if ref % 3 else GrantSource.VOUCHER,
            source_ref=str(ref),
            priority=priority,
            effective_at=now + begins,
            expires_at=now + begins + lasts,
            now=now,
        )
        granted = self.books.grant(request)
        assert granted == self.model.grant(request, granted.grant_id)

    @rule(
        amount=AMOUNTS, plan=st.integers(0, 1), priority=st.integers(0, 1), is_first=st.booleans()
    )
    def top_up(self, *, amount: int, plan: int, priority: int, is_first: bool) -> None:
        """Credits that are there for a while, as most are, and nothing in the way of them."""
        ref = 10 + next(self.numbers)
        self.grant(
            amount=60 + amount, plan=plan, ref=ref, priority=priority - is_first, lasts=90 * DAY
        )
        self.set_cap(None)
        self.set_cap(None, is_operators=True)

    @rule(
        some=st.lists(st.tuples(PRICES, LASTS), min_size=1, max_size=3),
        covered=COVERED,
        then=st.sampled_from(["nothing", "nothing", "sweep", "sweep", "renew"]),
    )
    def open_holds(
        self, *, some: list[tuple[int, int]], covered: tuple[int, ...], then: str
    ) -> None:
        for amount, lasts in some:
            self.open_hold(amount=amount, covered=covered, lasts=lasts)
        if then == "sweep":
            self.sweep(1)
        elif then == "renew" and self.model.holds:
            self.renew(1, -MINUTE)

    def open_hold(
        self, *, amount: int, covered: tuple[int, ...] = (0, 1), lasts: int = MINUTE
    ) -> ModelHold | None:
        key = f"key-{next(self.numbers)}"
        return self.open_with(key, amount=amount, covered=covered, lasts=lasts)

    @precondition(lambda self: self.model.holds)
    @rule(which=WHICH, amount=PRICES, is_other=st.booleans())
    def open_again(self, *, which: int, amount: int, is_other: bool) -> None:
        """A price that changed between two tries does not make a retry something else."""
        key = self.hold(which).request.key
        self.open_with(key, amount=amount, is_other=is_other)

    def open_with(
        self,
        key: str,
        *,
        amount: int,
        is_other: bool = False,
        covered: tuple[int, ...] = (0, 1),
        lasts: int = MINUTE,
    ) -> ModelHold | None:
        now = self.clock.now()
        request = hold_of(
            self.shop,
            amount,
            key=key,
            fingerprint=bytes([is_other]) * 16,
            plan_ids=tuple(self.plan_ids[number] for number in covered),
            now=now,
            expires_at=now + lasts,
            run_id=key,
        )
        answer = self.books.open_hold(request)
        hold_id = answer.hold_id if isinstance(answer, HoldOpened) else 0
        assert answer == self.model.open_hold(request, hold_id)
        return self.model.holds[-1] if hold_id else None

    @precondition(lambda self: self.model.holds)
    @rule(which=WHICH, used=USED, covered=COVERED)
    def capture(self, *, which: int, used: int | None, covered: tuple[int, ...]) -> None:
        self.captured(self.hold(which), used, covered)

    @rule(
        amount=PRICES,
        used=USED,
        covered=st.sampled_from([(0, 1), (0, 1), (0,)]),
        times=st.integers(1, 6),
    )
    def messages(
        self, *, amount: int, used: int | None, covered: tuple[int, ...], times: int
    ) -> None:
        """Holds and their captures, one after the other, as most of them are."""
        for _ in range(times):
            hold = self.open_hold(amount=amount, covered=covered)
            if hold is not None:
                self.captured(hold, used, covered)

    @rule(price=st.integers(1, 5), spare=st.integers(0, 9), times=st.integers(1, 3), used=USED)
    def nearly_all_goes(self, *, price: int, spare: int, times: int, used: int | None) -> None:
        """One long answer, then a few messages on what is left of the balance."""
        left = self.model.available(self.plan_ids, self.clock.now()) - 5 * price - spare
        self.messages(amount=max(left, 0), used=None, covered=(0, 1), times=1)
        self.messages(amount=price, used=used, covered=(0, 1), times=times)

    @precondition(lambda self: self.expired())
    @rule(used=st.integers(0, 25))
    def capture_too_late(self, used: int) -> None:
        self.captured(self.expired()[-1], used)

    @precondition(lambda self: self.model.holds)
    @rule(which=WHICH)
    def release(self, which: int) -> None:
        hold = self.hold(which)
        self.same_end(hold, HoldEvent.RELEASE, 0, self.plan_ids)

    @precondition(lambda self: self.model.holds)
    @rule(which=WHICH, by=st.sampled_from([-MINUTE, 1, 3 * MINUTE]))
    def renew(self, which: int, by: int) -> None:
        hold, until = self.hold(which), Micros(self.clock.now() + by)
        renewed = self.books.renew(
            wallet_id=self.shop.wallet_id, hold_id=hold.id, expires_at=until
        )
        assert renewed == self.model.renew(hold, until)

    @precondition(lambda self: self.charged())
    @rule(which=WHICH, amount=st.one_of(st.none(), st.integers(1, 12)))
    def refund(self, which: int, amount: int | None) -> None:
        """None is all that is left of the charge, and one more when nothing is."""
        hold = self.charged()[-1 - which % len(self.charged())]
        self.refunded(
            f"refund-{next(self.numbers)}", hold.id, amount or self.model.refundable(hold.id) or 1
        )

    @rule()
    def spent_and_refunded_twice(self) -> None:
        """All of it, so that what was given back is spent and given back too."""
        for _ in range(2):
            left = self.model.available(self.plan_ids, self.clock.now())
            hold = self.open_hold(amount=left)
            if hold is None or not left:
                return
            self.captured(hold, None)
            self.refunded(f"refund-{next(self.numbers)}", hold.id, left)

    @precondition(lambda self: self.model.refunds)
    @rule(
        which=WHICH, more=st.sampled_from([0, 1]), is_other=st.sampled_from([False, False, True])
    )
    def refund_again(self, *, which: int, more: int, is_other: bool) -> None:
        old = self.model.refunds[-1 - which % len(self.model.refunds)].request
        hold_id = self.hold(which).id if is_other else old.hold_id
        self.refunded(old.key, hold_id, old.amount + more)

    @rule(
        which=st.integers(0, 9),
        amount=st.one_of(st.none(), st.integers(0, 12)),
        times=st.integers(1, 2),
    )
    def revokes(self, *, which: int, amount: int | None, times: int) -> None:
        """Told the same target twice it is reached once."""
        grant = self.granted(which)
        for _ in range(times):
            self.revoke(grant, amount)

    def revoke(self, grant: ModelGrant, amount: int | None) -> None:
        """None is the whole amount."""
        request = RevokeGrant(
            wallet_id=self.shop.wallet_id,
            grant_id=grant.id,
            target=MilliCredits(grant.amount if amount is None else amount),
            now=self.clock.now(),
        )
        assert self.books.revoke(request) == self.model.revoke(grant, request)

    @rule(which=st.integers(0, 9), is_meant=st.sampled_from([False, False, True]))
    def disputes(self, *, which: int, is_meant: bool) -> None:
        if is_meant:
            self.freeze(self.granted(which))

    def freeze(self, grant: ModelGrant) -> None:
        now = self.clock.now()
        frozen = self.books.freeze(wallet_id=self.shop.wallet_id, grant_id=grant.id, now=now)
        assert frozen == self.model.freeze(grant, now)

    @rule(which=st.integers(0, 9), is_any=st.booleans())
    def unfreeze(self, *, which: int, is_any: bool) -> None:
        frozen = [grant for grant in self.model.grants if grant.state == "frozen"]
        grant = self.granted(which) if is_any or not frozen else frozen[-1]
        now = self.clock.now()
        thawed = self.books.unfreeze(wallet_id=self.shop.wallet_id, grant_id=grant.id, now=now)
        assert thawed == self.model.unfreeze(grant, now)

    @precondition(lambda self: any(grant.state == "frozen" for grant in self.model.grants))
    @rule()
    def frozen_past_its_time(self) -> None:
        frozen = next(grant for grant in self.model.grants if grant.state == "frozen")
        self.clock.advance(max(0, frozen.ends - self.clock.now()))
        self.sweep(0)

    @rule(
        amount=st.integers(1, 15),
        event=st.sampled_from(["end", "revoke", "revoke", "freeze", "nothing"]),
        used=USED,
        is_released=st.booleans(),
    )
    def held_while(self, *, amount: int, event: str, used: int | None, is_released: bool) -> None:
        """Something happens to a grant while part of it is held."""
        hold = self.open_hold(amount=amount, lasts=2 * DAY)
        if hold is None or not hold.legs:
            return
        grant = hold.legs[-1][0]
        match event:
            case "end":
                self.clock.advance(max(0, grant.ends - self.clock.now()))
                self.sweep(0)
            case "revoke":
                self.revoke(grant, None)
            case "freeze":
                self.freeze(grant)
        if is_released:
            self.same_end(hold, HoldEvent.RELEASE, 0, self.plan_ids)
        else:
            self.captured(hold, used)

    @rule(
        amounts=st.tuples(st.integers(1, 15), st.integers(1, 15)),
        part=st.integers(1, 20),
        less=st.integers(0, 20),
        used=USED,
        ends_first=st.booleans(),
        is_released=st.booleans(),
    )
    def taken_of_what_is_held(
        self,
        *,
        amounts: tuple[int, int],
        part: int,
        less: int,
        used: int | None,
        ends_first: bool,
        is_released: bool,
    ) -> None:
        """More is taken back of a grant than remains of it, and then what held it ends."""
        opened = [self.open_hold(amount=amount, lasts=100 * DAY) for amount in amounts]
        holds = [hold for hold in opened if hold is not None]
        if not holds:
            return
        grant = holds[0].legs[-1][0]
        target = grant.revoked + grant.remaining + part
        self.revoke(grant, target)
        self.revoke(grant, max(0, target - less))
        if ends_first:
            self.clock.advance(max(0, grant.ends - self.clock.now()))
            self.sweep(0)
        for hold in holds:
            if is_released:
                self.same_end(hold, HoldEvent.RELEASE, 0, self.plan_ids)
            else:
                self.captured(hold, used)

    @rule(cap=st.sampled_from([None, None, 0, 5, 20, 60, 200]), is_operators=st.booleans())
    def set_cap(self, cap: int | None, *, is_operators: bool = False) -> None:
        now = self.clock.now()
        limit = None if cap is None else MilliCredits(cap)
        version = self.books.set_cap(
            wallet_id=self.shop.wallet_id, cap=limit, now=now, is_operators=is_operators
        )
        assert version == self.model.set_cap(cap, now, is_operators=is_operators)

    @rule(after=st.sampled_from([0, 1, 2 * MINUTE]))
    def sweep(self, after: int) -> None:
        now = self.clock.advance(after)
        assert self.books.sweep(now) == self.model.sweep(now)

    def refunded(self, key: str, hold_id: int, amount: int) -> None:
        request = RefundCharge(
            wallet_id=self.shop.wallet_id,
            hold_id=hold_id,
            key=key,
            amount=MilliCredits(amount),
            now=self.clock.now(),
        )
        answer = self.books.refund(request)
        refund_id = answer.refund_id if isinstance(answer, Refunded) else 0
        assert answer == self.model.refund(request, refund_id)

    def captured(
        self, hold: ModelHold, used: int | None, covered: tuple[int, ...] = (0, 1)
    ) -> None:
        plan_ids = tuple(self.plan_ids[number] for number in covered)
        amount = hold.request.amount if used is None else used
        self.same_end(hold, HoldEvent.CAPTURE, amount, plan_ids)

    def same_end(
        self, hold: ModelHold, event: HoldEvent, used: int, plan_ids: tuple[int, ...]
    ) -> None:
        now = self.clock.now()
        end = EndHold(wallet_id=self.shop.wallet_id, hold_id=hold.id, plan_ids=plan_ids, now=now)
        answer = _outcome(
            lambda: (
                self.books.capture(end, MilliCredits(used))
                if event is HoldEvent.CAPTURE
                else self.books.release(end)
            )
        )
        assert answer == _outcome(lambda: self.model.end(hold, event, used, now, plan_ids))

    def hold(self, which: int) -> ModelHold:
        """One of the latest, mostly one that is still open."""
        still_open = [hold for hold in self.model.holds if hold.state is HoldState.OPEN]
        some = still_open if still_open and which else self.model.holds
        return some[-1 - which % len(some)]

    def granted(self, which: int) -> ModelGrant:
        """One of all, mostly one that has something left."""
        unspent = [grant for grant in self.model.grants if grant.remaining]
        some = unspent if unspent and which % 3 else self.model.grants
        return some[which % len(some)]

    def expired(self) -> list[ModelHold]:
        return [hold for hold in self.model.holds if hold.state is HoldState.EXPIRED]

    def charged(self) -> list[ModelHold]:
        return [hold for hold in self.model.holds if hold.captured]


def _outcome(work: Callable[[], object]) -> object:
    try:
        return work()
    except HoldClosedError as error:
        return str(error), error.version


def run_examples(desk: Desk, examples: int, kind: type[LedgerMachine] = LedgerMachine) -> int:
    """Run the machine, the same examples in every run. Returns how many steps were checked."""
    steps = itertools.count()
    machine = type("Machine", (kind,), {"desk": desk, "steps": steps})
    run_machine(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS_PER_EXAMPLE,
            deadline=None,
            derandomize=True,  # a red build can be looked into
            database=None,
            report_multiple_bugs=False,
            phases=[Phase.generate],  # what is found can be shrunk at a desk
            suppress_health_check=list(HealthCheck),
        ),
    )
    return next(steps)
