"""`farebox demo`: everything ready on one port, with no key and no network.

The scripted upstream and the sample service answer on loopback ports of their own, over HTTP, and
the host calls them like any other. Those ports are new with every start, so what the data
directory remembers of them is moved.
"""

import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from socket import socket
from typing import Final

import typer
from starlette.types import ASGIApp

from farebox.application import compose
from farebox.demo.marks import MARK, SCRATCH
from farebox.demo.seed import PASSWORD, PEOPLE, SONGS_KEY, UPSTREAM_KEYS, VOUCHER, seed
from farebox.demo.songs import song_service
from farebox.demo.upstream.app import ScriptedUpstream
from farebox.demo.upstream.server import LOOPBACK, serve
from farebox.lease import LeaseTaken, lease, make_data_dir
from farebox.server import CannotStart, ServerRole, bind, run_server
from host.app import Host
from host.config import Settings, read_settings
from storage.migrate import upgrade

LEASE: Final = ".lease"


def run_demo(*, port: int, data_dir: Path, reset: bool) -> None:
    """Serve the demo until a signal asks to stop.

    Raises:
        CannotStart: the port is taken, the directory is not the demo's, or this is production.
    """
    with (
        bind(LOOPBACK, port) as listener,
        bind(LOOPBACK, 0) as upstream,
        bind(LOOPBACK, 0) as songs,
    ):
        _run(listener, upstream, songs, data_dir=data_dir, reset=reset)


def _run(
    listener: socket, upstream: socket, songs: socket, *, data_dir: Path, reset: bool
) -> None:
    settings = read_settings(
        data_dir=data_dir,
        database_url="",
        public_url=f"http://localhost:{listener.getsockname()[1]}",
        openai_base_url=f"http://{LOOPBACK}:{upstream.getsockname()[1]}/v1",
        allow_private_upstreams=True,
        signup="open",
    )
    if settings.env == "production":
        raise CannotStart("the demo has well-known passwords and does not run in production")
    settings = settings.model_copy(update={"payments": "demo"})  # which production would refuse
    make_data_dir(data_dir)
    try:
        with lease(settings):  # or a second demo could clear the first one's data
            _prepare(data_dir, reset=reset)
            upgrade(settings.database)
    except LeaseTaken as error:
        raise CannotStart(str(error)) from None

    @asynccontextmanager
    async def compose_demo(host: Host) -> AsyncGenerator[ASGIApp, None]:
        scripted = ScriptedUpstream(UPSTREAM_KEYS, keep_in=data_dir / SCRATCH)
        async with (
            serve(scripted, listener=upstream) as upstream_address,
            serve(song_service(SONGS_KEY), listener=songs) as songs_address,
        ):
            await seed(host, upstream=upstream_address.openai_base_url, songs=songs_address.url)
            async with compose(host, role=ServerRole.ALL) as application:
                yield application

    run_server(
        settings, listener=listener, compose=compose_demo, ready=lambda: _announce(settings)
    )


def _prepare(data_dir: Path, *, reset: bool) -> None:
    """An own directory: made new, or one that an earlier demo made."""
    mark = data_dir / MARK
    if not mark.exists() and any(path.suffix != LEASE for path in data_dir.iterdir()):
        raise CannotStart(f"{data_dir} holds something else than a demo; choose another directory")
    if reset:
        shutil.rmtree(data_dir)
        make_data_dir(data_dir)
    mark.touch()


def _announce(settings: Settings) -> None:
    people = "\n".join(f"  {person.who:<11} {person.email:<18} {PASSWORD}" for person in PEOPLE)
    typer.echo(
        f"Farebox is ready at {settings.public_url}\n\nSign in as\n{people}\n\n"
        f"Buying shows a pay page on which no money moves; the voucher {VOUCHER} works once.\n"
        "Answers are scripted (no AI). Type /error, /empty or /cut to see that what "
        "fails costs nothing.\nCtrl-C stops; the data stays in "
        f"{settings.data_dir} (--reset starts over)."
    )
