"""Fresh, migrated databases for tests, quickly: migrated once, copied for each test."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy.engine import make_url

from storage.database import Database
from storage.invariants import VerifyReport, verify
from storage.migrate import upgrade
from storage.moments import Micros

KINDS: Final = ("sqlite", "postgresql")
SERVER: Final = os.environ.get("FAREBOX_TEST_DATABASE_URL", "")  # noqa: TID251 - for tests alone
"""A PostgreSQL server where databases may be created, as in postgresql://root@localhost/test."""
NO_SERVER: Final = "FAREBOX_TEST_DATABASE_URL names no PostgreSQL server"
SQLITE_ALONE: Final = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
"""For tests of what is decided without the database: its kind makes no difference to them."""
_OVERDUE_IS_FINE: Final = Micros(0)
"""The moment tests verify at: what is past its time is for the sweeper, whom tests call or not."""


class Databases:
    """Makes databases of either kind; lives as long as the test run."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._template = f"farebox_test_{uuid4().hex[:12]}"

    @contextmanager
    def fresh(self, kind: str, *, is_migrated: bool = True) -> Iterator[str]:
        """The address of a new database, which is gone afterwards."""
        name = f"{self._template}_{uuid4().hex[:12]}"
        if kind == "sqlite":
            path = self._directory / f"{name}.db"
            if is_migrated:
                shutil.copyfile(self._sqlite_template(), path)
            yield f"sqlite:///{path}"
            for leftover in self._directory.glob(f"{name}.db*"):
                leftover.unlink()
            return
        origin = self._postgresql_template() if is_migrated else "template0"
        _administer(f'CREATE DATABASE "{name}" TEMPLATE "{origin}"')
        try:
            yield _address(name)
        finally:
            _administer(f'DROP DATABASE "{name}" WITH (FORCE)')

    def close(self) -> None:
        """Leave nothing on the server."""
        if SERVER:
            _administer(f'DROP DATABASE IF EXISTS "{self._template}"')

    @cache  # noqa: B019 - it lives as long as the test run
    def _sqlite_template(self) -> Path:
        path = self._directory / "template.db"
        upgrade(f"sqlite:///{path}")
        return path

    @cache  # noqa: B019
    def _postgresql_template(self) -> str:
        _administer(f'CREATE DATABASE "{self._template}" TEMPLATE "template0"')
        upgrade(_address(self._template))
        return self._template


async def verify_ledger(database: Database) -> VerifyReport:
    """Check that the ledger adds up, and fail with what does not."""
    report = await database.read(lambda session: verify(session, _OVERDUE_IS_FINE))
    assert report.ok, report.violations
    return report


def _address(name: str) -> str:
    return make_url(SERVER).set(database=name).render_as_string(hide_password=False)


def _administer(statement: str) -> None:
    with psycopg.connect(SERVER, autocommit=True) as connection:
        connection.execute(statement.encode())
