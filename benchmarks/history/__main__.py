"""`python -m benchmarks.history`: run the benchmarks and print the table."""

import argparse
import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeAlias

from benchmarks.history import assets, memory, opening, reading
from benchmarks.history.sizes import FULL, QUICK, SMALLEST, Sizes
from benchmarks.ledger.report import Line, machine, table, write_json

Benchmark: TypeAlias = Callable[[Sizes, Path], Awaitable[list[Line]]]

BENCHMARKS: Final[Mapping[str, Benchmark]] = {
    "reading": reading.measure,
    "opening": opening.measure,
    "assets": assets.measure,
    "memory": memory.measure,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what was asked for. Each table is printed as soon as it is known."""
    asked = _parser().parse_args(arguments)
    sizes = SMALLEST if asked.smallest else QUICK if asked.quick else FULL
    if asked.rounds:
        sizes = replace(sizes, rounds=asked.rounds)
    print(", ".join(f"{name} {value}" for name, value in machine().items()), flush=True)
    lines: list[Line] = []
    for name in asked.only or BENCHMARKS:
        print(f"\n{name}", flush=True)
        with tempfile.TemporaryDirectory(dir=asked.dir) as directory:
            found = asyncio.run(_run(BENCHMARKS[name], sizes, Path(directory)))
        print(table(found), flush=True)
        lines += found
        if asked.json:
            write_json(asked.json, lines)


async def _run(benchmark: Benchmark, sizes: Sizes, folder: Path) -> list[Line]:
    return await benchmark(sizes, folder)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.history", description=__doc__)
    parser.add_argument("--rounds", type=int, help="how often everybody has a turn")
    parser.add_argument(
        "--only", action="append", choices=list(BENCHMARKS), help="may be given several times"
    )
    parser.add_argument("--json", type=Path, help="a file to write the figures to")
    parser.add_argument("--quick", action="store_true", help="a look, in a minute")
    parser.add_argument("--smallest", action="store_true", help="only to see that it runs")
    parser.add_argument("--dir", type=Path, help="where the SQLite files go")
    return parser


if __name__ == "__main__":
    main()
