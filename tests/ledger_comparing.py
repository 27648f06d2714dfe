"""One wallet's books beside the model of them, compared after every step.

Both must say the same of everything: the wallet, each grant, hold, entry, refund and numbered
change, what was told through the outbox, what may be spent; and every rule must hold.
"""

import itertools
from collections.abc import Iterator

from hypothesis.stateful import RuleBasedStateMachine, invariant
from typing_extensions import override

from tests.fakes.clock import ManualClock
from tests.fakes.model_books import ModelBooks
from tests.fakes.model_rows import ModelGrant, ModelHold
from tests.ledger_desk import CHANGES, ENTRIES, GRANTS, HOLDS, REFUNDS, WALLET, ChainCheck, Desk


class ComparedBooks(RuleBasedStateMachine):
    """What is true after every step, whatever the steps are."""

    desk: Desk
    steps: Iterator[int]

    def __init__(self) -> None:
        super().__init__()
        self.books = self.desk.begin()
        self.shop = self.desk.shop
        self.plan_ids = tuple(plan.plan_id for plan in self.desk.plans)
        self.model = ModelBooks()
        self.chain = ChainCheck()
        self.clock = ManualClock()
        self.numbers = itertools.count()

    @override
    def teardown(self) -> None:
        self.desk.rollback()

    @invariant()
    def every_rule_holds(self) -> None:
        broken = self.desk.broken_rules()
        assert not broken
        next(self.steps)

    @invariant()
    def the_database_says_what_the_model_says(self) -> None:
        model = self.model
        [(*wallet, head)] = self.desk.rows(WALLET)
        day = model.last_day()
        assert wallet == [
            *(len(model.entries), model.version, model.held(), model.last_at),
            *(day, model.spent_on(day), model.cap, model.operator_cap),
        ]
        assert self.desk.rows(GRANTS) == [_grant_row(grant) for grant in model.grants]
        assert self.desk.rows(HOLDS) == [_hold_row(hold) for hold in model.holds]
        entries = self.desk.rows(ENTRIES)
        self.chain.follow(entries, head)
        assert [_seen(entry) for entry in entries] == [
            (
                *(entry.version, entry.kind, entry.amount, _id(entry.grant), entry.hold),
                *(entry.reverses, entry.created_at),
            )
            for entry in model.entries
        ]

    @invariant()
    def what_was_written_beside_the_entries_is_what_the_model_says(self) -> None:
        assert [row[:-1] for row in self.desk.rows(REFUNDS)] == [
            (made.id, made.request.hold_id, made.request.key, made.request.amount, made.version)
            for made in self.model.refunds
        ]
        assert self.desk.rows(CHANGES) == self.model.changes
        assert self.desk.outbox() == self.model.told

    @invariant()
    def both_count_the_same_as_spendable(self) -> None:
        now = self.clock.now()
        for some in (self.plan_ids, self.plan_ids[:1]):
            counted = self.books.available(self.shop.wallet_id, some, now)
            assert counted == self.model.available(some, now)


def _id(grant: ModelGrant | None) -> int | None:
    return None if grant is None else grant.id


def _grant_row(grant: ModelGrant) -> tuple[object, ...]:
    return (
        *(grant.id, grant.plan, grant.priority, grant.begins, grant.ends, grant.amount),
        *(grant.remaining, grant.held, grant.revoked, grant.claimed, grant.state),
        *(grant.source, grant.ref, _id(grant.origin)),
    )


def _hold_row(hold: ModelHold) -> tuple[object, ...]:
    return (
        *(hold.id, hold.state, hold.request.amount, hold.captured, hold.shortfall),
        *(hold.created_at, hold.expires_at, hold.ended_at, hold.version, hold.ended_version),
    )


def _seen(entry: tuple[object, ...]) -> tuple[object, ...]:
    """What the model knows of an entry."""
    _, _, version, kind, amount, _, grant_id, hold_id, reverses, _, created_at, _ = entry
    return version, kind, amount, grant_id, hold_id, reverses, created_at
