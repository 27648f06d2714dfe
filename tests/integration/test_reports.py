"""Statements and earnings as people and programs get them: by the API and on the command line."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, select
from typer.testing import CliRunner, Result

from farebox.cli import app
from farebox.lease import make_data_dir
from host.app import open_host
from host.clock import SystemClock
from host.config import Settings
from host.purchase.ordering import WantedOrder
from storage.books import HoldOpened
from storage.credits import HoldState, MilliCredits
from storage.database import Database, Unit
from storage.migrate import upgrade
from storage.models.accounts import Role
from storage.models.money import EarningsDay, Entry, Hold
from storage.moments import DAY, Micros, to_datetime
from tests.builders import Shop, add_account, add_offering, add_plan, grant_of, hold_of
from tests.integration.test_books_holds import ending
from tests.proxy_world import MASTER_KEY, World, problem_of

WAIT_S = 10


async def order(world: World, plan: str) -> None:
    wanted = WantedOrder(account_id=world.subscriber, plan_slug=plan, key=plan)
    made = await world.host.purchases.order(wanted)
    await world.host.purchases.fulfil(made.order.id, f"payment of {plan}")


async def call_the_mirror(world: World, *, times: int = 1) -> list[str]:
    """Call a service so often, and wait until that is charged. Returns the receipts' ids."""
    bearer = await world.bearer("mirror")
    answers = [
        await world.client.get("/s/mirror/status/200", headers=bearer) for _ in range(times)
    ]
    async with asyncio.timeout(WAIT_S):
        while await world.host.database.read(has_open_holds):
            pass
    return [answer.headers["farebox-receipt"] for answer in answers]


def has_open_holds(session: Session) -> bool:
    return session.exec(select(Hold).where(Hold.state == HoldState.OPEN)).first() is not None


async def told(world: World, path: str, account_id: int) -> dict[str, Any]:
    answer = await world.client.get(f"/api/v1/{path}", headers=await world.sign_in(account_id))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_who_is_signed_in_reads_their_statement(each_world: World) -> None:
    world = each_world
    await order(world, "pack")
    (receipt_id,) = await call_the_mirror(world)

    statement = await told(world, "statement", world.subscriber)

    grant, charge = statement["lines"]
    assert (statement["opening"], statement["closing"], statement["plan"]) == (0, 99, None)
    assert (grant["kind"], grant["amount"], grant["source"]) == ("grant", 100, "order")
    assert (charge["kind"], charge["amount"], charge["balance_after"]) == ("charge", -1, 99)
    assert charge["receipt"] == receipt_id
    assert (charge["offering"], charge["plan"], charge["plan_title"]) == ("mirror", "pack", "Pack")
    assert statement["totals"] == {
        "grant": 100, "charge": -1, "refund": 0, "expire": 0, "revoke": 0
    }  # fmt: skip
    wallet = statement["wallet"]
    last = await world.host.database.read(lambda s: s.get_one(Entry, (wallet, 2)).hash.hex())
    assert (statement["head_seq"], statement["head"]) == (2, last)
    assert (await told(world, "statement?plan=week", world.subscriber))["lines"] == []
    past = await told(world, "statement?from=2026-01-01&to=2026-02-01", world.subscriber)
    assert (past["from"], past["to"], past["lines"]) == ("2026-01-01", "2026-02-01", [])
    assert (await told(world, "statement", world.builder))["wallet"] is None


REFUSALS = {
    "statement?from=soon": (400, "malformed_request", "`from` must be a date such as"),
    "statement?to=2026-13-01": (400, "malformed_request", "`to` must be a date such as"),
    "statement?from=2026-02-01&to=2026-02-01": (
        400,
        "malformed_request",
        "2026-02-01 is not before 2026-02-01",
    ),
    "statement?plan=no-such": (404, "unknown_plan", "There is no plan no-such."),
    "earnings?from=1": (400, "malformed_request", "`from` must be a date such as"),
}


async def test_what_cannot_be_told_is_refused_with_its_reason(world: World) -> None:
    headers = await world.sign_in(world.subscriber)
    for query, (status, code, why) in REFUSALS.items():
        answer = await world.client.get(f"/api/v1/{query}", headers=headers)
        assert why in problem_of(answer, status, code)["detail"]


async def test_the_api_says_what_its_reports_take(world: World) -> None:
    described = (await world.client.get("/api/openapi.json")).json()
    taken = described["paths"]["/v1/statement"]["get"]
    assert {one["name"] for one in taken["parameters"]} == {"from", "to", "plan"}
    assert all(one["description"] for one in taken["parameters"])
    assert {"from", "to"} <= set(described["components"]["schemas"]["EarningsView"]["properties"])


async def test_a_builder_reads_what_their_own_plans_earned_until_now(each_world: World) -> None:
    world = each_world
    await order(world, "pack")
    await order(world, "week")
    other = await world.host.accounts.create("otto@example.com", "Otto", None, [])
    await call_the_mirror(world)  # which the week includes

    earned = await told(world, "earnings", world.builder)

    (week,) = earned["plans"]
    assert (week["plan"], week["totals"]) == ("week", [line(earned="9.00 USD", minor=900)])
    assert earned["totals"] == week["totals"]
    today = to_datetime(world.host.clock.now()).date().isoformat()
    assert [day["day"] for day in week["days"]] == [today]
    assert (await told(world, "earnings", other.id))["plans"] == []


async def test_what_is_used_of_a_pack_is_earned_in_its_currency(each_world: World) -> None:
    world = each_world
    await order(world, "pack")
    await call_the_mirror(world, times=3)

    (pack,) = (await told(world, "earnings", world.builder))["plans"]

    assert pack["totals"] == [line(charged=3, earned="0.15 USD", minor=15)]


