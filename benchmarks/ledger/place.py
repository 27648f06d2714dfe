"""Where the benchmarks keep what they need while they run; nothing of it stays."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from storage.addresses import sqlite_address
from tests.databases import Databases


@dataclass(frozen=True, slots=True)
class Place:
    """A directory, and who makes databases there and on the PostgreSQL server."""

    directory: Path
    databases: Databases

    @contextmanager
    def file(self) -> Iterator[str]:
        """The address of an SQLite file that is yet to be made, and is gone afterwards."""
        name = f"{uuid4().hex}.db"
        yield sqlite_address(self.directory / name)
        for leftover in self.directory.glob(f"{name}*"):
            leftover.unlink()
