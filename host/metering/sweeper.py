"""Keeps this process alive in the eyes of others, and expires what is past its time.

Every few seconds the lease under which this process opens holds is renewed; holds and grants past
their time are expired; and calls that a dead process left open are released, because nobody will
come for them. After the database was away nobody is judged until everybody could renew. A dead
process's unfinished runs are not touched: their provider is asked first (`host.runs`).
"""

import asyncio
from contextlib import suppress
from functools import partial
from typing import Final

import structlog

from host.clock import Clock
from host.metering.abandoned import release_abandoned
from storage import leases
from storage.books import Swept
from storage.database import Database, Unit
from storage.errors import StorageError
from storage.ledger import open_holds_of_dead_owners
from storage.moments import NEVER, SECOND, Micros

PAUSE_S: Final = 5.0
LEASE: Final = 30 * SECOND
"""Six rounds: a process that misses so many is taken for dead."""
SWEEP_MOST: Final = 256

log = structlog.get_logger(__name__)


class Sweeper:
    """One background task of one process."""

    def __init__(
        self, database: Database, clock: Clock, *, owner: str, pause_s: float = PAUSE_S
    ) -> None:
        self._database = database
        self._clock = clock
        self._owner = owner
        self._pause_s = pause_s
        self._stopping = asyncio.Event()
        self._one_round = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._lives_until = NEVER
        """When the lease ends, as it was last written."""
        self._judges_from = Micros(0)
        """From when on a lease that ran out means that its process is dead."""

    async def start(self) -> None:
        """Take the lease, then sweep in the background. Before this no hold may be opened."""
        await self._database.run(self._take_lease)
        self._task = asyncio.create_task(self._rounds(), name="sweeper")

    async def stop(self) -> None:
        """Finish the round under way and give the lease back."""
        if self._task is None:
            return
        self._stopping.set()
        await self._task
        self._task = None
        try:
            await self._database.run(lambda unit: leases.drop(unit.session, self._owner))
        except StorageError as error:  # it runs out by itself; the rest must close too
            log.warning("lease.kept", owner=self._owner, kind=type(error).__name__)

    async def sweep(self) -> Swept:
        """One round, now."""
        async with self._one_round:
            await self._database.run_apart(self._renew_lease)
            if self._clock.now() >= self._judges_from:
                await self._release_abandoned_calls()
            swept = await self._sweep_all()
        if swept.holds or swept.grants:
            log.info("ledger.swept", holds=swept.holds, grants=swept.grants)
        return swept

    async def _rounds(self) -> None:
        while not self._stopping.is_set():
            try:
                await self.sweep()
            except StorageError as error:  # the next round tries again; opening fails meanwhile
                log.error("sweeper.failed", kind=type(error).__name__)  # noqa: TRY400 - no secrets
            except Exception:
                log.exception("sweeper.failed")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._pause_s)

    async def _sweep_all(self) -> Swept:
        holds = grants = 0
        while True:
            swept = await self._database.run(self._sweep_some)
            holds, grants = holds + swept.holds, grants + swept.grants
            if swept.holds < SWEEP_MOST and swept.grants < SWEEP_MOST:
                return Swept(holds=holds, grants=grants)

    def _take_lease(self, unit: Unit) -> None:
        now = self._clock.now()
        self._lives_until = Micros(now + LEASE)
        leases.take(unit.session, self._owner, now=now, expires_at=self._lives_until)

    def _renew_lease(self, unit: Unit) -> None:
        now = self._clock.now()
        if now >= self._lives_until:
            # The database was away: others have lapsed like us, and must be able to say so first.
            self._judges_from = Micros(now + LEASE)
            log.warning("lease.lapsed", owner=self._owner)
        expires_at = Micros(now + LEASE)
        if leases.renew(unit.session, self._owner, expires_at=expires_at):
            self._lives_until = expires_at
        else:
            log.warning("lease.lost", owner=self._owner)
            self._take_lease(unit)

    async def _release_abandoned_calls(self) -> None:
        now = self._clock.now()
        holds = await self._database.read(partial(open_holds_of_dead_owners, now=now))
        calls = [hold for hold in holds if hold.run_id is None]
        await release_abandoned(self._database, self._clock, calls)

    def _sweep_some(self, unit: Unit) -> Swept:
        return unit.books.sweep(self._clock.now(), most=SWEEP_MOST)
