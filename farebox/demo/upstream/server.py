"""A real HTTP server on loopback for the demo's own applications, and for tests.

Runs in the caller's event loop, on a port of the system's choosing unless one is named, and
leaves the process's signals to whoever owns them.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import uvicorn
from starlette.types import ASGIApp
from typing_extensions import override

LOOPBACK: Final = "127.0.0.1"
STOP_WITHIN_S: Final = 1  # connections still open after this are cut


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """`http://host:port`, without a path."""
        return f"http://{self.host}:{self.port}"

    @property
    def openai_base_url(self) -> str:
        """What an OpenAI client is to be given."""
        return f"{self.url}/v1"


@asynccontextmanager
async def serve(
    app: ASGIApp, port: int = 0, *, host: str = LOOPBACK, listener: socket.socket | None = None
) -> AsyncGenerator[Address, None]:
    """Serve `app` while the block runs; it answers before the block begins.

    With a `listener` it answers there, for who had to know the port beforehand.

    Raises:
        OSError: the port is taken.
    """
    listener = listener or socket.create_server((host, port))
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        ws="none",
        lifespan="auto",
        timeout_graceful_shutdown=STOP_WITHIN_S,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    started = asyncio.create_task(server.listening.wait())
    try:
        # Whichever comes first, so that a server that cannot start is not waited for.
        await asyncio.wait((task, started), return_when=asyncio.FIRST_COMPLETED)
        assert server.started, "the server ended while it started"
        yield Address(host, listener.getsockname()[1])
    finally:
        started.cancel()
        server.should_exit = True
        await task
        listener.close()


class _Server(uvicorn.Server):
    """Says when it listens; takes no signals."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield
