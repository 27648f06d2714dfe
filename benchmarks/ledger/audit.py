"""`farebox ledger verify` and `export` over a short and a long ledger: time, and memory.

Each runs in a process of its own, through the command line that operators use; that it stays
small however long the ledger is, is what is to be shown.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.ledger.growth import Grown, grow
from benchmarks.ledger.place import Place
from benchmarks.ledger.report import Line, limit_line, small_ratio_line
from benchmarks.ledger.sizes import Sizes

MEMORY_MOST: Final = 1.25
SECONDS_MOST: Final = 4
PER: Final = 200_000
"""Entries that the time is told for."""
_NAMES: Final[Mapping[str, str]] = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What one command took, the interpreter's start left out of the time."""

    seconds: float
    peak_kib: int


async def measure_sqlite(sizes: Sizes, place: Place) -> list[Line]:
    """Verify and export an SQLite file."""
    return await _measure("sqlite", sizes, place)


async def measure_postgresql(sizes: Sizes, place: Place) -> list[Line]:
    """Verify and export a PostgreSQL database."""
    return await _measure("postgresql", sizes, place)


async def _measure(kind: str, sizes: Sizes, place: Place) -> list[Line]:
    short_entries, long_entries = sizes.audited
    with (
        place.databases.fresh(kind) as short_address,
        place.databases.fresh(kind) as long_address,
    ):
        short = await grow(short_address, wallets=sizes.wallets, entries=short_entries)
        long = await grow(long_address, wallets=sizes.wallets, entries=long_entries)
        lines = []
        for command in sizes.audits:
            few = await _audit(command, short, place.directory)
            many = await _audit(command, long, place.directory)
            lines += _lines(f"{_NAMES[kind]}: {command}", sizes, few, many)
        return lines


def _lines(title: str, sizes: Sizes, few: Audit, many: Audit) -> list[Line]:
    short, long = sizes.audited
    return [
        small_ratio_line(
            f"{title}, peak memory at {long:,} entries beside {short:,}",
            ours=f"{many.peak_kib / 1024:,.0f} MiB",
            baseline=f"{few.peak_kib / 1024:,.0f} MiB",
            ratio=many.peak_kib / few.peak_kib,
            at_most=MEMORY_MOST,
        ),
        limit_line(
            f"{title}, time for each {PER:,} entries",
            many.seconds / long * PER,
            "s",
            at_most=SECONDS_MOST,
            baseline=f"{few.seconds / short * PER:,.1f} s",
        ),
    ]


async def _audit(command: str, grown: Grown, directory: Path) -> Audit:
    """Run one command over one ledger.

    Raises:
        RuntimeError: it failed, or did not see every entry.
    """
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.ledger.audited", command),
        env=os.environ | _settings(grown.address, directory),  # noqa: TID251 - a child's, as it is
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stderr is not None
    lines, last = 0, b""
    while block := await child.stdout.read(1 << 20):
        lines += block.count(b"\n")
        last = (last + block)[-1000:]
    told = await child.stderr.read()
    if await child.wait():
        raise RuntimeError(f"{command} failed: {told.decode()}")
    seen = lines if command == "export" else json.loads(last)["entries"]
    if seen < grown.messages:
        raise RuntimeError(f"{command} saw {seen} entries of {grown.messages}")
    return Audit(**json.loads(told.splitlines()[-1]))


def _settings(address: str, directory: Path) -> dict[str, str]:
    return {"FAREBOX_DATABASE_URL": address, "FAREBOX_DATA_DIR": str(directory)}
