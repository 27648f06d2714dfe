"""A backup comes back whole, is found out when it does not, and never holds the master key."""

import asyncio
import base64
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import alembic.command
import psycopg
import pytest
from sqlmodel import col, select
from typer.testing import CliRunner, Result
from typing_extensions import override

from farebox.cli import app
from farebox.lease import lease
from farebox.manifests import ANCHOR, MANIFEST
from host.config import Settings
from host.vault.envelope import MasterKey
from storage.addresses import sqlite_address, sqlite_path
from storage.books import HoldOpened
from storage.copies import copy_database, put_back_dump
from storage.credits import MilliCredits
from storage.database import Database, Unit
from storage.migrate import _config, _transaction
from storage.models.money import Hold
from tests.acceptance.servers import environment
from tests.builders import Shop, add_shop, grant_of, hold_of
from tests.databases import SERVER, Databases, verify_ledger
from tests.fakes.clock import START
from tests.integration.test_anchors import Ledger
from tests.integration.test_books_holds import ending
from tests.integration.test_books_tampering import tamper

KEY = bytes(range(100, 132))
WRITTEN = base64.b64encode(KEY).decode()
WRITERS = 8
ENOUGH = 200
"""Charges answered before a backup begins."""


class Installation:
    """A data directory and its database, and the commands that are run there."""

    def __init__(self, kind: str, data_dir: Path, address: str) -> None:
        self.kind = kind
        self.data_dir = data_dir
        self.address = address
        self.settings = {"FAREBOX_DATA_DIR": str(data_dir)}
        if kind == "postgresql":
            self.settings |= {"FAREBOX_DATABASE_URL": address, "FAREBOX_MASTER_KEY": WRITTEN}
        else:
            data_dir.mkdir(mode=0o700, exist_ok=True)
            (data_dir / "master.key").write_text(WRITTEN)
            (data_dir / "master.key").chmod(0o600)

    def run(self, *arguments: str, **settings: str) -> Result:
        return CliRunner().invoke(app, arguments, env=self.settings | settings)

    def live(self) -> None:
        """Some history in the ledger, some files beside it."""
        asyncio.run(Ledger(self.address).live())
        (self.data_dir / "pictures").mkdir(parents=True)
        (self.data_dir / "pictures" / "a cat").write_bytes(b"\x89 a cat")


class Places:
    """Makes installations of one kind."""

    def __init__(self, kind: str, databases: Databases, directory: Path, open_: ExitStack) -> None:
        self._kind, self._databases, self._open = kind, databases, open_
        self._directory = directory
        self.backup = directory / "backup"

    def installed(self) -> Installation:
        """One with tables and nothing in them."""
        made = self.empty()
        if self._kind == "sqlite":
            origin = sqlite_path(self._open.enter_context(self._databases.fresh("sqlite")))
            assert origin is not None
            shutil.copyfile(origin, made.data_dir / "farebox.db")
        return made

    def empty(self, *, is_migrated: bool = True) -> Installation:
        """One without a database, or on PostgreSQL with one."""
        data_dir = self._directory / f"data{len(list(self._directory.iterdir()))}"
        address = sqlite_address(data_dir / "farebox.db")
        if self._kind == "postgresql":
            fresh = self._databases.fresh(self._kind, is_migrated=is_migrated)
            address = self._open.enter_context(fresh)
            data_dir.mkdir()
        return Installation(self._kind, data_dir, address)


@pytest.fixture
def backup_kind(database_kind: str) -> str:
    """Each kind of database in turn of which a backup can be taken on this machine."""
    lacks = lacking() if database_kind == "postgresql" else ""
    if lacks and os.environ.get("CI"):  # noqa: TID251 - where nothing may be skipped
        pytest.fail(lacks)
    if lacks:
        pytest.skip(lacks)
    return database_kind


@cache
def lacking() -> str:
    """Why no backup of the tests' server can be taken here; nothing if one can."""
    with psycopg.connect(SERVER) as connection:
        server = connection.info.server_version // 10_000
    for tool in ("pg_dump", "pg_restore"):
        program = shutil.which(tool)
        if program is None:
            return f"{tool} is not installed; it comes with the Debian package postgresql-client"
        told = subprocess.run([program, "--version"], capture_output=True, check=True, text=True)
        version = re.search(r"\) (\d+)", told.stdout)
        if version is None or int(version[1]) < server:
            return f"{tool} is older than the server, which is PostgreSQL {server}"
    return ""


@pytest.fixture
def places(databases: Databases, backup_kind: str, tmp_path: Path) -> Iterator[Places]:
    with ExitStack() as stack:
        yield Places(backup_kind, databases, tmp_path, stack)


