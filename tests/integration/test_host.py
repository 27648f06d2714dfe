"""What a host does by itself while it serves, and how it closes."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from typing_extensions import override

from host.app import Host, open_host
from host.background import again_and_again
from host.config import Settings
from host.errors import InvalidToken
from host.metering.sweeper import Sweeper
from storage.errors import LedgerDown
from tests.builders import add_shop
from tests.proxy_world import MASTER_KEY

WAIT_S = 10


@pytest.fixture
async def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(database_url=database_url, data_dir=tmp_path, master_key=MASTER_KEY)


@pytest.fixture
async def host(settings: Settings) -> AsyncIterator[Host]:
    opened = await open_host(settings)
    await opened.start()
    yield opened
    await opened.close()


async def test_work_in_the_background_goes_on_whatever_one_round_raised() -> None:
    rounds, enough = 0, asyncio.Event()

    async def work() -> None:
        nonlocal rounds
        rounds += 1
        if rounds < 3:
            raise ValueError("no error of the storage's")
        enough.set()

    again = asyncio.create_task(again_and_again(work, every_s=0, name="work"))
    async with asyncio.timeout(WAIT_S):
        await enough.wait()
    again.cancel()
    assert rounds == 3


# On one kind of database only: one process serves an SQLite file.
@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_an_access_token_revoked_at_one_process_is_soon_refused_at_the_others(
    host: Host, settings: Settings, database_kind: str
) -> None:
    shop = await host.database.run(add_shop)
    elsewhere = await open_host(settings)
    token = await elsewhere.access_tokens.issue(shop.subscriber_id, shop.offering_id)
    await host.access_tokens.refresh()
    jti = host.access_tokens.verify(token, shop.offering_id).jti
    await elsewhere.access_tokens.revoke(jti)
    await elsewhere.close()

    def is_good() -> bool:
        try:
            return host.access_tokens.verify(token, shop.offering_id).jti == jti
        except InvalidToken:
            return False

    async with asyncio.timeout(WAIT_S):
        while is_good():
            await host.database.read(lambda _session: None)


async def test_a_part_that_cannot_close_keeps_no_other_open(settings: Settings) -> None:
    class Stuck(Sweeper):
        @override
        async def stop(self) -> None:
            raise RuntimeError("stuck")

    opened = await open_host(settings)
    host = replace(opened, sweeper=Stuck(opened.database, opened.clock, owner="somebody"))
    with pytest.raises(RuntimeError, match="stuck"):
        await host.close()
    with pytest.raises((LedgerDown, RuntimeError)):
        await host.database.run(lambda _unit: None)
