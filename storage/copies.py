"""Copies of the whole database, taken while others write, and put back into an empty place.

A copy and its anchor are of one snapshot. SQLite copies pages in steps inside one reading
transaction: in a write-ahead log that holds up no writer, and what is written meanwhile neither
gets into the copy nor makes it begin again. On PostgreSQL `pg_dump` is told to use the snapshot
that the anchor was listed from. Its password goes by the environment, never by the arguments,
which everybody on the machine may read.
"""

import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final

from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool
from sqlmodel import Session

from storage.addresses import (
    PATIENCE,
    at_rest,
    begin_by,
    driver_url,
    read_only,
    sqlite_address,
    sqlite_path,
)
from storage.anchors import ANCHOR, Anchor, check_anchor, read_anchor, write_anchor
from storage.invariants import VerifyReport, Violation, verify, verify_chains
from storage.migrate import newest
from storage.moments import Micros
from storage.reaching import in_words_of_place
from storage.snapshots import begin_snapshot

_PAGES: Final = 1000
"""Pages of SQLite that are copied at a time."""
_OVERDUE_IS_FINE: Final = Micros(0)
"""When copies are verified at: what is past its time is for the sweeper, not for a copy."""
_TELL: Final = 2000
"""Characters of what a tool says that are passed on."""
_OBJECTS: Final = """
    SELECT COUNT(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'"""


class CopyFailed(Exception):
    """The copy could not be taken, read or put back; the text says why."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy is of."""

    revision: str
    anchor: Anchor


def copy_database(address: str, to: Path, anchor_file: BinaryIO, at: Micros) -> Copied:
    """Copy the database to the empty file `to`, and list where its wallets stand.

    Raises:
        CopyFailed: there are no tables, or a tool is missing, too old or failed.
        LedgerDown: the database cannot be reached.
    """
    path = sqlite_path(address)
    with _reading(address) as session:
        begin_snapshot(session)
        copied = Copied(_revision(session), write_anchor(session, anchor_file, at))
        if path is None:
            _dump(session, driver_url(address), to)
        else:
            _copy_pages(session, to)
    return copied


def check_copied_file(copy: Path, anchor_file: BinaryIO) -> VerifyReport:
    """Check a copy of an SQLite file: the file itself, its ledger, and its anchor.

    Raises:
        BadAnchor: the anchor is none, or of another ledger.
        LedgerDown: it is no database.
    """
    with _reading(sqlite_address(copy), at_rest(copy)) as session:
        faults = [row[0] for row in session.execute(text("PRAGMA integrity_check"))]
        if faults != ["ok"]:
            broken = tuple(Violation("the file is sound", fault) for fault in faults)
            return VerifyReport(wallets=0, entries=0, violations=broken)
        return _check(session, anchor_file)


def check_dump(copy: Path) -> None:
    """Check that PostgreSQL's tools can read a dump: what is in it is seen when it is put back.

    Raises:
        CopyFailed: they cannot, or they are missing.
    """
    _run("pg_restore", "--list", str(copy))


def check_database(address: str, anchor_file: BinaryIO) -> VerifyReport:
    """Check the ledger of a database that was put back, and that it is its anchor's.

    Raises:
        BadAnchor: the anchor is none, or of another ledger.
        LedgerDown: the database cannot be reached.
    """
    with _reading(address) as session:
        return _check(session, anchor_file)


def is_empty_server(address: str) -> bool:
    """Whether a PostgreSQL database has nothing in it."""
    with _reading(address) as session:
        objects: int = session.execute(text(_OBJECTS)).scalar_one()
    return objects == 0


def put_back_dump(copy: Path, address: str) -> None:
    """Fill an empty PostgreSQL database: everything, or nothing.

    Raises:
        CopyFailed: the tool is missing or failed.
    """
    whole = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges")
    url = driver_url(address)
    _run("pg_restore", *whole, "--no-password", f"--dbname={_target(url)}", str(copy), url=url)
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("ANALYZE"))  # a dump brings no statistics to plan by
    engine.dispose()


