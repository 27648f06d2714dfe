"""Commands beside a running server: one writer for each file, and an answer whatever happens."""

import asyncio
import os
import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from farebox import control
from farebox.cli import app
from farebox.commands.books import upgrade_tables
from farebox.control import TOO_SLOW, Refused, Undecided, listen
from farebox.lease import LeaseTaken, beside, lease, make_data_dir
from farebox.verbs import VERBS
from host.app import Host, open_host
from host.catalogue.currencies import Money
from host.catalogue.offering_terms import PlanTerms
from host.config import Settings
from host.errors import InvalidInput
from storage.books import EndHold, HoldOpened
from storage.credits import MilliCredits
from storage.database import Unit
from storage.errors import LedgerBusy, LedgerDown
from storage.ledger import balances
from storage.models.accounts import Role
from tests.builders import PlanIds, Shop, add_offering, hold_of
from tests.installations import installed

MASTER_KEY = "NDJkZTM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTA="


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return installed(tmp_path)


@pytest.fixture
async def host(settings: Settings) -> AsyncIterator[Host]:
    opened = await open_host(settings)
    yield opened
    await opened.close()


@contextmanager
def everybody_may() -> Iterator[None]:
    """Files are made as openly as the program lets them be."""
    before = os.umask(0)
    yield
    os.umask(before)


@asynccontextmanager
async def a_server_that(says: bytes | None, settings: Settings) -> AsyncIterator[None]:
    """Holds the lease and answers this; None is never."""
    ended = asyncio.Event()

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if says is None:
            await ended.wait()
        else:
            writer.write(says)
        writer.close()

    assert settings.sqlite_file is not None
    path = beside(settings.sqlite_file, control.SOCKET)
    with lease(settings):
        async with await asyncio.start_unix_server(answer, path):
            yield
            ended.set()


