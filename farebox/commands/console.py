"""How commands speak: tables for people, JSON for programs, refusals on standard error.

Exit status: 0 done, 1 found wrong or refused, 2 bad usage.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeAlias, TypeVar

import typer
from sqlmodel import Session

from farebox.control import Refused, Undecided, in_words, perform
from host.config import BadSettings, Settings, read_settings
from storage.database import Database
from storage.errors import StorageError
from storage.ids import new_id
from storage.migrate import check_is_current

T = TypeVar("T")

AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DataDir: TypeAlias = Annotated[
    Path | None, typer.Option("--data-dir", help="Where the data is, instead of FAREBOX_DATA_DIR.")
]

Request: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="ID", help="Of an earlier try: it happens once, however often."),
]


def settings_in_force(data_dir: Path | None = None) -> Settings:
    """The settings, or an explanation and exit status 2."""
    try:
        return read_settings(**({"data_dir": data_dir} if data_dir else {}))
    except BadSettings as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None


def do(data_dir: Path | None, verb: str, **facts: Any) -> Any:
    """Carry out a verb; a refusal is printed and ends with exit status 1."""
    try:
        return perform(settings_in_force(data_dir), verb, **facts)
    except Refused as refusal:
        refuse(str(refusal))


def read(data_dir: Path | None, work: Callable[[Session], T]) -> T:
    """Read the database directly, also beside a running server; a refusal as in `do`."""
    address = settings_in_force(data_dir).database

    async def reading() -> T:
        database = Database.open(address)
        try:
            return await database.read(work)
        finally:
            await database.close()

    try:
        check_is_current(address)
        return asyncio.run(reading())
    except StorageError as error:
        refuse(in_words(error))


def do_once(data_dir: Path | None, verb: str, *, request: str | None, **facts: Any) -> Any:
    """Carry out a verb that must not happen twice, under a name that a second try can use."""
    if request is not None and not request.strip():  # a script's variable that was never set
        raise typer.BadParameter("--request is empty; leave it out, or give the earlier try's")
    request = request or new_id()
    try:
        return perform(settings_in_force(data_dir), verb, request=request, **facts)
    except Undecided as refusal:
        refuse(f"{refusal}\nTo try again without doing it twice, add --request {request}")
    except Refused as refusal:
        refuse(str(refusal))


def refuse(reason: str) -> NoReturn:
    """Say why not, and end with exit status 1."""
    typer.echo(reason, err=True)
    raise typer.Exit(1)


def show(rows: Sequence[Mapping[str, Any]], *, as_json: bool, empty: str) -> None:
    """Print a listing."""
    if as_json:
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    if not rows:
        typer.echo(empty)
        return
    names = list(rows[0])
    lines = [[_cell(row[name]) for name in names] for row in rows]
    widths = [max(len(line[i]) for line in [names, *lines]) for i in range(len(names))]
    for line in [[name.upper().replace("_", " ") for name in names], *lines]:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)
