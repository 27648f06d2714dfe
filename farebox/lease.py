"""One process writes an SQLite file: who holds the lease on it.

The lease is an advisory lock on a file beside the database, so two data directories cannot lead to
the same database, and it ends with its process, however that ends.
"""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

from host.config import BadSettings, Settings


class LeaseTaken(Exception):
    """Another process writes here."""


def make_places(settings: Settings) -> None:
    """The data directory, and the one that the database's file is in.

    Raises:
        BadSettings: one cannot be made.
    """
    make_data_dir(settings.data_dir)
    if (database := settings.sqlite_file) is not None:
        _make(database.resolve().parent)


def make_data_dir(data_dir: Path) -> None:
    """The data directory, readable by its owner alone, also when it was there before.

    Raises:
        BadSettings: it cannot be made.
    """
    _make(data_dir)
    mode = stat.S_IMODE(data_dir.stat().st_mode)
    if mode & 0o077 and not mode & stat.S_ISVTX:  # one like /tmp is everybody's
        with suppress(PermissionError):  # not ours to change; `farebox doctor` says so
            data_dir.chmod(mode & 0o700)


def _make(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        if directory.exists():
            raise BadSettings(f"{directory} is not a directory; choose another place") from None
        raise BadSettings(f"{directory} cannot be made: {error.strerror}") from None


def lease(settings: Settings) -> AbstractContextManager[None]:
    """Hold the lease on the database; on PostgreSQL there is none, and many may write.

    Raises:
        LeaseTaken: another process holds it.
        BadSettings: there is no such directory, or it is not ours to write in.
    """
    database = settings.sqlite_file
    return nullcontext() if database is None else _lock(database)


def beside(database: Path, ending: str) -> Path:
    """A file next to the database, the same one by whatever name the database is reached."""
    whole = database.resolve()
    return whole.with_name(f"{whole.name}.{ending}")


@contextmanager
def _lock(database: Path) -> Iterator[None]:
    path = beside(database, "lease")
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise BadSettings(f"{path} cannot be opened: {error.strerror}") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LeaseTaken(f"another Farebox is running on {database}") from None
        yield
    finally:
        os.close(handle)