def line(*, charged: int = 0, earned: str, minor: int) -> dict[str, object]:
    return {
        "currency": "USD",
        "charged": charged,
        "refunded": 0,
        "expired": 0,
        "earned_minor": minor,
        "earned": earned,
    }


async def test_a_host_that_starts_rolls_up_what_never_was(
    database_url: str, tmp_path: Path
) -> None:
    host = await open_host(
        Settings(database_url=database_url, data_dir=tmp_path, master_key=MASTER_KEY)
    )
    try:
        await a_bought_pack(host.database, days_ago=3)
        await host.start()
        async with asyncio.timeout(WAIT_S):
            while not (rows := await host.database.read(rolled_up)):
                pass
        assert [(row.charged, row.earned_minor) for row in rows] == [(1_000, 100)]
    finally:
        await host.close()


def rolled_up(session: Session) -> list[EarningsDay]:
    return list(session.exec(select(EarningsDay)))


async def a_bought_pack(database: Database, *, days_ago: int) -> int:
    """Sam buys ten credits for 10.00 USD of Bea's, so many days ago, and spends one.

    Returns Sam's id.
    """
    then = Micros(SystemClock().now() - days_ago * DAY)

    def work(unit: Unit) -> int:
        bea = add_account(unit.session, Role.BUILDER, email="bea@example.com")
        sam = add_account(unit.session, email="sam@example.com")
        plan = add_plan(unit.session, bea, slug="pack")
        offering_id = add_offering(unit.session, bea, plan)
        shop = Shop(bea, sam, unit.books.open_wallet(sam), offering_id, plan)
        bought = grant_of(shop, 10_000, now=then, effective_at=then)
        unit.books.grant(replace(bought, cost_minor=1000, currency="USD"))
        hold = unit.books.open_hold(hold_of(shop, 1_000, now=then))
        assert isinstance(hold, HoldOpened)
        unit.books.capture(ending(shop, hold.hold_id, then), MilliCredits(1_000))
        return sam

    return await database.run(work)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data directory in whose database somebody has bought and spent something."""

    async def fill(address: str) -> None:
        database = Database.open(address)
        await a_bought_pack(database, days_ago=3)
        await database.close()

    settings = Settings(data_dir=tmp_path / "data")
    make_data_dir(settings.data_dir)
    upgrade(settings.database)
    asyncio.run(fill(settings.database))
    return settings.data_dir


def run(data_dir: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--data-dir", str(data_dir)])


SINCE = to_datetime(Micros(SystemClock().now() - 10 * DAY)).date().isoformat()


def test_the_command_prints_a_statement_for_people_and_for_programs(data_dir: Path) -> None:
    asked = ("ledger", "statement", "Sam@example.com", "--from", SINCE)
    printed = run(data_dir, *asked)
    lines = printed.stdout.splitlines()
    assert printed.exit_code == 0, printed.output
    assert lines[1] == "Opening balance: 0"
    assert lines[2].split() == ["SEQ", "AT", "KIND", "AMOUNT", "BALANCE", "PLAN", "FOR", "RECEIPT"]
    assert lines[3].split()[3:] == ["grant", "+10", "10", "pack", "operator"]
    assert lines[4].split()[3:9] == ["charge", "-1", "9", "pack", "An", "assistant"]
    assert lines[5:] == ["grant: +10", "charge: -1", "Closing balance: 9"]
    told = json.loads(run(data_dir, *asked, "--json").stdout)
    of_plan = json.loads(run(data_dir, *asked, "--plan", "pack", "--json").stdout)
    assert (told["from"], told["opening"], told["closing"]) == (SINCE, 0, 9)
    assert [line["amount"] for line in told["lines"]] == [10, -1]
    assert (told["head_seq"], len(bytes.fromhex(told["head"]))) == (2, 32)
    assert of_plan == told | {"plan": "pack"}


def test_the_command_prints_what_plans_earned(data_dir: Path) -> None:
    earned = line(charged=1, earned="1.00 USD", minor=100)
    asked = ("plan", "earnings", "--from", SINCE, "--json")
    for owner in ((), ("--owner", "bea@example.com")):
        assert json.loads(run(data_dir, *asked, *owner).stdout) == [{"plan": "pack"} | earned]
    nobody = run(data_dir, "plan", "earnings", "--from", SINCE, "--owner", "sam@example.com")
    assert (nobody.exit_code, "sam@example.com is no builder" in nobody.output) == (1, True)


UNANSWERABLE = {
    "ledger statement sam@example.com --from soon": (
        2,
        "`--from` must be a date such as 2026-11-01; given was --from “soon”",
    ),
    "ledger statement sam@example.com --to 1.12.2026": (
        2,
        "`--to` must be a date such as 2026-11-01; given was --to “1.12.2026”",
    ),
    "plan earnings --from 2026-11-05 --to 2026-11-04": (2, "must begin before it ends"),
    "ledger statement nobody@example.com": (1, "no account with the address nobody@"),
    "ledger statement sam@example.com --plan no-such": (1, "There is no plan no-such."),
    "plan earnings --owner nobody@example.com": (1, "no account with the address nobody@"),
}


def test_a_command_that_cannot_be_answered_says_why(data_dir: Path) -> None:
    for arguments, (status, why) in UNANSWERABLE.items():
        done = run(data_dir, *arguments.split())
        assert (done.exit_code, done.stdout) == (status, "")
        assert why in done.stderr
