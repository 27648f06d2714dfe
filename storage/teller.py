"""The ledger's three hot verbs, each a unit of its own: for whoever has nothing else to write.

A metered call holds before it is forwarded and captures when it was answered, and writes nothing
beside. On SQLite every unit is grouped with those that wait anyway; on PostgreSQL a unit is a
transaction, so there many callers' verbs travel together (`storage.teller_postgres`).
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

from storage.books import Books, EndHold, HoldAnswer, HoldEnded, OpenHold
from storage.credits import MilliCredits

T = TypeVar("T")


class Teller(Protocol):
    """Serves one verb at a time to many callers at once.

    Raises, with every verb:
        LedgerBusy: too much is waiting, or a lock was not had in time; nothing was written.
        LedgerDown: the database cannot be written to; whether this landed is unknown.
    """

    async def open_hold(self, request: OpenHold) -> HoldAnswer:
        """Set credits aside; see `storage.books.Books.open_hold`."""
        ...

    async def capture(self, request: EndHold, used: MilliCredits) -> HoldEnded:
        """Charge what was used; see `storage.books.Books.capture`. It never finds a full queue."""
        ...

    async def release(self, request: EndHold) -> HoldEnded:
        """Charge nothing; see `storage.books.Books.release`. It never finds a full queue."""
        ...


class _Units(Protocol):
    """Runs the ledger's verbs as one unit."""

    async def __call__(self, verb: Callable[[Books], T], *, must_land: bool) -> T: ...


class UnitTeller:
    """Each verb as a unit of work like any other."""

    def __init__(self, run: _Units) -> None:
        self._run = run

    async def open_hold(self, request: OpenHold) -> HoldAnswer:
        """Set credits aside."""
        return await self._run(lambda books: books.open_hold(request), must_land=False)

    async def capture(self, request: EndHold, used: MilliCredits) -> HoldEnded:
        """Charge what was used."""
        return await self._run(lambda books: books.capture(request, used), must_land=True)

    async def release(self, request: EndHold) -> HoldEnded:
        """Charge nothing."""
        return await self._run(lambda books: books.release(request), must_land=True)
