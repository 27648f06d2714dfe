"""`python -m benchmarks.chat`: run the benchmarks and print the table."""

import argparse
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeAlias

import uvloop

from benchmarks.chat.answers import (
    FULL,
    QUICK,
    Sizes,
    measure_at_once,
    measure_crowd,
    measure_paced,
)
from benchmarks.ledger.report import Line, machine, table, write_json

Benchmark: TypeAlias = Callable[[Sizes, Path], Awaitable[list[Line]]]

BENCHMARKS: Final[Mapping[str, Benchmark]] = {
    "one": measure_paced,
    "at-once": measure_at_once,
    "crowd": measure_crowd,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what was asked for. Each table is printed as soon as it is known."""
    asked = _parser().parse_args(arguments)
    sizes = QUICK if asked.quick else FULL
    if asked.rounds:
        sizes = replace(sizes, rounds=asked.rounds)
    print(", ".join(f"{name} {value}" for name, value in machine().items()), flush=True)
    lines: list[Line] = []
    for name in asked.only or BENCHMARKS:
        print(f"\n{name}", flush=True)
        with tempfile.TemporaryDirectory(dir=asked.dir) as directory:
            measured = uvloop.run(_run(BENCHMARKS[name], sizes, Path(directory)))
        print(table(measured), flush=True)
        lines += measured
        if asked.json:
            write_json(asked.json, lines)


async def _run(benchmark: Benchmark, sizes: Sizes, directory: Path) -> list[Line]:
    return await benchmark(sizes, directory)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chat", description=__doc__)
    parser.add_argument("--rounds", type=int, help="how often both have a turn")
    parser.add_argument(
        "--only", action="append", choices=list(BENCHMARKS), help="may be given several times"
    )
    parser.add_argument("--json", type=Path, help="a file to write the figures to")
    parser.add_argument("--quick", action="store_true", help="a look, in a minute or two")
    parser.add_argument("--dir", type=Path, help="where the data directory goes")
    return parser


if __name__ == "__main__":
    main()
