"""Where the database is: an address is parsed here and nowhere else.

Two kinds are known, an SQLite file and a PostgreSQL server; the driver is ours to choose. How each
is opened for writing is said by `storage.database` and `storage.writer`.
"""

from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

PATIENCE: Final[dict[str, Any]] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
"""How PostgreSQL is connected to: a server that vanished is missed in half a minute.

Seconds, and milliseconds for the last. Left alone, the system would wait for hours.
"""

HIDDEN: Final = "***"
"""What is shown in place of a secret."""
_KNOWN = "must be sqlite:///path or postgresql://user@host/name"


class BadAddress(ValueError):
    """The address names no database that can be used; the text says why and never quotes it."""


def driver_url(address: str) -> URL:
    """The address with the driver we use: psycopg 3 for PostgreSQL, the library's own for SQLite.

    Raises:
        BadAddress: it is another kind of database, or no file's path.
    """
    url = _parsed(address)
    match url.get_backend_name():
        case "postgresql":
            return url.set(drivername="postgresql+psycopg")
        case "sqlite":
            _check_path(url)
            return url.set(drivername="sqlite")
        case _:
            raise BadAddress(_KNOWN)


def sqlite_path(address: str) -> Path | None:
    """The file that is the database; None on PostgreSQL.

    Raises:
        BadAddress: it is another kind of database, or no file's path.
    """
    url = driver_url(address)
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def sqlite_address(path: Path) -> str:
    """The address of a file, whatever characters its path has."""
    return URL.create("sqlite", database=str(path)).render_as_string()


def without_password(address: str) -> str:
    """The address as it may be shown: none of its passwords is in it."""
    try:
        url = _parsed(address)
    except BadAddress:
        return HIDDEN if address else ""
    hidden = {name: "hidden" for name in url.query if "password" in name}
    return url.update_query_dict(hidden).render_as_string() if url.password or hidden else address


def read_only(path: Path) -> URL:
    """How the driver is asked for a file that it must neither make nor write."""
    return _opened(path, {"mode": "ro"})


def at_rest(path: Path) -> URL:
    """How the driver is asked for a file that nobody writes: it makes no other beside it."""
    return _opened(path, {"mode": "ro", "immutable": "1"})


def begin_by(engine: Engine, statement: str) -> None:
    """Let every transaction on an SQLite file begin with `statement`, whatever it then does."""

    @event.listens_for(engine, "connect")
    def _plain(connection: object, _record: object) -> None:
        # The driver's own transactions leave out DDL and reading.
        connection.isolation_level = None  # type: ignore[attr-defined]

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(statement)


def _parsed(address: str) -> URL:
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise BadAddress(_KNOWN) from None
    if "@" in (url.host or ""):  # the rest of a password, which would be told as a place
        raise BadAddress("must have `%40` for an `@` in the password")
    return url


def _opened(path: Path, how: dict[str, str]) -> URL:
    # Quoted: in this form of name, and only here, `#`, `%` and `?` would mean something.
    name = f"file:{quote(str(path.absolute()))}"
    return URL.create("sqlite", database=name, query=how | {"uri": "true"})


def _check_path(url: URL) -> None:
    """Refuse what would be read as one file here and as another there."""
    if not url.database or url.database.startswith((":memory:", "file:")):
        raise BadAddress("must name a file: sqlite:///path")
    if url.query or url.host:
        raise BadAddress("sqlite:///path takes nothing but a path, and none with a `?` in it")
