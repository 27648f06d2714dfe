"""Any order of events, on both databases: they agree with a model, and every rule holds always."""

import time

from tests.databases import Databases
from tests.ledger_batches import BatchedBooks, BatchedMachine
from tests.ledger_desk import opened_desk
from tests.ledger_machine import LedgerMachine, run_examples
from tests.profile import LONG

EXAMPLES = 3_000 if LONG else 160
STEPS_AT_LEAST = 100_000 if LONG else 5_000


def test_any_order_of_events_agrees_with_the_model(
    databases: Databases, database_kind: str
) -> None:
    is_batched = database_kind == "postgresql"
    books, machine = (BatchedBooks, BatchedMachine) if is_batched else (None, LedgerMachine)
    with databases.fresh(database_kind) as address, opened_desk(address, books) as desk:
        begun = time.perf_counter()
        steps = run_examples(desk, EXAMPLES, machine)

    print(f"{steps} steps, {steps / (time.perf_counter() - begun):.0f} a second")  # noqa: T201 - shown with -s
    assert steps >= STEPS_AT_LEAST
