"""Farebox as people run it: its own process, its own data directory, real signals."""

import os
import re
import selectors
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Final, TextIO

from tests.nursery import bear

READY: Final = re.compile(r"(?:ready at|no AI:) (http://\S+)")
READY_WITHIN_S: Final = 60
END_WITHIN_S: Final = 40
COMMAND_WITHIN_S: Final = 60


class ServerProcess:
    """One `farebox …` command that serves; its output and log are kept in files."""

    def __init__(
        self, arguments: Sequence[str], *, log: Path, settings: Mapping[str, str] | None = None
    ) -> None:
        self._arguments = arguments
        self.log = log
        self._settings = settings or {}
        self._process: ForkServerProcess | None = None
        self._heard: Connection | None = None  # open as long as the process may write into it
        self.address = ""

    def start(self) -> "ServerProcess":
        """Start it and wait until it says that it is ready."""
        heard, told = Pipe(duplex=False)
        self._heard = heard
        self._process = bear(
            self._arguments, environment=environment(self._settings), stdout=told, stderr=self.log
        )
        with open(heard.fileno(), closefd=False) as lines:
            self.address = self._announced(lines)
        return self

    def kill(self) -> None:
        """End it as a crash does: no handler runs."""
        self.ask_to_stop(signal.SIGKILL)
        self._ended()

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.is_alive()

    def ask_to_stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ask it to end, and do not wait."""
        os.kill(self.process, number)

    @property
    def process(self) -> int:
        """Its id."""
        assert self._process is not None
        assert self._process.pid is not None
        return self._process.pid

    def ended(self) -> int:
        """Wait until it ends by itself; its exit status."""
        return self._ended()

    def stop(self) -> None:
        """Ask it to end, as an operator does. It must have met nothing unexpected."""
        self.ask_to_stop()
        self._ended()
        log = self.log.read_text()
        assert "Traceback" not in log, log[log.index("Traceback") - 500 :][:3000]

    def _ended(self) -> int:
        assert self._process is not None
        self._process.join(END_WITHIN_S)
        if self._process.exitcode is None:
            self._process.kill()
            raise AssertionError(f"did not end: {self.log.read_text()[-3000:]}")
        return self._process.exitcode

    def _announced(self, lines: TextIO) -> str:
        until = time.monotonic() + READY_WITHIN_S
        with selectors.DefaultSelector() as selector:
            selector.register(lines, selectors.EVENT_READ)
            while time.monotonic() < until and selector.select(until - time.monotonic()):
                line = lines.readline()
                if found := READY.search(line):
                    return found[1]
                if not line:
                    break
        assert self._process is not None
        self._process.kill()
        self._ended()
        raise AssertionError(f"not ready: {self.log.read_text()[-3000:]}")


def farebox(
    *arguments: str, data_dir: Path, stdin: str = "", settings: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one `farebox` command to its end."""
    command = ["farebox", *arguments, "--data-dir", str(data_dir)]
    with tempfile.TemporaryDirectory() as directory:
        asked, told, complained = (Path(directory) / name for name in ("in", "out", "err"))
        asked.write_text(stdin)
        process = bear(
            command,
            environment=environment(settings or {}),
            stdin=asked,
            stdout=told,
            stderr=complained,
        )
        process.join(COMMAND_WITHIN_S)
        if process.exitcode is None:
            process.kill()
            raise AssertionError(f"did not end: {command}")
        return subprocess.CompletedProcess(
            command, process.exitcode, told.read_text(), complained.read_text()
        )


def free_port() -> int:
    """A port that nothing listens on, for a server whose address must be known beforehand."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without any setting of Farebox but the given ones."""
    clean = {
        name: value
        for name, value in os.environ.items()  # noqa: TID251 - handed to another process
        if not name.startswith(("FAREBOX_", "CHAINLIT_", "OPENAI_"))
    }
    return clean | dict(settings)
