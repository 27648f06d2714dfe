"""The power fails: only what was synced is there afterwards, and with luck some of the rest."""

import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.builders import Shop
from tests.databases import Databases
from tests.faults.checking import Complaint, lost_or_changed
from tests.faults.disk import build_shim, shim_env
from tests.faults.journal import read_calls
from tests.faults.processes import Workers, workers
from tests.faults.stage import (
    figures,
    find_complaints,
    find_effects,
    open_shops,
    report,
    some_lines,
)
from tests.profile import LONG

CUTS: Final = 100 if LONG else 6
CONTROL_CUTS: Final = 10 if LONG else 2
SECTOR: Final = 512
CLIENTS: Final = 16
OFTEN: Final = ("PRAGMA wal_autocheckpoint=30",)
"""The log goes into the file after every few commits, so many cuts fall into that."""
LAZY: Final = ("PRAGMA synchronous=NORMAL",)


class Machine:
    """A directory with a database, what its disk has kept of it, and a journal out of reach."""

    def __init__(self, directory: Path) -> None:
        self.live, self.shadow = directory / "live", directory / "shadow"
        self.journal = directory / "journal"
        self.live.mkdir(parents=True)
        self.shadow.mkdir()
        self.address = f"sqlite:///{self.live / 'farebox.db'}"

    async def set_up(self, databases: Databases) -> list[Shop]:
        """A migrated database with wallets, all of it on the disk."""
        with databases.fresh("sqlite") as address:
            shops = await open_shops(address)
            made = Path(address.removeprefix("sqlite:///"))
            assert not made.with_name(f"{made.name}-wal").exists(), "closed, it is one file"
            for directory in (self.live, self.shadow):
                shutil.copyfile(made, directory / "farebox.db")
        return shops

    def env(self, shim: Path) -> dict[str, str]:
        return shim_env(shim, watch=self.live, shadow=self.shadow)

    def synced_file(self) -> bytes:
        """The database file alone, without its log."""
        return (self.shadow / "farebox.db").read_bytes()

    def lose_power(self, dice: random.Random, *, with_luck: bool) -> None:
        """Leave what was synced; `with_luck` also some of the sectors that were only written."""
        kept = {file.name: file.read_bytes() for file in self.shadow.iterdir()}
        kept = {name: data for name, data in kept.items() if not name.endswith(".copying")}
        if with_luck:
            for name in kept:
                written = self.live / name
                if written.exists():
                    kept[name] = torn(kept[name], written.read_bytes(), dice)
        for directory in (self.live, self.shadow):
            for file in directory.iterdir():
                file.unlink()
            for name, data in kept.items():
                (directory / name).write_bytes(data)


def torn(synced: bytes, written: bytes, dice: random.Random) -> bytes:
    """Each sector as it was synced or as it was written later, whichever way the coin falls."""
    size = max(len(synced), len(written))
    old, new = synced.ljust(size, b"\0"), written.ljust(size, b"\0")
    return b"".join(
        (old if dice.random() < 0.5 else new)[at : at + SECTOR] for at in range(0, size, SECTOR)
    )


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_shim(tmp_path_factory.mktemp("shim"))


def work_until_the_power_fails(
    lives: Workers,
    machine: Machine,
    shops: list[Shop],
    dice: random.Random,
    pragmas: Sequence[str] = (),
) -> None:
    lives.start("writer", machine.address, shops, clients=CLIENTS, pragmas=pragmas)
    lives.forget_progress()
    lives.wait_for_lines(some_lines(dice))
    lives.kill("writer")


async def missing(machine: Machine) -> list[Complaint]:
    """What was acknowledged and is not there."""
    calls = read_calls(machine.journal)
    return list(lost_or_changed(calls, await find_effects(machine.address)))


async def test_a_power_cut_loses_nothing_that_was_answered(
    databases: Databases, shim: Path, tmp_path: Path
) -> None:
    machine, dice, checkpointed = Machine(tmp_path), random.Random("power"), 0
    shops = await machine.set_up(databases)
    with workers(machine.journal, machine.env(shim)) as lives:
        for cut in range(CUTS):
            before = machine.synced_file()
            work_until_the_power_fails(lives, machine, shops, dice, OFTEN if cut % 3 else ())
            checkpointed += machine.synced_file() != before
            machine.lose_power(dice, with_luck=cut % 2 == 1)
            lost = await missing(machine)
            assert not lost, (cut, len(lost), lost[:5])
        lives.start("writer", machine.address, shops, clients=CLIENTS, steps=3)
        lives.finish()
    calls = read_calls(machine.journal)
    complaints = await find_complaints(machine.address, calls, shops)
    report(
        f"FULL, {CUTS} power cuts, {checkpointed} after a checkpoint: {figures(calls, complaints)}"
    )
    assert not complaints, complaints[:5]
    assert checkpointed, "the database file was never synced, only its log"


async def test_the_same_cuts_show_what_a_lazier_disk_setting_would_lose(
    databases: Databases, shim: Path, tmp_path: Path
) -> None:
    dice, lost, answers = random.Random("control"), 0, 0
    for cut in range(CONTROL_CUTS):
        machine = Machine(tmp_path / str(cut))
        shops = await machine.set_up(databases)
        with workers(machine.journal, machine.env(shim)) as lives:
            work_until_the_power_fails(lives, machine, shops, dice, LAZY)
        machine.lose_power(dice, with_luck=False)
        lost += len(await missing(machine))
        answers += sum(len(call.answers) for call in read_calls(machine.journal))
    report(f"NORMAL, {CONTROL_CUTS} power cuts: {lost} of {answers} answers lost")
    assert lost > 0, "this disk forgets nothing, so the test above proves nothing"
