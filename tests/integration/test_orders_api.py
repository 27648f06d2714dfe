"""Buying over the API: one order for an attempt, one's own orders only, codes that are tried."""

import asyncio
from dataclasses import replace
from uuid import uuid4

import httpx
import pytest

from farebox.demo.upstream.server import serve
from host.api.routes import api_app
from host.app import Host
from host.catalogue.currencies import Money
from host.catalogue.offering_terms import PlanTerms
from host.config import Settings
from host.identity.former import FormerPeople
from host.purchase.purchases import Purchases
from host.purchase.vouchers import VoucherBatch
from storage.credits import MilliCredits
from tests.proxy_world import World, problem_of


def unpaid(host: Host) -> Host:
    """The same host where nobody takes payments."""
    settings = Settings(_env_file=None)
    former = FormerPeople(host.vault)
    return replace(host, purchases=Purchases(host.database, host.clock, settings, former))


async def order(
    world: World, headers: dict[str, str], plan: str = "pack", key: str | None = None, **more: str
) -> httpx.Response:
    wanted = {"plan": plan, "key": key or str(uuid4()), **more}
    return await world.client.post("/api/v1/orders", headers=headers, json=wanted)


async def add_trial(world: World) -> None:
    terms = PlanTerms(
        title="Taste", slug="taste", price=Money(0, "USD"), credits=MilliCredits(20_000),
        is_trial=True,
    )  # fmt: skip
    await world.host.catalogue.create_plan(world.builder, terms)


async def test_an_order_says_what_it_costs_and_where_to_pay(each_world: World) -> None:
    world = each_world
    headers = await world.sign_in(world.subscriber)
    made = await order(world, headers, return_to="/a/tutor")
    assert made.status_code == 201
    told = made.json()
    assert (told["plan"], told["title"], told["state"]) == ("pack", "Pack", "created")
    assert (told["amount_minor"], told["currency"], told["price"]) == (500, "USD", "$5.00")
    assert (told["provider"], told["pay_url"]) == ("demo", f"/pay/{told['id']}")
    assert (told["return_to"], told["credits"], told["fulfilled_at"]) == ("/a/tutor", 100, None)
    assert (await world.client.get("/api/v1/orders", headers=headers)).json() == [told]
    one = await world.client.get(f"/api/v1/orders/{told['id']}", headers=headers)
    assert one.json() == told
    assert await world.host.catalogue.subscriptions(world.subscriber) == ()


