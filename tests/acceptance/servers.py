"""Farebox as people run it: its own process, its own data directory, real signals."""

import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

READY: Final = re.compile(r"(?:ready at|no AI:) (http://\S+)")
READY_WITHIN_S: Final = 60
END_WITHIN_S: Final = 40


class ServerProcess:
    """One `farebox …` command that serves; its output and log are kept in files."""

    def __init__(
        self, arguments: Sequence[str], *, log: Path, settings: Mapping[str, str] | None = None
    ) -> None:
        self._arguments = arguments
        self.log = log
        self._settings = settings or {}
        self._process: subprocess.Popen[str] | None = None
        self.address = ""

    def start(self) -> "ServerProcess":
        """Start it and wait until it says that it is ready."""
        with self.log.open("a") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *self._arguments],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment(self._settings),
            )
        self.address = self._announced()
        return self

    def kill(self) -> None:
        """End it as a crash does: no handler runs."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._ended()

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def ask_to_stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ask it to end, and do not wait."""
        assert self._process is not None
        self._process.send_signal(number)

    @property
    def process(self) -> int:
        """Its id."""
        assert self._process is not None
        return self._process.pid

    def ended(self) -> int:
        """Wait until it ends by itself; its exit status."""
        self._ended()
        assert self._process is not None
        return self._process.returncode

    def stop(self) -> None:
        """Ask it to end, as an operator does. It must have met nothing unexpected."""
        self.ask_to_stop()
        self._ended()
        log = self.log.read_text()
        assert "Traceback" not in log, log[log.index("Traceback") - 500 :][:3000]

    def _ended(self) -> None:
        assert self._process is not None
        try:
            self._process.communicate(timeout=END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise

    def _announced(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        until = time.monotonic() + READY_WITHIN_S
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while time.monotonic() < until and selector.select(until - time.monotonic()):
                line = self._process.stdout.readline()
                if found := READY.search(line):
                    return found[1]
                if not line:
                    break
        self._process.kill()
        self._ended()
        raise AssertionError(f"not ready: {self.log.read_text()[-3000:]}")


def farebox(
    *arguments: str, data_dir: Path, stdin: str = "", settings: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one `farebox` command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "farebox", *arguments, "--data-dir", str(data_dir)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment(settings or {}),
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
