"""Processes of Farebox that need not import it again.

An interpreter takes two to four seconds of a processor to import Farebox and Chainlit, and the
tests start hundreds. So one process for each process of pytest imports everything, and whatever a
test asks for is forked from it, by the standard library's fork server. It is a process like any
other then: own memory, own environment, own signals, and it runs the module named as `python -m`
would.

What an interpreter or a loader reads from the environment while it starts, such as `LD_PRELOAD`,
a process born here does not see.
"""

import multiprocessing
import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Final

_FORKING: Final = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload(["tests.nursery_imports"])


def bear(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    stdin: Path = Path(os.devnull),
    stdout: Connection | Path,
    stderr: Path,
) -> ForkServerProcess:
    """Start `python -m` with these arguments.

    Args:
        arguments: the module's name and what it is told.
        environment: all that it finds in its environment.
        stdin: the file that it reads.
        stdout: the end of a pipe that it writes into, which is closed here; or a file.
        stderr: the file that it appends its log to.
    """
    process = _FORKING.Process(
        target=_live,
        args=(list(arguments), dict(environment), stdin, stdout, stderr),
        daemon=True,  # it does not outlive the tests
    )
    process.start()
    if isinstance(stdout, Connection):
        stdout.close()
    return process


def _live(
    arguments: list[str],
    environment: dict[str, str],
    stdin: Path,
    stdout: Connection | Path,
    stderr: Path,
) -> None:
    os.environ.clear()  # noqa: TID251 - it is handed the whole of its environment
    os.environ.update(environment)  # noqa: TID251
    _redirect(0, os.open(stdin, os.O_RDONLY))
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - the fork server closed what was there
    if isinstance(stdout, Path):
        _redirect(1, os.open(stdout, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    else:
        os.dup2(stdout.fileno(), 1)
        stdout.close()
    _redirect(2, os.open(stderr, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    sys.argv = list(arguments)
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)


def _redirect(number: int, to: int) -> None:
    os.dup2(to, number)
    os.close(to)
