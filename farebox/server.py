"""Runs the application under uvicorn: one process, one event loop.

The socket is bound first, so that the address that is announced is the one that answers. Signals
only ask the server to stop; what was started is then ended in order, the other way round. A ledger
that can no longer be written ends the server too: whoever supervises it has to start it again.
"""

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import Callable, Generator
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import Final, TypeAlias

import uvicorn
import uvloop
from starlette.types import ASGIApp
from typing_extensions import override

from farebox.http_limits import limited_http
from farebox.lease import LeaseTaken, lease, make_places
from host.app import Host, open_host
from host.config import Settings
from host.logs import set_up_logs
from storage.errors import LedgerBroken
from storage.migrate import check_is_current

Compose: TypeAlias = Callable[[Host], AbstractAsyncContextManager[ASGIApp]]
"""Starts a host's work, lends the application that serves it, and ends the work."""

BACKLOG: Final = 2048
CONCURRENT_MAX: Final = 4096
"""Connections, and requests under way; beyond it a request is answered 503 at once."""
CLOSE_WITHIN_S: Final = 5
"""How long open requests may take to end once the server was asked to stop."""
LAST_FRAMES_S: Final = 0.5
"""What pages are given to be told how their answers ended, before their sockets are closed."""
DRAIN_TICK_S: Final = 0.1


class ServerRole(StrEnum):
    """What a process serves."""

    ALL = "all"
    CHAT = "chat"
    PROXY = "proxy"


class CannotStart(Exception):
    """The server cannot start; the text says why and what to do."""


def bind(address: str, port: int) -> socket.socket:
    """A listening socket; port 0 is any that is free.

    Raises:
        CannotStart: the port is taken, or not ours to use.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise CannotStart(f"cannot listen on {address}:{port}: {error.strerror}") from None
    return listener


def run_server(
    settings: Settings,
    *,
    listener: socket.socket,
    compose: Compose,
    ready: Callable[[], None],
) -> None:
    """Serve what `compose` makes of the host until a signal asks to stop.

    Raises:
        CannotStart: another process writes this database.
        LedgerBroken: it was served until the ledger could no longer be written.
        NotMigrated: the tables are not this program's.
        LedgerDown: the database cannot be reached.
        BadSettings: the data directory cannot be used, or the master key.
    """
    check_is_current(settings.database)  # first: nothing is made for a mistyped place
    set_up_logs(settings.log_format)
    make_places(settings)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(lease(settings))
        except LeaseTaken as error:
            raise CannotStart(str(error)) from None
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings, listener, compose, ready))


def server_config(application: ASGIApp, public_url: str) -> uvicorn.Config:
    """How uvicorn is to serve the application."""
    return uvicorn.Config(
        application,
        # On httptools, which refuses what h11 lets pass: two framings, control characters.
        http=limited_http(public_url),
        ws="wsproto",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONCURRENT_MAX,
        timeout_graceful_shutdown=CLOSE_WITHIN_S,
    )


def _set_aside() -> None:
    """Have the collector look no more at what stays for ever: the libraries and the application.

    That is nearly all there is. Looking through it took 0.3 s, now and then, in which no word of
    any answer was sent.
    """
    gc.collect()
    gc.freeze()


async def _serve(
    settings: Settings, listener: socket.socket, compose: Compose, ready: Callable[[], None]
) -> None:
    host = await open_host(settings)
    try:
        async with compose(host) as application:
            config = server_config(application, settings.public_url)
            _set_aside()
            await _Server(config, ready, host).serve(sockets=[listener])
    finally:
        await host.close()
    if host.database.is_broken:
        raise LedgerBroken("a commit failed")


class _Server(uvicorn.Server):
    """Says when it is ready, stops with its ledger, and lets what is around it end after a signal.

    Uvicorn's own handling raises the signal again when it has stopped, which would end the process
    before the host is closed. It would also close every socket first, and people would not see
    their answers end: so answers end before it is let.
    """

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], host: Host) -> None:
        super().__init__(config)
        self._ready = ready
        self._host = host

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    @override
    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or self._host.database.is_broken

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Nobody new comes in: behind a proxy they go to another replica at once.
        for server in self.servers:
            server.close()
        await self._drain()
        await super().shutdown(sockets)

    async def _drain(self) -> None:
        """Let answers end on the pages that show them; a second Ctrl-C is not waited for."""
        draining = asyncio.create_task(self._end_answers())
        while not (draining.done() or self.force_exit):
            await asyncio.wait({draining}, timeout=DRAIN_TICK_S)
        draining.cancel()
        await asyncio.wait({draining})

    async def _end_answers(self) -> None:
        if await self._host.drain():
            await asyncio.sleep(LAST_FRAMES_S)

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield
