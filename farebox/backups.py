"""Backups: the database, the files beside it, and proof that both are whole. Never the master key.

A backup is one directory, so that its parts can be checked, and the database opened, where they
lie, without unpacking gigabytes first:

    manifest.json       what it is of, and the size and SHA-256 of every part
    anchor.jsonl        where every wallet stood in the very snapshot that was copied
    database.sqlite     the copied file; or database.dump, PostgreSQL's own format
    files/…             everything else in the data directory

It gets its name when all of it is on the disk. The manifest names the master key by a fingerprint
that tells nothing about it; the key itself has to be kept apart, or the backup would open
everybody's secrets.
"""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from farebox.demo.marks import MARK, SCRATCH
from farebox.lease import beside, lease, make_places
from farebox.manifests import (
    ANCHOR,
    FILES,
    MANIFEST,
    BackupRefused,
    Manifest,
    Part,
    checked_manifest,
    measured,
    refuse_strangers,
)
from farebox.private_files import new_private_file, sync
from host.config import Settings
from host.vault.envelope import MasterKey
from host.vault.master_key import FILE_NAME, existing_master_key, refuse_another_key
from storage.anchors import BadAnchor
from storage.copies import (
    CopyFailed,
    check_copied_file,
    check_database,
    check_dump,
    copy_database,
    is_empty_server,
    put_back_dump,
)
from storage.invariants import VerifyReport
from storage.moments import Micros
from storage.reaching import place_of
from storage.secrets import sealing_keys

_BLOCK: Final = 1 << 20
_OVERLAP: Final = 128
"""Bytes of a block that are looked at again with the next: no key is longer, however written."""


