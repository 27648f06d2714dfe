"""`python -m benchmarks.history.bare KIND PORT`: what ours stands beside, as a process of its own.

`assets` is Chainlit's own application serving its page; `sockets` is its socket library alone,
under the same server, with a handler that does nothing.
"""

import asyncio
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import uvicorn
from typing_extensions import override


def main() -> None:
    """Serve until a signal asks to stop."""
    kind, port = sys.argv[1], int(sys.argv[2])
    with tempfile.TemporaryDirectory() as directory:
        application = _chainlit(Path(directory)) if kind == "assets" else _sockets()
        config = uvicorn.Config(
            application, port=port, lifespan="off", log_config=None, ws="wsproto"
        )
        asyncio.run(_Server(config).serve())


class _Server(uvicorn.Server):
    """Says when it is ready."""

    @override
    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        sys.stdout.write(f"ready at http://127.0.0.1:{self.config.port}\n")
        sys.stdout.flush()


def _chainlit(directory: Path) -> Any:
    os.environ["CHAINLIT_APP_ROOT"] = str(directory)  # noqa: TID251 - it has no other way
    from chainlit import server

    return server.app


def _sockets() -> Any:
    import socketio  # type: ignore[import-untyped]

    sockets = socketio.AsyncServer(async_mode="asgi")

    async def connection_successful(sid: str) -> None:
        await sockets.emit("task_end", {}, to=sid)

    sockets.on("connection_successful", connection_successful)
    return socketio.ASGIApp(sockets, socketio_path="/ws/socket.io")


if __name__ == "__main__":
    main()