async def test_twenty_clicks_of_one_attempt_make_one_order(each_world: World) -> None:
    world = each_world
    headers = await world.sign_in(world.subscriber)
    key = str(uuid4())
    answers = await asyncio.gather(*(order(world, headers, key=key) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    refused = await order(world, headers, "week", key=key)
    problem_of(refused, 409, "idempotency_conflict")
    assert len((await world.client.get("/api/v1/orders", headers=headers)).json()) == 1


async def test_two_attempts_in_one_moment_are_two_purchases(each_world: World) -> None:
    world = each_world
    headers = await world.sign_in(world.subscriber)
    answers = await asyncio.gather(*(order(world, headers) for _ in range(2)))
    assert [answer.status_code for answer in answers] == [201, 201]
    made = {answer.json()["id"] for answer in answers}
    assert len(made) == 2
    for number in made:
        await world.host.purchases.fulfil(number, f"payment of {number}")
    assert await world.available() == 200_000


async def test_the_same_key_of_two_people_makes_two_orders(world: World) -> None:
    key = str(uuid4())
    mine = await order(world, await world.sign_in(world.subscriber), key=key)
    theirs = await order(world, await world.sign_in(world.builder), "week", key=key)
    assert (mine.status_code, theirs.status_code) == (201, 201)


async def test_a_trial_is_given_in_the_same_request_and_once(each_world: World) -> None:
    world = each_world
    await add_trial(world)
    headers, key = await world.sign_in(world.subscriber), str(uuid4())
    taken = await order(world, headers, "taste", key)
    assert (taken.status_code, taken.json()["state"]) == (201, "fulfilled")
    assert (taken.json()["pay_url"], taken.json()["price"]) == (None, "Free")
    again = await order(world, headers, "taste", key)
    assert (again.status_code, again.json()) == (200, taken.json())
    problem_of(await order(world, headers, "taste"), 409, "already_had")
    (line,) = (await world.client.get("/api/v1/balance", headers=headers)).json()["plans"]
    assert line["available"] == 20


async def test_a_plan_that_costs_nothing_is_not_a_well_of_credits(world: World) -> None:
    terms = PlanTerms(
        title="Gift", slug="gift", price=Money(0, "USD"), credits=MilliCredits(20_000)
    )
    await world.host.catalogue.create_plan(world.builder, terms)
    headers = await world.sign_in(world.subscriber)
    assert (await order(world, headers, "gift")).json()["state"] == "fulfilled"
    problem_of(await order(world, headers, "gift"), 409, "already_had")


async def test_without_a_payment_provider_one_is_told_whom_to_ask(world: World) -> None:
    await add_trial(world)
    headers = await world.sign_in(world.subscriber)
    async with serve(api_app(unpaid(world.host))) as address:
        refused, tried = [
            await world.client.post(
                f"{address.url}/v1/orders",
                headers=headers,
                json={"plan": plan, "key": str(uuid4())},
            )
            for plan in ("pack", "taste")
        ]
    assert "Ask its operator for Pack" in problem_of(refused, 409, "payments_off")["detail"]
    assert tried.json()["state"] == "fulfilled"


async def test_an_order_is_its_owners_alone(world: World) -> None:
    made = (await order(world, await world.sign_in(world.subscriber))).json()
    stranger = await world.sign_in(world.builder)
    address = f"/api/v1/orders/{made['id']}"
    told = problem_of(await world.client.get(address, headers=stranger), 404, "unknown_order")
    refused = await world.client.post(f"{address}/cancel", headers=stranger)
    assert problem_of(refused, 404, "unknown_order") == told
    for number in (str(uuid4()), "nonsense"):
        nothing = await world.client.get(f"/api/v1/orders/{number}", headers=stranger)
        assert problem_of(nothing, 404, "unknown_order") == told
        nothing = await world.client.post(f"/api/v1/orders/{number}/cancel", headers=stranger)
        assert problem_of(nothing, 404, "unknown_order") == told
    assert (await world.client.get("/api/v1/orders", headers=stranger)).json() == []
    assert (await world.host.purchases.find(world.subscriber, made["id"])).state == "created"


async def test_an_order_is_cancelled_once_and_stays_so(world: World) -> None:
    headers = await world.sign_in(world.subscriber)
    made = (await order(world, headers)).json()
    for _ in range(2):
        gone = await world.client.post(f"/api/v1/orders/{made['id']}/cancel", headers=headers)
        assert (gone.status_code, gone.json()["state"]) == (200, "cancelled")
        assert gone.json()["pay_url"] is None
    paid = (await order(world, headers)).json()
    await world.host.purchases.fulfil(paid["id"], "payment-1")
    refused = await world.client.post(f"/api/v1/orders/{paid['id']}/cancel", headers=headers)
    problem_of(refused, 409, "order_closed")


@pytest.mark.parametrize(
    "wanted",
    [
        {"plan": "pack", "key": "again"},
        {"plan": "pack"},
        {"key": str(uuid4())},
        {"plan": "x" * 101, "key": str(uuid4())},
        {"plan": "pack", "key": str(uuid4()), "price": 0},
    ],
)
async def test_an_order_that_cannot_be_read_is_refused(
    world: World, wanted: dict[str, object]
) -> None:
    headers = await world.sign_in(world.subscriber)
    answer = await world.client.post("/api/v1/orders", headers=headers, json=wanted)
    problem_of(answer, 400, "malformed_request")


async def test_a_plan_that_is_not_sold_cannot_be_ordered(world: World) -> None:
    headers = await world.sign_in(world.subscriber)
    problem_of(await order(world, headers, "nonsense"), 404, "unknown_plan")
    await world.host.catalogue.archive_plan(None, "pack")
    problem_of(await order(world, headers), 404, "unknown_plan")


async def test_one_returns_to_a_path_of_this_host_or_nowhere(world: World) -> None:
    headers = await world.sign_in(world.subscriber)
    for wanted, kept in (("/a/tutor?x=1", "/a/tutor?x=1"), ("//evil.example", "/"), ("", "")):
        told = (await order(world, headers, return_to=wanted)).json()
        assert told["return_to"] == kept


async def test_more_orders_than_a_person_leaves_unpaid_are_refused(world: World) -> None:
    headers = await world.sign_in(world.subscriber)
    made = [await order(world, headers) for _ in range(20)]
    assert {answer.status_code for answer in made} == {201}
    problem_of(await order(world, headers), 429, "rate_limited")
    await world.client.post(f"/api/v1/orders/{made[0].json()['id']}/cancel", headers=headers)
    assert (await order(world, headers)).status_code == 201


async def test_a_voucher_is_redeemed_and_its_order_is_among_the_purchases(
    each_world: World,
) -> None:
    world = each_world
    (issued,) = await world.host.vouchers.issue(None, VoucherBatch(plan_slug="pack"))
    headers = await world.sign_in(world.subscriber)
    entered = {"code": f" {issued.code.lower().replace('-', ' ')} "}
    done, again = [
        await world.client.post("/api/v1/vouchers/redeem", headers=headers, json=entered)
        for _ in range(2)
    ]
    (made,) = (await world.client.get("/api/v1/orders", headers=headers)).json()
    gave = {"plan": "pack", "title": "Pack", "order": made["id"]}
    gave["redeemed_at"] = made["created_at"]
    assert (done.status_code, done.json()) == (200, {**gave, "is_new": True})
    assert (again.status_code, again.json()) == (200, {**gave, "is_new": False})
    assert (made["provider"], made["state"], made["price"]) == ("voucher", "fulfilled", "Free")
    assert await world.available() == 100_000
    other = await world.sign_in(world.builder)
    spent = await world.client.post("/api/v1/vouchers/redeem", headers=other, json=entered)
    problem_of(spent, 409, "voucher_spent")


async def test_guessing_codes_is_slowed_down(world: World) -> None:
    headers = await world.sign_in(world.subscriber)

    async def guess(code: str) -> httpx.Response:
        return await world.client.post(
            "/api/v1/vouchers/redeem", headers=headers, json={"code": code}
        )

    (issued,) = await world.host.vouchers.issue(None, VoucherBatch(plan_slug="pack"))
    for number in range(10):
        problem_of(await guess(f"0000-0000-0000-{number:04}"), 404, "unknown_voucher")
    refused = await guess(issued.code)
    problem_of(refused, 429, "rate_limited")
    assert int(refused.headers["retry-after"]) > 0
    assert await world.available() == 0


async def test_nobody_buys_without_signing_in_or_with_a_cookie_alone(world: World) -> None:
    cookie = {"Cookie": (await world.sign_in(world.subscriber))["Cookie"]}
    for path, body in (
        ("orders", {"plan": "pack", "key": str(uuid4())}),
        ("orders/x/cancel", None),
        ("vouchers/redeem", {"code": "x"}),
    ):
        address = f"/api/v1/{path}"
        refused = await world.client.post(address, headers=cookie, json=body)
        problem_of(refused, 403, "not_allowed")
        header = {"X-Requested-With": "farebox"}
        refused = await world.client.post(address, headers=header, json=body)
        problem_of(refused, 401, "not_signed_in")
    problem_of(await world.client.get("/api/v1/orders"), 401, "not_signed_in")
