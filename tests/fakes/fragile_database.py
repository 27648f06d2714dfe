"""Real databases whose bad moments a test chooses: cut off, not answering, overtaken."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlmodel import Session
from typing_extensions import override

from storage.books import Books
from storage.database import Database, Unit
from storage.errors import LedgerDown
from storage.teller import Teller, UnitTeller

T = TypeVar("T")


class FragileDatabase(Database):
    """Passes everything on to another database, while there is a connection."""

    def __init__(self, behind: Database) -> None:
        self._behind = behind
        self.is_down = False
        """Whether writes are refused."""
        self.fault: Exception = LedgerDown()
        """What refused writes raise."""
        self.is_mute = False
        """Whether writes land and their callers hear that they did not."""
        self.refused = asyncio.Event()
        """Set once a write that must land has been refused."""

    @override
    async def run(self, work: Callable[[Unit], T], *, must_land: bool = False) -> T:
        if self.is_down:
            if must_land:
                self.refused.set()
            raise self.fault
        result = await self._behind.run(work, must_land=must_land)
        if self.is_mute:
            raise LedgerDown
        return result

    @property
    @override
    def teller(self) -> Teller:
        """Its verbs go the same way as units do."""
        return UnitTeller(self._run_verb)

    async def _run_verb(self, verb: Callable[[Books], T], *, must_land: bool) -> T:
        return await self.run(lambda unit: verb(unit.books), must_land=must_land)

    @override
    async def read(self, work: Callable[[Session], T]) -> T:
        return await self._behind.read(work)


class OvertakenDatabase(FragileDatabase):
    """Something happens after a read has seen the tables and before it is answered."""

    def __init__(self, behind: Database) -> None:
        super().__init__(behind)
        self.by: Callable[[], Awaitable[None]] | None = None
        """What happens, once."""

    @override
    async def read(self, work: Callable[[Session], T]) -> T:
        found = await super().read(work)
        by, self.by = self.by, None
        if by is not None:
            await by()
        return found
