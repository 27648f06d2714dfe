"""A process that grants credits again and again while its disk goes bad, and writes down what it
was told: one JSON line for each batch of answers, then one that says how it ended.

    python -m tests.faults.payer DATABASE file-limit|FLAG

After a few batches either no file may grow any more, or `FLAG` appears, at which the preloaded
`failing_fsync.c` refuses to sync.
"""

import asyncio
import json
import resource
import sys
from pathlib import Path
from typing import Final

from storage.addresses import sqlite_path
from storage.database import Database
from tests.builders import Shop, add_shop, grant_of

GOOD: Final = 3
"""Batches before the disk goes bad."""
BATCHES: Final = 8
BATCH: Final = 5


def _spoil(database: Path, how: str) -> None:
    if how == "file-limit":
        written = database.with_name(f"{database.name}-wal").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (written + 5_000, resource.RLIM_INFINITY))
    else:
        Path(how).touch()


async def _grant(database: Database, shop: Shop, ref: str) -> list[str]:
    try:
        await database.run(lambda unit: unit.books.grant(grant_of(shop, 5, source_ref=ref)))
    except Exception as error:  # noqa: BLE001 - what it was told is all that is wanted
        return [ref, type(error).__name__]
    return [ref, "granted"]


async def _main(address: str, how: str) -> None:
    path = sqlite_path(address)
    assert path is not None
    database = Database.open(address)
    shop = await database.run(add_shop)
    for batch in range(BATCHES):
        if batch == GOOD:
            _spoil(path, how)
        refs = [f"{batch}.{number}" for number in range(BATCH)]
        answers = await asyncio.gather(*(_grant(database, shop, ref) for ref in refs))
        sys.stdout.write(json.dumps(answers) + "\n")
    sys.stdout.write(json.dumps({"is_broken": database.is_broken}) + "\n")
    sys.stdout.flush()
    await database.close()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
