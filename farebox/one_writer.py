"""Does only one process write the SQLite file? What can be seen of that when a server starts.

Before SQLite 3.51.3 two writing connections could corrupt its write-ahead log; one cannot. The
lease (`farebox.lease`) refuses a second Farebox on this machine, and a command that finds a server
hands its verb over, so ordinarily there is one writer. Doubtful is where the lease may not bind,
and where somebody seems to mean several processes. Another program that opens the file cannot be
seen from here: the documentation forbids it.
"""

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import structlog

from farebox.server import ServerRole
from host.config import Settings

SAFE_SQLITE: Final = (3, 51, 3)
"""Before it, two writing connections could corrupt a write-ahead log."""
MOUNTS: Final = Path("/proc/self/mountinfo")
SHARED: Final = re.compile(
    r"nfs4?|cifs|smb\w*|ceph|lustre|gpfs|afs|ocfs2|gfs2|9p|vboxsf"
    r"|fuse\.(?:sshfs|glusterfs|ceph|s3fs|gcsfuse|rclone|juicefs)\S*"
)
"""File systems that other machines may write to as well, with locks that may end at this one."""
_ESCAPED: Final = re.compile(r"\\([0-7]{3})")
_MOUNT_POINT: Final = 4

log = structlog.get_logger(__name__)


def report(settings: Settings, *, role: ServerRole) -> None:
    """Log which SQLite this is, and warn of what may make a second writer; not on PostgreSQL."""
    if settings.is_sqlite:
        log.info("sqlite.version", version=sqlite3.sqlite_version)
        for doubt in doubts(settings, role=role):
            log.warning("sqlite.second_writer", problem=doubt)


def doubts(settings: Settings, *, role: ServerRole = ServerRole.ALL) -> Iterator[str]:
    """Why a second process might write the file, each with what to do about it."""
    database = settings.sqlite_file
    if database is None:
        return
    kind = file_system(database.resolve(), _mounts())
    if SHARED.fullmatch(kind):
        yield (
            f"{database} is on {kind}, where a Farebox on another machine may not be kept from"
            " writing to it as well, which can corrupt it; put it on a local disk, or use"
            " PostgreSQL"
        )
    if role is not ServerRole.ALL and is_old():
        yield (
            f"--role {role} leaves work for a second process, and two that write can corrupt a"
            f" database of SQLite {sqlite3.sqlite_version}, which is older than 3.51.3; serve"
            " with --role all, or use PostgreSQL"
        )


def is_old() -> bool:
    """Whether this SQLite has the fault that two writers can meet."""
    return sqlite3.sqlite_version_info < SAFE_SQLITE


def file_system(path: Path, mounts: str) -> str:
    """The kind of file system that an absolute path is on; "" when that cannot be told.

    `mounts` is as in /proc/self/mountinfo: of two mounts on one point the later hides the other.
    """
    deepest, kind = Path(), ""
    for line in mounts.splitlines():
        place, _, what = line.partition(" - ")
        fields = place.split(" ")
        if len(fields) <= _MOUNT_POINT or not what:
            continue
        point = Path(_ESCAPED.sub(lambda found: chr(int(found[1], 8)), fields[_MOUNT_POINT]))
        if path.is_relative_to(point) and len(point.parts) >= len(deepest.parts):
            deepest, kind = point, what.split(" ")[0]
    return kind


def _mounts() -> str:
    try:
        return MOUNTS.read_text(encoding="utf-8", errors="replace")
    except OSError:  # not on Linux
        return ""
