"""`python -m benchmarks.ledger`: run the benchmarks and print the table."""

import argparse
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeAlias

import uvloop

from benchmarks.ledger import audit, growth, postgresql, slow_disk, sqlite
from benchmarks.ledger.place import Place
from benchmarks.ledger.report import Line, machine, table, write_json
from benchmarks.ledger.sizes import FULL, QUICK, Sizes
from tests.databases import NO_SERVER, SERVER, Databases
from tests.faults.disk import NO_COMPILER

Benchmark: TypeAlias = Callable[[Sizes, Place], Awaitable[list[Line]]]

BENCHMARKS: Final[Mapping[str, Benchmark]] = {
    "sqlite": sqlite.measure,
    "slow-disk": slow_disk.measure,
    "postgresql": postgresql.measure,
    "audit-sqlite": audit.measure_sqlite,
    "audit-postgresql": audit.measure_postgresql,
    "growth-sqlite": growth.measure_sqlite,
    "growth-postgresql": growth.measure_postgresql,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what was asked for. Each table is printed as soon as it is known."""
    asked = _parser().parse_args(arguments)
    sizes = QUICK if asked.quick else FULL
    if asked.rounds:
        sizes = replace(sizes, rounds=asked.rounds)
    print(", ".join(f"{name} {value}" for name, value in machine().items()), flush=True)
    lines: list[Line] = []
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(dir=asked.dir))
        databases = Databases(Path(directory))
        stack.callback(databases.close)
        for name in asked.only or BENCHMARKS:
            lines += _measured(name, sizes, Place(Path(directory), databases))
            if asked.json:
                write_json(asked.json, lines)


def _measured(name: str, sizes: Sizes, place: Place) -> list[Line]:
    print(f"\n{name}", flush=True)
    missing = _missing(name)
    if missing is not None:
        print(f"not measured: {missing}")
        return []
    lines = uvloop.run(_run(BENCHMARKS[name], sizes, place))
    print(table(lines), flush=True)
    return lines


def _missing(name: str) -> str | None:
    """Why it cannot be measured here."""
    if name.endswith("postgresql") and not SERVER:
        return NO_SERVER
    if name == "slow-disk" and shutil.which("gcc") is None:
        return NO_COMPILER
    return None


async def _run(benchmark: Benchmark, sizes: Sizes, place: Place) -> list[Line]:
    return await benchmark(sizes, place)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ledger", description=__doc__)
    parser.add_argument("--rounds", type=int, help="how often everybody has a turn")
    parser.add_argument(
        "--only", action="append", choices=list(BENCHMARKS), help="may be given several times"
    )
    parser.add_argument("--json", type=Path, help="a file to write the figures to")
    parser.add_argument("--quick", action="store_true", help="a look, in some minutes")
    parser.add_argument(
        "--dir", type=Path, help="where the SQLite files go: on the disk to measure"
    )
    return parser


if __name__ == "__main__":
    main()
