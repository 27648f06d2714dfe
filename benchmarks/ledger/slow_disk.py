"""A disk that takes a millisecond longer for each sync: ours grouped beside ours one by one.

The disk is a shim that must be loaded before the program, so both run in a child process.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import uvloop

from benchmarks.ledger.contestants import Ours, check_charges, open_shops
from benchmarks.ledger.one_by_one import one_by_one
from benchmarks.ledger.place import Place
from benchmarks.ledger.report import Line, ratio_line
from benchmarks.ledger.rounds import Beside, Entrant, interleave
from benchmarks.ledger.sizes import Sizes
from storage.database import Database
from tests.faults.disk import build_shim, shim_env

TIMES_FASTER: float = 10
DELAY_US: Final = 1_000
COMMITS: Final = 2
"""What a message takes, one by one: a hold and its capture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the child is to do, as it is sent to it."""

    address: str
    wallets: int
    callers: int
    rounds: int
    turn_s: float


async def measure(sizes: Sizes, place: Place) -> list[Line]:
    """Compare both in one child process under the shim."""
    with (
        place.databases.fresh("sqlite") as address,
        tempfile.TemporaryDirectory(dir=place.directory) as directory,
    ):
        asked = {
            "address": address,
            "wallets": sizes.wallets,
            "callers": sizes.callers,
            "rounds": sizes.rounds,
            "turn_s": sizes.turn_s,
        }
        slow = shim_env(build_shim(Path(directory)), delay_us=DELAY_US)
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", __name__, json.dumps(asked)),
            env=os.environ | slow,  # noqa: TID251 - a child's, as it is
            stdout=subprocess.PIPE,
        )
        answer, _ = await child.communicate()
    if child.returncode:
        raise RuntimeError("the child under the slow disk failed")
    told = json.loads(answer)
    return [
        ratio_line(
            f"SQLite, +1 ms for each sync, {sizes.callers} callers: grouped or one by one",
            Beside(**told),
            at_least=TIMES_FASTER,
        )
    ]


async def under_the_shim(asked: Asked) -> Beside:
    """In the child: both, grouped and one by one.

    Raises:
        RuntimeError: the disk was not slow, or commits were shared where they should not be.
    """
    database = Database.open(asked.address)
    try:
        ours = Ours(database, await open_shops(database, asked.wallets))
        results = await interleave(
            {
                "grouped": Entrant(contestant=ours, callers=asked.callers),
                "one by one": Entrant(contestant=ours, callers=asked.callers, around=one_by_one),
            },
            rounds=asked.rounds,
            turn_s=asked.turn_s,
        )
        await check_charges(database, ours)
    finally:
        await database.close()
    found = results.beside("grouped", "one by one")
    if found.base_per_s > 1e6 / DELAY_US / COMMITS:
        raise RuntimeError(f"{found.base_per_s:.0f}/s cannot be one by one on that disk")
    return found


if __name__ == "__main__":
    asked_for = Asked(**json.loads(sys.argv[1]))
    print(json.dumps(asdict(uvloop.run(under_the_shim(asked_for)))))
