"""The archive of one person's data, written to a file: `farebox account export`.

It reads the database directly, as `farebox ledger export` does, also beside a running server.
"""

import asyncio
from pathlib import Path
from typing import BinaryIO, Final

from farebox.commands.console import refuse, settings_in_force
from farebox.control import in_words
from host.clock import SystemClock
from host.config import Settings
from host.errors import FareboxError
from host.identity.rules import clean_email, refused
from host.personal.download import Download
from storage.accounts import find_account_by_email
from storage.database import Database
from storage.errors import StorageError
from storage.migrate import check_is_current

PRIVATE: Final = 0o600


def write_archive(data_dir: Path | None, email: str, out: Path) -> None:
    """Write a person's archive to a new file that is its writer's alone; a refusal ends with 1."""
    settings = settings_in_force(data_dir)
    try:
        check_is_current(settings.database)
        asyncio.run(_write(settings, email, out))
    except FareboxError as error:
        refuse(error.detail)
    except StorageError as error:
        refuse(in_words(error))
    except OSError as error:
        refuse(f"{out}: {error.strerror}")


async def _write(settings: Settings, email: str, out: Path) -> None:
    database = Database.open(settings.database)
    try:
        address = clean_email(email)
        account = await database.read(lambda s: find_account_by_email(s, address))
        if account is None:
            raise refused("email", f"There is no account with the address {address}.")
        download = Download(database, SystemClock(), public_url=settings.public_url)
        file = await asyncio.to_thread(_new_file, out)
        with file:
            async for piece in download.archive(account.id):
                file.write(piece)
    finally:
        await database.close()


def _new_file(path: Path) -> BinaryIO:
    path.touch(PRIVATE, exist_ok=False)
    return path.open("wb")
