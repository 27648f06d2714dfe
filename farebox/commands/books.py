"""`farebox ledger` and `farebox db`: is every credit accounted for, are the tables current.

These read the database directly, also beside a running server, and never load the chat.
"""

import json
from dataclasses import asdict

import typer

from farebox.commands.console import AsJson, DataDir, read, refuse, settings_in_force
from farebox.lease import LeaseTaken, lease, make_data_dir
from host.clock import SystemClock
from storage.errors import NotMigrated
from storage.export import export_entries
from storage.invariants import verify
from storage.migrate import current, newest, upgrade

ledger = typer.Typer(help="The ledger: verify it, export it.", no_args_is_help=True)
db = typer.Typer(help="The database's tables.", no_args_is_help=True)


@ledger.command("verify")
def verify_ledger(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Check every rule of the ledger over the whole database."""
    now = SystemClock().now()
    report = read(data_dir, lambda session: verify(session, now))
    if as_json:
        typer.echo(json.dumps(asdict(report)))
    elif report.ok:
        typer.echo(f"The ledger is right: {report.wallets} wallets, {report.entries} entries.")
    for violation in () if as_json else report.violations:
        typer.echo(f"VIOLATED {violation.rule}: {violation.subject}", err=True)
    if not report.ok:
        raise typer.Exit(1)


@ledger.command("export")
def export_ledger(data_dir: DataDir = None) -> None:
    """Print every entry, one JSON object a line, by wallet and number."""
    for line in read(data_dir, lambda session: list(export_entries(session))):
        typer.echo(json.dumps(line))


@db.command("upgrade")
def upgrade_tables(data_dir: DataDir = None) -> None:
    """Make or upgrade the tables. Back up first."""
    settings = settings_in_force(data_dir)
    make_data_dir(settings.data_dir)
    try:
        with lease(settings):  # tables must not change under a server's hands
            upgrade(settings.database)
    except LeaseTaken as error:
        refuse(f"{error}; stop it first")
    except NotMigrated as error:
        refuse(str(error))
    typer.echo(f"The tables are at {newest()}.")


@db.command("current")
def current_revision(data_dir: DataDir = None) -> None:
    """Print the revision of the tables; exit 1 when this program wants another."""
    found, wanted = current(settings_in_force(data_dir).database), newest()
    typer.echo(found or "no tables")
    if found != wanted:
        refuse(f"this program wants {wanted}; run `farebox db upgrade`")
