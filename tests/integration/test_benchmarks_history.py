"""The benchmarks of history and pages run, each in its smallest size, and say what they found."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.history.__main__ import BENCHMARKS
from benchmarks.history.report import beside_line
from benchmarks.history.turns import Taken, interleave
from tests.acceptance.servers import environment


def test_the_benchmarks_run_to_their_tables_and_leave_no_file(tmp_path: Path) -> None:
    found, folder = tmp_path / "found.json", tmp_path / "folder"
    folder.mkdir()
    done = subprocess.run(  # in a process of its own, because all of Chainlit's state is global
        [
            *(sys.executable, "-m", "benchmarks.history", "--smallest"),
            *("--dir", str(folder), "--json", str(found)),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment({}),
    )
    assert done.returncode == 0, done.stderr
    assert all(f"\n{name}\n" in done.stdout for name in BENCHMARKS)
    assert all(line["ours"] for line in json.loads(found.read_text())["lines"])
    assert not list(folder.iterdir())


def test_a_ratio_is_of_two_turns_in_one_round() -> None:
    taken = Taken({"ours": (1.0, 8.0, 3.0), "base": (2.0, 4.0, 1.0)})
    assert taken.ratio("ours", "base") == 2.0
    assert taken.of("ours") == 3.0


async def test_everybody_has_a_turn_in_each_round_and_begins_one() -> None:
    order: list[str] = []

    def turn_of(name: str) -> float:
        order.append(name)
        return len(order)

    async def a() -> float:
        return turn_of("a")

    async def b() -> float:
        return turn_of("b")

    taken = await interleave({"a": a, "b": b}, rounds=2)
    assert order == ["a", "b", "a", "b", "b", "a"]
    assert taken.turns == {"a": (3, 6), "b": (4, 5)}


@pytest.mark.parametrize(("ours", "is_met"), [(150.0, True), (150.1, False)])
def test_more_than_the_target_is_a_miss(ours: float, is_met: bool) -> None:
    line = beside_line("x", ours=ours, baseline=1, ratio=ours, unit="ms", at_most=150)
    assert line.is_met is is_met
