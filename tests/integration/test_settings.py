"""Settings as operators meet them: shown without secrets, and mistakes told in their words."""

import base64
from pathlib import Path

import pytest
from typer.testing import CliRunner

from farebox.cli import app
from host.config import BadSettings, Settings, read_settings
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


WRONG = {
    "FAREBOX_HOLD_TTL_S": ("1", "must be 360 or more."),
    "FAREBOX_SIGNUP": ("hunter2", "must be invite, open or closed."),
    "FAREBOX_AGENTS_BETA": ("hunter2", "must be 1 or 0."),
    "FAREBOX_TERMS_FILE": (
        "/no/such/hunter2",
        "must name a file of text (Markdown) that can be read.",
    ),
    "FAREBOX_PUBLIC_URL": ("hunter2", "must begin with http:// or https://."),
    "FAREBOX_MASTER_KEY": ("hunter2", "must be 32 bytes in base64."),
    "FAREBOX_DATABASE_URL": (
        "postgresql://root:hunt@er2@db/farebox",
        "must have `%40` for an `@` in the password.",
    ),
}


def test_each_setting_that_cannot_be_used_is_told_on_a_line_without_its_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, (value, _) in WRONG.items():
        monkeypatch.setenv(name, value)
    told = CliRunner().invoke(app, ["config", "check"])
    assert told.exit_code == 2
    assert set(told.stderr.splitlines()) == {f"{name} {what}" for name, (_, what) in WRONG.items()}
    assert "er2" not in told.output


@pytest.mark.parametrize(
    ("value", "told"),
    [("many", "must be a whole number."), ("1e9", "must be a whole number."),
     ("100000", "must be 86400 or less.")],
)  # fmt: skip
def test_a_number_that_does_not_fit_is_told_with_what_does(value: str, told: str) -> None:
    with pytest.raises(BadSettings) as refused:
        read_settings(hold_ttl_s=value)
    assert str(refused.value) == f"FAREBOX_HOLD_TTL_S {told}"


def test_production_gives_nothing_for_no_money() -> None:
    assert read_settings(payments="demo").payments == "demo"
    assert read_settings().payments == "none"
    with pytest.raises(BadSettings) as refused:
        read_settings(payments="demo", env="production")
    assert str(refused.value) == (
        "FAREBOX_PAYMENTS must be none: in production nothing is given for no money."
    )
