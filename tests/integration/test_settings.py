"""Settings as operators meet them: shown without secrets, and mistakes told in their words."""

import base64
from pathlib import Path

import pytest
from typer.testing import CliRunner

from farebox.cli import app
from host.config import Settings
from storage.addresses import without_password

SECRETS = {
    "FAREBOX_DATABASE_URL": "postgresql://root:hunter2@127.0.0.1/farebox?sslpassword=hunter3",
    "FAREBOX_TEST_DATABASE_URL": "postgresql://root:hunter2@127.0.0.1/test",
    "FAREBOX_MASTER_KEY": base64.b64encode(b"hunter" * 5 + b"22").decode(),
}


@pytest.mark.parametrize("how", [[], ["--json"]], ids=["a table", "JSON"])
def test_settings_are_printed_without_their_secrets(how: list[str]) -> None:
    told = CliRunner().invoke(app, ["config", "check", *how], env=SECRETS)
    assert told.exit_code == 0
    assert "hunter" not in told.output
    assert SECRETS["FAREBOX_MASTER_KEY"] not in told.output
    assert "postgresql://root:***@127.0.0.1/farebox" in told.output
    assert "postgresql://root:***@127.0.0.1/test" in told.output


def test_settings_that_get_into_a_log_show_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    for shown in (repr(settings), str(settings)):
        assert "hunter" not in shown
        assert SECRETS["FAREBOX_MASTER_KEY"] not in shown
        assert "root:***@" in shown
    assert settings.database == SECRETS["FAREBOX_DATABASE_URL"]


def test_what_has_no_password_is_shown_as_it_was_written(tmp_path: Path) -> None:
    for address in ("", f"sqlite:///{tmp_path}/a%3Fb.db", "postgresql://root@127.0.0.1/test"):
        assert without_password(address) == address
    assert without_password("host=db password=hunter2") == "***"
