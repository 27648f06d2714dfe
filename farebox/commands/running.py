"""`farebox demo`, `farebox serve`, `farebox config`, `farebox doctor`: the program itself."""

import sqlite3
from collections.abc import Callable, Collection, Iterator
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
from host.vault.master_key import existing_master_key, refuse_another_key
from storage.errors import StorageError
from storage.migrate import check_is_current
from storage.secrets import sealing_keys

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
        with bind(host, port) as listener:
            address = f"http://{host}:{listener.getsockname()[1]}"
            ready = f"Farebox is ready at {settings.public_url} ({address})"
            run_server(
                settings,
                listener=listener,
                compose=partial(compose, role=role),
                ready=lambda: typer.echo(ready),
            )

    _run(run)


def _run(server: Callable[[], None]) -> None:
    try:
        server()
    except StorageError as error:
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
    settings = settings_in_force(data_dir)
    findings = list(_examine(settings))
    for finding in findings:
        typer.echo(finding, err=True)
    if settings.is_sqlite and one_writer.is_old():
        typer.echo(
            f"Warning: SQLite {sqlite3.sqlite_version} is older than 3.51.3: never let a second"
            " program write to the database file (one Farebox is safe)",
            err=True,
        )
    if findings:
        raise typer.Exit(1)
    typer.echo("Nothing is wrong.")


def _examine(settings: Settings) -> Iterator[str]:
    try:
        check_is_current(settings.database)
        yield from _examine_key(settings, sealing_keys(settings.database))
    except StorageError as error:
        yield in_words(error)
    if settings.data_dir.is_dir() and settings.data_dir.stat().st_mode & 0o077:
        yield f"{settings.data_dir} can be read by others; run `chmod 700 {settings.data_dir}`"
    yield from one_writer.doubts(settings)


def _examine_key(settings: Settings, sealed_under: Collection[str]) -> Iterator[str]:
    """Say which master key is in use; what is wrong with it."""
    try:
        key = existing_master_key(settings)
        refuse_another_key(settings, key, sealed_under)
    except BadSettings as error:
        yield str(error)
        return
    if key is None:
        typer.echo("There is no master key yet; the first start makes one.")
        return
    typer.echo(f"The fingerprint of the master key in use is {key.fingerprint}.")
    if others := sorted({*sealed_under} - {key.fingerprint}):
        yield (
            "Some secrets were sealed with another master key and cannot be opened: its"
            f" fingerprint is {', '.join(others)}"
        )
