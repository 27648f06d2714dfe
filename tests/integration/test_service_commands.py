"""`farebox offering operations` and `register-service`: a service on sale from its document."""

import asyncio
import json
from pathlib import Path

import pytest
from sqlmodel import Session, select
from typer.testing import CliRunner, Result

from farebox.cli import app
from farebox.demo.songs_manifest import well_known
from host.app import open_host
from host.catalogue.currencies import Money
from host.catalogue.offering_terms import PlanTerms
from host.config import Settings
from storage.credits import MilliCredits
from storage.models.accounts import Role
from storage.models.vault import Secret
from tests.installations import installed

BEA = "bea@example.com"
CREDENTIAL = "planted-credential-8c1f"
SERVER = "https://songs.example.com"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    found = installed(tmp_path)
    asyncio.run(furnish(found))
    return found


async def furnish(settings: Settings) -> None:
    host = await open_host(settings)
    builder = await host.accounts.create(BEA, "Bea", None, [Role.BUILDER])
    await host.accounts.create("sam@example.com", "Sam", None, [Role.SUBSCRIBER])
    pack = PlanTerms(
        title="Pack", slug="pack", price=Money(500, "USD"), credits=MilliCredits(100_000)
    )
    await host.catalogue.create_plan(builder.id, pack)
    await host.close()


@pytest.fixture
def document(tmp_path: Path) -> Path:
    file = well_known("openapi.yaml", SERVER)
    assert file is not None
    path = tmp_path / "openapi.yaml"
    path.write_text(file.content, encoding="utf-8")
    return path


def run(settings: Settings, *arguments: str, stdin: str = "") -> Result:
    wanted = [*arguments, "--data-dir", str(settings.data_dir)]
    return CliRunner().invoke(app, ["offering", *wanted], input=stdin)


def register(settings: Settings, document: Path, *more: str, stdin: str = "") -> Result:
    wanted = ["register-service", BEA, str(document), "--price", "2", "--plan", "pack"]
    return run(settings, *wanted, *more, stdin=stdin)


def secrets(settings: Settings) -> list[Secret]:
    async def read() -> list[Secret]:
        host = await open_host(settings)
        try:
            return await host.database.read(_all_secrets)
        finally:
            await host.close()

    return asyncio.run(read())


def _all_secrets(session: Session) -> list[Secret]:
    return list(session.exec(select(Secret).where(Secret.purpose == "service_credential")))


def test_a_documents_operations_are_listed_with_what_would_be_offered(document: Path) -> None:
    listed = CliRunner().invoke(app, ["offering", "operations", str(document), "--json"])
    assert listed.exit_code == 0, listed.output
    assert [(one["operation"], one["risk"], one["on"]) for one in json.loads(listed.stdout)] == [
        ("POST /query", "asks", True),
        ("POST /ask", "asks", True),
        ("POST /upsert", "writes", False),
        ("DELETE /delete/{id}", "deletes", False),
    ]


def test_a_service_is_registered_from_its_document_and_goes_on_sale(
    settings: Settings, document: Path
) -> None:
    made = register(settings, document, "--credential-stdin", stdin=f"{CREDENTIAL}\n")
    assert made.exit_code == 0, made.output
    assert "POST /query\n  POST /ask\n  GET /.well-known/(.*) (open)\n" in made.stdout
    assert run(settings, "publish", "elvis-song-summarizer").exit_code == 0
    (listed,) = json.loads(run(settings, "list", "--json").stdout)
    assert (listed["kind"], listed["state"], listed["price"]) == ("service", "published", "2")
    assert listed["plans"] == ["pack"]
    (sealed,) = secrets(settings)
    assert sealed.bound_to == SERVER
    for file in settings.data_dir.rglob("*"):
        if file.is_file():
            assert CREDENTIAL.encode() not in file.read_bytes()


def test_what_is_named_is_turned_on_and_off(settings: Settings, document: Path) -> None:
    named = ("--title", "Songs", "--on", "POST /upsert", "--off", "POST /ask")
    made = register(settings, document, *named, "--upstream", "https://eu.example.com")
    assert made.exit_code == 0, made.output
    assert made.stdout.startswith("Registered songs as a draft")
    assert "POST /upsert" in made.stdout
    assert "POST /ask" not in made.stdout


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--plan", "nothing"), "There is no plan “nothing”."),
        (("--upstream", "http://127.0.0.1:9"), "private, loopback"),
        (("--on", "POST /nothing"), "“POST /nothing” is not an operation"),
        (("--title", "x"), "A title is 3 to 80 characters"),
    ],
)
def test_what_is_refused_leaves_neither_a_draft_nor_a_credential(
    settings: Settings, document: Path, more: tuple[str, ...], said: str
) -> None:
    made = register(settings, document, *more, "--credential-stdin", stdin=f"{CREDENTIAL}\n")
    assert made.exit_code == 1
    assert said in made.stderr
    assert CREDENTIAL not in made.output
    assert json.loads(run(settings, "list", "--json").stdout) == []
    assert secrets(settings) == []


@pytest.mark.parametrize("credential", ["two words", "naïve-credential", "x" * 4097])
def test_a_credential_that_no_header_can_carry_is_refused(
    settings: Settings, document: Path, credential: str
) -> None:
    made = register(settings, document, "--credential-stdin", stdin=f"{credential}\n")
    assert made.exit_code == 1
    assert "credential" in made.stderr
    assert credential not in made.stderr
    assert secrets(settings) == []


def test_a_document_without_a_server_and_one_that_is_none_say_what_to_do(
    settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "openapi.json"
    path.write_text('{"openapi": "3.1.0", "paths": {"/ask": {"post": {}}}}', encoding="utf-8")
    assert "--upstream" in register(settings, path, "--title", "Songs").stderr
    path.write_bytes(b"\xff\xfe\x00")
    assert "OpenAPI" in register(settings, path).stderr
    for named, said in ((path, "OpenAPI"), (tmp_path / "gone", "cannot be read: No such file")):
        listed = CliRunner().invoke(app, ["offering", "operations", str(named)])
        assert listed.exit_code == 1
        assert said in listed.stderr


def test_document_and_credential_cannot_both_be_standard_input(settings: Settings) -> None:
    made = register(settings, Path("-"), "--credential-stdin", stdin="{}")
    assert made.exit_code == 2
    assert "cannot both" in made.stderr
    read = CliRunner().invoke(app, ["offering", "operations", "-"], input='{"swagger": "2.0"}')
    assert "Swagger 2" in read.stderr
