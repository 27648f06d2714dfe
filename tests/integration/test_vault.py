"""The vault on real tables, and where the master key comes from."""

import base64
import stat
from pathlib import Path

import pytest
from sqlmodel import select

from host.config import BadSettings, Settings
from host.vault.envelope import MasterKey, SecretUnreadable
from host.vault.master_key import load_master_key
from host.vault.vault import Vault
from storage.database import Database, Unit
from storage.models.vault import Secret
from tests.fakes.clock import ManualClock

PLANTED = "sk-demo-planted-0123456789abcdef"
GIVEN = base64.b64encode(bytes(32)).decode()


@pytest.fixture
def vault(database: Database, clock: ManualClock) -> Vault:
    return Vault(database, clock, MasterKey(bytes(32)))


async def test_a_stored_secret_is_revealed_and_only_its_end_is_shown(vault: Vault) -> None:
    ref = await vault.store(None, "openai_key", PLANTED, "https://api.example.com/v1")
    assert ref.last4 == "cdef"
    assert await vault.reveal(ref.id) == PLANTED


async def test_nothing_of_a_short_secret_is_shown(vault: Vault) -> None:
    assert (await vault.store(None, "bearer", "hunter2", "")).last4 == ""


async def test_the_tables_hold_nothing_in_clear(vault: Vault, database: Database) -> None:
    await vault.store(None, "openai_key", PLANTED)
    rows = await database.read(lambda s: [str(r.model_dump()) for r in s.exec(select(Secret))])
    assert len(rows) == 1
    assert "planted" not in rows[0]


async def test_two_rows_that_were_swapped_open_no_more(vault: Vault, database: Database) -> None:
    mine = await vault.store(None, "openai_key", PLANTED)
    yours = await vault.store(None, "openai_key", "sk-demo-somebody-elses-key")

    def swap(unit: Unit) -> None:
        a, b = unit.session.get(Secret, mine.id), unit.session.get(Secret, yours.id)
        assert a is not None
        assert b is not None
        for name in ("ciphertext", "nonce", "wrapped_key", "wrap_nonce"):
            of_a, of_b = getattr(a, name), getattr(b, name)
            setattr(a, name, of_b)
            setattr(b, name, of_a)

    await database.run(swap)
    for ref in (mine, yours):
        with pytest.raises(SecretUnreadable):
            await vault.reveal(ref.id)


async def test_a_replaced_secret_keeps_its_name_and_the_old_ciphertext_is_worthless(
    vault: Vault, database: Database
) -> None:
    ref = await vault.store(None, "openai_key", PLANTED, "https://old.example.com")
    old = await database.read(lambda s: s.exec(select(Secret)).one())
    new = await vault.replace(ref.id, "sk-demo-the-newer-one-9999", "https://new.example.com")
    assert (new.id, new.last4) == (ref.id, "9999")
    assert await vault.reveal(ref.id) == "sk-demo-the-newer-one-9999"
    row = await database.read(lambda s: s.exec(select(Secret)).one())
    assert (row.version, row.bound_to) == (2, "https://new.example.com")
    assert row.created_at == old.created_at

    def put_the_old_value_back(unit: Unit) -> None:
        row = unit.session.get(Secret, ref.id)
        assert row is not None
        row.ciphertext, row.nonce = old.ciphertext, old.nonce
        row.wrapped_key, row.wrap_nonce = old.wrapped_key, old.wrap_nonce

    await database.run(put_the_old_value_back)
    with pytest.raises(SecretUnreadable):
        await vault.reveal(ref.id)


async def test_a_discarded_secret_is_gone(vault: Vault) -> None:
    ref = await vault.store(None, "openai_key", PLANTED)
    await vault.discard(ref.id)
    with pytest.raises(SecretUnreadable):
        await vault.reveal(ref.id)
    with pytest.raises(SecretUnreadable):
        await vault.replace(ref.id, "sk-another")


async def test_another_master_key_is_noticed_before_it_is_needed(
    vault: Vault, database: Database, clock: ManualClock
) -> None:
    await vault.store(None, "openai_key", PLANTED)
    assert await vault.is_usable()
    assert not await Vault(database, clock, MasterKey(bytes(range(32)))).is_usable()


def test_the_first_start_makes_a_key_that_later_starts_find(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    first = load_master_key(settings)
    path = tmp_path / "data" / "master.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_master_key(settings).fingerprint == first.fingerprint
    assert [entry.name for entry in path.parent.iterdir()] == ["master.key"]


def test_two_installations_get_two_keys(tmp_path: Path) -> None:
    keys = {load_master_key(Settings(data_dir=tmp_path / n)).fingerprint for n in "ab"}
    assert len(keys) == 2


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    settings = Settings(data_dir=tmp_path)
    load_master_key(settings)
    (tmp_path / "master.key").chmod(mode)
    with pytest.raises(BadSettings, match="chmod 600"):
        load_master_key(settings)


def test_a_file_that_is_no_key_is_refused_without_being_shown(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    path.write_text("not a key at all")
    path.chmod(0o600)
    with pytest.raises(BadSettings) as refused:
        load_master_key(Settings(data_dir=tmp_path))
    assert "not a key at all" not in str(refused.value)


def test_a_link_in_place_of_the_key_is_not_followed(tmp_path: Path) -> None:
    real = tmp_path / "elsewhere"
    real.write_text(GIVEN)
    real.chmod(0o600)
    (tmp_path / "master.key").symlink_to(real)
    with pytest.raises(BadSettings):
        load_master_key(Settings(data_dir=tmp_path))


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"env": "production"}, id="in production"),
        pytest.param({"database_url": "postgresql://db/farebox"}, id="with PostgreSQL"),
    ],
)
def test_a_key_is_not_invented_where_it_must_be_given(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    with pytest.raises(BadSettings, match="FAREBOX_MASTER_KEY must be given"):
        load_master_key(Settings(data_dir=tmp_path, **settings))  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
    given = Settings(data_dir=tmp_path, master_key=GIVEN, **settings)  # type: ignore[arg-type]
    assert load_master_key(given).fingerprint == MasterKey(bytes(32)).fingerprint
