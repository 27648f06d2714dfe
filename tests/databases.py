"""Fresh, migrated databases for tests, quickly.

Migrated once and copied. A copy on PostgreSQL takes up to half a second, so one whose test left
its schema as it was is emptied, which takes a twentieth of that, and lent again.
"""

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
from sqlmodel import Session, select

from storage.database import Database
from storage.invariants import VerifyReport, verify
from storage.migrate import upgrade
from storage.models.money import Wallet
from storage.moments import Micros

KINDS: Final = ("sqlite", "postgresql")
SERVER: Final = os.environ.get("FAREBOX_TEST_DATABASE_URL", "")  # noqa: TID251 - for tests alone
"""A PostgreSQL server where databases may be created, as in postgresql://root@localhost/test."""
NO_SERVER: Final = "FAREBOX_TEST_DATABASE_URL names no PostgreSQL server"
SQLITE_ALONE: Final = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
"""For tests of what is decided without the database: its kind makes no difference to them."""
_SCHEMA: Final = """
SELECT md5(string_agg(row, ',' ORDER BY row)) FROM (
    SELECT concat_ws(' ', 'class', oid, xmin) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT concat_ws(' ', 'column', attrelid, attnum, pg_attribute.xmin)
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT concat_ws(' ', 'constraint', oid, xmin) FROM pg_constraint
    UNION ALL SELECT concat_ws(' ', 'trigger', oid, xmin) FROM pg_trigger
    UNION ALL SELECT concat_ws(' ', 'function', oid, xmin) FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT concat_ws(' ', 'setting', setdatabase, setrole, xmin) FROM pg_db_role_setting
) AS rows (row)
"""
"""Another answer after any change of what is in the schema: each row of the catalogue names the
transaction that wrote it."""
_EMPTY: Final = """
SET session_replication_role = replica; -- entries are append-only, and rows refer to each other
DO $$ DECLARE name text; has_rows boolean; BEGIN
    FOR name IN SELECT oid::regclass FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
        AND relname <> 'alembic_version'
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', name) INTO has_rows;
        IF has_rows THEN EXECUTE format('DELETE FROM %s', name); END IF;
    END LOOP;
    PERFORM setval(oid::regclass, 1, false) FROM pg_class
        WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace;
END $$;
"""
_OTHERS: Final = """
SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
AND backend_type = 'client backend'
"""
_OVERDUE_IS_FINE: Final = Micros(0)
"""The moment tests verify at: what is past its time is for the sweeper, whom tests call or not."""


class Databases:
    """Makes databases of either kind; lives as long as the test run."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._template = f"farebox_test_{uuid4().hex[:12]}"
        self._idle: list[str] = []

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
        if is_migrated and self._idle:
            name = self._idle.pop()
        else:
            origin = self._postgresql_template() if is_migrated else "template0"
            _administer(f'CREATE DATABASE "{name}" TEMPLATE "{origin}"')
        is_as_new = False
        try:
            yield _address(name)
            is_as_new = is_migrated and self._make_as_new(name)
        finally:
            if is_as_new:
                self._idle.append(name)
            else:
                _administer(f'DROP DATABASE "{name}" WITH (FORCE)')

    def close(self) -> None:
        """Leave nothing on the server."""
        if SERVER:
            for name in (*self._idle, self._template):
                _administer(f'DROP DATABASE IF EXISTS "{name}"')

    def _make_as_new(self, name: str) -> bool:
        """Empty a database; False when that would not make it like a new copy."""
        with psycopg.connect(_address(name), autocommit=True) as connection:
            if connection.execute(_OTHERS).fetchone():  # a test killed what was connected
                return False
            schema = connection.execute(_SCHEMA).fetchone()
            if schema != self._schema_of_copies():
                return False
            connection.execute(_EMPTY)
            return True

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

    @cache  # noqa: B019
    def _schema_of_copies(self) -> object:
        with psycopg.connect(_address(self._postgresql_template())) as connection:
            return connection.execute(_SCHEMA).fetchone()


def has_wallets(session: Session) -> bool:
    """Whether anybody has, or had, credits here."""
    return session.exec(select(Wallet.id).limit(1)).first() is not None


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
