"""A database is opened with the master key that sealed it, or not at all."""

import asyncio
import base64
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner, Result

from farebox.cli import app
from farebox.lease import make_data_dir
from host.app import open_host
from host.config import Settings
from host.vault.envelope import MasterKey
from storage.migrate import upgrade
from tests.databases import Databases

SEALED = bytes(range(50, 82))
OTHER = bytes(range(60, 92))
FINGERPRINT = MasterKey(SEALED).fingerprint
TOLD = f"sealed with another master key (fingerprint {FINGERPRINT}). Put that key in "


class Restored:
    """An installation whose database holds one secret, without its master key."""

    def __init__(self, data_dir: Path, address: str = "") -> None:
        self.data_dir, self.address = data_dir, address
        make_data_dir(data_dir)
        upgrade(address or Settings(data_dir=data_dir).database)
        asyncio.run(self._seal())

    async def _seal(self) -> None:
        host = await open_host(
            Settings(
                data_dir=self.data_dir,
                database_url=self.address,
                master_key=written(SEALED),
            )
        )
        await host.vault.store(None, "openai_key", "sk-demo-planted-0123456789abcdef")
        await host.close()

    def run(self, *arguments: str, key: bytes | None = None) -> Result:
        settings = {"FAREBOX_DATA_DIR": str(self.data_dir), "FAREBOX_DATABASE_URL": self.address}
        if key is not None:
            settings["FAREBOX_MASTER_KEY"] = written(key)
        return CliRunner().invoke(app, arguments, env=settings)

    @property
    def key_file(self) -> Path:
        return self.data_dir / "master.key"


def written(key: bytes) -> str:
    return base64.b64encode(key).decode()


@pytest.fixture
def restored(tmp_path: Path) -> Restored:
    return Restored(tmp_path / "data")


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """A server that starts sends the logs of the whole process to its own standard error."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


COMMANDS = {
    "serve": ("serve", "--port", "0"),
    "a command": ("account", "list"),
    "doctor": ("doctor",),
    "backup create": ("backup", "create", "BACKUP"),
}


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize("key", [None, OTHER], ids=["no key", "another key"])
def test_no_key_is_made_or_used_where_another_has_sealed(
    restored: Restored, arguments: tuple[str, ...], key: bytes | None, tmp_path: Path
) -> None:
    backup = tmp_path / "backup"
    refused = restored.run(
        *(str(backup) if part == "BACKUP" else part for part in arguments), key=key
    )
    assert (refused.exit_code, TOLD in refused.stderr) == (1, True)
    assert (f"{restored.key_file} or " in refused.stderr) is (key is None)
    assert not restored.key_file.exists()
    assert not backup.exists()


def test_the_demo_makes_no_key_either(restored: Restored) -> None:
    (restored.data_dir / "demo").touch()
    refused = restored.run("demo", "--port", "0", "--data-dir", str(restored.data_dir))
    assert (refused.exit_code, TOLD in refused.stderr) == (1, True)
    assert not restored.key_file.exists()


def test_the_right_key_opens_it_wherever_it_is_put(restored: Restored, tmp_path: Path) -> None:
    assert restored.run("account", "list", key=SEALED).exit_code == 0
    restored.key_file.write_text(written(SEALED))
    restored.key_file.chmod(0o600)
    assert restored.run("account", "list").exit_code == 0
    assert restored.run("backup", "create", str(tmp_path / "backup")).exit_code == 0


def test_the_doctor_names_the_key_in_use(restored: Restored) -> None:
    told = restored.run("doctor", key=SEALED)
    assert f"master key in use is {FINGERPRINT}" in told.stdout
    assert (told.exit_code, written(SEALED) in told.output) == (0, False)


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_on_postgresql_the_key_that_is_given_is_compared_too(
    databases: Databases, database_kind: str, tmp_path: Path
) -> None:
    with databases.fresh(database_kind) as address:
        refused = Restored(tmp_path / "data", address).run("account", "list", key=OTHER)
        assert refused.exit_code == 1
        assert f"{TOLD}FAREBOX_MASTER_KEY." in refused.stderr
