"""kill -9 of real processes in the middle of their work, again and again."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.builders import Shop
from tests.faults.journal import read_calls
from tests.faults.processes import Workers, workers
from tests.faults.stage import figures, find_complaints, open_shops, report, some_lines
from tests.profile import LONG

KILLS: Final = 100 if LONG else 10
"""Of processes that write."""


@dataclass(frozen=True, slots=True)
class Role:
    """A process: its name and its clients."""

    name: str
    clients: int
    reads_only: bool = False


CAST: Final = {
    "sqlite": (Role("writer", 16), Role("reader", 1, reads_only=True)),
    "postgresql": tuple(Role(f"writer {number}", 6) for number in range(3)),
}


async def test_kills_lose_nothing_double_nothing_and_reorder_nothing(
    database_kind: str, database_url: str, tmp_path: Path
) -> None:
    shops = await open_shops(database_url)
    cast = CAST[database_kind]
    dice = random.Random(f"kills {database_kind}")
    with workers(tmp_path / "journal") as lives:
        while writers_killed(lives) < KILLS:
            start(lives, cast, database_url, shops)
            lives.forget_progress()
            lives.wait_for_lines(some_lines(dice))
            lives.kill(*victims(dice, cast))
        lives.stop()
        start(lives, cast, database_url, shops, steps=3)
        lives.finish()
        calls = read_calls(lives.journal)
        killed = dict(lives.kills)
    complaints = await find_complaints(database_url, calls, shops)
    report(f"{database_kind}, kills {killed}: {figures(calls, complaints)}")
    assert not complaints, complaints[:5]
    assert any(len(call.tries_ns) > 1 for call in calls), "no kill met a call under way"


def start(
    lives: Workers, cast: Sequence[Role], address: str, shops: list[Shop], *, steps: int = 10**9
) -> None:
    for role in cast:
        lives.start(
            role.name,
            address,
            shops,
            clients=role.clients,
            steps=steps,
            reads_only=role.reads_only,
        )


def victims(dice: random.Random, cast: Sequence[Role]) -> list[str]:
    """One of them, while the others go on, or all at once."""
    names = [role.name for role in cast]
    return names if dice.random() < 0.4 else [dice.choice(names)]


def writers_killed(lives: Workers) -> int:
    return sum(times for name, times in lives.kills.items() if name != "reader")
