"""Many callers, one thread: takes what is waiting, does it in one go, then answers everybody.

The queue of a group commit, whatever commits: `storage.writer` puts a transaction of SQLite
behind it, `storage.teller_postgres` a call that carries many verbs. An item that fails is its
caller's alone. A batch that fails as a whole, in words of `storage.errors`, fails for all in it
and the next is tried; if it fails in any other way nothing more is accepted, because nobody can
know what was written.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from storage.errors import LedgerBroken, LedgerBusy, LedgerDown, StorageError

Item = TypeVar("Item")

BATCH_MAX: Final = 256
"""Items to a batch: the first of it waits for the last."""


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one item: its result, or the error it raised."""

    result: Any = None
    error: Exception | None = None


class Batches(Generic[Item]):
    """Queues items for one thread, which does many at once."""

    def __init__(
        self,
        work: Callable[[Sequence[Item]], list[Done]],
        *,
        waiting_max: int,
        name: str,
        batch_max: int | None = None,
    ) -> None:
        """`batch_max`: fewer than `BATCH_MAX`, where many at once are slow."""
        self._work = work
        self._waiting_max = waiting_max
        self._batch_max = batch_max
        self._queue: list[tuple[Item, asyncio.Future[Any]]] = []
        self._running = False
        self._refusal: LedgerDown | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    @property
    def is_broken(self) -> bool:
        """Whether a batch failed in a way after which nothing more is accepted."""
        return isinstance(self._refusal, LedgerBroken)

    def submit(self, item: Item, *, must_land: bool = False) -> "asyncio.Future[Any]":
        """Queue an item; the future is answered after the batch that holds it.

        Raises:
            LedgerBusy: the queue is full.
            LedgerBroken: an earlier batch failed.
            LedgerDown: it has been closed.
        """
        if self._refusal is not None:
            raise type(self._refusal)(str(self._refusal))
        if len(self._queue) >= self._waiting_max and not must_land:
            raise LedgerBusy
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        self._queue.append((item, answer))
        if not self._running:
            self._running = True
            self._idle.clear()
            loop.call_soon(self._start, loop)  # callers of this tick share the batch
        return answer

    async def close(self, last: Callable[[], None]) -> None:
        """Do what is queued and take no more; `last` is done in the same thread."""
        self._refusal = self._refusal or LedgerDown("the writer is closed")
        await self._idle.wait()
        await asyncio.get_running_loop().run_in_executor(self._thread, last)
        self._thread.shutdown()

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        most = self._batch_max or BATCH_MAX
        batch, self._queue = self._queue[:most], self._queue[most:]
        done = loop.run_in_executor(self._thread, self._work, [item for item, _ in batch])
        done.add_done_callback(lambda finished: self._answer(loop, batch, finished))

    def _answer(
        self,
        loop: asyncio.AbstractEventLoop,
        batch: list[tuple[Item, "asyncio.Future[Any]"]],
        finished: "asyncio.Future[list[Done]] | Future[list[Done]]",
    ) -> None:
        failure = finished.exception()
        if failure is not None and not isinstance(failure, StorageError):
            # Disk full, failed fsync: stop, fail closed. Otherwise it never began.
            failure = self._refusal = LedgerBroken(type(failure).__name__)
            batch, self._queue = batch + self._queue, []
        outcomes = finished.result() if failure is None else [Done(error=failure)] * len(batch)
        self._running = bool(self._queue)  # flag and test in one step: no lost wake-up
        if self._running:
            loop.call_soon(self._start, loop)
        else:
            self._idle.set()
        for (_, answer), outcome in zip(batch, outcomes, strict=True):
            if answer.done():  # its caller was cancelled; the write stands
                continue
            if outcome.error is not None:
                answer.set_exception(outcome.error)
            else:
                answer.set_result(outcome.result)
