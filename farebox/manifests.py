"""What a backup is of, and whether it still is: the manifest, and the parts compared with it."""

import hashlib
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from storage.anchors import BadAnchor, read_anchor

MANIFEST: Final = "manifest.json"
ANCHOR: Final = "anchor.jsonl"
FILES: Final = "files"
DAMAGED: Final = "This backup is damaged; use another copy."


class BackupRefused(Exception):
    """The backup cannot be made, trusted or restored; the text says why."""


class Part(BaseModel):
    """One file of a backup."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    size: int
    sha256: str


class Manifest(BaseModel):
    """What a backup is of. `at` is in microseconds, `anchor` the root of its anchor."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    at: int
    database: Literal["sqlite", "postgresql"]
    revision: str
    master_key: str | None
    anchor: str
    parts: tuple[Part, ...]

    @property
    def copy_name(self) -> str:
        """The database's own part."""
        return "database.sqlite" if self.database == "sqlite" else "database.dump"


def measured(directory: Path, path: Path) -> Part:
    """The part of a backup that a file in its directory is."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = file.tell()
    return Part(path=path.relative_to(directory).as_posix(), size=size, sha256=digest)


def checked_manifest(backup: Path) -> Manifest:
    """The manifest of a backup, after comparing every part with it.

    Raises:
        BackupRefused: a part is missing or not as it was written.
    """
    try:
        manifest = Manifest.model_validate_json((backup / MANIFEST).read_bytes())
    except OSError as error:
        raise BackupRefused(f"{backup} is no whole backup: {MANIFEST}: {error.strerror}") from None
    except ValidationError:
        raise BackupRefused(
            f"{backup / MANIFEST} is no manifest that this program knows"
        ) from None
    named = [part.path for part in manifest.parts]
    if len(set(named)) != len(named) or not {ANCHOR, manifest.copy_name} <= set(named):
        raise BackupRefused(f"{backup / MANIFEST} does not name every part once")
    for part in manifest.parts:
        _compare(backup, part)
    try:
        with (backup / ANCHOR).open("rb") as file:
            root = read_anchor(file).root
    except BadAnchor as error:
        raise BackupRefused(f"{backup / ANCHOR}: {error}") from None
    if root != manifest.anchor:
        raise BackupRefused(f"{backup}: the manifest's anchor is {manifest.anchor}, not {root}")
    return manifest


def refuse_strangers(backup: Path, manifest: Manifest) -> None:
    """Find what lies among the files without being a part.

    Raises:
        BackupRefused: there is such a file.
    """
    named = {backup / part.path for part in manifest.parts}
    for path in sorted((backup / FILES).rglob("*")):
        if path not in named and (path.is_symlink() or not path.is_dir()):
            raise BackupRefused(f"{path} is no part of this backup. {DAMAGED}")


def _compare(backup: Path, part: Part) -> None:
    path = PurePosixPath(part.path)
    is_outside = path.is_absolute() or ".." in path.parts or (backup / path).is_symlink()
    if is_outside or (len(path.parts) > 1 and path.parts[0] != FILES):
        raise BackupRefused(f"{backup / MANIFEST} names {part.path}, which is no part of a backup")
    try:
        found = measured(backup, backup / path)
    except FileNotFoundError:
        raise BackupRefused(f"{backup / path}: a part is missing. {DAMAGED}") from None
    except OSError as error:
        raise BackupRefused(f"{backup / path}: {error.strerror}") from None
    if found != part:
        raise BackupRefused(f"{backup / path} is not as it was written. {DAMAGED}")
