"""A mistyped place is answered in a sentence, with nothing made there and no password told."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from farebox.cli import app
from host.config import Settings
from storage.migrate import upgrade
from tests.databases import SERVER

KEY = "NDJkZTM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTA="
NOBODY = "postgresql://root:hunter2@127.0.0.1:1/zz"
UPGRADE, CURRENT, SERVE = ("db", "upgrade"), ("db", "current"), ("serve", "--port", "0")
LIST, REFUND = ("account", "list"), ("refund", "some-receipt")


def run(arguments: tuple[str, ...], data_dir: Path, address: str = "") -> Result:
    settings = {"FAREBOX_DATA_DIR": str(data_dir), "FAREBOX_DATABASE_URL": address}
    if address:
        settings["FAREBOX_MASTER_KEY"] = KEY
    return CliRunner().invoke(app, arguments, env=settings)


def refused(result: Result) -> str:
    assert (result.exit_code, type(result.exception)) == (1, SystemExit), result.exception
    assert "hunter2" not in result.output
    return result.stderr.partition("\nTo try again")[0].strip()


@pytest.mark.parametrize("arguments", [UPGRADE, CURRENT, SERVE, LIST], ids=" ".join)
def test_a_postgresql_that_does_not_answer_is_named(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    assert refused(run(arguments, tmp_path, NOBODY)) == (
        "Cannot reach PostgreSQL at 127.0.0.1:1, database zz: connection refused."
        " Check FAREBOX_DATABASE_URL and that the server runs."
    )


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
@pytest.mark.parametrize("arguments", [UPGRADE, CURRENT, SERVE], ids=" ".join)
def test_a_postgresql_database_that_is_missing_is_named(
    arguments: tuple[str, ...], database_kind: str, tmp_path: Path
) -> None:
    address = f"{SERVER.rpartition('/')[0]}/farebox_nobody_made_this"
    told = refused(run(arguments, tmp_path, address))
    assert 'database "farebox_nobody_made_this" does not exist. Check FAREBOX' in told


@pytest.mark.parametrize("arguments", [UPGRADE, CURRENT, SERVE, LIST], ids=" ".join)
def test_a_file_that_is_no_database_is_named(arguments: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "farebox.db"
    file.write_text("a letter, and no database at all\n" * 100)
    assert refused(run(arguments, tmp_path)) == f"{file} is not an SQLite database."


@pytest.mark.parametrize("arguments", [UPGRADE, SERVE, LIST, REFUND, CURRENT], ids=" ".join)
def test_a_data_directory_that_is_a_file_is_named(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    file = tmp_path / "data"
    file.touch()
    told = refused(run(arguments, file))
    assert str(file) in told
    assert ("is not a directory" in told) is (arguments == UPGRADE)
    assert "cannot be made: Not a directory" in refused(run(UPGRADE, file / "deeper"))


@pytest.mark.parametrize("arguments", [SERVE, LIST, REFUND, CURRENT, ("ledger", "verify")])
def test_nothing_is_made_in_a_place_that_was_mistyped(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    mistyped = tmp_path / "mistyped"
    assert refused(run(arguments, mistyped)) == (
        f"There is no Farebox database in {mistyped}. Is --data-dir right?"
        " For a new installation run `farebox db upgrade`."
    )
    assert list(tmp_path.iterdir()) == []


def test_a_database_apart_from_its_data_directory_gets_a_directory_too(tmp_path: Path) -> None:
    file = tmp_path / "apart" / "farebox.db"
    assert run(UPGRADE, tmp_path / "data", f"sqlite:///{file}").exit_code == 0
    assert file.exists()


def test_a_lease_that_is_not_ours_to_take_is_named(tmp_path: Path) -> None:
    upgrade(Settings(data_dir=tmp_path).database)
    (tmp_path / "farebox.db.lease").mkdir()
    assert "farebox.db.lease cannot be opened" in refused(run(LIST, tmp_path))
