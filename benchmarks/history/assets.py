"""The home page, opened for the first time: bytes over Chainlit's own bundle, and CPU for assets.

Nobody's browser is needed: what the page asks for is listed here, as a browser's log shows it.
Beside it stands Chainlit's own application, which serves the same bundle.
"""

import asyncio
import re
from pathlib import Path

import httpx

from benchmarks.history.processes import cpu_ms
from benchmarks.history.report import beside_line
from benchmarks.history.shop import open_shop, serving
from benchmarks.history.sizes import Sizes
from benchmarks.history.turns import Turn, interleave
from benchmarks.ledger.report import Line, limit_line
from tests.acceptance.servers import ServerProcess, free_port
from tests.acceptance.shop import EMAIL, WORDS
from tests.chat_page import signed_in

OURS_KB = 400.0
CPU_MS = 10.0
BUNDLED = re.compile(r'(?:src|href)="(/assets/[^"]+)"')
LINKED = re.compile(r'(?:src|href)="(/(?!assets/)[^"/][^"]*)"')
ASKED_FOR = (
    "/auth/config",
    "/user",
    "/project/translations?language=en-US",
    "/project/settings?language=en-US",
    "/logo?theme=light",
    "/avatars/home",
    "/avatars/Tutor",
    "/api/v1/balance",
)
"""What its scripts fetch then; the list of conversations is POSTed for besides."""
FOR_EVERYBODY = re.compile(r"/(assets|public|avatars|logo|favicon)")


async def measure(sizes: Sizes, folder: Path) -> list[Line]:
    """Weigh everything once, then fetch what is an asset again and again."""
    async with open_shop(folder, sizes=(sizes.messages,) * sizes.threads) as shop:
        base = ServerProcess(
            ["benchmarks.history.bare", "assets", str(free_port())], log=folder / "bare.log"
        )
        with serving(shop, folder / "log") as server:
            cookies = await asyncio.to_thread(signed_in, server.address, EMAIL, WORDS)
            base.start()
            try:
                return await _measure(sizes, server, base, cookies)
            finally:
                base.kill()


async def _measure(
    sizes: Sizes, server: ServerProcess, base: ServerProcess, cookies: httpx.Cookies
) -> list[Line]:
    async with (
        httpx.AsyncClient(base_url=server.address, cookies=cookies) as ours,
        httpx.AsyncClient(base_url=base.address) as theirs,
    ):
        html = (await ours.get("/", headers={"Accept": "text/html"})).text
        bundle, linked = BUNDLED.findall(html), LINKED.findall(html)
        weight_kb = await _weight_kb(ours, ["/", *linked, *ASKED_FOR])
        kept = [await _is_kept_for_ever(ours, path) for path in bundle]
        shared = [path for path in (*linked, *ASKED_FOR) if FOR_EVERYBODY.match(path)]
        taken = await interleave(
            {
                "ours": _views(ours, server, [*bundle, *shared], sizes.views),
                "base": _views(theirs, base, bundle, sizes.views),
            },
            rounds=max(sizes.rounds // 3, 1),
        )
    return [
        limit_line(
            "home page, cold: compressed, over Chainlit's bundle", weight_kb, "KB", at_most=OURS_KB
        ),
        Line(
            name="... of the bundle, kept by browsers for ever",
            ours=f"{sum(kept)} of {len(bundle)} files",
            target="all",
            is_met=bool(kept) and all(kept),
        ),
        beside_line(
            "CPU of a page view's assets",
            ours=taken.of("ours"),
            baseline=taken.of("base"),
            ratio=taken.ratio("ours", "base"),
            unit="ms",
            at_most=CPU_MS,
        ),
    ]


async def _weight_kb(http: httpx.AsyncClient, paths: list[str]) -> float:
    """What goes over the wire, each body as it is sent."""
    weight = 0
    listing = {"pagination": {"first": 35}, "filter": {}}
    requests = [http.build_request("GET", path) for path in paths]
    requests.append(http.build_request("POST", "/project/threads", json=listing))
    for request in requests:
        request.headers["Accept-Encoding"] = "gzip"
        answer = await http.send(request, stream=True)
        assert answer.is_success, request.url
        weight += sum([len(piece) async for piece in answer.aiter_raw()])
        await answer.aclose()
    return weight / 1024


async def _is_kept_for_ever(http: httpx.AsyncClient, path: str) -> bool:
    return "immutable" in (await http.get(path)).headers.get("cache-control", "")


def _views(http: httpx.AsyncClient, server: ServerProcess, paths: list[str], views: int) -> Turn:
    """So many page views; what the server's process needs for one."""

    async def turn() -> float:
        before = cpu_ms(server.process)
        for _ in range(views):
            for path in paths:
                answer = await http.get(path, headers={"Accept-Encoding": "gzip"})
                assert answer.is_success, path
        return (cpu_ms(server.process) - before) / views

    return turn
