"""`farebox order` and `farebox voucher`: alone, and beside a server that is running."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from farebox import control
from farebox.cli import app
from farebox.control import Refused, listen
from farebox.lease import lease
from host.app import Host, open_host
from host.catalogue.currencies import Money
from host.catalogue.offering_terms import PlanTerms
from host.config import Settings
from host.purchase.ordering import WantedOrder
from storage.books import EndHold, HoldOpened
from storage.credits import MilliCredits
from storage.ledger import balances
from storage.models.accounts import Role
from storage.moments import DAY, SECOND
from tests.builders import PlanIds, Shop, hold_of
from tests.databases import verify_ledger
from tests.installations import installed

SAM = "sam@example.com"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    found = installed(tmp_path, payments="demo")
    asyncio.run(furnish(found))
    return found


async def furnish(settings: Settings) -> None:
    host = await open_host(settings)
    builder = await host.accounts.create("bea@example.com", "Bea", None, [Role.BUILDER])
    await host.accounts.create(SAM, "Sam", None, [Role.SUBSCRIBER])
    for terms in (
        PlanTerms(
            title="Pack", slug="pack", price=Money(500, "USD"), credits=MilliCredits(100_000)
        ),
        PlanTerms(
            title="Week", slug="week", price=Money(900, "USD"), duration_s=7 * DAY // SECOND
        ),
    ):
        await host.catalogue.create_plan(builder.id, terms)
    await host.close()


async def buy(settings: Settings, plan: str) -> str:
    """A paid order of Sam's. Returns its number."""
    host = await open_host(settings)
    sam = await host.accounts.find(SAM)
    made = await host.purchases.order(WantedOrder(account_id=sam.id, plan_slug=plan, key=plan))
    await host.purchases.fulfil(made.order.id, plan)
    await host.close()
    return made.order.id


async def left(settings: Settings) -> int:
    """What Sam can spend; the ledger must add up."""
    host = await open_host(settings)
    try:
        sam, now = await host.accounts.find(SAM), host.clock.now()
        await verify_ledger(host.database)
        lines = await host.database.read(lambda s: balances(s, sam.id, now))
        return sum(line.available for line in lines)
    finally:
        await host.close()


def run(settings: Settings, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--data-dir", str(settings.data_dir)])


def told(settings: Settings, *arguments: str) -> Any:
    answer = run(settings, *arguments, "--json")
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.output)


def test_vouchers_are_made_shown_once_listed_and_withdrawn(settings: Settings) -> None:
    assert run(settings, "voucher", "list").output == "No vouchers yet.\n"
    made = told(settings, "voucher", "create", "pack", "--count", "3", "--note", "fair")
    assert len({one["code"] for one in made}) == 3
    printed = run(settings, "voucher", "create", "week", "--expires-days", "30").output
    assert printed.split()[:2] == ["NUMBER", "CODE"]
    voided = run(settings, "voucher", "void", str(made[0]["number"]))
    assert voided.output == f"Voucher {made[0]['number']} is void.\n"
    listed = told(settings, "voucher", "list")
    assert [(one["plan"], one["state"]) for one in listed] == [
        ("week", "issued"), ("pack", "issued"), ("pack", "issued"), ("pack", "void")
    ]  # fmt: skip
    assert (listed[0]["expires"] is None, listed[1]["expires"]) == (False, None)
    assert made[1]["code"] not in run(settings, "voucher", "list").output


@pytest.mark.parametrize(
    ("arguments", "status", "reason"),
    [
        (["voucher", "create", "nonsense"], 1, "There is no plan"),
        (["voucher", "create", "pack", "--count", "0"], 2, ""),
        (["voucher", "void", "4711"], 1, "There is no voucher 4711"),
        (["order", "refund", "nonsense"], 1, "There is no order"),
    ],
)
def test_what_is_not_there_is_said_to_be_missing(
    settings: Settings, arguments: list[str], status: int, reason: str
) -> None:
    answer = run(settings, *arguments)
    assert answer.exit_code == status
    assert reason in answer.output