@dataclass(frozen=True, slots=True)
class Made:
    """A new backup, and which files were left out because they are no plain files, or the key."""

    manifest: Manifest
    left_out: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back and where, what checking it found, and whether its key is there."""

    manifest: Manifest
    place: str
    report: VerifyReport
    has_key: bool


def create_backup(settings: Settings, to: Path, now: Micros) -> Made:
    """Copy everything to the new directory `to`, also beside a server that is running.

    Raises:
        BackupRefused: `to` exists or is in the data directory, or the copy cannot be made.
        BadSettings: the master key must be given and is not, or is not the database's.
        LedgerDown: the database cannot be reached.
    """
    to = to.absolute()
    if to.exists() or to.is_symlink():
        raise BackupRefused(f"{to} exists; a backup is never written over another")
    if not to.parent.is_dir():
        raise BackupRefused(f"Make {to.parent} first.")
    if to.resolve().is_relative_to(settings.data_dir.resolve()):
        raise BackupRefused(f"{to} is in the data directory itself; choose another place")
    key = existing_master_key(settings)
    refuse_another_key(settings, key, sealing_keys(settings.database))
    unfinished = to.with_name(f".{to.name}.{secrets.token_hex(8)}")
    unfinished.mkdir(mode=0o700)
    try:
        made = _fill(unfinished, settings, key, now)
        unfinished.rename(to)
    except CopyFailed as error:
        raise BackupRefused(str(error)) from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    sync(to.parent)
    return made


def verify_backup(backup: Path) -> VerifyReport | None:
    """Check every part, and the ledger in the copy; None where only PostgreSQL can look into it.

    Raises:
        BackupRefused: a part is missing, is not as it was written, or is none of its parts.
    """
    manifest = checked_manifest(backup)
    refuse_strangers(backup, manifest)
    try:
        if manifest.database == "postgresql":
            check_dump(backup / manifest.copy_name)
            return None
        with (backup / ANCHOR).open("rb") as anchor:
            return check_copied_file(backup / manifest.copy_name, anchor)
    except (CopyFailed, BadAnchor) as error:
        raise BackupRefused(str(error)) from None


def restore_backup(backup: Path, settings: Settings) -> Restored:
    """Put a backup back into an empty place, then check what is there.

    Raises:
        BackupRefused: the backup is damaged or of another kind or key, or the place is not empty.
        BadSettings: the master key must be given and is not.
        LeaseTaken: a server is running there.
        LedgerDown: the database cannot be reached.
    """
    manifest = checked_manifest(backup)
    key = existing_master_key(settings)
    _refuse_another_installation(manifest, settings, key)
    make_places(settings)
    with lease(settings):
        _refuse_unless_empty(manifest, settings)
        try:
            _put_all_back(backup, manifest, settings)
            with (backup / ANCHOR).open("rb") as anchor:
                report = check_database(settings.database, anchor)
        except (CopyFailed, BadAnchor) as error:
            raise BackupRefused(str(error)) from None
    return Restored(manifest, _place(settings), report, has_key=key is not None)


def _place(settings: Settings) -> str:
    if settings.is_sqlite:
        return str(settings.data_dir)
    return f"{place_of(settings.database)}, and its files to {settings.data_dir}"


def _put_all_back(backup: Path, manifest: Manifest, settings: Settings) -> None:
    """The files, and the database last: until it is there, whole, no server can start."""
    copy = backup / manifest.copy_name
    with ExitStack() as undo:
        for part in manifest.parts:
            if (target := _target(part, settings)) is not None:
                _put_back(backup / part.path, target)
                undo.callback(target.unlink, missing_ok=True)
        if settings.sqlite_file is None:
            put_back_dump(copy, settings.database)
        else:
            unfinished = beside(settings.sqlite_file, secrets.token_hex(8))
            _put_back(copy, unfinished)
            unfinished.rename(settings.sqlite_file)
            sync(unfinished.parent)
        undo.pop_all()


def _fill(directory: Path, settings: Settings, key: MasterKey | None, now: Micros) -> Made:
    kind: Literal["sqlite", "postgresql"] = "sqlite" if settings.is_sqlite else "postgresql"
    copy = directory / ("database.sqlite" if settings.is_sqlite else "database.dump")
    copy.touch(mode=0o600)
    with new_private_file(directory / ANCHOR) as anchor_file:
        copied = copy_database(settings.database, copy, anchor_file, now)
    sync(copy)
    parts, left_out = [measured(directory, copy), measured(directory, directory / ANCHOR)], []
    for source in _peoples_files(settings):
        target = directory / FILES / source.relative_to(settings.data_dir)
        if source.is_symlink() or not source.is_file() or _shows(source, key):
            left_out.append(source)
        else:
            with suppress(FileNotFoundError):  # the server may have removed it by now
                _put_back(source, target)
                parts.append(measured(directory, target))
    manifest = Manifest(
        at=now,
        database=kind,
        revision=copied.revision,
        master_key=key.fingerprint if key else None,
        anchor=copied.anchor.root,
        parts=tuple(parts),
    )
    with new_private_file(directory / MANIFEST) as file:
        file.write(manifest.model_dump_json(indent=2).encode() + b"\n")
    return Made(manifest, tuple(left_out))


def _peoples_files(settings: Settings) -> Iterator[Path]:
    """What the data directory holds beside the database, the key, and what is made anew."""
    ours = {settings.data_dir / FILE_NAME}
    if (database := settings.sqlite_file) is not None:
        places = [database, *(beside(database, ending) for ending in ("lease", "sock"))]
        places += [database.with_name(database.name + end) for end in ("-wal", "-shm", "-journal")]
        ours |= set(places)
    if (settings.data_dir / MARK).is_file():
        ours |= {settings.data_dir / SCRATCH}
    resolved = {path.resolve() for path in ours}
    for directory, names, files in os.walk(settings.data_dir):
        here = Path(directory)
        names[:] = sorted(name for name in names if (here / name).resolve() not in resolved)
        links = [name for name in names if (here / name).is_symlink()]
        for name in sorted([*files, *links]):
            if (here / name).resolve() not in resolved and not name.startswith(f".{FILE_NAME}."):
                yield here / name


def _shows(path: Path, key: MasterKey | None) -> bool:
    """Whether a file gives the master key away, under whatever name it is kept."""
    if key is None:
        return False
    tail = b""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            if key.is_shown_in(tail + block):
                return True
            tail = block[-_OVERLAP:]
    return False


def _put_back(source: Path, target: Path) -> None:
    """Copy one file to a new private one, in directories that are private too."""
    for directory in reversed([one for one in target.parents if not one.exists()]):
        directory.mkdir(mode=0o700)
        sync(directory.parent)
    with source.open("rb") as read, new_private_file(target) as write:
        shutil.copyfileobj(read, write, _BLOCK)


def _refuse_another_installation(
    manifest: Manifest, settings: Settings, key: MasterKey | None
) -> None:
    kind = "sqlite" if settings.is_sqlite else "postgresql"
    if manifest.database != kind:
        raise BackupRefused(
            f"this is a backup of {manifest.database}, FAREBOX_DATABASE_URL names {kind}"
        )
    if key and manifest.master_key and key.fingerprint != manifest.master_key:
        raise BackupRefused(
            "this backup belongs to another master key, the one whose fingerprint is"
            f" {manifest.master_key}; that of the key here is {key.fingerprint}"
        )


def _refuse_unless_empty(manifest: Manifest, settings: Settings) -> None:
    database = settings.sqlite_file
    if database is None:
        if not is_empty_server(settings.database):
            raise BackupRefused("the PostgreSQL database is not empty; make a new one")
        taken = []
    else:
        ends = ("", "-wal", "-shm", "-journal")
        taken = [database.with_name(database.name + end) for end in ends]
    targets = (_target(part, settings) for part in manifest.parts)
    for path in [*taken, *(target for target in targets if target)]:
        if path.exists() or path.is_symlink():
            raise BackupRefused(f"{path} exists; a backup is only restored into an empty place")


def _target(part: Part, settings: Settings) -> Path | None:
    """Where a file goes; None for the database, and for what stays in the backup."""
    first, *rest = PurePosixPath(part.path).parts
    return settings.data_dir.joinpath(*rest) if first == FILES and rest else None
