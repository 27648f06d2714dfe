"""Any order of events, on both databases: they agree with a model, and every rule holds always.

Each example is one wallet inside one transaction, rolled back when it ends, so the databases stay
empty and checking every rule after every step stays cheap. The last tests break the ledger on
purpose: a machine that does not notice would prove nothing.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.pool import NullPool
from sqlmodel import Session
from typing_extensions import override

from storage.addresses import driver_url
from storage.books import Books, EndHold, HoldOpened
from storage.books_postgres import PostgresBooks
from storage.books_sqlite import SqliteBooks
from storage.credits import HoldClosedError, HoldEvent, HoldState, MilliCredits
from storage.database import Unit
from storage.invariants import find_violations
from storage.moments import MINUTE, Micros
from tests.builders import add_plan, add_shop, grant_of, hold_of
from tests.databases import Databases
from tests.fakes.clock import ManualClock
from tests.fakes.model_books import ModelBooks, ModelHold

OpenBooks = Callable[[Any], Books]

AMOUNTS = st.integers(1, 12)
STEPS = st.sampled_from([1, 30_000_000, MINUTE, 3 * MINUTE])
COVERED = st.sampled_from([(0, 1), (0, 1), (0,), (1,), ()])
WHICH = st.integers(0, 3)


class LedgerMachine(RuleBasedStateMachine):
    """One subscriber's wallet, two plans, and whatever may happen to them."""

    connection: Connection
    open_books: OpenBooks

    def __init__(self) -> None:
        super().__init__()
        self.transaction = self.connection.begin()
        self.books = self.open_books(self.connection.connection.driver_connection)
        unit = Unit(self.connection, self.books)
        self.session: Session = unit.session
        self.shop = add_shop(unit)
        self.plans = (self.shop.plan, add_plan(unit.session, self.shop.builder_id))
        self.model = ModelBooks()
        self.clock = ManualClock()

    @override
    def teardown(self) -> None:
        self.session.close()
        self.transaction.rollback()

    @initialize(priorities=st.permutations([0, 1, 2]))
    def some_credits(self, priorities: list[int]) -> None:
        for ref, priority in enumerate(priorities):
            self.grant(amount=10, plan=0, ref=-ref, priority=priority, begins=0, lasts=10 * MINUTE)

    @rule(by=STEPS, is_back=st.sampled_from([False, False, True]))
    def time_passes(self, *, by: int, is_back: bool) -> None:
        self.clock.advance(-by if is_back else by)

    @rule(
        amount=AMOUNTS,
        plan=st.integers(0, 1),
        ref=st.integers(0, 9),
        priority=st.integers(0, 1),
        begins=st.sampled_from([0, 0, 0, MINUTE]),
        lasts=st.sampled_from([2 * MINUTE, 10 * MINUTE, 1000 * MINUTE]),
    )
    def grant(
        self, *, amount: int, plan: int, ref: int, priority: int, begins: int, lasts: int
    ) -> None:
        now = self.clock.now()
        request = grant_of(
            self.shop,
            amount,
            plan=self.plans[plan],
            source_ref=str(ref),
            priority=priority,
            effective_at=now + begins,
            expires_at=now + begins + lasts,
            now=now,
        )
        granted = self.books.grant(request)
        assert granted == self.model.grant(request, granted.grant_id)

    @rule(
        amount=st.integers(0, 15),
        covered=COVERED,
        lasts=st.sampled_from([1, MINUTE, 10 * MINUTE]),
    )
    def open_hold(self, *, amount: int, covered: tuple[int, ...], lasts: int) -> None:
        self.open_with(str(len(self.model.holds)), amount=amount, covered=covered, lasts=lasts)

    @precondition(lambda self: self.model.holds)
    @rule(which=WHICH, amount=st.integers(0, 15), is_other=st.booleans())
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
    ) -> None:
        now = self.clock.now()
        request = hold_of(
            self.shop,
            amount,
            key=key,
            fingerprint=bytes([is_other]) * 16,
            plan_ids=tuple(self.plans[number].plan_id for number in covered),
            now=now,
            expires_at=now + lasts,
        )
        answer = self.books.open_hold(request)
        hold_id = answer.hold_id if isinstance(answer, HoldOpened) else 0
        assert answer == self.model.open_hold(request, hold_id)

    @precondition(lambda self: self.model.holds)
    @rule(which=WHICH, used=st.integers(0, 25))
    def capture(self, which: int, used: int) -> None:
        end = self.end_of(self.hold(which))
        self.same_end(
            which, HoldEvent.CAPTURE, used, lambda: self.books.capture(end, MilliCredits(used))
        )

    @rule(amount=st.integers(0, 15), used=st.integers(0, 15))
    def message(self, amount: int, used: int) -> None:
        """A hold and its capture, one after the other, as most of them are."""
        self.open_hold(amount=amount, covered=(0, 1), lasts=MINUTE)
        if self.model.holds:
            self.capture(0, used)

    @precondition(lambda self: self.expired())
    @rule(used=st.integers(0, 25))
    def capture_too_late(self, used: int) -> None:
        self.capture(self.expired()[0], used)

    @precondition(lambda self: self.model.holds)
    @rule(which=WHICH)
    def release(self, which: int) -> None:
        end = self.end_of(self.hold(which))
        self.same_end(which, HoldEvent.RELEASE, 0, lambda: self.books.release(end))

    @precondition(lambda self: self.model.holds)
    @rule(which=WHICH, by=st.sampled_from([-MINUTE, 1, 3 * MINUTE]))
    def renew(self, which: int, by: int) -> None:
        hold = self.hold(which)
        until = Micros(self.clock.now() + by)
        renewed = self.books.renew(
            wallet_id=self.shop.wallet_id, hold_id=hold.id, expires_at=until
        )
        assert renewed == self.model.renewed(hold)
        if renewed.is_open:
            hold.expires_at = max(hold.expires_at, until)

    @rule(after=st.sampled_from([0, 1, 2 * MINUTE]))
    def sweep(self, after: int) -> None:
        self.clock.advance(after)
        assert self.books.sweep(self.clock.now()) == self.model.sweep(self.clock.now())

    @invariant()
    def every_rule_holds(self) -> None:
        assert find_violations(self.session, Micros(0)) == ()

    @invariant()
    def the_database_says_what_the_model_says(self) -> None:
        wallet = self.session.execute(text("SELECT seq, version FROM wallet")).one()
        grants = self.session.execute(
            text("SELECT id, remaining, held, state = 'expired' FROM credit_grant ORDER BY id")
        )
        holds = self.session.execute(
            text("SELECT id, state, captured, shortfall, expires_at FROM hold ORDER BY id")
        )
        assert tuple(wallet) == (self.model.entries, self.model.version)
        assert [tuple(hold) for hold in holds] == [
            (hold.id, hold.state, hold.captured, hold.shortfall, hold.expires_at)
            for hold in self.model.holds
        ]
        assert [tuple(grant) for grant in grants] == [
            (grant.id, grant.remaining, grant.held, grant.has_expired)
            for grant in self.model.grants
        ]

    @invariant()
    def both_count_the_same_as_spendable(self) -> None:
        plans, now = tuple(plan.plan_id for plan in self.plans), self.clock.now()
        for some in (plans, plans[:1], ()):
            counted = self.books.available(self.shop.wallet_id, some, now)
            assert counted == self.model.available(some, now)

    def expired(self) -> list[int]:
        """How far back the holds are that have expired."""
        return [
            back
            for back, hold in enumerate(reversed(self.model.holds))
            if hold.state is HoldState.EXPIRED
        ]

    def hold(self, which: int) -> ModelHold:
        """One of the latest few, so that most are still open."""
        return self.model.holds[-1 - which % len(self.model.holds)]

    def end_of(self, hold: ModelHold) -> EndHold:
        return EndHold(
            wallet_id=self.shop.wallet_id,
            hold_id=hold.id,
            plan_ids=(self.plans[0].plan_id,),
            now=self.clock.now(),
        )

    def same_end(self, which: int, event: HoldEvent, used: int, end: Callable[[], object]) -> None:
        def outcome(work: Callable[[], object]) -> object:
            try:
                return work()
            except HoldClosedError as error:
                return str(error)

        hold, plans = self.hold(which), (self.plans[0].plan_id,)
        assert outcome(end) == outcome(
            lambda: self.model.end(hold, event, used, self.clock.now(), plans)
        )


