"""Where the chat is measured: the scripted upstream and a real server, each its own process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from farebox.demo.seed import PASSWORD, SAM, SEEDED_KEY, seed
from host.app import open_host
from host.catalogue.subscribing import SubscribeRequest
from host.config import Settings
from storage.migrate import upgrade
from storage.models.money import GrantSource
from tests.acceptance.servers import ServerProcess, free_port

PACKS: Final = 200
"""Of a hundred credits each: more than any run spends."""


@dataclass(frozen=True, slots=True)
class Place:
    """Two addresses, and somebody who is signed in."""

    server: str
    upstream: str
    key: str
    cookies: httpx.Cookies
    process: int
    """The server's."""


@asynccontextmanager
async def open_place(directory: Path, *, words_per_s: float) -> AsyncIterator[Place]:
    """Both processes at work, the upstream at this pace."""
    async with AsyncExitStack() as stack:
        upstream = ServerProcess(
            [
                "farebox.demo.upstream",
                *("--port", "0", "--key", SEEDED_KEY, "--first-word-s", "0"),
                *("--words-per-s", str(words_per_s)),
            ],
            log=directory / "upstream.log",
        )
        await asyncio.to_thread(upstream.start)
        stack.callback(upstream.stop)
        port = free_port()
        given = {
            "FAREBOX_DATA_DIR": str(directory / "data"),
            "FAREBOX_OPENAI_BASE_URL": upstream.address,
            "FAREBOX_ALLOW_PRIVATE_UPSTREAMS": "1",
            "FAREBOX_PUBLIC_URL": f"http://127.0.0.1:{port}",
        }
        await _furnish(directory / "data", upstream.address, given["FAREBOX_PUBLIC_URL"])
        server = ServerProcess(
            ["farebox", "serve", "--port", str(port)], log=directory / "server.log", settings=given
        )
        await asyncio.to_thread(server.start)
        stack.callback(server.stop)
        cookies = await _signed_in(given["FAREBOX_PUBLIC_URL"])
        yield Place(
            given["FAREBOX_PUBLIC_URL"], upstream.address, SEEDED_KEY, cookies, server.process
        )


async def _furnish(data_dir: Path, upstream: str, public_url: str) -> None:
    await asyncio.to_thread(data_dir.mkdir, mode=0o700)
    settings = Settings(
        data_dir=data_dir,
        openai_base_url=upstream,
        allow_private_upstreams=True,
        public_url=public_url,
    )
    await asyncio.to_thread(upgrade, settings.database)
    host = await open_host(settings)
    try:
        await seed(host, upstream=upstream, songs=upstream.removesuffix("/v1"))
        sam = next(a for a in await host.accounts.list() if a.email == SAM.email)
        for number in range(PACKS):
            request = SubscribeRequest(
                account_id=sam.id,
                plan_slug="pack-100",
                source=GrantSource.OPERATOR,
                source_ref=f"benchmark:{number}",
                note="to be spent",
            )
            await host.catalogue.subscribe(None, request)
    finally:
        await host.close()


async def _signed_in(address: str) -> httpx.Cookies:
    async with httpx.AsyncClient(base_url=address) as http:
        answer = await http.post("/login", data={"email": SAM.email, "password": PASSWORD})
        assert answer.has_redirect_location, answer.text
        return http.cookies