def test_an_order_is_listed_and_refunded_in_part_and_whole(settings: Settings) -> None:
    assert run(settings, "order", "list").output == "No orders yet.\n"
    number = asyncio.run(buy(settings, "pack"))
    part = run(settings, "order", "refund", number, "--amount", "2 USD")
    assert "Refunded to sam@example.com: $2.00 of $5.00. Took back 40 credits" in part.output
    again = run(settings, "order", "refund", number, "--amount", "$2")
    assert "nothing was added" in again.output
    assert asyncio.run(left(settings)) == 60_000
    for wrong, why in (("2 EUR", "another currency"), ("lots", "no amount"), ("6 USD", "part")):
        refused = run(settings, "order", "refund", number, "--amount", wrong)
        assert refused.exit_code == 1
        assert why in refused.output
    assert run(settings, "order", "refund", number).exit_code == 0
    (line,) = told(settings, "order", "list")
    assert (line["order"], line["email"], line["plan"]) == (number, SAM, "pack")
    assert (line["price"], line["state"], line["refunded"]) == ("$5.00", "refunded", "$5.00")
    assert asyncio.run(left(settings)) == 0


def test_a_refund_says_what_is_held_and_the_list_what_is_written_off_in_the_end(
    settings: Settings,
) -> None:
    number = asyncio.run(buy(settings, "pack"))
    asyncio.run(use(settings, 10_000))
    held = asyncio.run(use(settings, 30_000, ends=False))
    said = run(settings, "order", "refund", number).output
    assert "Took back 60 credits of Pack. 10 credits are spent, and written off." in said
    assert "30 credits held for work under way: what that does not use is taken back" in said
    assert [one["written_off"] for one in told(settings, "order", "list")] == ["10 credits"]
    asyncio.run(end(settings, held, 25_000))
    assert [one["written_off"] for one in told(settings, "order", "list")] == ["35 credits"]
    assert asyncio.run(left(settings)) == 0


async def use(settings: Settings, amount: int, *, ends: bool = True) -> int:
    """A message of Sam's, delivered or under way. Returns its hold."""
    host = await open_host(settings)
    sam, plan = await host.accounts.find(SAM), await host.catalogue.find_plan("pack")
    wallet_id = await host.database.run(lambda unit: unit.books.open_wallet(sam.id))
    shop = Shop(0, sam.id, wallet_id, 0, PlanIds(plan.id, plan.version.id))
    now = host.clock.now()
    request = replace(hold_of(shop, amount, now=now), offering_id=None)
    hold = await host.database.run(lambda unit: unit.books.open_hold(request))
    assert isinstance(hold, HoldOpened)
    await host.close()
    if ends:
        await end(settings, hold.hold_id, amount)
    return hold.hold_id


async def end(settings: Settings, hold_id: int, used: int) -> None:
    """What became of that message."""
    host = await open_host(settings)
    sam = await host.accounts.find(SAM)
    wallet_id = await host.database.run(lambda unit: unit.books.open_wallet(sam.id))
    ending = EndHold(wallet_id=wallet_id, hold_id=hold_id, plan_ids=(), now=host.clock.now())
    await host.database.run(lambda unit: unit.books.capture(ending, MilliCredits(used)))
    await host.close()


def test_a_refunded_pass_says_how_much_time_was_taken(settings: Settings) -> None:
    number = asyncio.run(buy(settings, "week"))
    refunded = run(settings, "order", "refund", number, "--amount", "4.50 USD")
    assert "Took back 84 hours of Week." in refunded.output


def test_a_grant_leaves_an_order_and_once(settings: Settings) -> None:
    for _ in range(2):
        given = ["grant", SAM, "pack", "--credits", "7", "--request", "ticket-1"]
        assert run(settings, *given).exit_code == 0
    (line,) = told(settings, "order", "list")
    assert (line["provider"], line["state"], line["price"]) == ("manual", "fulfilled", "Free")
    refused = run(settings, "order", "refund", line["order"])
    assert refused.exit_code == 1
    assert "farebox revoke" in refused.output
    assert asyncio.run(left(settings)) == 7_000


def test_beside_a_running_server_they_go_through_it(settings: Settings) -> None:
    async def beside(host: Host) -> None:
        async def ask(verb: str, **facts: Any) -> Any:
            return await control._perform(host.settings, verb, facts)

        with lease(host.settings):
            async with asyncio.timeout(20), listen(host):
                (made,) = await ask("create_vouchers", plan="pack", count=1, days=0, note="")
                sam = await host.accounts.find(SAM)
                done = await host.vouchers.redeem(sam.id, made["code"], "192.0.2.1")
                (line,) = await ask("list_vouchers")
                assert (line["state"], line["redeemed_by"]) == ("redeemed", SAM)
                assert line["order"] == done.order.id
                with pytest.raises(Refused, match="has been redeemed"):
                    await ask("void_voucher", number=made["number"])
                (order,) = await ask("list_orders")
                assert order["provider"] == "voucher"

    async def serve() -> None:
        host = await open_host(settings)
        try:
            await beside(host)
        finally:
            await host.close()

    asyncio.run(serve())
