"""One address means one database, whatever its path is called."""

from pathlib import Path

import pytest

from host.config import BadSettings, Settings, read_settings
from storage.addresses import BadAddress, driver_url, sqlite_address, sqlite_path


@pytest.mark.parametrize("name", ["plain", "a b", "50%41", "no#1", "why?mode=rw", "a@b:c"])
def test_any_path_survives_its_address(name: str) -> None:
    path = Path("/data") / name / "farebox.db"
    assert sqlite_path(sqlite_address(path)) == path
    assert Settings(data_dir=path.parent).sqlite_file == path


@pytest.mark.parametrize("scheme", ["sqlite", "sqlite+pysqlite"])
def test_sqlite_is_sqlite_by_whatever_driver(scheme: str) -> None:
    settings = Settings(database_url=f"{scheme}:////data/farebox.db")
    assert settings.is_sqlite
    assert settings.sqlite_file == Path("/data/farebox.db")


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg", "postgresql+asyncpg"])
def test_postgresql_is_no_file(scheme: str) -> None:
    address = f"{scheme}://root@127.0.0.1/farebox"
    assert sqlite_path(address) is None
    assert driver_url(address).drivername == "postgresql+psycopg"


@pytest.mark.parametrize(
    "address",
    [
        "farebox.db",
        "mysql://root:hunter2@127.0.0.1/farebox",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:farebox.db",
        "sqlite:///farebox.db?mode=rw",
        "sqlite://hunter2/farebox.db",
    ],
)
def test_what_names_no_database_is_refused_and_not_quoted(address: str) -> None:
    with pytest.raises(BadAddress) as refused:
        driver_url(address)
    with pytest.raises(BadSettings) as unset:
        read_settings(database_url=address)
    assert "hunter2" not in f"{refused.value}{unset.value}"
    assert "sqlite:///path" in str(unset.value)