@pytest.fixture
def here(places: Places) -> Installation:
    made = places.installed()
    made.live()
    return made


def done(result: Result) -> Result:
    assert result.exit_code == 0, result.output
    return result


def content(directory: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_a_backup_comes_back_whole(places: Places, here: Installation) -> None:
    created = done(here.run("backup", "create", str(places.backup)))
    done(here.run("backup", "verify", str(places.backup)))
    there = places.empty(is_migrated=False)
    restored = done(there.run("backup", "restore", str(places.backup)))
    against = str(places.backup / ANCHOR)

    done(there.run("ledger", "verify", "--against", against))
    assert there.run("ledger", "export").stdout == here.run("ledger", "export").stdout
    assert (there.data_dir / "pictures" / "a cat").read_bytes() == b"\x89 a cat"
    root = json.loads(Path(against).read_bytes().splitlines()[-1])["root"]
    assert created.stdout.split()[-1] == root
    assert "stands on its anchor: 2 wallets, 4 entries" in restored.stdout
    assert "bring the master key" not in restored.stdout
    place = "Restored to PostgreSQL at " if there.kind == "postgresql" else "Restored to /"
    assert (place in restored.stdout, str(there.data_dir) in restored.stdout) == (True, True)
    modes = {path.stat().st_mode & 0o777 for path in places.backup.rglob("*") if path.is_file()}
    assert (places.backup.stat().st_mode & 0o777, modes) == (0o700, {0o600})


def test_no_byte_of_a_backup_gives_the_master_key_away(places: Places, here: Installation) -> None:
    (here.data_dir / "master.key.old").write_text(WRITTEN)
    (here.data_dir / "pictures" / "raw").write_bytes(bytes((1 << 20) - 7) + KEY)
    (here.data_dir / "hex.env").write_text(f"KEY={KEY.hex()}")
    (here.data_dir / "link").symlink_to(here.data_dir / "master.key")
    created = done(here.run("backup", "create", str(places.backup)))

    found = b"\n".join(content(places.backup).values())
    for form in (KEY, WRITTEN.encode(), base64.urlsafe_b64encode(KEY), KEY.hex().encode()):
        assert form not in found
    assert "pictures/raw" in created.stderr
    assert b"a cat" in found


async def test_a_backup_beside_a_busy_writer_holds_all_that_was_answered_before(
    places: Places,
) -> None:
    here, there = places.installed(), places.empty(is_migrated=False)
    database = Database.open(here.address)
    enough = asyncio.Event()
    async with writing(database, enough) as answered:
        async with asyncio.timeout(60):
            await enough.wait()
        before = set(answered)
        await command(here, "backup", "create", str(places.backup))
        assert len(answered) > len(before), "nobody wrote meanwhile"
    await verify_ledger(database)
    await database.close()
    await command(there, "backup", "restore", str(places.backup))

    restored = Database.open(there.address)
    await verify_ledger(restored)
    captured = select(Hold.public_id).where(col(Hold.state) == "captured")
    assert before <= set(await restored.read(lambda session: session.exec(captured).all()))
    await restored.close()


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_the_operator_is_told_to_bring_the_master_key(places: Places, here: Installation) -> None:
    done(here.run("backup", "create", str(places.backup)))
    there = places.empty()
    (there.data_dir / "master.key").unlink()

    told = done(there.run("backup", "restore", str(places.backup))).stdout
    assert f"bring the master key whose fingerprint is {MasterKey(KEY).fingerprint}" in told
    assert not (there.data_dir / "master.key").exists()


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_a_restore_that_fails_leaves_the_place_empty(
    places: Places, here: Installation, tmp_path: Path
) -> None:
    done(here.run("backup", "create", str(places.backup)))
    there = places.empty(is_migrated=False)
    failed = there.run("backup", "restore", str(places.backup), PATH=str(tmp_path))

    assert failed.exit_code == 1
    assert "pg_restore is missing" in failed.stderr
    assert content(there.data_dir) == {}
    done(there.run("backup", "restore", str(places.backup)))


class Interrupted(BytesIO):
    """A file; as soon as the last line of an anchor is in it, others go on writing the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self._ledger = ledger

    @override
    def write(self, line: Any) -> int:
        if b"root" in line:
            asyncio.run(self._ledger.live())
        return super().write(line)


def test_what_is_written_after_the_anchor_was_listed_is_not_in_the_copy(
    places: Places, here: Installation, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    copied = copy_database(here.address, copy, Interrupted(Ledger(here.address)), START)
    there = places.empty(is_migrated=False)
    if here.kind == "sqlite":
        copy.rename(there.data_dir / "farebox.db")
    else:
        put_back_dump(copy, there.address)
    listed = json.loads(there.run("ledger", "anchor").stdout.splitlines()[-1])

    assert listed["root"] == copied.anchor.root
    assert here.run("ledger", "export").stdout.count("\n") == 8


@asynccontextmanager
async def writing(database: Database, enough: asyncio.Event) -> AsyncIterator[list[str]]:
    """Charges as fast as they can be answered; lends the holds of those that were."""
    answered: list[str] = []

    def furnish(unit: Unit) -> Shop:
        shop = add_shop(unit)
        unit.books.grant(grant_of(shop, 1_000_000_000))
        return shop

    async def write() -> None:
        shop = await database.run(furnish)
        while not is_over:
            hold = await database.run(lambda unit: unit.books.open_hold(hold_of(shop, 2)))
            assert isinstance(hold, HoldOpened)
            end = ending(shop, hold.hold_id)
            await database.run(lambda unit: unit.books.capture(end, MilliCredits(1)))  # noqa: B023
            answered.append(hold.public_id)
            if len(answered) == ENOUGH:
                enough.set()

    is_over = False
    async with asyncio.TaskGroup() as group:
        for _ in range(WRITERS):
            group.create_task(write())
        yield answered
        is_over = True


async def command(place: Installation, *arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "farebox", *arguments),
        env=environment(place.settings),
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(120):
        _, told = await process.communicate()
    assert process.returncode == 0, told.decode()


def flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def rewritten(backup: Path, **changes: Any) -> None:
    path = backup / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda backup: flip(copy_in(backup)), "database."),
        (lambda backup: flip(backup / ANCHOR), ANCHOR),
        (lambda backup: flip(backup / "files" / "pictures" / "a cat"), "a cat"),
        (lambda backup: copy_in(backup).unlink(), "a part is missing"),
        (lambda backup: (backup / MANIFEST).unlink(), MANIFEST),
        (lambda backup: (backup / MANIFEST).write_text("{"), "no manifest"),
        (lambda backup: rewritten(backup, anchor="0" * 64), "anchor"),
        (lambda backup: rewritten(backup, parts=[]), "every part"),
        (lambda backup: rewritten(backup, format=2), "this program"),
    ],
)
@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_damaged_backup_is_found_out_and_not_restored(
    places: Places, here: Installation, damage: Callable[[Path], object], told: str
) -> None:
    done(here.run("backup", "create", str(places.backup)))
    damage(places.backup)
    there = places.empty()

    for verb in ("verify", "restore"):
        refused = there.run("backup", verb, str(places.backup))
        assert refused.exit_code == 1
        assert told in refused.stderr
    assert not (there.data_dir / "farebox.db").exists()


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_file_that_is_no_part_is_found(places: Places, here: Installation) -> None:
    done(here.run("backup", "create", str(places.backup)))
    (places.backup / "files" / "pictures" / "a dog").write_bytes(b"not ours")
    found = here.run("backup", "verify", str(places.backup))

    assert (found.exit_code, "a dog is no part of this backup" in found.stderr) == (1, True)
    assert "use another copy" in found.stderr


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_of_older_tables_only_what_was_checked_is_said_to_be_right(
    places: Places, here: Installation
) -> None:
    tamper(here.address, "UPDATE alembic_version SET version_num = '0001'")
    done(here.run("backup", "create", str(places.backup)))
    told = done(here.run("backup", "verify", str(places.backup)))
    assert "only the hashes and the anchor were checked; restore, upgrade" in told.stdout
    assert "is right" not in told.stdout

    tamper(here.address, "UPDATE entry SET amount = amount - 1 WHERE wallet_id = 1 AND seq = 1")
    broken = places.backup.with_name("broken")
    done(here.run("backup", "create", str(broken)))
    found = here.run("backup", "verify", str(broken))
    assert (found.exit_code, "VIOLATED 10 the hash chain verifies" in found.stderr) == (1, True)


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_tables_that_really_are_older_are_backed_up_and_walked(places: Places) -> None:
    here = places.empty()
    with _transaction(here.address) as connection:
        alembic.command.upgrade(_config(connection), "0001")
    done(here.run("backup", "create", str(places.backup)))
    assert "only the hashes" in done(here.run("backup", "verify", str(places.backup))).stdout


def copy_in(backup: Path) -> Path:
    (found,) = backup.glob("database.*")
    return found


@pytest.mark.parametrize("path", ["/etc/passwd", "files/../../other", "sub/part"])
@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_manifest_leads_to_nothing_outside_the_backup(
    places: Places, here: Installation, path: str
) -> None:
    done(here.run("backup", "create", str(places.backup)))
    parts = json.loads((places.backup / MANIFEST).read_text())["parts"]
    rewritten(places.backup, parts=[*parts, parts[0] | {"path": path}])

    assert "no part of a backup" in here.run("backup", "verify", str(places.backup)).stderr


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_copy_whose_ledger_is_wrong_is_found_out(places: Places, here: Installation) -> None:
    tamper(here.address, "UPDATE wallet SET credits = credits + 1 WHERE id = 1")
    done(here.run("backup", "create", str(places.backup)))
    there = places.empty()

    for verb in ("verify", "restore"):
        found = there.run("backup", verb, str(places.backup))
        assert found.exit_code == 1
        assert "VIOLATED 2 a wallet's totals are its entries: wallet 1" in found.stderr


def test_nothing_is_restored_over_anything(places: Places, here: Installation) -> None:
    done(here.run("backup", "create", str(places.backup)))
    before = here.run("ledger", "export").stdout
    refused = here.run("backup", "restore", str(places.backup))

    assert refused.exit_code == 1
    assert "empty" in refused.stderr
    assert here.run("ledger", "export").stdout == before


def test_a_backup_is_refused_where_another_master_key_is(
    places: Places, here: Installation
) -> None:
    done(here.run("backup", "create", str(places.backup)))
    there = places.empty(is_migrated=False)
    other = base64.b64encode(bytes(32)).decode()
    refused = there.run("backup", "restore", str(places.backup), FAREBOX_MASTER_KEY=other)

    assert refused.exit_code == 1
    assert "another master key" in refused.stderr
    assert WRITTEN not in refused.stderr
    assert other not in refused.stderr


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_backup_is_not_restored_under_a_running_server(
    places: Places, here: Installation
) -> None:
    done(here.run("backup", "create", str(places.backup)))
    there = places.empty()
    with lease(Settings(data_dir=there.data_dir)):
        refused = there.run("backup", "restore", str(places.backup))

    assert refused.exit_code == 1
    assert "stop it first" in refused.stderr


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_backup_has_a_place_of_its_own(places: Places, here: Installation) -> None:
    places.backup.mkdir()
    inside, missing = here.data_dir / "backup", places.backup / "no" / "backup"
    refused = [here.run("backup", "create", str(to)) for to in (places.backup, inside, missing)]

    assert [result.exit_code for result in refused] == [1, 1, 1]
    assert f"Make {missing.parent} first." in refused[2].stderr
    assert list(places.backup.iterdir()) == []
    assert not inside.exists()


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_a_missing_or_old_tool_is_named_with_its_package(places: Places, tmp_path: Path) -> None:
    here = places.installed()
    tools = tmp_path / "tools"
    tools.mkdir()
    missing = here.run("backup", "create", str(places.backup), PATH=str(tools))
    (tools / "pg_dump").write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.24'\n")
    (tools / "pg_dump").chmod(0o755)
    old = here.run("backup", "create", str(places.backup), PATH=f"{tools}:{os.defpath}")

    assert (missing.exit_code, old.exit_code) == (1, 1)
    assert "Debian package postgresql-client" in missing.stderr
    assert "Debian package postgresql-client" in old.stderr
    assert not places.backup.exists()


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_the_password_of_the_database_is_in_no_argument(places: Places, tmp_path: Path) -> None:
    here = places.installed()
    tools, seen = tmp_path / "tools", tmp_path / "seen"
    tools.mkdir()
    real = shutil.which("pg_dump")
    assert real is not None
    told = f'echo "$@" "|$PGPASSWORD|$FAREBOX_MASTER_KEY|" >>{seen}'
    (tools / "pg_dump").write_text(f'#!/bin/sh\n{told}\nexec {real} "$@"\n')
    (tools / "pg_dump").chmod(0o755)
    address = here.address.replace("root@", "root:hunter2@")
    path = f"{tools}:{os.environ['PATH']}"  # noqa: TID251 - handed to another process
    done(
        here.run(
            *("backup", "create", str(places.backup)), PATH=path, FAREBOX_DATABASE_URL=address
        )
    )

    arguments, password, key, _ = seen.read_text().splitlines()[-1].split("|")
    assert "--snapshot" in arguments
    assert "hunter2" not in arguments
    assert (password, key) == ("hunter2", "")
    assert b"hunter2" not in b"".join(content(places.backup).values())
