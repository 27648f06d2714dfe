"""All that the operator may choose: read once from the environment and `.env`, passed by hand.

Two things are ours, because pydantic-settings does neither: `FAREBOX_X_FILE` names a file that
holds the value of a secret `X`, and an unknown `FAREBOX_…` name is an error, since a mistyped
setting would otherwise be silently ignored. Bare `OPENAI_*` variables are not read.
"""

import base64
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from typing_extensions import override

from storage.addresses import HIDDEN, driver_url, sqlite_address, sqlite_path, without_password

PREFIX: Final = "FAREBOX_"
Addresses: TypeAlias = Annotated[tuple[str, ...], NoDecode]


class BadSettings(Exception):
    """The settings cannot be used; the text names the setting and never its value."""


class Settings(BaseSettings):
    """All that the operator may choose."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    data_dir: Path = Path(".farebox")
    database_url: str = ""
    master_key: SecretStr | None = Field(default=None, description="32 bytes, base64")
    public_url: str = "http://localhost:8000"
    proxy_domain: str = ""
    signup: Literal["invite", "open", "closed"] = "invite"
    openai_base_url: str = "https://api.openai.com/v1"
    upstream_base_urls: Addresses = ()
    allow_private_upstreams: bool = False
    trusted_proxies: Addresses = ()
    # Longer than a call may be silent: five minutes, and 45 s until its answer begins.
    hold_ttl_s: int = Field(default=600, ge=360, le=86_400)
    drain_s: int = Field(default=20, ge=0, le=600)
    agents_beta: bool = False
    env: Literal["development", "production"] = "development"
    payments: Literal["none", "demo"] = "none"
    log_format: Literal["text", "json"] = "text"
    terms_file: Path | None = None
    test_database_url: str = Field(default="", description="for the tests alone")

    @field_validator("upstream_base_urls", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return (
            tuple(part for part in value.split(",") if part) if isinstance(value, str) else value
        )

    @field_validator("public_url", "openai_base_url")
    @classmethod
    def _no_trailing_slash(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/")

    @field_validator("database_url")
    @classmethod
    def _is_a_database(cls, value: str) -> str:
        if value:
            driver_url(value)  # a ValueError that says why, and never quotes the password
        return value

    @field_validator("terms_file")
    @classmethod
    def _is_a_text(cls, value: Path | None) -> Path | None:
        if value is None or value == Path():  # not set, or set to nothing
            return None
        try:
            value.read_text(encoding="utf-8")
        except (OSError, UnicodeError):
            raise ValueError("must name a file of text (Markdown) that can be read") from None
        return value

    @field_validator("master_key")
    @classmethod
    def _is_a_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            try:
                raw = base64.b64decode(value.get_secret_value(), validate=True)
            except ValueError:
                raise ValueError("must be 32 bytes in base64") from None
            if len(raw) != 32:  # noqa: PLR2004 - AES-256
                raise ValueError("must be 32 bytes in base64")
        return value

    @field_validator("payments")
    @classmethod
    def _takes_real_money(cls, value: str, info: ValidationInfo) -> str:
        if value == "demo" and info.data.get("env") == "production":
            raise ValueError("must be none: in production nothing is given for no money")
        return value

    def shown(self) -> Iterator[tuple[str, str]]:
        """Every setting, by its field, as it may be printed: no secret is in it."""
        for name, value in self:
            if name in {"database_url", "test_database_url"}:
                yield name, without_password(value)
            else:
                yield name, HIDDEN if isinstance(value, SecretStr) else str(value)

    @override
    def __repr_args__(self) -> Iterator[tuple[str, str]]:
        return self.shown()

    @property
    def database(self) -> str:
        """The database's address; by default an SQLite file in the data directory."""
        return self.database_url or sqlite_address(self.data_dir / "farebox.db")

    @property
    def is_sqlite(self) -> bool:
        """Whether one process writes one file."""
        return self.sqlite_file is not None

    @property
    def sqlite_file(self) -> Path | None:
        """The file that is the database; None on PostgreSQL."""
        return sqlite_path(self.database)

    @property
    def is_https(self) -> bool:
        """Whether browsers reach us over TLS."""
        return self.public_url.startswith("https://")

    @property
    def upstreams(self) -> tuple[str, ...]:
        """The addresses a builder's key may be bound to, the default first."""
        return (self.openai_base_url, *(url.rstrip("/") for url in self.upstream_base_urls))


def read_settings(**overrides: Any) -> Settings:
    """The settings in force: `overrides` (from the command line) over environment over `.env`.

    Raises:
        BadSettings: an unknown name, a value that does not fit, or a file that cannot be read.
    """
    environment = {k: v for k, v in dotenv_values(".env").items() if v is not None}
    environment |= os.environ  # noqa: TID251 - this is the one place
    try:
        return Settings(**(_from_files(environment) | overrides))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise BadSettings("\n".join(map(_in_words, found))) from None


def _in_words(error: ErrorDetails) -> str:
    """What is wrong with one setting, which is named and never quoted."""
    context = error.get("ctx", {})
    match error["type"]:
        case "greater_than_equal":
            wanted = f"must be {context['ge']} or more"
        case "less_than_equal":
            wanted = f"must be {context['le']} or less"
        case "literal_error":
            wanted = f"must be {context['expected'].replace(chr(39), '')}"
        case "int_parsing" | "int_type" | "int_from_float":
            wanted = "must be a whole number"
        case "bool_parsing" | "bool_type":
            wanted = "must be 1 or 0"
        case "value_error":
            wanted = str(context["error"])
        case _:
            wanted = f"cannot be used: {error['msg']}"
    return f"{PREFIX}{str(error['loc'][0]).upper()} {wanted}."


def _from_files(environment: Mapping[str, str]) -> dict[str, Any]:
    """The values of `FAREBOX_X_FILE` names, after checking that every name is known."""
    found: dict[str, Any] = {}
    for name in environment:
        if not name.startswith(PREFIX):
            continue
        field = name.removeprefix(PREFIX).lower()
        if field in Settings.model_fields:
            continue
        field = field.removesuffix("_file")
        if not name.endswith("_FILE") or field not in Settings.model_fields:
            raise BadSettings(f"{name} is not a setting of Farebox; see docs/settings.md")
        try:
            found[field] = Path(environment[name]).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise BadSettings(f"{name}: cannot read the file: {error.strerror}") from None
    return found
