"""What a process of each role answers: never without the headers that every answer of ours has."""

from pathlib import Path

import httpx

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
