"""Who deleted an account and comes back is known again by what was free, and by nothing else."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias

import httpx
import pytest
import pytest_asyncio
from sqlmodel import col, delete, select

from host.catalogue.subscribing import SubscribeRequest
from host.config import Settings
from host.errors import AlreadyHad, NotAllowed
from host.identity.former import KEY_ID, FormerPeople
from host.metering.revoking import RevokeRequest
from host.purchase.ordering import WantedOrder
from host.purchase.purchases import Purchases
from host.purchase.vouchers import VoucherBatch
from host.vault.envelope import MasterKey
from host.vault.vault import Vault
from storage.database import Database, Unit
from storage.ids import new_id
from storage.ledger import balances
from storage.models.accounts import Role
from storage.models.money import GrantSource
from storage.models.people import FormerTrial
from storage.models.vault import Secret
from tests.fakes.clock import ManualClock
from tests.integration.test_account_deletion import everything
from tests.integration.test_buy_page import stock
from tests.integration.test_orders_api import add_trial, order
from tests.integration.test_pages import BASE, GOOD, PagesHost, add, open_browser, sign_in
from tests.proxy_world import World, problem_of

SAM = "sam@example.com"
Got: TypeAlias = Callable[[PagesHost, int], Awaitable[object]]


@pytest_asyncio.fixture
async def host(database: Database, clock: ManualClock) -> PagesHost:
    made = PagesHost(database, clock, Settings(public_url=BASE, signup="open", payments="demo"))
    await stock(made)
    return made


@pytest_asyncio.fixture
async def browser(host: PagesHost) -> AsyncIterator[httpx.AsyncClient]:
    async with open_browser(host) as client:
        yield client


async def taken(host: PagesHost, account_id: int, plan: str = "trial") -> None:
    await host.purchases.order(WantedOrder(account_id=account_id, plan_slug=plan, key=new_id()))


async def bought(host: PagesHost, account_id: int) -> None:
    wanted = WantedOrder(account_id=account_id, plan_slug="pack", key=new_id())
    made = await host.purchases.order(wanted)
    await host.purchases.fulfil(made.order.id, new_id())


async def given(host: PagesHost, account_id: int) -> None:
    request = SubscribeRequest(
        account_id=account_id, plan_slug="trial", source=GrantSource.OPERATOR, source_ref="1"
    )
    await host.purchases.give(None, request)


async def redeemed(host: PagesHost, account_id: int) -> None:
    (issued,) = await host.vouchers.issue(None, VoucherBatch(plan_slug="trial"))
    await host.vouchers.redeem(account_id, issued.code, "192.0.2.1")


async def taken_and_revoked(host: PagesHost, account_id: int) -> None:
    await taken(host, account_id)
    revoke = RevokeRequest(account_id=account_id, plan_slug="trial", request="1", note="x")
    await host.corrections.revoke(None, revoke)


async def comes_back(host: PagesHost, name: str = "Sam") -> int:
    """Deletes the account and makes another with the same address."""
    email = f"{name.lower()}@example.com"
    await host.deletion.delete((await host.accounts.find(email)).id, actor=None)
    return (await host.accounts.create(email.upper(), name, GOOD, [Role.SUBSCRIBER])).id


async def left(host: PagesHost, account_id: int) -> int:
    now = host.clock.now()
    lines = await host.database.read(lambda s: balances(s, account_id, now))
    return sum(line.available for line in lines)


async def kept(host: PagesHost) -> list[FormerTrial]:
    return list(await host.database.read(lambda s: s.exec(select(FormerTrial)).all()))


@pytest.mark.parametrize("got", [taken, given, redeemed, taken_and_revoked])
async def test_a_free_plan_is_had_once_also_by_who_deletes_the_account_and_comes_back(
    host: PagesHost, got: Got
) -> None:
    again = await add(host, "Sam")
    await got(host, again)
    for _ in range(2):  # who comes back, deletes that account too and comes back again
        again = await comes_back(host)
        with pytest.raises(AlreadyHad, match=r"You had A <Trial> before"):
            await taken(host, again)
        assert await left(host, again) == 0
        assert await host.purchases.orders(again) == ()
    assert len(await kept(host)) == 1
    await bought(host, again)
    await given(host, again)  # the operator may
    assert await left(host, again) == 120_000


async def test_who_had_something_else_or_is_somebody_else_takes_it(host: PagesHost) -> None:
    sam, eve = await add(host, "Sam"), await add(host, "Eve")
    await bought(host, sam)
    await taken(host, eve)
    sam, eve = await comes_back(host), await comes_back(host, "Eve")
    await taken(host, sam)
    assert await left(host, sam) == 20_000
    with pytest.raises(AlreadyHad):
        await taken(host, eve)
    other = await add(host, "Samuel")
    await taken(host, other)
    assert await left(host, other) == 20_000


async def test_what_is_kept_leads_to_nobody(host: PagesHost) -> None:
    sam = await add(host, "Sam")
    await taken(host, sam)
    await bought(host, sam)
    await host.deletion.delete(sam, actor=None)
    (line,) = await kept(host)
    trial = await host.catalogue.find_plan("trial")
    assert (set(line.model_dump()), line.plan_id, len(line.mark)) == (
        {"mark", "plan_id"}, trial.id, 32
    )  # fmt: skip
    assert SAM not in await host.database.read(everything)


async def test_nothing_is_kept_and_no_key_drawn_for_who_had_nothing_free(host: PagesHost) -> None:
    sam = await add(host, "Sam")
    await bought(host, sam)
    await host.deletion.delete(sam, actor=None)
    assert await kept(host) == []
    assert await host.database.read(lambda s: s.get(Secret, KEY_ID)) is None


async def test_the_key_is_drawn_so_elsewhere_the_mark_of_an_address_is_another(
    host: PagesHost,
) -> None:
    def start_over(unit: Unit) -> None:
        unit.session.execute(delete(FormerTrial))
        unit.session.execute(delete(Secret).where(col(Secret.id) == KEY_ID))

    marks = []
    for _ in range(2):
        sam = await add(host, "Sam")
        await taken(host, sam)
        await host.deletion.delete(sam, actor=None)
        marks += [line.mark for line in await kept(host)]
        await host.database.run(start_over)
    assert len(set(marks)) == 2


async def test_sealed_anew_under_another_master_key_the_same_people_are_known(
    host: PagesHost,
) -> None:
    await taken(host, await add(host, "Sam"))
    again = await comes_back(host)
    drawn = await Vault(host.database, host.clock, MasterKey(bytes(32))).reveal(KEY_ID)
    other = Vault(host.database, host.clock, MasterKey(b"another master key of 32 bytes !"))
    await other.replace(KEY_ID, drawn)
    purchases = Purchases(host.database, host.clock, host.settings, FormerPeople(other))
    with pytest.raises(AlreadyHad):
        await purchases.order(WantedOrder(account_id=again, plan_slug="trial", key=new_id()))


async def test_who_deletes_while_taking_it_has_had_it_or_not(host: PagesHost) -> None:
    for number in range(5):
        name = f"Sam{number}"
        sam = await add(host, name)
        async with asyncio.timeout(30):
            took, _ = await asyncio.gather(
                taken(host, sam), host.deletion.delete(sam, actor=None), return_exceptions=True
            )
        had = await left(host, sam) > 0
        assert had == (took is None)
        again = await add(host, name)
        try:
            await taken(host, again)
        except AlreadyHad:
            assert had
        else:
            assert not had


async def test_the_first_who_are_deleted_at_once_draw_one_key(host: PagesHost) -> None:
    names = [f"Sam{number}" for number in range(4)]
    people = [await add(host, name) for name in names]
    for person in people:
        await taken(host, person)
    async with asyncio.timeout(30):
        await asyncio.gather(*(host.deletion.delete(one, actor=None) for one in people))
    assert len(await kept(host)) == 4
    for name in names:
        with pytest.raises(AlreadyHad):
            await taken(host, await add(host, name))


async def test_a_deletion_that_is_refused_keeps_nothing(host: PagesHost) -> None:
    olga = await add(host, "Olga", Role.OPERATOR)
    await taken(host, olga)
    with pytest.raises(NotAllowed, match="only operator"):
        await host.deletion.delete(olga, actor=olga)
    assert await kept(host) == []


async def test_the_plans_page_says_so_and_offers_no_button(
    host: PagesHost, browser: httpx.AsyncClient
) -> None:
    await taken(host, await add(host, "Sam"))
    await comes_back(host)
    await sign_in(browser, "sam")
    page = (await browser.get("/buy/trial")).text
    assert "You had A &lt;Trial&gt; before, with an account of this address" in page
    assert 'action="/buy/trial"' not in page
    assert "Start the free trial" not in (await browser.get("/buy/pack")).text
    posted = await browser.post("/buy/trial", data={"key": new_id()})
    assert posted.headers["location"] == "/buy/trial"


async def test_the_catalogue_shows_it_as_used(each_world: World) -> None:
    world = each_world
    await add_trial(world)
    await world.host.catalogue.attach(None, plan_slug="taste", offering_slug="tutor")
    headers = await world.sign_in(world.subscriber)
    assert (await order(world, headers, "taste")).status_code == 201
    email = (await world.host.accounts.get(world.subscriber)).email
    await world.host.deletion.delete(world.subscriber, actor=None)
    again = await world.host.accounts.create(email, "Sam", None, [Role.SUBSCRIBER])
    headers = await world.sign_in(again.id)
    problem_of(await order(world, headers, "taste"), 409, "already_had")
    told = (await world.client.get("/api/v1/catalogue", headers=headers)).json()
    assert {plan["slug"]: plan["way"] for plan in told["plans"]}["taste"] == "had"
