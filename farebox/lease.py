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

from host.config import Settings


class LeaseTaken(Exception):
    """Another process writes here."""


def make_data_dir(data_dir: Path) -> None:
    """The data directory, readable by its owner alone, also when it was there before."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    mode = stat.S_IMODE(data_dir.stat().st_mode)
    if mode & 0o077 and not mode & stat.S_ISVTX:  # one like /tmp is everybody's
        with suppress(PermissionError):  # not ours to change; `farebox doctor` says so
            data_dir.chmod(mode & 0o700)


def lease(settings: Settings) -> AbstractContextManager[None]:
    """Hold the lease on the database; on PostgreSQL there is none, and many may write.

    Raises:
        LeaseTaken: another process holds it.
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
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LeaseTaken(f"another Farebox is running on {database}") from None
        yield
    finally:
        os.close(handle)
