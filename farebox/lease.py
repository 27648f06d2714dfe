"""One process writes an SQLite file: who holds the lease on the data directory.

The lease is an advisory lock on a file there, so it ends with its process, however that ends.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

LEASE: Final = "lease"


class LeaseTaken(Exception):
    """Another process writes here."""


def make_data_dir(data_dir: Path) -> None:
    """The data directory, readable by its owner alone."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)


@contextmanager
def lease(data_dir: Path) -> Iterator[None]:
    """Hold the data directory's lease.

    Raises:
        LeaseTaken: another process holds it.
    """
    make_data_dir(data_dir)
    handle = os.open(data_dir / LEASE, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LeaseTaken(f"another Farebox is running on {data_dir}") from None
        yield
    finally:
        os.close(handle)
