"""What tests over real sockets may ask for: a whole host, as `tests.proxy_world` builds it, and a
demo in a process of its own, with the people who sit at its chat (`tests.chatting`).

It is loaded only when it is asked for: tests of the ledger alone need not wait for a host.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import pytest_asyncio

from tests.databases import Databases

if TYPE_CHECKING:
    from tests.acceptance.servers import ServerProcess
    from tests.proxy_world import World


@pytest_asyncio.fixture
async def world(databases: Databases, tmp_path: Path) -> AsyncIterator["World"]:
    """A host on SQLite: for what is the same on either database."""
    from tests.proxy_world import open_world

    with databases.fresh("sqlite") as address:
        async with open_world(address, tmp_path) as opened:
            yield opened


@pytest_asyncio.fixture
async def each_world(database_url: str, tmp_path: Path) -> AsyncIterator["World"]:
    """A host on each kind of database in turn."""
    from tests.proxy_world import open_world

    async with open_world(database_url, tmp_path) as opened:
        yield opened


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the demo keeps its data and its log."""
    return tmp_path_factory.mktemp("chat")


@pytest.fixture(scope="package")
def server(folder: Path) -> Iterator["ServerProcess"]:
    """A running demo, shared by tests that leave it usable. At its end the ledger must add up."""
    from tests.acceptance.servers import ServerProcess, farebox

    running = ServerProcess(
        ["farebox", "demo", "--port", "0", "--data-dir", str(folder / "data")],
        log=folder / "log",
    ).start()
    plenty = ("pack-100", "--credits", "10000")
    given = farebox("grant", "sam@example.com", *plenty, data_dir=folder / "data")
    assert given.returncode == 0, given.stderr
    yield running
    left = list((folder / "data").rglob(".files/*"))
    running.stop()
    assert left == [], "the chat's own folder keeps nothing"
    verified = farebox("ledger", "verify", data_dir=folder / "data")
    assert verified.returncode == 0, verified.stderr


@pytest.fixture(scope="package")
def cookies(server: "ServerProcess") -> dict[str, httpx.Cookies]:
    """By e-mail address, a login session: checking a password is slow on purpose, so once each."""
    from tests.chatting import BEA, OLGA, SAM, logged_in

    return {email: logged_in(server, email) for email in (SAM, OLGA, BEA)}


@pytest_asyncio.fixture
async def sam(
    server: "ServerProcess", cookies: dict[str, httpx.Cookies]
) -> AsyncIterator[httpx.AsyncClient]:
    """The demo's subscriber."""
    async with httpx.AsyncClient(
        base_url=server.address, cookies=cookies["sam@example.com"]
    ) as http:
        yield http


@pytest_asyncio.fixture
async def olga(
    server: "ServerProcess", cookies: dict[str, httpx.Cookies]
) -> AsyncIterator[httpx.AsyncClient]:
    """The demo's operator."""
    async with httpx.AsyncClient(
        base_url=server.address, cookies=cookies["olga@example.com"]
    ) as http:
        yield http


@pytest_asyncio.fixture
async def bea(
    server: "ServerProcess", cookies: dict[str, httpx.Cookies]
) -> AsyncIterator[httpx.AsyncClient]:
    """The demo's builder."""
    async with httpx.AsyncClient(
        base_url=server.address, cookies=cookies["bea@example.com"]
    ) as http:
        yield http
