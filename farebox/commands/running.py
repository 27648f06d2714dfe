"""`farebox demo`, `farebox serve`, `farebox config`, `farebox doctor`: the program itself."""

import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer

from farebox import one_writer
from farebox.application import compose
from farebox.commands.console import AsJson, DataDir, refuse, settings_in_force, show
from farebox.control import in_words
from farebox.server import CannotStart, ServerRole, bind, run_server
from host.config import PREFIX, BadSettings, Settings
from storage.errors import LedgerBroken, NotMigrated, StorageError
from storage.migrate import check_is_current

config = typer.Typer(help="Settings.", no_args_is_help=True)

DEMO_DATA: Final = Path(".farebox/demo")


def demo(
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
    data_dir: Annotated[Path, typer.Option("--data-dir")] = DEMO_DATA,
    reset: Annotated[bool, typer.Option("--reset", help="Start over with fresh data.")] = False,
) -> None:
    """Everything on one port: sample people, plans, assistants; no key, no network."""
    from farebox.demo.run import run_demo

    _run(lambda: run_demo(port=port, data_dir=data_dir, reset=reset))


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
    role: Annotated[ServerRole, typer.Option(help="What this process serves.")] = ServerRole.ALL,
    data_dir: DataDir = None,
) -> None:
    """Serve the chat, the pages, the API and the proxy."""
    settings = settings_in_force(data_dir)

    def run() -> None:
        listener = bind(host, port)
        address = f"http://{host}:{listener.getsockname()[1]}"
        run_server(
            settings,
            listener=listener,
            compose=partial(compose, role=role),
            ready=lambda: typer.echo(f"Farebox is ready at {settings.public_url} ({address})"),
        )

    _run(run)


def _run(server: Callable[[], None]) -> None:
    try:
        server()
    except NotMigrated as error:
        refuse(f"{error}; run `farebox db upgrade`")
    except LedgerBroken as error:
        refuse(in_words(error))
    except (CannotStart, BadSettings) as error:
        refuse(str(error))


@config.command("check")
def check_config(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Print the settings in force, secrets hidden; exit 2 when they cannot be used."""
    settings = settings_in_force(data_dir)
    rows = [
        {"setting": f"{PREFIX}{name.upper()}", "value": value} for name, value in settings.shown()
    ]
    show(rows, as_json=as_json, empty="")


def doctor(data_dir: DataDir = None) -> None:
    """Say what is wrong on this machine; exit 1 when something is."""
    findings = list(_examine(settings_in_force(data_dir)))
    for finding in findings:
        typer.echo(finding, err=True)
    if findings:
        raise typer.Exit(1)
    typer.echo("Nothing is wrong.")


def _examine(settings: Settings) -> Iterator[str]:
    try:
        check_is_current(settings.database)
    except StorageError as error:
        yield in_words(error)
    if not settings.data_dir.exists():
        yield f"{settings.data_dir} does not exist yet; `farebox db upgrade` makes it"
    elif settings.data_dir.stat().st_mode & 0o077:
        yield f"{settings.data_dir} can be read by others; run `chmod 700 {settings.data_dir}`"
    yield from one_writer.doubts(settings)
    if settings.is_sqlite and one_writer.is_old():
        yield (
            f"SQLite {sqlite3.sqlite_version} is older than 3.51.3: never let a second program"
            " write to the database file (one Farebox is safe)"
        )
