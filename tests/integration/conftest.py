"""What tests over real sockets may ask for: a whole host, as `tests.proxy_world` builds it.

It is loaded only when it is asked for: tests of the ledger alone need not wait for a host.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest_asyncio

from tests.databases import Databases

if TYPE_CHECKING:
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
