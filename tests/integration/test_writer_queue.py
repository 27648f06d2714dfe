"""The queue before the one writer: bounded, fair to neighbours, and never asleep."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from threading import Event
from typing import TypeVar

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from storage.addresses import sqlite_path
from storage.batches import BATCH_MAX
from storage.errors import LedgerBusy
from storage.writer import Writer
from tests.databases import Databases

T = TypeVar("T")

WAIT_S = 10
LIMIT = 3


@pytest.fixture
async def writer(databases: Databases) -> AsyncIterator[Writer]:
    """A writer before which three units may wait."""
    with databases.fresh("sqlite") as address:
        path = sqlite_path(address)
        assert isinstance(path, Path)
        opened = Writer(path, waiting_max=LIMIT)
        yield opened
        await soon(opened.close())


async def soon(awaited: Awaitable[T]) -> T:
    """Wait for it, and not for ever."""
    async with asyncio.timeout(WAIT_S):
        return await awaited


def note(topic: str) -> Callable[[Connection], str]:
    """A unit that leaves one row behind."""

    def work(connection: Connection) -> str:
        statement = text(
            "INSERT INTO outbox (topic, payload, created_at) VALUES (:topic, '{}', 0)"
        )
        connection.execute(statement, {"topic": topic})
        return topic

    return work


async def noted(writer: Writer) -> list[str]:
    """All rows, in the order in which they were written."""

    def work(connection: Connection) -> list[str]:
        return list(connection.execute(text("SELECT topic FROM outbox ORDER BY id")).scalars())

    return await soon(writer.submit(work, must_land=True))


class Busy:
    """Keeps the writing thread occupied until it is let go."""

    def __init__(self, writer: Writer) -> None:
        self._begun, self._go_on = Event(), Event()
        self._answer = writer.submit(self._wait)

    def _wait(self, _connection: Connection) -> None:
        self._begun.set()
        assert self._go_on.wait(WAIT_S)

    async def begun(self) -> None:
        """Wait until the thread is inside of it: whatever is submitted now has to queue."""
        assert await asyncio.to_thread(self._begun.wait, WAIT_S)

    async def end(self) -> None:
        """Let it go, and wait for its answer."""
        self._go_on.set()
        await soon(self._answer)


async def test_beyond_its_limit_the_queue_refuses_and_what_had_a_place_lands(
    writer: Writer,
) -> None:
    busy = Busy(writer)
    await busy.begun()
    waiting = [writer.submit(note(str(number))) for number in range(LIMIT)]
    with pytest.raises(LedgerBusy):
        writer.submit(note("one too many"))
    ending = writer.submit(note("an end"), must_land=True)
    await busy.end()
    assert await soon(asyncio.gather(*waiting, ending)) == ["0", "1", "2", "an end"]
    assert await soon(writer.submit(note("room again"))) == "room again"
    assert await noted(writer) == ["0", "1", "2", "an end", "room again"]


async def test_a_poisoned_unit_fails_alone_in_the_middle_of_its_batch(writer: Writer) -> None:
    def poisoned(connection: Connection) -> None:
        note("half")(connection)
        connection.execute(text("INSERT INTO outbox (topic) VALUES (NULL)"))

    busy = Busy(writer)
    await busy.begun()
    before, bad, after = (
        writer.submit(work) for work in (note("before"), poisoned, note("after"))
    )
    await busy.end()
    with pytest.raises(DBAPIError):
        await soon(bad)
    assert [await soon(before), await soon(after)] == ["before", "after"]
    assert not writer.is_broken
    assert await noted(writer) == ["before", "after"]


async def test_a_caller_who_left_takes_neither_the_write_nor_the_others_answers(
    writer: Writer,
) -> None:
    busy = Busy(writer)
    await busy.begun()
    first, left, last = (writer.submit(note(name)) for name in ("first", "left", "last"))
    left.cancel()
    await busy.end()
    assert [await soon(first), await soon(last)] == ["first", "last"]
    assert left.cancelled()
    assert await noted(writer) == ["first", "left", "last"]


async def test_who_comes_at_the_very_moment_a_batch_ends_is_not_forgotten(writer: Writer) -> None:
    """Each answer's callback submits the next: just when the writer is about to rest."""
    landed: list[str] = []
    done = asyncio.Event()

    def again(answer: "asyncio.Future[str]") -> None:
        landed.append(answer.result())
        if len(landed) == 100:
            done.set()
        else:
            writer.submit(note(str(len(landed)))).add_done_callback(again)

    writer.submit(note("0")).add_done_callback(again)
    await soon(done.wait())
    assert await noted(writer) == landed == [str(number) for number in range(100)]


async def test_more_than_one_batch_is_written_in_order_without_being_asked_again(
    writer: Writer,
) -> None:
    names = [str(number) for number in range(BATCH_MAX + 1)]
    answers = [writer.submit(note(name), must_land=True) for name in names]
    assert await soon(asyncio.gather(*answers)) == names
    assert await noted(writer) == names
