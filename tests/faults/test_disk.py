"""A disk that is full, and one that does not keep what it was given: the ledger fails closed.

Two kinds of trouble are told apart. A statement that finds no room is refused alone, its
transaction goes on, and so may others. A commit that fails leaves open what the disk has kept, so
the writer stops for good; only opening the file again finds out.
"""

import asyncio
import json
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import text
from sqlmodel import select

from storage.addresses import sqlite_address
from storage.database import Database, Unit
from storage.errors import LedgerDown
from storage.migrate import upgrade
from storage.models.money import Entry
from tests.acceptance.servers import ServerProcess, environment, farebox
from tests.builders import Shop, add_shop, grant_of
from tests.databases import Databases, verify_ledger
from tests.faults.disk import build_shim
from tests.faults.payer import BATCH, BATCHES, GOOD

END_WITHIN_S: Final = 60
SHIM: Final = Path(__file__).with_name("failing_fsync.c")


@pytest.fixture
def failing_fsync(tmp_path: Path) -> Path:
    """A library that refuses to sync, once it is told to."""
    return build_shim(tmp_path, SHIM)


@dataclass(frozen=True, slots=True)
class Told:
    """What the callers of one process heard."""

    batches: list[list[tuple[str, str]]]
    is_broken: bool

    def refs(self, answer: str) -> set[str]:
        """Of which grants they were told this."""
        return {ref for batch in self.batches for ref, told in batch if told == answer}


def pay(address: str, how: str, settings: dict[str, str]) -> Told:
    """Let a process of its own grant credits on a disk that goes bad."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.payer", address, how],
        capture_output=True,
        text=True,
        timeout=END_WITHIN_S,
        check=False,
        env=environment(settings),
    )
    assert done.returncode == 0, done.stderr
    *batches, last = [json.loads(line) for line in done.stdout.splitlines()]
    return Told([[(ref, told) for ref, told in batch] for batch in batches], last["is_broken"])


async def grants_in(address: str) -> set[str]:
    """Which grants are there when the file is opened again; the ledger adds up, and is written."""
    database = Database.open(address)
    try:
        await verify_ledger(database)
        keys = await database.read(lambda s: set(s.exec(select(Entry.idempotency_key))))
        await database.run(add_shop)
        await verify_ledger(database)
    finally:
        await database.close()
    return {str(key).removeprefix("operator:") for key in keys}


async def check_fails_closed(address: str, told: Told) -> None:
    """What was answered is there, nothing after the fault was taken, and no batch was torn."""
    assert told.is_broken
    assert [{answer for _, answer in batch} for batch in told.batches] == [
        *[{"granted"}] * GOOD,
        *[{"LedgerBroken"}] * (BATCHES - GOOD),
    ]
    there, granted = await grants_in(address), told.refs("granted")
    in_doubt = {ref for ref, _ in told.batches[GOOD]}
    assert len(granted) == GOOD * BATCH
    assert there in (granted, granted | in_doubt)


async def test_a_commit_that_finds_no_room_is_the_last_thing_that_is_written(
    databases: Databases,
) -> None:
    with databases.fresh("sqlite") as address:
        await check_fails_closed(address, pay(address, "file-limit", {}))


async def test_a_commit_that_cannot_be_synced_is_the_last_thing_that_is_written(
    databases: Databases, failing_fsync: Path, tmp_path: Path
) -> None:
    flag = str(tmp_path / "no more syncing")
    settings = {"LD_PRELOAD": str(failing_fsync), "FAILING_FSYNC": flag}
    with databases.fresh("sqlite") as address:
        await check_fails_closed(address, pay(address, flag, settings))


async def test_a_file_that_may_not_grow_refuses_one_by_one_and_takes_more_once_it_may(
    databases: Databases,
) -> None:
    with databases.fresh("sqlite") as address:
        database = Database.open(address)
        shop = await database.run(add_shop)
        await database.run(lambda unit: _limit_pages(unit, more=2))
        answers: dict[str, type[object]] = {}
        for batch in range(4):
            for ref, answer in zip(
                refs := [f"{batch}.{number}-{'x' * 500}" for number in range(BATCH)],
                await _grant_all(database, shop, refs),
                strict=True,
            ):
                answers[ref] = type(answer)
        refused = {ref for ref, answer in answers.items() if answer is LedgerDown}
        granted = set(answers) - refused
        assert refused
        assert granted
        assert not database.is_broken
        await database.run(lambda unit: _limit_pages(unit, more=1_000))
        again = await _grant_all(database, shop, sorted(refused))
        assert not [answer for answer in again if isinstance(answer, Exception)]
        await verify_ledger(database)
        await database.close()
        assert await grants_in(address) == set(answers)


async def _grant_all(database: Database, shop: Shop, refs: list[str]) -> list[object]:
    """All in one batch; what each was answered, or the error."""

    async def grant(ref: str) -> object:
        request = grant_of(shop, 5, source_ref=ref)
        return await database.run(lambda unit: unit.books.grant(request))

    return await asyncio.gather(*(grant(ref) for ref in refs), return_exceptions=True)


def _limit_pages(unit: Unit, *, more: int) -> None:
    pages = unit.session.execute(text("PRAGMA page_count")).scalar_one()
    unit.session.execute(text(f"PRAGMA max_page_count={pages + more}"))


async def test_a_writer_is_broken_by_a_commit_and_by_nothing_less(tmp_path: Path) -> None:
    path = tmp_path / "later" / "farebox.db"
    database = Database.open(sqlite_address(path))
    with pytest.raises(LedgerDown) as missing:
        await database.run(add_shop)
    assert (type(missing.value), database.is_broken) == (LedgerDown, False)
    path.parent.mkdir()
    upgrade(sqlite_address(path))
    await database.run(add_shop)
    await database.close()
    with pytest.raises(LedgerDown) as closed:
        await database.run(add_shop)
    assert (type(closed.value), database.is_broken) == (LedgerDown, False)


def test_a_server_whose_ledger_is_broken_ends_with_status_1(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    assert farebox("db", "upgrade", data_dir=data_dir).returncode == 0
    log = tmp_path / "serve.log"
    arguments = ["farebox", "serve", "--port", "0", "--data-dir", str(data_dir)]
    server = ServerProcess([*arguments, "--role", "proxy"], log=log).start()
    written = (data_dir / "farebox.db-wal").stat().st_size
    # From its next renewal of the lease on, no commit finds room. The log is shorter than that.
    resource.prlimit(server.process, resource.RLIMIT_FSIZE, (written, resource.RLIM_INFINITY))
    assert server.ended() == 1
    assert "the ledger has stopped (a commit failed): see to the disk" in log.read_text()
    assert farebox("ledger", "verify", data_dir=data_dir).returncode == 0
