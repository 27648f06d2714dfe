"""What every test may ask for: a database of either kind, and a clock that the test moves."""

import os
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from storage.database import Database
from tests.databases import KINDS, NO_SERVER, SERVER, Databases, has_wallets, verify_ledger
from tests.fakes.clock import ManualClock


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """Makes fresh databases."""
    made = Databases(tmp_path_factory.mktemp("databases"))
    yield made
    made.close()


@pytest.fixture(params=KINDS)
def database_kind(request: pytest.FixtureRequest) -> str:
    """Each kind of database in turn."""
    kind: str = request.param
    if kind == "postgresql" and not SERVER:
        if os.environ.get("CI"):  # noqa: TID251 - where nothing may be skipped
            pytest.fail(NO_SERVER)
        pytest.skip(NO_SERVER)
    return kind


@pytest.fixture
def database_url(databases: Databases, database_kind: str) -> Iterator[str]:
    """The address of a migrated database with nothing in it."""
    with databases.fresh(database_kind) as address:
        yield address


@pytest_asyncio.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An open database with nothing in it. After the test its ledger must add up."""
    opened = Database.open(database_url)
    try:
        yield opened
        if await opened.read(has_wallets):  # where there are none, there is nothing to add up
            await verify_ledger(opened)
    finally:
        await opened.close()


@pytest.fixture
def clock() -> ManualClock:
    """Stands still until the test moves it."""
    return ManualClock()
