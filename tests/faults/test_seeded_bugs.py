"""The ledger is broken on purpose, in one line after another: the machine notices every time."""

import sqlite3

import pytest

from storage.errors import StatementBroke
from tests.databases import Databases
from tests.faulty_ledger import Fault, faulty_books, faulty_functions
from tests.ledger_desk import Desk, opened_desk
from tests.ledger_faults import FOUND_LATE, POSTGRESQL, SQLITE
from tests.ledger_machine import run_examples
from tests.profile import LONG

EXAMPLES = 200
"""It stops at the first thing it notices; so many steps without one are a miss."""
NOTICES = (AssertionError, sqlite3.IntegrityError, StatementBroke)


def is_noticed(desk: Desk, fault: Fault) -> bool:
    try:
        if desk.is_postgresql:
            with faulty_functions(desk, fault):
                run_examples(desk, EXAMPLES)
        else:
            run_examples(desk.using(faulty_books(fault)), EXAMPLES)
    except NOTICES:
        return True
    return False


def test_every_seeded_bug_is_noticed(databases: Databases, database_kind: str) -> None:
    faults: tuple[Fault, ...] = SQLITE if database_kind == "sqlite" else POSTGRESQL
    if database_kind == "postgresql" and not LONG:
        faults = tuple(fault for fault in faults if fault.name not in FOUND_LATE)
    assert len(faults) >= 15
    with databases.fresh(database_kind) as address, opened_desk(address) as desk:
        missed = [fault.name for fault in faults if not is_noticed(desk, fault)]

    print(f"{len(faults) - len(missed)}/{len(faults)} seeded bugs noticed")  # noqa: T201 - shown with -s
    assert not missed


def test_a_bug_that_no_longer_fits_the_source_is_an_error() -> None:
    with pytest.raises(LookupError, match="occurs 0 times"):
        faulty_books(Fault("rotten", "books", "a line that is gone", ""))
