"""Nobody but the ledger's books changes a balance: every module is read, and each rule bites."""

import ast
from pathlib import Path
from textwrap import dedent

import pytest

from tests.architecture.ledger_writes import CLASSES, found_in_storage, found_outside_storage

ROOT = Path(__file__).parents[2]
OUTSIDE = sorted(
    path for package in ("farebox", "host", "chat_ui") for path in (ROOT / package).rglob("*.py")
)
BOOKS = [
    ROOT / "storage" / name
    for name in (
        "books_sqlite.py",
        "corrections_sqlite.py",
        "wallet_sqlite.py",
        "books_postgres.py",
        "teller_postgres.py",
    )
]
STORAGE = sorted(
    path
    for path in (ROOT / "storage").rglob("*.py")
    if path not in BOOKS and "migrations" not in path.parts
)


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def test_no_code_outside_the_storage_touches_a_balance() -> None:
    found = {str(path.relative_to(ROOT)): found_outside_storage(parsed(path)) for path in OUTSIDE}
    assert len(found) > 100
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_in_the_storage_only_the_books_write_the_ledger() -> None:
    found = {str(path.relative_to(ROOT)): found_in_storage(parsed(path)) for path in STORAGE}
    assert len(found) > 30
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_the_books_themselves_would_be_found() -> None:
    assert all(found_in_storage(parsed(path)) for path in BOOKS)


def test_every_class_of_the_ledgers_tables_is_known() -> None:
    assert {"Wallet", "CreditGrant", "Hold", "Allocation", "Entry"} <= CLASSES


WRITES = {
    "an update": 'x = "UPDATE wallet SET held = 0"',
    "in any case and space": 'x = "insert \\n into\\tEntry (seq) values (1)"',
    "or replaced": 'x = "INSERT OR REPLACE INTO hold VALUES (1)"',
    "with a schema and quotes": """x = 'DELETE FROM public."credit_grant"'""",
    "in parts": 'x = "UPDATE " "allocation SET amount = 0"',
    "added up": 'x = "UPDATE " + "wallet_change SET amount = 0"',
    "with a table that is known later": 'x = f"UPDATE {table} SET held = 0"',
    "formatted later": 'x = "DELETE FROM {}".format(table)',
    "by a verb of the database": 'x = "SELECT ledger_grant(1, 2)"',
    "by a correction in the database": 'x = "SELECT version FROM ledger_refund(%s, %s)"',
    "by many verbs at once": 'x = "SELECT outcome FROM ledger_batch(%s::text[])"',
    "by a verb that is known later": 'x = f"SELECT ledger_{verb}(1, 2)"',
    "emptied": 'x = "TRUNCATE refund"',
    "a total": "row.remaining -= 1",
    "a total among others": "a, wallet.held = 1, 2",
    "a total by its name": 'setattr(wallet, "debits", 0)',
}
ROWS = {
    "a row": "from storage.models.money import Wallet\nsession.add(Wallet(subscriber_id=1))",
    "a row under another name": "from storage.models.money import Entry as Line\nLine(seq=1)",
    "a row of the module": "from storage.models import money\nmoney.Hold(id=1)",
    "a statement": "from storage.models.money import CreditGrant\nupdate(CreditGrant)",
    "a dialect's statement": "from storage.models.money import Wallet\npostgresql.insert(Wallet)",
    "a query": "from storage.models.money import Hold\nsession.query(Hold).delete()",
    "in bulk": "import storage.models.money as m\ns.bulk_insert_mappings(m.Entry, [])",
    "the table itself": "from storage.models.money import Wallet\nWallet.__table__.update()",
}
MEANS = {
    "a table's class": "from storage.models.money import GrantSource, Hold",
    "all of them": "from storage.models.money import *",
    "their module": "from storage.models import money",
    "their module by its whole name": "import storage.models.money as m",
    "text as a statement": 'session.exec("SELECT 1")',
    "text as SQL": "from sqlmodel import text",
    "a statement of the driver": "connection.execute(statement)",
}
INNOCENT = '''
    """Update wallet totals: DELETE FROM entry is refused."""
    from storage.models.money import GrantSource, Operation
    class Model:
        def spend(self) -> None:
            self.held = wallet.held + row.remaining
    words = "Please update entry forms", "an updated wallet", "SELECT held FROM wallet"
    unit.books.grant(request)
    threads.submit(work)
'''


@pytest.mark.parametrize("source", WRITES.values(), ids=WRITES)
def test_whoever_writes_is_found_everywhere(source: str) -> None:
    assert found_outside_storage(ast.parse(source))
    assert found_in_storage(ast.parse(source))


@pytest.mark.parametrize("source", ROWS.values(), ids=ROWS)
def test_whoever_uses_the_orm_to_write_is_found(source: str) -> None:
    assert found_outside_storage(ast.parse(source))
    assert found_in_storage(ast.parse(source))


@pytest.mark.parametrize("source", MEANS.values(), ids=MEANS)
def test_outside_the_storage_already_the_means_are_found(source: str) -> None:
    assert found_outside_storage(ast.parse(source))


def test_who_reads_and_asks_the_books_is_left_alone() -> None:
    tree = ast.parse(dedent(INNOCENT))
    assert not found_outside_storage(tree)
    assert not found_in_storage(tree)
