"""The list of somebody's conversations, and one of them read: our data layer beside Chainlit's.

Both are called as Chainlit's routes call them, in this process, on an SQLite file each with the
same conversations in it. What is timed is the server's part: from the call to the answer as JSON.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.history.past import thread_id, write_chainlits
from benchmarks.history.report import beside_line
from benchmarks.history.shop import Shop, open_shop
from benchmarks.history.sizes import Sizes
from benchmarks.history.turns import interleave, timed
from benchmarks.ledger.report import Line, limit_line
from farebox import chat_root
from host.app import open_host

if TYPE_CHECKING:
    from chainlit.data.base import BaseDataLayer

LIST_MS = 5.0
LIST_KB = 10.0
FIRST_PAGE = 35
"""Lines that Chainlit's sidebar asks for."""


async def measure(sizes: Sizes, folder: Path) -> list[Line]:
    """The sidebar's first page, and a long conversation."""
    past = (*[sizes.messages] * sizes.threads, sizes.long_thread)
    async with open_shop(folder, sizes=past) as shop, _layers(shop, folder, past) as layers:
        user_id = str(shop.account_id)
        listing = await interleave(
            {name: timed(partial(_list, layer, user_id)) for name, layer in layers.items()},
            rounds=sizes.rounds,
        )
        reading = await interleave(
            {name: timed(partial(_read, layer, sizes.threads)) for name, layer in layers.items()},
            rounds=sizes.rounds,
        )
        ours_kb, base_kb = [await _list(layers[name], user_id) / 1024 for name in ("ours", "base")]
    many = f"{sizes.threads} threads x {sizes.messages} messages"
    return [
        beside_line(
            f"history list of {many}",
            ours=listing.of("ours"),
            baseline=listing.of("base"),
            ratio=listing.ratio("ours", "base"),
            unit="ms",
            at_most=LIST_MS,
        ),
        limit_line("... its size", ours_kb, "KB", at_most=LIST_KB, baseline=f"{base_kb:,.1f} KB"),
        Line(
            name=f"a thread of {sizes.long_thread} messages, read",
            ours=f"{reading.of('ours'):,.1f} ms",
            baseline=f"{reading.of('base'):,.1f} ms",
            ratio=reading.ratio("ours", "base"),
        ),
    ]


@asynccontextmanager
async def _layers(
    shop: Shop, folder: Path, past: tuple[int, ...]
) -> "AsyncIterator[dict[str, BaseDataLayer]]":
    host = await open_host(shop.as_settings)
    chat_root.prepare(shop.data_dir, auth_secret=host.chat_secret)
    from chainlit.data.sql_alchemy import SQLAlchemyDataLayer

    from chat_ui.data_layer import DataLayer

    theirs = folder / "chainlit.db"
    write_chainlits(theirs, str(shop.account_id), sizes=past)
    base = SQLAlchemyDataLayer(f"sqlite+aiosqlite:///{theirs}")
    try:
        yield {"ours": DataLayer(host), "base": base}
    finally:
        await base.engine.dispose()
        await host.close()


async def _list(layer: "BaseDataLayer", user_id: str) -> int:
    """Bytes of the answer."""
    from chainlit.types import Pagination, ThreadFilter

    page = await layer.list_threads(Pagination(first=FIRST_PAGE), ThreadFilter(userId=user_id))
    assert page.data, "somebody has conversations"
    return len(json.dumps(page.to_dict()).encode())  # type: ignore[no-untyped-call]


async def _read(layer: "BaseDataLayer", number: int) -> int:
    thread = await layer.get_thread(thread_id(number))
    assert thread is not None
    assert thread["steps"]
    return len(json.dumps(thread).encode())
