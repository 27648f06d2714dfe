"""Short looks at a database before anything serves, and in words what keeps it from being reached.

Who meets these words is an operator with a mistyped address, so they name the place and the
reason and never a password. A look takes one connection, writes nothing and makes no file.
"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from storage.addresses import PATIENCE, driver_url, read_only, sqlite_path
from storage.driver_errors import in_our_words
from storage.errors import Unreachable

_FAILED: Final = re.compile(r"^.*failed: (?:FATAL:\s*)?(.+)$", re.MULTILINE)
"""What libpq says last of each attempt, behind whom it asked."""


@contextmanager
def looking(address: str) -> Iterator[Connection]:
    """A connection to look at the tables with.

    Raises:
        Unreachable: there is no such database.
        LedgerDown: it was lost meanwhile.
    """
    path = sqlite_path(address)
    engine = create_engine(
        driver_url(address) if path is None else read_only(path),
        poolclass=NullPool,
        hide_parameters=True,
        connect_args=PATIENCE if path is None else {},
    )
    try:
        with engine.connect() as connection:
            yield connection
    except DBAPIError as error:
        raise in_words_of_place(error, address) from None
    finally:
        engine.dispose()


def in_words_of_place(error: DBAPIError, address: str) -> Exception:
    """What a statement, or connecting, failed with: with the place, if that cannot be used."""
    url = driver_url(address)
    if url.get_backend_name() == "sqlite":
        kind = (getattr(error.orig, "sqlite_errorcode", None) or 0) & 0xFF
        if kind == sqlite3.SQLITE_NOTADB:
            return Unreachable(f"{url.database} is not an SQLite database.")
        if error.statement is None or kind == sqlite3.SQLITE_CANTOPEN:
            return Unreachable(f"{url.database} cannot be opened: {error.orig}.")
    elif error.statement is None:  # it failed before anything could be asked
        return Unreachable(
            f"Cannot reach {place_of(address)}: {_reason(str(error.orig))}."
            " Check FAREBOX_DATABASE_URL and that the server runs."
        )
    return in_our_words(error)


def place_of(address: str) -> str:
    """Where a PostgreSQL database is, without who asks for it."""
    url = driver_url(address)
    server = f"{url.host or 'the local socket'}:{url.port or 5432}"
    return f"PostgreSQL at {server}, database {url.database or url.username}"


def _reason(told: str) -> str:
    if found := _FAILED.findall(told):
        reason = str(found[-1]).strip()
        return reason[:1].lower() + reason[1:]
    return "no such host name" if "resolve host" in told else "no answer in time"
