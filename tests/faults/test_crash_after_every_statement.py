"""A crash before, between and after all statements of every operation, and then a retry.

Nothing is drawn by lot. An operation is carried out once and its statements are counted; then it
is stopped at each of them, and between COMMIT and the answer. What a dead process leaves must add
up, hold all of the operation or nothing, and become by a retry, with the same keys, what it is in
a run that never crashed: row for row, versions and hashes included. The retry is answered as a
first call or as a replay is, whichever it has become.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from typing_extensions import override

from storage import writer
from storage.addresses import sqlite_address, sqlite_path
from storage.database import Database, Unit
from storage.errors import LedgerDown
from tests.databases import SERVER, Databases, verify_ledger
from tests.faults.scenarios import SCENARIOS, Act, Rows, Scenario, rows_of, set_sequences_back

POINTS_MIN: Final = 250
"""Crash points on SQLite over all scenarios; fewer would mean that some are no longer seen."""
FRAME_HEADER: Final = 24
"""Bytes before each page in a write-ahead log."""
SPILLING: Final = ("PRAGMA cache_size=1", "PRAGMA cache_spill=1")
"""Pages reach the log while the transaction is still going on, and not at its end alone."""

every_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.name)


@dataclass(frozen=True, slots=True)
class Files:
    """An SQLite database as it lies on the disk; its shared memory dies with the process."""

    database: bytes
    log: bytes

    @classmethod
    def of(cls, path: Path) -> "Files":
        """As they are at this moment, byte by byte."""
        log = _log_of(path)
        return cls(path.read_bytes(), log.read_bytes() if log.exists() else b"")

    def put(self, path: Path) -> None:
        """Lay a copy there."""
        path.write_bytes(self.database)
        _log_of(path).write_bytes(self.log)

    @property
    def frame_bytes(self) -> int:
        """The length of one page in the log, with what stands before it."""
        return FRAME_HEADER + (int.from_bytes(self.database[16:18], "big") or 65536)


@dataclass(slots=True)
class Recorder:
    """Takes a copy of the files before each statement of a connection, while it is asked to."""

    path: Path
    is_on: bool = False
    points: list[tuple[str, Files]] = field(default_factory=list)

    def note(self, statement: str) -> None:
        """Called by SQLite when it begins a statement, those of triggers included."""
        if self.is_on:
            self.points.append((statement, Files.of(self.path)))

    async def watch(self, database: Database, act: Act) -> tuple[list[tuple[str, Files]], object]:
        """Carry it out; all points at which it could have crashed, and the answer."""
        self.points, self.is_on = [], True
        answer = await database.run(act)
        self.is_on = False
        statements = [statement for statement, _ in self.points]
        assert (statements[0], statements[-1]) == ("BEGIN IMMEDIATE", "COMMIT")
        return [*self.points, ("the answer", Files.of(self.path))], answer


def watched(monkeypatch: pytest.MonkeyPatch, path: Path) -> Recorder:
    """Let the next writer of this file be watched."""
    recorder = Recorder(path)

    class Watched(writer._Quiet):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.set_trace_callback(recorder.note)

    monkeypatch.setattr(writer, "_Quiet", Watched)
    return recorder


@pytest.fixture(scope="module")
def counted() -> Iterator[dict[str, int]]:
    """How many points each scenario had; once all have run, none of them may have been missed."""
    points: dict[str, int] = {}
    yield points
    if len(points) == len(SCENARIOS):
        assert sum(points.values()) >= POINTS_MIN


@every_scenario
@pytest.mark.parametrize("pragmas", [(), SPILLING], ids=["in memory", "spilling"])
async def test_on_sqlite_a_crash_at_any_statement_loses_nothing_and_repeats_nothing(
    databases: Databases,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    counted: dict[str, int],
    scenario: Scenario,
    pragmas: tuple[str, ...],
) -> None:
    crashes: set[Files] = set()
    answers: list[object] = []
    counted[scenario.name] = 0
    with databases.fresh("sqlite") as address, monkeypatch.context() as patched:
        patched.setattr(writer, "PRAGMAS", (*writer.PRAGMAS, *pragmas))
        path = _path(address)
        recorder = watched(patched, path)
        database = Database.open(address)
        act = await database.run(scenario.prepare)
        before = await database.read(rows_of)
        for _ in ("the operation", "its replay"):
            points, answer = await recorder.watch(database, act)
            crashes |= {files for _, files in points}
            counted[scenario.name] += len(points)
            answers.append(answer)
        assert_is_replay(answers[1], of=answers[0])
        wanted = await database.read(rows_of)
        await verify_ledger(database)
        await database.close()
    for number, files in enumerate(crashes):
        path = tmp_path / f"{number}.db"
        files.put(path)
        await _come_back(sqlite_address(path), act, [(before, answers[0]), (wanted, answers[1])])


@every_scenario
async def test_on_sqlite_a_commit_that_is_cut_off_at_any_page_is_there_whole_or_not_at_all(
    databases: Databases, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, scenario: Scenario
) -> None:
    with databases.fresh("sqlite") as address:
        path = _path(address)
        recorder = watched(monkeypatch, path)
        database = Database.open(address)
        act = await database.run(scenario.prepare)
        points, _answer = await recorder.watch(database, act)
        await verify_ledger(database)
        await database.close()
    before, after = points[-2][1], points[-1][1]
    path = tmp_path / "dead.db"
    states = [_dump(path, files) for files in _torn(before, after)]
    assert states[0] == _dump(path, before)
    changes = [number for number in range(1, len(states)) if states[number] != states[number - 1]]
    assert len(changes) <= 1, "from none of it to all of it in one step"
    assert states[-1] == _dump(path, after)


async def _come_back(address: str, act: Act, lives: list[tuple[Rows, object]]) -> None:
    """Open what the dead left, as a new process would, and try again.

    `lives` are the rows before and after the operation, each with its answer when called there.
    """
    database = Database.open(address)
    try:
        await verify_ledger(database)
        left = await database.read(rows_of)
        assert left in [rows for rows, _ in lives]
        answered = await database.run(act)
        assert answered in [answer for rows, answer in lives if rows == left]
        assert await database.read(rows_of) == lives[-1][0]
    finally:
        await database.close()


def _torn(before: Files, after: Files) -> list[Files]:
    """What lies there when the commit is cut off at or inside of a page; at last, all of it."""
    assert after.database == before.database
    assert after.log.startswith(before.log), "a commit adds to the log"
    half = after.frame_bytes // 2
    return [
        Files(after.database, after.log[:end])
        for end in range(len(before.log), len(after.log) + half, half)
    ]


def _dump(path: Path, files: Files) -> list[str]:
    """What SQLite makes of the files."""
    files.put(path)
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


# On PostgreSQL a verb is one statement and COMMIT another; the host's units have more.
@every_scenario
@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_on_postgresql_a_lost_connection_at_any_statement_does_neither(
    database: Database, scenario: Scenario
) -> None:
    act = await database.run(scenario.prepare)
    there = await database.read(rows_of)
    wanted, first, _statements = await _never_crashed(database, act)
    for _ in ("the operation", "its replay"):
        same, answer, statements = await _never_crashed(database, act)
        assert same == wanted
        assert_is_replay(answer, of=first)
        assert statements >= 1
        for last in range(statements + 1):
            with pytest.raises(LedgerDown):
                await database.run(Cut(act, after=last))
            assert await database.read(rows_of) == there
        await verify_ledger(database)
        await database.run(set_sequences_back)
        assert await database.run(act) == answer  # which is lost, so the replay is next
        there = await database.read(rows_of)
        assert there == wanted


@dataclass(slots=True)
class Cut:
    """A unit of work whose connection the server ends after so many statements."""

    act: Act
    after: int | None
    """None for never: the statements are counted alone."""
    statements: int = 0

    def __call__(self, unit: Unit) -> object:
        """Carry it out as far as that."""
        driver = unit._connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        process = driver.info.backend_pid
        cut = self

        class Counting(psycopg.Cursor[Any]):
            @override
            def execute(self, *arguments: Any, **options: Any) -> "Counting":
                if cut.statements == cut.after:
                    _end(process)
                cut.statements += 1
                return super().execute(*arguments, **options)

        driver.cursor_factory = Counting
        try:
            result = self.act(unit)
            unit.finish()
        finally:
            driver.cursor_factory = psycopg.Cursor
        if self.statements == self.after:  # all of them, and COMMIT is next
            _end(process)
        return result


class _Undone(Exception):
    """Rolls a unit back that was only to be looked at."""


async def _never_crashed(database: Database, act: Act) -> tuple[Rows, object, int]:
    """What the tables come to, the answer, and how many statements it takes; rolled back again."""
    cut = Cut(act, after=None)
    seen: list[tuple[Rows, object]] = []

    def look(unit: Unit) -> None:
        answer = cut(unit)
        seen.append((rows_of(unit.session), answer))
        raise _Undone

    with pytest.raises(_Undone):
        await database.run(look)
    await database.run(set_sequences_back)
    return *seen[0], cut.statements


def assert_is_replay(again: object, *, of: object) -> None:
    """The second answer is about the same thing as the first: it has the same ids."""
    if not is_dataclass(of):
        assert again == of
        return
    for name in (found.name for found in fields(of) if found.name.endswith("_id")):
        assert getattr(again, name, "missing") == getattr(of, name), again


def _end(process: int) -> None:
    """What an administrator, a failover or a broken network does to a connection."""
    with psycopg.connect(SERVER, autocommit=True) as other:
        ended = other.execute("SELECT pg_terminate_backend(%s, 10000)", (process,)).fetchone()
        assert ended == (True,)


def _path(address: str) -> Path:
    path = sqlite_path(address)
    assert path is not None
    return path


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")