def _check(session: Session, anchor_file: BinaryIO) -> VerifyReport:
    """Every rule where the tables are this program's; the hashes and the anchor in any case."""
    anchor = read_anchor(anchor_file)
    if _revision(session) == newest():
        report = verify(session, _OVERDUE_IS_FINE)
    else:
        report = verify_chains(session)
    wrong = [*report.violations, *check_anchor(session, anchor, anchor_file)]
    with Path(os.devnull).open("wb") as nowhere:
        found = write_anchor(session, nowhere, anchor.at)
    if found != anchor and not wrong:
        wrong.append(Violation(ANCHOR, f"the root is {found.root}, the anchor's {anchor.root}"))
    return replace(report, violations=tuple(wrong))


@contextmanager
def _reading(address: str, opened_by: URL | None = None) -> Iterator[Session]:
    """One snapshot, on a connection that cannot write."""
    path = sqlite_path(address)
    url = driver_url(address) if path is None else read_only(path)
    server = {"isolation_level": "REPEATABLE READ", "connect_args": PATIENCE}
    engine = create_engine(
        opened_by or url,
        poolclass=NullPool,
        hide_parameters=True,
        **({} if path else server),
    )
    if path:
        begin_by(engine, "BEGIN")
    try:
        with Session(engine) as session:
            yield session
    except DBAPIError as error:
        raise in_words_of_place(error, address) from None
    finally:
        engine.dispose()


def _revision(session: Session) -> str:
    """The revision of the tables, as Alembic noted it."""
    try:
        found = session.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except DBAPIError:
        found = None
    if found is None:
        raise CopyFailed("the database has no tables of Farebox")
    return str(found)


def _copy_pages(session: Session, to: Path) -> None:
    source = session.connection().connection.driver_connection
    assert isinstance(source, sqlite3.Connection)
    with closing(sqlite3.connect(to)) as copy:
        copy.execute("PRAGMA synchronous=OFF")  # whoever keeps the copy syncs it whole
        source.backup(copy, pages=_PAGES)


def _dump(session: Session, url: URL, to: Path) -> None:
    server = int(session.execute(text("SHOW server_version_num")).scalar_one()) // 10_000
    found = re.search(r"\) (\d+)", _run("pg_dump", "--version"))
    if found is None or int(found[1]) < server:
        raise CopyFailed(
            f"pg_dump is older than the server, which is PostgreSQL {server}; install the Debian"
            f" package postgresql-client-{server} (or a newer postgresql-client)"
        )
    session.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))  # while it dumps
    snapshot = session.execute(text("SELECT pg_export_snapshot()")).scalar_one()
    how = ("--format=custom", f"--snapshot={snapshot}", "--no-password", f"--file={to}")
    _run("pg_dump", *how, f"--dbname={_target(url)}", url=url)


def _target(url: URL) -> str:
    """The address as PostgreSQL's tools read it, without any password."""
    bare = url.set(drivername="postgresql", password=None)
    return bare.difference_update_query(["password"]).render_as_string()


def _run(tool: str, *arguments: str, url: URL | None = None) -> str:
    """What one of PostgreSQL's tools prints."""
    program = shutil.which(tool)
    if program is None:
        raise CopyFailed(f"{tool} is missing; install the Debian package postgresql-client")
    done = subprocess.run(  # noqa: S603 - no shell, and our own arguments
        [program, *arguments],
        capture_output=True,
        check=False,
        text=True,
        env=_environment(url),
    )
    if done.returncode != 0:
        raise CopyFailed(f"{tool} failed: {done.stderr.strip()[:_TELL]}")
    return done.stdout


def _environment(url: URL | None) -> Mapping[str, str]:
    """This process's environment without our secrets, and with the database's password."""
    mine = os.environ.items()  # noqa: TID251 - handed to another process
    passed = {name: value for name, value in mine if not name.startswith("FAREBOX_")}
    password = url and (url.password or url.query.get("password"))
    return passed | ({"PGPASSWORD": str(password)} if password else {})
