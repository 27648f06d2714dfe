"""`farebox backup`: copies of everything but the master key, checked and put back."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from farebox.backups import create_backup, restore_backup, verify_backup
from farebox.commands.console import DataDir, refuse, settings_in_force
from farebox.control import in_words
from farebox.lease import LeaseTaken
from farebox.manifests import BackupRefused
from host.clock import SystemClock
from host.config import BadSettings
from host.vault.master_key import FILE_NAME
from storage.errors import StorageError
from storage.invariants import VerifyReport
from storage.migrate import newest

backups = typer.Typer(help="Backups: make, verify, restore.", no_args_is_help=True)

Backup = Annotated[Path, typer.Argument(help="The backup's directory.", show_default=False)]


@backups.command("create")
def create(
    dest: Annotated[Path, typer.Argument(help="A new directory.", show_default=False)],
    data_dir: DataDir = None,
) -> None:
    """Copy the database and the files beside it, also while a server is running."""
    with _refusals():
        made = create_backup(settings_in_force(data_dir), dest, SystemClock().now())
    for path in made.left_out:
        typer.echo(f"Left out: {path} (no plain file, or it holds the master key)", err=True)
    typer.echo(f"{dest} holds everything but the master key. Keep that apart.")
    typer.echo("The root of its anchor, to keep where nobody here can change it:")
    typer.echo(made.manifest.anchor)


@backups.command("verify")
def verify(backup: Backup) -> None:
    """Check that a backup is whole and that the ledger in it is right."""
    with _refusals():
        report = verify_backup(backup)
    if report is None:
        typer.echo("Every part is whole. The ledger in it is checked when it is restored.")
        return
    _tell(report, "in it")


@backups.command("restore")
def restore(backup: Backup, data_dir: DataDir = None) -> None:
    """Put a backup back where there is no database yet, and check the ledger."""
    settings = settings_in_force(data_dir)
    with _refusals():
        restored = restore_backup(backup, settings)
    typer.echo(f"Restored to {restored.place}.")
    manifest = restored.manifest
    if manifest.revision != newest():
        typer.echo(f"The tables are at {manifest.revision}: run `farebox db upgrade`.")
    if manifest.master_key and not restored.has_key:
        typer.echo(
            "Before the start, bring the master key whose fingerprint is"
            f" {manifest.master_key} to {settings.data_dir / FILE_NAME}, mode 0600, or to"
            " FAREBOX_MASTER_KEY: without it no stored key can be opened, and nothing starts."
        )
    _tell(restored.report, "restored")


def _tell(report: VerifyReport, where: str) -> None:
    """Say whether the ledger is right; exit 1 when it is not."""
    for violation in report.violations:
        typer.echo(f"VIOLATED {violation.rule}: {violation.subject}", err=True)
    if not report.ok:
        raise typer.Exit(1)
    if not report.is_whole:
        typer.echo(
            f"The tables {where} are of another Farebox: only the hashes and the anchor were"
            " checked; restore, upgrade, then verify."
        )
        return
    typer.echo(
        f"The ledger {where} is right and stands on its anchor: {report.wallets} wallets,"
        f" {report.entries} entries."
    )


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except (BackupRefused, BadSettings) as error:
        refuse(str(error))
    except LeaseTaken as error:
        refuse(f"{error}; stop it first")
    except StorageError as error:
        refuse(in_words(error))
    except OSError as error:
        refuse(f"{error.filename}: {error.strerror}")
