"""Mistakes one could make in the ledger, each a line of its real sources changed.

A fault names the text it replaces; that must occur exactly once, or the fault no longer says what
it meant to. On SQLite the changed module is executed under another name, beside copies of those
that use it; on PostgreSQL the changed functions replace those in the test's database.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Final

from storage import books_sqlite, corrections_sqlite, wallet_sqlite
from storage import credits as credit_rules
from tests.ledger_desk import Desk, OpenBooks

_SCRIPTS: Final = Path(books_sqlite.__file__).parent / "migrations/postgresql"
FUNCTIONS: Final = (_SCRIPTS / "0002_ledger.sql", _SCRIPTS / "0006_ledger.sql")
"""The later ones take the place of earlier ones of their name."""
MODULES: Final[Mapping[str, ModuleType]] = {
    "credits": credit_rules,
    "wallet": wallet_sqlite,
    "corrections": corrections_sqlite,
    "books": books_sqlite,
}
"""In the order in which they use each other."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, where, and by which change."""

    name: str
    place: str
    """One of `MODULES`, or "functions"."""
    right: str
    wrong: str

    def put_into(self, source: str) -> str:
        """The source with the fault in it.

        Raises:
            LookupError: what it replaces is not there, or there more than once.
        """
        found = source.count(self.right)
        if found != 1:
            raise LookupError(f"{self.name}: its text occurs {found} times in {self.place}")
        return source.replace(self.right, self.wrong)


def faulty_books(fault: Fault) -> OpenBooks:
    """The ledger on SQLite with one fault in it."""
    copies: dict[str, ModuleType] = {}
    for place, original in MODULES.items():
        source = Path(str(original.__file__)).read_text(encoding="utf-8")
        copy = ModuleType(f"{original.__name__}_with_a_fault")
        if place == fault.place:
            source = fault.put_into(source)
        copies[place] = _executed(copy, original, source)
    books = copies["books"]
    for name, value in vars(copies["credits"]).items():
        for user in (books, copies["corrections"]):
            if isinstance(value, FunctionType) and hasattr(user, name):
                setattr(user, name, value)
    books.corrections = copies["corrections"]  # type: ignore[attr-defined]
    books.SqliteWallets = copies["wallet"].SqliteWallets  # type: ignore[attr-defined]
    made: OpenBooks = books.SqliteBooks
    return made


def _executed(copy: ModuleType, original: ModuleType, source: str) -> ModuleType:
    sys.modules[copy.__name__] = copy  # dataclasses look there
    try:
        exec(compile(source, str(original.__file__), "exec"), vars(copy))  # noqa: S102 - our own
    finally:
        del sys.modules[copy.__name__]
    if original is credit_rules:  # its classes are part of answers, which others compare
        for name, value in vars(original).items():
            if not isinstance(value, FunctionType) and not name.startswith("__"):
                setattr(copy, name, value)
    return copy


@contextmanager
def faulty_functions(desk: Desk, fault: Fault) -> Iterator[None]:
    """The functions in the database with one fault in them, until the end of the block."""
    source = _in_force()
    desk.execute(fault.put_into(source))
    try:
        yield
    finally:
        desk.execute(source)


def _in_force() -> str:
    """The functions as they are in the database after all migrations, each to be replaced."""
    functions: dict[str, str] = {}
    for script in FUNCTIONS:
        _, *made = script.read_text(encoding="utf-8").split("\nCREATE FUNCTION ")
        functions |= {function.partition("(")[0]: function for function in made}
    return "".join(f"\nCREATE OR REPLACE FUNCTION {one}" for one in functions.values())