async def test_questions_and_answers_of_any_length_arrive(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def echo(_: Host, *, words: str) -> str:
        return words * 2

    monkeypatch.setattr(control, "VERBS", {"echo": echo})
    words = "lines\n" * (1 << 19)
    with lease(host.settings):
        async with asyncio.timeout(20), listen(host):
            assert await control._perform(host.settings, "echo", {"words": words}) == words * 2


async def test_a_verb_that_fails_in_storage_is_refused_by_the_server(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: Host) -> None:
        raise LedgerBusy

    monkeypatch.setattr(control, "VERBS", {"fail": fail})
    with lease(host.settings):
        async with listen(host):
            with pytest.raises(Refused, match="try again"):
                await control._perform(host.settings, "fail", {})


async def test_a_verb_that_takes_too_long_is_answered(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(_: Host) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(control, "VERBS", {"hang": hang})
    monkeypatch.setattr(control, "ANSWER_WITHIN_S", 0.01)
    with lease(host.settings):
        async with asyncio.timeout(20), listen(host):
            with pytest.raises(Refused, match=TOO_SLOW):
                await control._perform(host.settings, "hang", {})


@pytest.mark.parametrize(
    ("says", "told"),
    [(b"", "stopped"), (b'{"resu', "stopped"), (None, TOO_SLOW)],
    ids=["nothing", "half", "never"],
)
async def test_a_server_that_does_not_answer_is_said_so(
    settings: Settings, says: bytes | None, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if says is None:
        monkeypatch.setattr(control, "PATIENCE_S", 0.01)
    async with asyncio.timeout(20), a_server_that(says, settings):
        with pytest.raises(Refused, match=told):
            await control._perform(settings, "list_accounts", {})


async def test_missing_tables_are_refused_with_what_to_do(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with pytest.raises(Refused, match="farebox db upgrade"):
        await control._perform(settings, "list_accounts", {})


def test_the_socket_is_private_before_anybody_can_connect(tmp_path: Path) -> None:
    path = tmp_path / "control"
    with everybody_may(), control._bound(path), socket.socket(socket.AF_UNIX) as client:
        assert path.stat().st_mode & 0o777 == 0o600
        with pytest.raises(ConnectionRefusedError):
            client.connect(str(path))


async def test_only_a_file_has_a_lease_and_a_socket(
    database_url: str, database_kind: str, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path, database_url=database_url, master_key=MASTER_KEY)
    host = await open_host(settings)
    with lease(settings):
        async with listen(host):
            there = settings.sqlite_file and beside(settings.sqlite_file, control.SOCKET)
            assert (there is None or there.is_socket()) is True
            assert names(tmp_path) == []
            if database_kind == "postgresql":
                with lease(settings):
                    assert await control._perform(settings, "list_accounts", {}) == []
    await host.close()


def test_two_data_directories_share_the_lease_of_one_database(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "db")
    (tmp_path / "other.db").symlink_to(tmp_path / "db" / "f.db")
    addresses = (
        "sqlite:///{0}/db/f.db",
        "sqlite+pysqlite:///{0}/db/f.db",
        "sqlite:///{0}/link/f.db",
        "sqlite:///{0}/other.db",
    )
    one, *others = (
        Settings(data_dir=tmp_path / str(number), database_url=address.format(tmp_path))
        for number, address in enumerate(addresses)
    )
    with lease(one):
        for other in others:
            with pytest.raises(LeaseTaken), lease(other):
                pass
    with lease(others[0]):
        pass


async def test_a_command_finds_the_server_from_another_data_directory(
    host: Host, tmp_path: Path
) -> None:
    elsewhere = Settings(data_dir=tmp_path / "other", database_url=host.settings.database)
    with lease(host.settings):
        async with listen(host):
            assert await control._perform(elsewhere, "list_accounts", {}) == []


def test_tables_are_not_upgraded_under_a_running_server(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with lease(settings), pytest.raises(typer.Exit):
        upgrade_tables(settings.data_dir)
    assert "stop it first" in capsys.readouterr().err
    upgrade_tables(settings.data_dir)


@pytest.mark.parametrize(("before", "after"), [(0o755, 0o700), (0o1777, 0o1777)])
def test_a_data_directory_becomes_private_unless_it_is_everybodys(
    tmp_path: Path, before: int, after: int
) -> None:
    directory = tmp_path / "data"
    directory.mkdir()
    directory.chmod(before)
    make_data_dir(directory)
    assert directory.stat().st_mode & 0o7777 == after


@pytest.mark.parametrize("request_", ["", "  "])
def test_an_empty_request_is_no_fresh_one(settings: Settings, request_: str) -> None:
    asyncio.run(furnish(settings))
    at = ("--data-dir", str(settings.data_dir))
    given = ["grant", "sam@example.com", "pack", "--request", request_, *at]
    assert CliRunner().invoke(app, given).exit_code == 2
    assert asyncio.run(balance(settings)) == 0


async def test_a_server_that_cannot_tell_whether_it_was_done_says_so(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: Host, *, error: str) -> None:
        raise FAILURES[error]

    monkeypatch.setattr(control, "VERBS", {"fail": fail})
    with lease(host.settings):
        async with listen(host):
            for name in FAILURES:
                with pytest.raises(Refused) as refused:
                    await control._perform(host.settings, "fail", {"error": name})
                assert (type(refused.value) is Undecided) == (name != "refused"), name


FAILURES = {
    "refused": InvalidInput("Nothing is left of it."),
    "busy": LedgerBusy(),
    "down": LedgerDown("OperationalError"),
    "a fault of ours": RuntimeError(),
}


async def lose(_: Host, **_facts: str) -> None:
    """A verb whose answer nobody hears."""
    raise LedgerDown("OperationalError")


def test_a_grant_that_failed_is_given_once_when_tried_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*arguments: str) -> Any:
        return CliRunner().invoke(app, [*arguments, "--data-dir", str(settings.data_dir)])

    monkeypatch.setitem(VERBS, "grant", lose)
    failed = run("grant", "sam@example.com", "pack")
    monkeypatch.undo()
    found = re.search(r"--request (\S+)", failed.output)
    assert (failed.exit_code, found is not None) == (1, True)
    assert found is not None
    asyncio.run(furnish(settings))
    again = [run("grant", "sam@example.com", "pack", "--request", found[1]) for _ in range(2)]
    assert [done.exit_code for done in again] == [0, 0]
    assert again[0].output == "Added 100 credits of Pack to sam@example.com; 100 now.\n"
    assert "nothing was added" in again[1].output
    assert asyncio.run(balance(settings)) == 100_000


def test_what_was_given_is_taken_back_once_and_said_in_numbers(settings: Settings) -> None:
    asyncio.run(furnish(settings))

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(app, [*arguments, "--data-dir", str(settings.data_dir)])

    run("grant", "sam@example.com", "pack")
    assert run("revoke", "sam@example.com", "pack").exit_code == 2  # without a reason
    taken = ("revoke", "sam@example.com", "pack", "--note", "by mistake", "--request", "ticket-1")
    first, again = run(*taken), run(*taken)
    assert first.output == "Took 100 credits of Pack back from sam@example.com.\n"
    assert "nothing more was done" in again.output
    assert asyncio.run(balance(settings)) == 0
    other = run("revoke", "sam@example.com", "pack", "--note", "by mistake")
    assert (other.exit_code, other.output) == (
        0, "sam@example.com had nothing of Pack any more; nothing was taken back.\n"
    )  # fmt: skip
    unknown = run("refund", "no-such-receipt")
    assert unknown.exit_code == 1
    assert "There is no receipt “no-such-receipt”." in unknown.output
    assert "--request" not in unknown.output


async def test_taking_a_plan_back_says_what_is_held_and_what_is_spent(host: Host) -> None:
    await furnish_in(host)
    sam, plan = await host.accounts.find("sam@example.com"), await host.catalogue.find_plan("pack")
    facts: dict[str, Any] = {"email": sam.email, "plan": "pack", "note": "by mistake"}
    await VERBS["grant"](host, **facts, credits_="", request="grant-1")

    def work(unit: Unit) -> None:
        now = host.clock.now()
        shop = Shop(
            sam.id,
            sam.id,
            unit.books.open_wallet(sam.id),
            add_offering(unit.session, sam.id),
            PlanIds(plan.id, plan.version.id),
        )
        for used in (2_500, None):
            hold = unit.books.open_hold(hold_of(shop, 5_000, now=now))
            assert isinstance(hold, HoldOpened)
            if used is not None:
                end = EndHold(
                    wallet_id=shop.wallet_id, hold_id=hold.hold_id, plan_ids=(plan.id,), now=now
                )
                unit.books.capture(end, MilliCredits(used))

    await host.database.run(work)
    assert await VERBS["revoke"](host, **facts, request="ticket-1") == (
        "Took 92.5 credits of Pack back from sam@example.com. 5 credits held for work under way:"
        " what that does not use is taken back when it ends. 2.5 credits spent: what is spent"
        " stays spent."
    )


def test_a_daily_limit_is_set_told_and_lifted_by_command(settings: Settings) -> None:
    asyncio.run(furnish(settings))

    def cap(*arguments: str) -> Any:
        command = ["account", "cap", "sam@example.com", *arguments]
        return CliRunner().invoke(app, [*command, "--data-dir", str(settings.data_dir)])

    told = "sam@example.com may spend 2.5 credits a day (UTC); 0 spent or set aside today.\n"
    assert cap("--credits", "2.5").output == told
    assert cap().output == told
    assert cap("--credits", "5", "--none").exit_code == 2
    for wrong in ("-5", "NaN"):
        refused = cap("--credits", wrong)
        assert (refused.exit_code, "is not a number of credits" in refused.output) == (1, True)
    asyncio.run(set_own_limit(settings, 1_000))
    assert cap().output == (
        "sam@example.com may spend 1 credit a day (UTC); 0 spent or set aside today. Their own"
        " limit is 1, yours 2.5.\n"
    )
    assert cap("--none").output == (
        "sam@example.com may spend 1 credit a day (UTC); 0 spent or set aside today. This is"
        " their own limit.\n"
    )
    asyncio.run(set_own_limit(settings, None))
    assert cap("--none").output == cap().output == "sam@example.com has no daily limit.\n"


async def set_own_limit(settings: Settings, cap: int | None) -> None:
    """What Sam does on the account page."""
    host = await open_host(settings)
    sam = await host.accounts.find("sam@example.com")
    await host.corrections.set_own_cap(sam.id, None if cap is None else MilliCredits(cap))
    await host.close()


def test_what_was_added_is_told_beside_what_is_there_now(settings: Settings) -> None:
    asyncio.run(furnish(settings))
    for added, told in (
        ("1", "Added 1 credit of Pack to sam@example.com; 1 now.\n"),
        ("1.5", "Added 1.5 credits of Pack to sam@example.com; 2.5 now.\n"),
    ):
        done = run(settings, "grant", "sam@example.com", "pack", "--credits", added)
        assert done.output == told


def test_a_plan_is_not_taken_back_without_a_word(settings: Settings) -> None:
    asyncio.run(furnish(settings))
    run(settings, "grant", "sam@example.com", "pack")
    for blank in ("", "  "):
        refused = run(settings, "revoke", "sam@example.com", "pack", "--note", blank)
        assert (refused.exit_code, "say why" in refused.output) == (2, True)
    assert asyncio.run(balance(settings)) == 100_000


def test_who_is_no_builder_has_no_plans_and_no_earnings(settings: Settings) -> None:
    asyncio.run(furnish(settings))
    one = ["sub@example.com", "--role", "subscriber"]
    assert run(settings, "account", "create", *one).exit_code == 0
    made = run(settings, "plan", "create", "sub@example.com", "Mine", "--price", "free")
    earned = run(settings, "plan", "earnings", "--owner", "sub@example.com")
    for refused in (made, earned):
        assert (refused.exit_code, "sub@example.com is no builder" in refused.output) == (1, True)


async def test_a_refund_says_what_cannot_be_spent_and_that_a_limit_stays_as_full(
    host: Host,
) -> None:
    receipt = await charged(host, 1_000)
    sam = "sam@example.com"
    part: dict[str, Any] = {"receipt": receipt, "note": ""}
    said = await VERBS["refund"](host, **part, credits_="0.4", request="1")
    assert said == f"Refunded 0.4 credits to {sam}; of 1 charged, 0.6 left."
    await VERBS["revoke"](host, email=sam, plan="pack", note="a mistake", request="2")
    await VERBS["set_cap"](host, email=sam, credits_="5")
    said = await VERBS["refund"](host, **part, credits_="", request="3")
    assert said == (
        f"Refunded 0.6 credits to {sam}; of 1 charged, 0 left. {sam} cannot spend them until you"
        f" give Pack again (`farebox grant {sam} pack --credits N`). It makes no room under their"
        " daily limit: what is spent today stays counted."
    )


async def charged(host: Host, amount: int) -> str:
    """A charge on a pack of Sam's. Returns its receipt."""
    await furnish_in(host)
    sam, plan = await host.accounts.find("sam@example.com"), await host.catalogue.find_plan("pack")
    got = {"email": sam.email, "plan": "pack", "note": "", "credits_": "", "request": "first"}
    await VERBS["grant"](host, **got)

    def work(unit: Unit) -> str:
        now, wallet_id = host.clock.now(), unit.books.open_wallet(sam.id)
        offering_id, ids = add_offering(unit.session, sam.id), PlanIds(plan.id, plan.version.id)
        shop = Shop(sam.id, sam.id, wallet_id, offering_id, ids)
        hold = unit.books.open_hold(hold_of(shop, amount, now=now))
        assert isinstance(hold, HoldOpened)
        end = EndHold(wallet_id=wallet_id, hold_id=hold.hold_id, plan_ids=(plan.id,), now=now)
        unit.books.capture(end, MilliCredits(amount))
        return hold.public_id

    return await host.database.run(work)


def run(settings: Settings, *arguments: str) -> Any:
    """A command, as typed."""
    return CliRunner().invoke(app, [*arguments, "--data-dir", str(settings.data_dir)])


def names(directory: Path) -> list[str]:
    return [found.name for found in directory.iterdir()]


async def furnish(settings: Settings) -> None:
    """Somebody, and a plan to give."""
    host = await open_host(settings)
    await furnish_in(host)
    await host.close()


async def furnish_in(host: Host) -> None:
    """The same in a host that is open."""
    sam = await host.accounts.create("sam@example.com", "Sam", None, [Role.BUILDER])
    terms = PlanTerms(
        title="Pack", slug="pack", price=Money(0, "USD"), credits=MilliCredits(100_000)
    )
    await host.catalogue.create_plan(None, terms, owner_id=sam.id)


async def balance(settings: Settings) -> int:
    host = await open_host(settings)
    sam, now = await host.accounts.find("sam@example.com"), host.clock.now()
    lines = await host.database.read(lambda s: balances(s, sam.id, now))
    await host.close()
    return sum(line.available for line in lines)
