"""Starts the worker's lives, waits for their progress, and kills them."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final

from tests.builders import Shop
from tests.faults.worker import Life

WITHIN_S: Final = 60


class Workers:
    """The lives on one database. A process keeps its name from one life to the next."""

    def __init__(
        self, nursery: "subprocess.Popen[str]", progress: tuple[int, int], journal: Path
    ) -> None:
        self._nursery = nursery
        self._heard, self._told = progress
        self.journal = journal
        self.kills: Counter[str] = Counter()
        self._alive: dict[str, int] = {}
        self._born = 0

    def start(
        self,
        process: str,
        address: str,
        shops: Sequence[Shop],
        *,
        clients: int,
        steps: int = 10**9,
        reads_only: bool = False,
        pragmas: Sequence[str] = (),
    ) -> None:
        """Let a process live, if it does not."""
        if process in self._alive:
            return
        self._born += 1
        life = Life(
            address=address,
            journal=str(self.journal),
            process=process,
            progress=self._told,
            shops=[asdict(shop) for shop in shops],
            clients=clients,
            seed=self._born,
            steps=steps,
            reads_only=reads_only,
            pragmas=pragmas,
        )
        self._alive[process] = self._command(asdict(life))

    def wait_for_lines(self, more: int) -> None:
        """Until that many lines have been added to the journal."""
        until = time.monotonic() + WITHIN_S
        while more > 0:
            ready, _, _ = select.select([self._heard], [], [], until - time.monotonic())
            assert ready, f"no progress within {WITHIN_S} s"
            more -= len(os.read(self._heard, more))

    def forget_progress(self) -> None:
        """Count from now on."""
        while select.select([self._heard], [], [], 0)[0]:
            os.read(self._heard, 65536)

    def kill(self, *processes: str) -> None:
        """End these as `kill -9` does, each with its whole group."""
        for process in processes:
            os.killpg(self._alive[process], signal.SIGKILL)
        for process in processes:
            assert self._wait(process) == -signal.SIGKILL, f"{process} had ended by itself"
            self.kills[process] += 1

    def finish(self) -> None:
        """Wait until all who live have done their steps; none may have met an error.

        Nobody listens to their progress meanwhile, so let the steps be few: a pipe takes 65,536.
        """
        for process in list(self._alive):
            assert self._wait(process) == 0, f"{process} failed"

    def _wait(self, process: str) -> int:
        return self._command({"wait": self._alive.pop(process)})

    def _command(self, command: Mapping[str, object]) -> int:
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        self._nursery.stdin.write(json.dumps(command) + "\n")
        self._nursery.stdin.flush()
        return int(self._nursery.stdout.readline())

    def stop(self) -> None:
        """Kill who is left."""
        for process in list(self._alive):
            os.killpg(self._alive[process], signal.SIGKILL)
            self._wait(process)


@contextmanager
def workers(journal: Path, extra_env: Mapping[str, str] | None = None) -> Iterator[Workers]:
    """A worker program that can bear lives, with this added to their environment."""
    heard, told = os.pipe()
    nursery = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=[told],
        env={**os.environ, **(extra_env or {})},  # noqa: TID251 - handed to another process
    )
    lives = Workers(nursery, (heard, told), journal)
    try:
        with nursery:
            try:
                yield lives
            finally:
                lives.stop()
    finally:
        os.close(heard)
        os.close(told)
