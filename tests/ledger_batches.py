"""The ledger machine on PostgreSQL, its hot verbs sent as `storage.teller_postgres` sends them.

A hold, capture or release goes by itself or, as chance has it, as a batch of one; and there is
one step more, in which several of them go in one call. The lane that carries them in the product
is not here: the machine's wallet must stay in a transaction that is rolled back.
"""

from collections.abc import Sequence
from random import Random
from typing import Any, Final, TypeAlias

import psycopg
from hypothesis import strategies as st
from hypothesis.stateful import rule
from typing_extensions import override

from storage.batches import Done
from storage.books import EndHold, HoldAnswer, HoldEnded, HoldOpened, OpenHold
from storage.books_postgres import PostgresBooks
from storage.credits import HoldEvent, MilliCredits
from storage.moments import MINUTE
from storage.teller_postgres import Ending, answer_of, end_item, hold_item
from tests.builders import hold_of
from tests.fakes.model_rows import ModelHold
from tests.ledger_machine import PRICES, WHICH, LedgerMachine, _outcome

Item: TypeAlias = tuple[int, int, str]
"""Which hold, how much, and what is to become of it."""
ITEMS: Final = st.lists(
    st.tuples(WHICH, PRICES, st.sampled_from(["open", "open", "again", "capture", "release"])),
    min_size=2,
    max_size=6,
)


class BatchedBooks(PostgresBooks):
    """PostgreSQL's books; every other hot verb or so travels as an item of a batch."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        super().__init__(connection)
        self._driver = connection
        self._chance = Random(0)

    @override
    def open_hold(self, request: OpenHold) -> HoldAnswer:
        if self._chance.random() < 0.5:
            return super().open_hold(request)
        answer: HoldAnswer = result(*self.together([request]))
        return answer

    @override
    def _end(self, request: EndHold, event: HoldEvent, used: MilliCredits) -> HoldEnded:
        if self._chance.random() < 0.5:
            return super()._end(request, event, used)
        ended: HoldEnded = result(*self.together([Ending(request, event, used)]))
        return ended

    def together(self, verbs: Sequence[OpenHold | Ending]) -> list[Done]:
        """All in one call, in this order."""
        items = [
            hold_item(verb) if isinstance(verb, OpenHold) else end_item(verb) for verb in verbs
        ]
        rows = self._driver.execute(
            "SELECT * FROM ledger_batch(%s::text[])", (items,), prepare=True
        ).fetchall()
        answers = {row[0]: row[1:] for row in rows}
        return [answer_of(verb, answers.get(at)) for at, verb in enumerate(verbs, start=1)]


class BatchedMachine(LedgerMachine):
    """The machine, for a desk with `BatchedBooks`."""

    @rule(items=ITEMS, lasts=st.sampled_from([1, MINUTE, MINUTE]))
    def many_at_once(self, *, items: list[Item], lasts: int) -> None:
        """Answered as if they had come one after the other."""
        assert isinstance(self.books, BatchedBooks)
        verbs: list[tuple[OpenHold | Ending, ModelHold | None]] = []
        for which, amount, fate in items:
            hold = self.hold(which) if self.model.holds else None
            if fate == "open" or hold is None:
                verbs.append((self._opening(amount, lasts), None))
            elif fate == "again":
                opened = [verb for verb, _ in verbs if isinstance(verb, OpenHold)]
                verbs.append((opened[-1] if opened else self._opening(amount, lasts), None))
            else:
                verbs.append((self._ending(hold, amount, fate), hold))
        dones = self.books.together([verb for verb, _ in verbs])
        for (verb, hold), done in zip(verbs, dones, strict=True):
            self._same(verb, hold, done)

    def _opening(self, amount: int, lasts: int) -> OpenHold:
        now = self.clock.now()
        key = f"key-{next(self.numbers)}"
        return hold_of(
            self.shop,
            amount,
            key=key,
            plan_ids=self.plan_ids,
            now=now,
            expires_at=now + lasts,
            run_id=key,
        )

    def _ending(self, hold: ModelHold, amount: int, fate: str) -> Ending:
        end = EndHold(
            wallet_id=self.shop.wallet_id,
            hold_id=hold.id,
            plan_ids=self.plan_ids,
            now=self.clock.now(),
        )
        used = amount if fate == "capture" else 0
        return Ending(end, HoldEvent(fate), MilliCredits(used))

    def _same(self, verb: OpenHold | Ending, hold: ModelHold | None, done: Done) -> None:
        """What one verb was answered, beside what the model answers when its turn comes."""
        if isinstance(verb, OpenHold):
            hold_id = done.result.hold_id if isinstance(done.result, HoldOpened) else 0
            assert done == Done(self.model.open_hold(verb, hold_id))
            return
        assert hold is not None, "only a hold that is known is ended"
        end, event, used = verb.request, verb.event, verb.used
        assert _outcome(lambda: result(done)) == _outcome(
            lambda: self.model.end(hold, event, used, end.now, end.plan_ids)
        )


def result(done: Done) -> Any:
    """What a verb was answered.

    Raises:
        Exception: it was refused.
    """
    if done.error is not None:
        raise done.error
    return done.result
