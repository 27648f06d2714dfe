"""What a process of each role answers: never without the headers that every answer of ours has."""

import sqlite3
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from farebox import one_writer
from farebox.application import compose
from farebox.server import ServerRole
from host.app import open_host
from host.config import Settings
from tests.databases import Databases
from tests.proxy_world import MASTER_KEY


async def test_a_process_that_serves_the_proxy_alone_dresses_its_answers(
    databases: Databases, tmp_path: Path
) -> None:
    with databases.fresh("sqlite") as address:
        settings = Settings(
            database_url=address,
            data_dir=tmp_path,
            master_key=MASTER_KEY,
            public_url="https://farebox.test",
        )
        host = await open_host(settings)
        async with compose(host, role=ServerRole.PROXY) as application:
            transport = httpx.ASGITransport(application)
            async with httpx.AsyncClient(transport=transport, base_url="https://x") as client:
                alive = await client.get("/healthz")
                foreign = await client.post(
                    "/api/v1/tokens", headers={"Origin": "https://elsewhere.example"}
                )
        await host.close()
    assert alive.headers["x-content-type-options"] == "nosniff"
    assert alive.headers["x-frame-options"] == "DENY"
    assert "strict-transport-security" in alive.headers
    assert foreign.status_code == 403


async def test_a_process_says_at_its_start_which_sqlite_it_writes_with_and_what_may_go_wrong(
    databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_writer, "SAFE_SQLITE", (99,))
    with databases.fresh("sqlite") as address:
        settings = Settings(database_url=address, data_dir=tmp_path, master_key=MASTER_KEY)
        host = await open_host(settings)
        with capture_logs() as logs:
            async with compose(host, role=ServerRole.PROXY):
                pass
        await host.close()
    said = {line["event"]: line for line in logs}
    assert said["sqlite.version"]["version"] == sqlite3.sqlite_version
    assert "--role proxy" in said["sqlite.second_writer"]["problem"]
