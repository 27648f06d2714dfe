"""Brings a database to the tables that this program was written for.

Alembic does the work, without an ini file: the revisions travel inside the package. Everything
happens in one transaction on either database, so a failed upgrade leaves nothing behind, and a
lock makes several processes that start at once take turns. Opening a database never migrates it;
whoever starts the program decides.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from storage.addresses import PATIENCE, begin_by, driver_url, sqlite_path
from storage.errors import NoTables, NotMigrated
from storage.reaching import in_words_of_place, looking, place_of

_SCRIPTS: Final = Path(__file__).with_name("migrations")
_LOCK: Final = 0x4661_7265_626F_7821
"""The advisory lock of PostgreSQL that upgrades take: "Farebox!" in ASCII."""
_BUSY_TIMEOUT_S: Final = 60
"""How long an upgrade of an SQLite file waits for another to finish."""


def upgrade(address: str) -> None:
    """Bring the database to this program's revision; nothing happens when it is there.

    Raises:
        NotMigrated: its tables were made by a newer program.
        LedgerDown: the database cannot be reached.
    """
    with _transaction(address) as connection:
        try:
            command.upgrade(_config(connection), "head")
        except CommandError as error:
            raise NotMigrated(f"the tables cannot be upgraded: {error}") from None


def current(address: str) -> str | None:
    """The revision the database is at; None when it has no tables of ours.

    Asking takes no lock, so it never waits and nothing waits for it.

    Raises:
        LedgerDown: the database cannot be reached.
    """
    path = sqlite_path(address)
    if path is not None and not path.exists():
        return None
    with looking(address) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def check_is_current(address: str) -> None:
    """Make sure the tables fit this program.

    Raises:
        NoTables: there are none.
        NotMigrated: they are older or newer.
        LedgerDown: the database cannot be reached.
    """
    found, wanted = current(address), newest()
    if found is None:
        raise NoTables(_nothing_in(address))
    if found != wanted:
        raise NotMigrated(f"the tables are at {found}, wanted is {wanted}")


def _nothing_in(address: str) -> str:
    path = sqlite_path(address)
    if path is None:
        where, setting = place_of(address), "FAREBOX_DATABASE_URL"
    else:
        where, setting = str(path.parent), "--data-dir"
    return f"There is no Farebox database in {where}. Is {setting} right?"


def newest() -> str | None:
    """The revision this program was written for."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config(connection: Connection | None = None) -> Config:
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it announces every step
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


@contextmanager
def _transaction(address: str) -> Iterator[Connection]:
    """One transaction that no other upgrade can enter at the same time."""
    engine = _locking_engine(address)
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            yield connection
    except DBAPIError as error:
        raise in_words_of_place(error, address) from None
    finally:
        engine.dispose()


def _locking_engine(address: str) -> Engine:
    url = driver_url(address)
    if url.get_backend_name() != "sqlite":
        return create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=PATIENCE)
    engine = create_engine(
        url,
        poolclass=NullPool,
        hide_parameters=True,
        connect_args={"timeout": _BUSY_TIMEOUT_S},
    )
    begin_by(engine, "BEGIN IMMEDIATE")
    return engine
