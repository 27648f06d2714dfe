"""Where the master key comes from: the settings, or a file made on the first start.

The file is a convenience for one machine with one SQLite file. In production, and with PostgreSQL,
where several processes must agree on the key, it has to be given and is never invented; nor is it
beside a database, such as a restored one, that already holds sealed secrets. Keep a copy
elsewhere: without it every sealed secret is lost, and that is the point.
"""

import base64
import os
import secrets
import stat
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

from host.config import BadSettings, Settings
from host.vault.envelope import KEY_BYTES, MasterKey

FILE_NAME: Final = "master.key"
OWNER_ONLY: Final = 0o600


def load_master_key(settings: Settings, sealed_under: Collection[str] = ()) -> MasterKey:
    """The master key of this installation, made if this is its first start.

    `sealed_under` are the fingerprints of the keys that the database's secrets need: where there
    is one, no other key is made or used.

    Raises:
        BadSettings: it must be given and is not, its file cannot be trusted or read, or it opens
            nothing of what is sealed.
    """
    key = existing_master_key(settings)
    refuse_another_key(settings, key, sealed_under)
    if key is None:
        path = settings.data_dir / FILE_NAME
        _create(path)
        key = _read(path)
    return key


def existing_master_key(settings: Settings) -> MasterKey | None:
    """The master key of this installation; None where the first start has yet to make it.

    Raises:
        BadSettings: it must be given and is not, or its file cannot be trusted or read.
    """
    if settings.master_key is not None:
        return MasterKey(base64.b64decode(settings.master_key.get_secret_value()))
    if settings.env == "production":
        raise BadSettings("FAREBOX_MASTER_KEY must be given in production; it is never invented")
    if not settings.is_sqlite:
        raise BadSettings(
            "FAREBOX_MASTER_KEY must be given with PostgreSQL: every process needs the same one"
        )
    path = settings.data_dir / FILE_NAME
    # A link that leads nowhere is no first start: reading it says what is wrong.
    return _read(path) if path.exists() or path.is_symlink() else None


def refuse_another_key(
    settings: Settings, key: MasterKey | None, sealed_under: Collection[str]
) -> None:
    """Make sure that the key opens something of what is sealed, if anything is.

    Where two keys have sealed, either may be used: `/readyz` says that some secrets do not open.

    Raises:
        BadSettings: it does not.
    """
    if not sealed_under or (key is not None and key.fingerprint in sealed_under):
        return
    is_by_file = settings.master_key is None and settings.env != "production"
    file = f"{settings.data_dir / FILE_NAME} or " if is_by_file and settings.is_sqlite else ""
    raise BadSettings(
        "This database was sealed with another master key (fingerprint"
        f" {', '.join(sorted(sealed_under))}). Put that key in {file}FAREBOX_MASTER_KEY."
    )


def _create(path: Path) -> None:
    """Write a new key: complete and private before it has its name, never over another."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{FILE_NAME}.{secrets.token_hex(8)}")
    text = base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n"
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another process was first: its key is the key
            path.hardlink_to(unfinished)
    finally:
        unfinished.unlink()


def _read(path: Path) -> MasterKey:
    """The key in the file, if nobody but its owner can have read or chosen it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise BadSettings(f"{path}: cannot read the master key: {error.strerror}") from None
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode) or facts.st_mode & 0o077:
            raise BadSettings(f"{path} can be read by others; run: chmod 600 {path}")
        text = file.read(1024)
    try:
        return MasterKey(base64.b64decode(text.strip(), validate=True))
    except ValueError:
        raise BadSettings(f"{path} does not hold a master key (32 bytes in base64)") from None
