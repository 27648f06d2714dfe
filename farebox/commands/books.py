"""`farebox ledger` and `farebox db`: is every credit accounted for, are the tables current.

These read the database directly, also beside a running server, and never load the chat.
"""

import json
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from farebox.commands.console import AsJson, DataDir, read, refuse, settings_in_force
from farebox.control import in_words
from farebox.lease import LeaseTaken, lease, make_places
from farebox.private_files import new_private_file
from host.clock import SystemClock
from host.config import BadSettings
from storage.anchors import BadAnchor, check_anchor, read_anchor, write_anchor
from storage.database import Snapshot
from storage.errors import NotMigrated, StorageError
from storage.export import export_entries
from storage.invariants import VerifyReport, verify
from storage.migrate import check_is_current, current, newest, upgrade

ledger = typer.Typer(help="The ledger: verify it, anchor it, export it.", no_args_is_help=True)
db = typer.Typer(help="The database's tables.", no_args_is_help=True)


@ledger.command("verify")
def verify_ledger(
    against: Annotated[
        Path | None,
        typer.Option("--against", help="An anchor taken earlier.", exists=True, dir_okay=False),
    ] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Check every rule of the ledger over the whole database, and that it stands on an anchor."""
    with ExitStack() as open_files:
        file = open_files.enter_context(against.open("rb")) if against else None
        report = _verified(data_dir, file)
    if as_json:
        told = asdict(report)
        del told["is_whole"]  # it always is: older tables are refused before
        typer.echo(json.dumps({"ok": report.ok, **told}))
    elif report.ok:
        typer.echo(f"The ledger is right: {report.wallets} wallets, {report.entries} entries.")
        if against:
            typer.echo(f"Everything that {against} lists still stands.")
    for violation in () if as_json else report.violations:
        typer.echo(f"VIOLATED {violation.rule}: {violation.subject}", err=True)
    if not report.ok:
        raise typer.Exit(1)


@ledger.command("anchor")
def anchor_ledger(
    out: Annotated[
        Path | None, typer.Option("--out", help="A new file, instead of the output.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """List where every wallet's history stands, to verify against later; the root comes last."""
    now = SystemClock().now()
    if out is None:
        listing = typer.get_binary_stream("stdout")
        read(data_dir, lambda session: write_anchor(session, listing, now))
        return
    try:
        with new_private_file(out) as file:
            anchor = read(data_dir, lambda session: write_anchor(session, file, now))
    except OSError as error:
        refuse(f"{out}: {error.strerror}")
    typer.echo(anchor.root)


@ledger.command("export")
def export_ledger(data_dir: DataDir = None) -> None:
    """Print every entry, one JSON object a line, by wallet and number."""
    out = typer.get_text_stream("stdout")

    def print_all(session: Snapshot) -> None:
        for line in export_entries(session):
            out.write(json.dumps(line) + "\n")

    read(data_dir, print_all)


@db.command("upgrade")
def upgrade_tables(data_dir: DataDir = None) -> None:
    """Make or upgrade the tables. Back up first."""
    settings = settings_in_force(data_dir)
    try:
        make_places(settings)
        with lease(settings):  # tables must not change under a server's hands
            upgrade(settings.database)
    except LeaseTaken as error:
        refuse(f"{error}; stop it first")
    except (NotMigrated, BadSettings) as error:
        refuse(str(error))
    except StorageError as error:
        refuse(in_words(error))
    typer.echo(f"The tables are at {newest()}.")


@db.command("current")
def current_revision(data_dir: DataDir = None) -> None:
    """Print the revision of the tables; exit 1 when this program wants another."""
    address = settings_in_force(data_dir).database
    try:
        typer.echo(current(address) or "no tables")
        check_is_current(address)
    except StorageError as error:
        refuse(in_words(error))


def _verified(data_dir: Path | None, anchor_file: BinaryIO | None) -> VerifyReport:
    """The report on the ledger, and on what of the anchor no longer stands, of one snapshot."""
    now = SystemClock().now()
    try:
        if anchor_file is None:
            return read(data_dir, lambda session: verify(session, now))
        anchor = read_anchor(anchor_file)

        def check(session: Snapshot) -> VerifyReport:
            report = verify(session, now)
            gone = check_anchor(session, anchor, anchor_file)
            return replace(report, violations=(*report.violations, *gone))

        return read(data_dir, check)
    except BadAnchor as error:
        refuse(str(error))
