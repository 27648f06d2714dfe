"""Every address that the whole application answers, asked of the application itself.

As `python -m tests.addresses DIRECTORY` it prints them as JSON, `[method, path]` each: Chainlit's
state is global, so the application is put together in a process of its own.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

Address: TypeAlias = tuple[str, str]


def every_address(folder: Path) -> list[Address]:
    """Method and path, with what stands for an id or a name in braces."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.addresses", str(folder)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return [(method, path) for method, path in json.loads(done.stdout.splitlines()[-1])]


async def _composed(folder: Path) -> list[Address]:
    from farebox.application import compose
    from farebox.server import ServerRole
    from host.app import open_host
    from host.config import Settings
    from storage.migrate import upgrade

    settings = Settings(data_dir=folder)
    upgrade(settings.database)
    host = await open_host(settings)
    try:
        async with compose(host, role=ServerRole.ALL) as application:
            return sorted(set(_addresses(application, "")))
    finally:
        await host.close()


def _addresses(app: Any, prefix: str) -> Iterator[Address]:
    """What stands behind an application, however it is wrapped."""
    while not hasattr(app, "routes"):
        inner = getattr(app, "_application", None) or getattr(app, "_app", None)
        if inner is None:  # no framework's: files, the socket
            return
        app = inner
    for route in app.routes:
        path = prefix + getattr(route, "path", "").rstrip("/")
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from _addresses(included, prefix + (route.include_context.prefix or ""))
        elif getattr(route, "methods", None):
            yield from ((method, path or "/") for method in route.methods)
        elif hasattr(route, "app"):
            yield from _addresses(route.app, path)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_composed(Path(sys.argv[1])))))  # noqa: T201 - for whoever asked
