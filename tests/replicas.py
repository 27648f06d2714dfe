"""Replicas of Farebox on one database, each a process, behind the nginx of `docs/nginx.conf`.

What is for sale is the shop's (`tests.acceptance.shop`): an assistant that answers from a script.
"""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from storage.credits import MilliCredits
from tests.acceptance.servers import ServerProcess, free_port
from tests.acceptance.shop import KEY, MASTER_KEY, furnish

NGINX: Final = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
NO_NGINX: Final = "nginx is not installed (apt-get install nginx)"
CONFIGURATION: Final = Path(__file__).parents[1] / "docs" / "nginx.conf"
PORTS_THERE: Final = ("127.0.0.1:8000", "127.0.0.1:8001")
UP_WITHIN_S: Final = 10
UNUSED: Final = "http://127.0.0.1:9"
"""Where the shop's service would be, which nobody here calls."""


@dataclass(frozen=True, slots=True)
class Replicas:
    """Running servers."""

    servers: Sequence[ServerProcess]
    ports: Sequence[int]
    settings: dict[str, str]
    data_dir: Path

    def address(self, number: int = 0) -> str:
        """Where one of them is reached past the proxy."""
        return f"http://127.0.0.1:{self.ports[number]}"

    def named(self, owner: str) -> int:
        """Which of them goes by this name in the tables."""
        (found,) = (
            number for number, one in enumerate(self.servers) if owner in one.log.read_text()
        )
        return found


@contextmanager
def open_replicas(
    database_url: str,
    folder: Path,
    *,
    count: int,
    public_port: int = 0,
    words_per_s: int = 40,
    settings: dict[str, str] | None = None,
) -> Iterator[Replicas]:
    """So many servers on one database. Those that were not killed must stop without complaint."""
    ports = [free_port() for _ in range(count)]
    pace = ["--words-per-s", str(words_per_s)]
    upstream = ServerProcess(
        ["farebox.demo.upstream", "--port", "0", "--key", KEY, *pace], log=folder / "upstream.log"
    )
    with ExitStack() as stack:
        stack.enter_context(_running(upstream))
        environment = {
            "FAREBOX_DATABASE_URL": database_url,
            "FAREBOX_MASTER_KEY": MASTER_KEY,
            "FAREBOX_OPENAI_BASE_URL": upstream.address,
            "FAREBOX_ALLOW_PRIVATE_UPSTREAMS": "true",
            "FAREBOX_PUBLIC_URL": f"http://localhost:{public_port or ports[0]}",
            **(settings or {}),
        }
        furnishing = furnish(
            environment, folder, MilliCredits(100_000), upstream=upstream.address, songs=UNUSED
        )
        with ThreadPoolExecutor(1) as thread:  # whoever calls may have a running loop
            thread.submit(asyncio.run, furnishing).result()
        servers = []
        for number, port in enumerate(ports):
            server = ServerProcess(
                ["farebox", "serve", "--port", str(port), "--data-dir", str(folder / str(number))],
                log=folder / f"{number}.log",
                settings=environment,
            )
            stack.enter_context(_running(server))
            servers.append(server)
        yield Replicas(servers, ports, environment, folder / "0")


@contextmanager
def _running(server: ServerProcess) -> Iterator[None]:
    server.start()
    try:
        yield
    finally:
        if server.is_running:
            server.stop()


@contextmanager
def nginx(folder: Path, port: int, behind: Sequence[int]) -> Iterator[str]:
    """Debian's nginx with our sample configuration, at other ports. Yields its address."""
    if NGINX is None:
        if os.environ.get("CI"):  # noqa: TID251 - where nothing may be skipped
            pytest.fail(NO_NGINX)
        pytest.skip(NO_NGINX)
    sample = CONFIGURATION.read_text(encoding="utf-8")
    for there, here in zip(PORTS_THERE, behind, strict=True):
        assert there in sample
        sample = sample.replace(there, f"127.0.0.1:{here}")
    assert "listen 80;" in sample
    (folder / "farebox.conf").write_text(sample.replace("listen 80;", f"listen {port};"))
    main = folder / "nginx.conf"
    main.write_text(_around(folder))
    with (folder / "nginx.log").open("w") as log:
        process = subprocess.Popen([NGINX, "-p", folder, "-c", main], stdout=log, stderr=log)
    try:
        _wait_for(port, process)
        yield f"http://localhost:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=UP_WITHIN_S)


def _around(folder: Path) -> str:
    """What Debian's own nginx.conf would say, in a directory of the test's."""
    bodies = "\n".join(
        f"    {kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return (
        f"daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\n"
        f"error_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{\n    access_log off;\n{bodies}\n    include farebox.conf;\n}}\n"
    )


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + UP_WITHIN_S
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
    raise AssertionError("nginx does not listen")
