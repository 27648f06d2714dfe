"""When a server starts on SQLite: what may make a second writer is said, and nothing else is."""

import sqlite3
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from farebox import one_writer
from farebox.cli import app
from farebox.one_writer import doubts, file_system, report
from farebox.server import ServerRole
from host.config import Settings
from storage.migrate import upgrade

MOUNTS = r"""22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
31 22 0:27 / /srv rw,relatime - nfs4 files:/export rw,vers=4.2
32 31 8:1 / /srv/fast\040disk rw - xfs /dev/sda1 rw
33 22 0:30 / /mnt/team rw - ext4 /dev/sdb1 rw
34 22 0:31 / /mnt/team rw - fuse.sshfs me@host: rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib/farebox/f.db", "ext4"),
        ("/srv/farebox/f.db", "nfs4"),
        ("/srv/fast disk/f.db", "xfs"),
        ("/srvice/f.db", "ext4"),
        ("/mnt/team/f.db", "fuse.sshfs"),
    ],
)
def test_a_file_is_on_the_deepest_and_latest_mount(path: str, kind: str) -> None:
    assert file_system(Path(path), MOUNTS) == kind


def test_where_no_mounts_are_told_nothing_is_said_of_them() -> None:
    assert file_system(Path("/x"), "") == file_system(Path("/x"), "no such line\n - \n") == ""


@pytest.fixture
def mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A list of mounts in place of the machine's."""
    path = tmp_path / "mountinfo"
    path.write_text(MOUNTS)
    monkeypatch.setattr(one_writer, "MOUNTS", path)
    return path


@pytest.fixture
def old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any SQLite is too old."""
    monkeypatch.setattr(one_writer, "SAFE_SQLITE", (99,))


@pytest.fixture
def new(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any SQLite will do."""
    monkeypatch.setattr(one_writer, "SAFE_SQLITE", (3,))


@pytest.mark.usefixtures("mounts", "old")
def test_one_process_on_a_local_disk_is_nothing_to_warn_of() -> None:
    with capture_logs() as logs:
        report(Settings(data_dir=Path("/var/lib/farebox")), role=ServerRole.ALL)
    assert [(line["event"], line["log_level"]) for line in logs] == [("sqlite.version", "info")]
    assert logs[0]["version"] == sqlite3.sqlite_version


@pytest.mark.usefixtures("mounts", "old")
@pytest.mark.parametrize("role", [ServerRole.CHAT, ServerRole.PROXY])
def test_a_part_of_the_work_on_an_old_sqlite_is_warned_of_with_what_to_do(
    role: ServerRole,
) -> None:
    with capture_logs() as logs:
        report(Settings(data_dir=Path("/var/lib/farebox")), role=role)
    (warning,) = [line for line in logs if line["log_level"] == "warning"]
    assert f"--role {role}" in warning["problem"]
    assert sqlite3.sqlite_version in warning["problem"]
    assert "use PostgreSQL" in warning["problem"]
    assert "\n" not in warning["problem"]


@pytest.mark.usefixtures("mounts", "new")
def test_a_part_of_the_work_on_a_sqlite_without_the_fault_is_fine() -> None:
    settings = Settings(data_dir=Path("/var/lib/farebox"))
    assert list(doubts(settings, role=ServerRole.PROXY)) == []


@pytest.mark.usefixtures("mounts", "new")
@pytest.mark.parametrize("where", ["/srv/farebox", "/mnt/team"])
def test_a_file_that_other_machines_may_write_is_warned_of(where: str) -> None:
    (doubt,) = doubts(Settings(data_dir=Path(where)))
    assert "put it on a local disk" in doubt


@pytest.mark.usefixtures("mounts", "old")
def test_on_postgresql_nothing_is_said_of_sqlite() -> None:
    settings = Settings(data_dir=Path("/srv"), database_url="postgresql://localhost/farebox")
    with capture_logs() as logs:
        report(settings, role=ServerRole.PROXY)
    assert logs == []


def test_without_a_list_of_mounts_there_is_no_doubt(
    mounts: Path, new: None, tmp_path: Path
) -> None:
    mounts.unlink()
    assert list(doubts(Settings(data_dir=tmp_path))) == []


@pytest.mark.usefixtures("old")
def test_the_doctor_says_the_same_and_names_an_old_sqlite(mounts: Path, tmp_path: Path) -> None:
    mounts.write_text(f"35 22 0:40 / {tmp_path} rw - nfs4 files:/export rw\n")
    told = CliRunner().invoke(app, ["doctor", "--data-dir", str(tmp_path)])
    assert told.exit_code == 1
    (doubt,) = doubts(Settings(data_dir=tmp_path))
    assert doubt in told.output
    assert "older than 3.51.3: never let a second program write" in told.output


@pytest.mark.usefixtures("old")
def test_an_old_sqlite_alone_is_a_warning(mounts: Path, tmp_path: Path) -> None:
    upgrade(Settings(data_dir=tmp_path).database)
    told = CliRunner().invoke(app, ["doctor", "--data-dir", str(tmp_path)])
    assert (told.exit_code, "Nothing is wrong." in told.stdout) == (0, True)
    assert "Warning: SQLite" in told.stderr
