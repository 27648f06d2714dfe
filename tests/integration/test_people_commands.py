"""What the operator does to people from the command line, over the server's socket or without."""

import asyncio
import json
import re
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from farebox.cli import app
from farebox.control import listen
from farebox.lease import lease
from host.app import Host, open_host
from host.config import Settings
from storage.books import EndHold, HoldOpened
from storage.credits import MilliCredits
from storage.database import Unit
from storage.models.accounts import Role
from storage.models.people import ConcernKind
from tests.builders import Shop, add_offering, add_plan, grant_of, hold_of
from tests.fakes.clock import START
from tests.integration.test_control import settings

__all__ = ["settings"]
Command = Callable[..., Result]


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Types a command, for this data directory."""
    monkeypatch.chdir(settings.data_dir)

    def typed(*words: str, answer: str | None = None) -> Result:
        given = [*words, "--data-dir", str(settings.data_dir)]
        return CliRunner().invoke(app, given, input=answer)

    return typed


def test_roles_are_given_and_taken_and_the_last_operator_stays(run: Command) -> None:
    run("account", "create", "olga@example.com", "--role", "operator")
    run("account", "create", "sam@example.com", "--role", "subscriber")
    given = run("account", "role", "sam@example.com", "--give", "builder")
    assert (given.exit_code, given.output) == (
        0, "sam@example.com is now: builder, subscriber.\n"
    )  # fmt: skip
    taken = run("account", "role", "sam@example.com", "--take", "builder")
    assert taken.output == "sam@example.com is now: subscriber.\n"
    last = run("account", "role", "olga@example.com", "--take", "operator")
    assert (last.exit_code, "only operator" in last.output) == (1, True)
    for wrong in ([], ["--give", "builder", "--take", "builder"], ["--give", "king"]):
        assert run("account", "role", "sam@example.com", *wrong).exit_code == 2
    assert run("account", "role", "eve@example.com", "--give", "builder").exit_code == 1


def test_a_plan_for_who_is_no_builder_says_how_to_make_them_one(run: Command) -> None:
    run("account", "create", "sam@example.com", "--role", "subscriber")
    plan = ["plan", "create", "sam@example.com", "Pack", "--price", "5.00 USD", "--credits", "100"]
    refused = run(*plan)
    advice = re.search(r"`farebox (account role \S+ --give builder)`", refused.output)
    assert (refused.exit_code, advice is not None) == (1, True)
    assert advice is not None
    assert run(*advice[1].split()).exit_code == 0
    assert run(*plan).exit_code == 0


def test_who_was_suspended_comes_in_again(run: Command) -> None:
    run("account", "create", "sam@example.com", "--role", "subscriber")
    states = []
    for verb in ("suspend", "reinstate"):
        assert run("account", verb, "sam@example.com").exit_code == 0
        (line,) = json.loads(run("account", "list", "--json").output)
        states.append(line["state"])
    assert states == ["suspended", "active"]


def test_a_person_is_exported_to_a_private_file_and_then_deleted(
    run: Command, tmp_path: Path
) -> None:
    run("account", "create", "sam@example.com", "--role", "subscriber")
    out = tmp_path / "sam.zip"
    done = run("account", "export", "sam@example.com", "--out", str(out))
    assert (done.exit_code, done.output) == (0, f"Wrote {out}.\n")
    assert out.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(out) as archive:
        assert json.loads(archive.read("farebox/profile.json"))["email"] == "sam@example.com"
    assert run("account", "export", "sam@example.com", "--out", str(out)).exit_code == 1
    other = str(tmp_path / "eve.zip")
    assert run("account", "export", "eve@example.com", "--out", other).exit_code == 1
    assert not Path(other).exists()

    assert run("account", "delete", "sam@example.com", answer="n\n").exit_code == 1
    assert len(json.loads(run("account", "list", "--json").output)) == 1
    assert run("account", "delete", "sam@example.com", answer="y\n").exit_code == 0
    assert json.loads(run("account", "list", "--json").output) == []
    assert run("account", "delete", "sam@example.com", "--yes").exit_code == 1
    assert run("ledger", "verify").exit_code == 0


@pytest.fixture
async def asked(settings: Settings) -> AsyncIterator[tuple[Host, str]]:
    """A host, and a receipt that somebody reported and wants a refund for."""
    host = await open_host(settings)
    builder = await host.accounts.create("bea@example.com", "Bea", None, [Role.BUILDER])
    sam = await host.accounts.create("sam@example.com", "Sam", None, [Role.SUBSCRIBER])

    receipt = await host.database.run(lambda unit: paid(unit, builder.id, sam.id))
    await host.concerns.ask(sam.id, receipt, ConcernKind.REPORT, "wrong result")
    await host.concerns.ask(sam.id, receipt, ConcernKind.REFUND, "please")
    yield host, receipt
    await host.close()


async def test_what_people_ask_is_listed_and_answered_beside_a_running_server(
    asked: tuple[Host, str], run: Command
) -> None:
    host, receipt = asked
    with lease(host.settings):
        async with asyncio.timeout(60), listen(host):
            listed = await asyncio.to_thread(run, "report", "list", "--json")
            report, refund = json.loads(listed.output)
            assert (report["kind"], report["text"], report["receipt"]) == (
                "report", "wrong result", receipt
            )  # fmt: skip
            assert (refund["kind"], refund["email"], refund["charged"]) == (
                "refund", "sam@example.com", "5"
            )  # fmt: skip
            closed = await asyncio.to_thread(
                run, "report", "close", report["id"], "--note", "The builder was told."
            )
            assert closed.output == (f"Closed what sam@example.com reported about {receipt}.\n")
            again = await asyncio.to_thread(run, "report", "close", report["id"])
            assert (again.exit_code, "Nothing open" in again.output) == (1, True)
            assert (await asyncio.to_thread(run, "refund", receipt)).exit_code == 0
            nothing = await asyncio.to_thread(run, "report", "list")
            assert nothing.output == "Nothing is waiting for an answer.\n"
            everything = await asyncio.to_thread(run, "report", "list", "--all", "--json")
            assert [line["state"] for line in json.loads(everything.output)] == [
                "closed", "refunded"
            ]  # fmt: skip
            deleted = await asyncio.to_thread(run, "account", "delete", "sam@example.com", "--yes")
            assert deleted.exit_code == 0
    assert [line.email for line in await host.accounts.list()] == ["bea@example.com"]


def paid(unit: Unit, builder: int, subscriber: int) -> str:
    """One message of five credits. Returns its receipt's id."""
    plan = add_plan(unit.session, builder)
    offering = add_offering(unit.session, builder, plan)
    wallet = unit.books.open_wallet(subscriber)
    shop = Shop(builder, subscriber, wallet, offering, plan)
    unit.books.grant(grant_of(shop, 100_000))
    hold = unit.books.open_hold(hold_of(shop, 5_000))
    assert isinstance(hold, HoldOpened)
    end = EndHold(wallet_id=wallet, hold_id=hold.hold_id, plan_ids=(plan.plan_id,), now=START)
    unit.books.capture(end, MilliCredits(5_000))
    return hold.public_id