@contextmanager
def connected(address: str) -> Iterator[Connection]:
    """A connection on which transactions begin and end as they are told to."""
    engine = create_engine(driver_url(address), poolclass=NullPool)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def _plain(connection: Any, _record: object) -> None:
            connection.isolation_level = None

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    with engine.connect() as connection:
        yield connection
    engine.dispose()


def run(connection: Connection, open_books: OpenBooks, *, examples: int = 60) -> None:
    machine = type(
        "Machine",
        (LedgerMachine,),
        {"connection": connection, "open_books": staticmethod(open_books)},
    )
    run_machine(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,  # the same in every run: a red build can be looked into
            database=None,
            report_multiple_bugs=False,
            phases=[Phase.generate],  # what is found can be shrunk at a desk
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_any_order_of_events_agrees_with_the_model(
    databases: Databases, database_kind: str
) -> None:
    books: OpenBooks = SqliteBooks if database_kind == "sqlite" else PostgresBooks
    with databases.fresh(database_kind) as address, connected(address) as connection:
        run(connection, books)


class Altered:
    """A connection that runs one statement a little wrong."""

    def __init__(self, connection: Any, right: str, wrong: str) -> None:
        self._connection, self._right, self._wrong = connection, right, wrong

    def execute(self, statement: str, values: tuple[object, ...]) -> Any:
        return self._connection.execute(statement.replace(self._right, self._wrong), values)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        pytest.param("remaining = remaining + ?", "remaining = remaining + 0 * ?", id="rest lost"),
        pytest.param("SET held = held - ?", "SET held = held - 0 * ?", id="leaked hold"),
        pytest.param("AND expires_at > ?", "AND expires_at > 0 * ?", id="expired grant spent"),
        pytest.param("effective_at <= ?", "? > 0", id="scheduled grant spent"),
        pytest.param("plan_id IN (SELECT value FROM json_each(?))", "? <> ''", id="any plan pays"),
        pytest.param("AND idempotency_key = ?", "AND 0 = ?", id="granted twice, held twice"),
        pytest.param(
            "WHERE state = 'open' AND expires_at <= ?",
            "WHERE state = 'open' AND expires_at - 60000000 <= ?",
            id="swept early",
        ),
        pytest.param("ORDER BY g.priority, g.expires_at, g.id", "ORDER BY g.id DESC", id="order"),
        pytest.param("max(expires_at, ?)", "?", id="deadline moved to earlier"),
        pytest.param("AND shortfall = 0", "", id="loss recorded twice"),
        pytest.param("remaining = 0, state = 'expired'", "remaining = 0", id="expiry forgotten"),
        pytest.param("SET credits = ?, debits = ?", "SET credits = ?, debits = 0 * ?", id="free"),
        pytest.param("last_at = ?", "last_at = 0 * ?", id="history reordered"),
    ],
)
def test_the_machine_notices_a_broken_ledger(databases: Databases, right: str, wrong: str) -> None:
    def altered(connection: Any) -> Books:
        proxy: Any = Altered(connection, right, wrong)
        return SqliteBooks(proxy)

    with (
        databases.fresh("sqlite") as address,
        connected(address) as connection,
        pytest.raises((AssertionError, sqlite3.IntegrityError)),
    ):
        run(connection, altered, examples=600)  # it stops at the first thing it notices
