"""One's own account in JSON, over real sockets from end to end."""

import httpx
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from farebox.demo.upstream.server import serve
from host.api.health import health_router
from host.api.routes import api_app
from host.app import Host
from host.catalogue.catalogue import Catalogue
from host.clock import SystemClock
from host.config import Settings
from host.metering.corrections import RefundRequest
from host.metering.revoking import RevokeRequest
from host.vault.envelope import MasterKey
from host.vault.vault import Vault
from storage.credits import MilliCredits
from storage.database import Database
from storage.models.accounts import Role
from tests.databases import Databases
from tests.proxy_world import UPSTREAM_KEY, World, add_draft, problem_of

READABLE = [
    "me", "balance", "offerings", "plans", "subscriptions", "usage", "tokens",
    "statement", "earnings", "orders", "usage/days", "cap", "threads", "deletions",
]  # fmt: skip


@pytest.mark.parametrize("path", [*READABLE, "receipts/x"])
async def test_nothing_is_told_to_whoever_is_not_signed_in(world: World, path: str) -> None:
    problem_of(await world.client.get(f"/api/v1/{path}"), 401, "not_signed_in")
    stale = {"Cookie": "farebox_login=guessed"}
    problem_of(await world.client.get(f"/api/v1/{path}", headers=stale), 401, "not_signed_in")


async def test_who_is_signed_in_sees_what_they_have(each_world: World) -> None:
    world = each_world
    await world.buy("pack")
    await world.buy("week")
    headers = await world.sign_in(world.subscriber)
    told = {
        path: (await world.client.get(f"/api/v1/{path}", headers=headers)) for path in READABLE
    }
    assert {answer.status_code for answer in told.values()} == {200}
    assert {answer.headers["cache-control"] for answer in told.values()} == {"no-store"}
    me, balance, plans = told["me"].json(), told["balance"].json(), told["plans"].json()
    assert me == {"email": "sam@example.com", "name": "Sam", "roles": ["subscriber"]}
    assert (balance["available"], balance["held"]) == (100, 0)
    assert {line["offering"]: line["balance"] for line in balance["offerings"]} == {
        "mirror": 100, "songs": 100, "tutor": 100
    }  # fmt: skip
    assert all(line["included_until"] for line in balance["offerings"])
    assert [(plan["slug"], plan["credits"], plan["duration_s"]) for plan in plans] == [
        ("pack", 100, None), ("week", None, 604_800)
    ]  # fmt: skip
    assert {offering["slug"] for offering in told["offerings"].json()} == {
        "mirror", "songs", "tutor"
    }  # fmt: skip
    subscriptions = told["subscriptions"].json()
    assert {line["plan"]: line["ends_at"] is None for line in subscriptions} == {
        "week": False, "pack": True
    }  # fmt: skip


async def test_the_history_names_each_charge_and_goes_on_page_by_page(each_world: World) -> None:
    world = each_world
    await world.buy("pack")
    call = await world.bearer("mirror")
    receipts = [
        (await world.client.get("/s/mirror/status/200", headers=call)).headers["farebox-receipt"]
        for _ in range(3)
    ]
    headers = await world.sign_in(world.subscriber)
    first = (await world.client.get("/api/v1/usage?limit=3", headers=headers)).json()
    assert [line["receipt"] for line in first["entries"]] == receipts[::-1]
    assert {(line["amount"], line["offering"], line["plan"]) for line in first["entries"]} == {
        (-1, "mirror", "pack")
    }
    rest = await world.client.get(f"/api/v1/usage?before={first['next_before']}", headers=headers)
    (grant,) = rest.json()["entries"]
    assert (grant["kind"], grant["amount"], grant["receipt"]) == ("grant", 100, None)
    assert rest.json()["next_before"] is None


async def test_a_refund_stands_on_the_receipt_and_in_the_history(each_world: World) -> None:
    world = each_world
    await world.buy("pack")
    call = await world.client.get("/s/mirror/status/200", headers=await world.bearer("mirror"))
    number = call.headers["farebox-receipt"]
    part = RefundRequest(receipt_id=number, request="ticket-1", credits=MilliCredits(250))
    await world.host.corrections.refund(None, part)
    headers = await world.sign_in(world.subscriber)
    told = (await world.client.get(f"/api/v1/receipts/{number}", headers=headers)).json()
    assert (told["charged"], told["refunded"]) == (1, 0.25)
    assert [refund["credits"] for refund in told["refunds"]] == [0.25]
    usage = (await world.client.get("/api/v1/usage", headers=headers)).json()["entries"]
    assert [
        (line["kind"], line["amount"], line["receipt"], line["offering"], line["plan"])
        for line in usage
    ] == [
        ("refund", 0.25, number, "mirror", "pack"),
        ("charge", -1, number, "mirror", "pack"),
        ("grant", 100, None, None, "pack"),
    ]


async def test_the_balance_names_a_daily_limit_and_what_counts_against_it(world: World) -> None:
    await world.buy("pack")
    headers = await world.sign_in(world.subscriber)
    none = (await world.client.get("/api/v1/balance", headers=headers)).json()
    assert (none["daily_cap"], none["spent_today"]) == (None, None)
    await world.cap(10)
    await world.client.get("/s/mirror/status/200", headers=await world.bearer("mirror"))
    told = (await world.client.get("/api/v1/balance", headers=headers)).json()
    assert (told["daily_cap"], told["spent_today"]) == (10, 1)


async def test_one_sets_and_lifts_ones_own_limit_for_the_day(each_world: World) -> None:
    world = each_world
    await world.buy("pack")
    headers = await world.sign_in(world.subscriber)
    for wanted, told in ((10, 10), (0.25, 0.25), ("2.5", 2.5), (0, 0)):
        answer = await world.client.put("/api/v1/cap", headers=headers, json={"credits": wanted})
        assert answer.json() == {
            "credits": told, "operator_credits": None, "spent_today": 0, "left_today": told
        }  # fmt: skip
    refused = await world.client.get("/s/mirror/status/200", headers=await world.bearer("mirror"))
    assert (
        "raise the limit on your account page"
        in problem_of(refused, 429, "spend_cap_reached")["detail"]
    )
    lifted = await world.client.put("/api/v1/cap", headers=headers, json={"credits": None})
    assert lifted.json() == {
        "credits": None, "operator_credits": None, "spent_today": None, "left_today": None
    }  # fmt: skip
    assert (await world.client.get("/api/v1/cap", headers=headers)).json() == lifted.json()


async def test_ones_own_limit_and_the_operators_are_two_and_the_smaller_counts(
    each_world: World,
) -> None:
    world = each_world
    await world.buy("pack")
    headers, call = await world.sign_in(world.subscriber), await world.bearer("mirror")

    async def own(wanted: float | None) -> dict[str, object]:
        body = {"credits": wanted}
        answer = await world.client.put("/api/v1/cap", headers=headers, json=body)
        told: dict[str, object] = answer.json()
        return told

    await world.cap(2)
    for wanted, left in ((None, 2), (5, 2), (1, 1), (2, 2), (None, 2)):
        assert await own(wanted) == {
            "credits": wanted, "operator_credits": 2, "spent_today": 0, "left_today": left
        }  # fmt: skip
    for _ in range(2):
        assert (await world.client.get("/s/mirror/status/200", headers=call)).is_success
    for wanted, is_operators, then in (
        (5, True, "ask the operator of this site to raise it."),
        (2, True, "ask the operator of this site to raise it."),
        (1, False, "raise the limit on your account page."),
        (None, True, "ask the operator of this site to raise it."),
    ):
        await own(wanted)
        refused = await world.client.get("/s/mirror/status/200", headers=call)
        told = problem_of(refused, 429, "spend_cap_reached")
        assert told["set_by_operator"] is is_operators
        assert told["daily_cap"] == (2 if is_operators else 1)
        assert told["detail"].endswith(then)
    await own(5)
    await world.cap(None)
    assert (await world.client.get("/s/mirror/status/200", headers=call)).is_success
    assert (await own(None))["left_today"] is None


@pytest.mark.parametrize(
    "wanted", [-1, "abc", "1e99", 1e99, 0.0001, "", True, [1], "-2", 10**30, "5 credits"], ids=str
)
async def test_what_is_no_number_of_credits_is_no_limit(world: World, wanted: object) -> None:
    headers = await world.sign_in(world.subscriber)
    await world.client.put("/api/v1/cap", headers=headers, json={"credits": 7})
    answer = await world.client.put("/api/v1/cap", headers=headers, json={"credits": wanted})
    assert answer.status_code in {400, 422}
    problem_of(answer, answer.status_code, answer.json()["code"])
    told = (await world.client.get("/api/v1/cap", headers=headers)).json()
    assert told["credits"] == 7


async def test_usage_is_told_by_day_and_offering_and_to_nobody_else(each_world: World) -> None:
    world = each_world
    await world.buy("pack")
    call = await world.bearer("mirror")
    await world.client.get("/s/mirror/status/200", headers=call)
    paid = await world.client.get("/s/mirror/status/200", headers=call)
    number = paid.headers["farebox-receipt"]
    part = RefundRequest(receipt_id=number, request="ticket-1", credits=MilliCredits(250))
    await world.host.corrections.refund(None, part)
    headers = await world.sign_in(world.subscriber)
    told = (await world.client.get("/api/v1/usage/days", headers=headers)).json()
    assert [
        (line["offering"], line["charged"], line["refunded"], line["count"])
        for line in told["days"]
    ] == [("mirror", 2, 0.25, 2)]
    assert told["from"] <= told["days"][0]["day"] < told["to"]
    before = "/api/v1/usage/days?from=2020-01-01&to=2020-02-01"
    assert (await world.client.get(before, headers=headers)).json()["days"] == []
    other = await world.sign_in(world.builder)
    assert (await world.client.get("/api/v1/usage/days", headers=other)).json()["days"] == []
    wrong = await world.client.get("/api/v1/usage/days?from=yesterday", headers=headers)
    problem_of(wrong, 400, "malformed_request")


async def test_a_token_is_rotated_by_its_owner_alone_and_the_old_one_goes_on(
    each_world: World,
) -> None:
    world = each_world
    await world.buy("pack")
    old = await world.bearer("mirror")
    (line,) = await world.host.access_tokens.list()
    address = f"/api/v1/tokens/{line.jti}/rotate"
    stranger = await world.sign_in(world.builder)
    problem_of(await world.client.post(address, headers=stranger), 404, "not_found")
    headers = await world.sign_in(world.subscriber)
    cookie = {"Cookie": headers["Cookie"]}
    problem_of(await world.client.post(address, headers=cookie), 403, "not_allowed")
    rotated = await world.client.post(address, headers=headers)
    assert (rotated.status_code, rotated.json()["days"]) == (201, 30)
    new = {"Authorization": f"Bearer {rotated.json()['token']}"}
    for bearer in (old, new):
        call = await world.client.get("/s/mirror/status/200", headers=bearer)
        assert call.status_code == 200
    problem_of(await world.client.post(address, headers=headers), 422, "invalid_input")
    await world.host.access_tokens.keep_uses()
    listed = (await world.client.get("/api/v1/tokens", headers=headers)).json()
    assert all(token["last_used_at"] for token in listed)
    assert [token["revoked_at"] is None for token in listed] == [True, False]


async def test_a_plan_taken_back_is_said_to_be_and_opens_nothing(world: World) -> None:
    await world.buy("pack")
    call = await world.bearer("mirror")
    taken = RevokeRequest(account_id=world.subscriber, plan_slug="pack", request="ticket-1")
    await world.host.corrections.revoke(None, taken)
    headers = await world.sign_in(world.subscriber)
    (line,) = (await world.client.get("/api/v1/subscriptions", headers=headers)).json()
    assert line["is_cancelled"] is True
    refused = await world.client.get("/s/mirror/status/200", headers=call)
    problem_of(refused, 402, "plan_ended")


async def test_a_receipt_is_its_owners_alone(world: World) -> None:
    await world.buy("pack")
    call = await world.client.get("/s/mirror/status/200", headers=await world.bearer("mirror"))
    address = f"/api/v1/receipts/{call.headers['farebox-receipt']}"
    other = await world.sign_in(world.builder)
    problem_of(await world.client.get(address, headers=other), 404, "unknown_receipt")


async def test_a_token_is_shown_once_works_and_can_be_revoked(each_world: World) -> None:
    world = each_world
    await world.buy("pack")
    headers = await world.sign_in(world.subscriber)
    wanted = {"offering": "mirror", "days": 7, "name": "my script"}
    issued = await world.client.post("/api/v1/tokens", headers=headers, json=wanted)
    assert issued.status_code == 201
    bearer = {"Authorization": f"Bearer {issued.json()['token']}"}
    assert issued.json()["proxy_url"].endswith("/s/mirror")
    call = await world.client.get("/s/mirror/status/200", headers=bearer)
    assert call.status_code == 200
    listed = await world.client.get("/api/v1/tokens", headers=headers)
    (line,) = listed.json()
    assert (line["name"], line["offering"], line["revoked_at"]) == ("my script", "mirror", None)
    assert issued.json()["token"] not in listed.text
    address = f"/api/v1/tokens/{line['jti']}"
    other = await world.sign_in(world.builder)
    problem_of(await world.client.delete(address, headers=other), 404, "not_found")
    assert (await world.client.delete(address, headers=headers)).status_code == 204
    problem_of(await world.client.delete(address, headers=headers), 404, "not_found")
    refused = await world.client.get("/s/mirror/status/200", headers=bearer)
    problem_of(refused, 401, "invalid_token")


@pytest.mark.parametrize(
    ("wanted", "status", "code"),
    [
        ({"offering": "nobody"}, 404, "unknown_offering"),
        ({"offering": "mirror"}, 403, "not_in_plan"),
        ({"offering": "mirror", "days": 0}, 400, "malformed_request"),
        ({"offering": "mirror", "days": 10_000}, 400, "malformed_request"),
        ({"offering": "mirror", "hours": 1}, 400, "malformed_request"),
        ({}, 400, "malformed_request"),
    ],
)
async def test_a_token_that_cannot_be_had_is_refused(
    world: World, wanted: dict[str, object], status: int, code: str
) -> None:
    headers = await world.sign_in(world.subscriber)
    answer = await world.client.post("/api/v1/tokens", headers=headers, json=wanted)
    problem_of(answer, status, code)


@pytest.mark.parametrize("name", ["a\x00b", "a\u202eb", "x" * 61])
async def test_a_name_that_cannot_be_read_is_refused_like_on_the_page(
    each_world: World, name: str
) -> None:
    world = each_world
    await world.buy("pack")
    headers = await world.sign_in(world.subscriber)
    wanted = {"offering": "mirror", "name": name}
    answer = await world.client.post("/api/v1/tokens", headers=headers, json=wanted)
    assert answer.status_code in {400, 422}
    assert await world.host.access_tokens.list() == []


async def test_a_name_is_kept_on_one_line(world: World) -> None:
    await world.buy("pack")
    headers = await world.sign_in(world.subscriber)
    wanted = {"offering": "mirror", "name": " my \n laptop "}
    await world.client.post("/api/v1/tokens", headers=headers, json=wanted)
    (line,) = await world.host.access_tokens.list()
    assert line.name == "my laptop"


async def test_a_draft_is_unknown_to_everybody_but_its_owner(world: World) -> None:
    await add_draft(world)
    stranger = await world.sign_in(world.subscriber)
    told = [
        problem_of(
            await world.client.post("/api/v1/tokens", headers=stranger, json={"offering": slug}),
            404,
            "unknown_offering",
        )
        for slug in ("secret-plans", "secret-plums")
    ]
    assert str(told[0]) == str(told[1]).replace("plums", "plans")
    owner = await world.sign_in(world.builder)
    wanted = {"offering": "secret-plans"}
    issued = await world.client.post("/api/v1/tokens", headers=owner, json=wanted)
    assert issued.status_code == 201


@pytest.mark.parametrize(
    "path",
    [
        f"usage?before={2**63}",
        "usage?before=" + "9" * 5000,
        "usage?limit=" + "9" * 5000,
        "receipts/%00",
        "receipts/" + "9" * 5000,
    ],
)
async def test_what_no_database_can_hold_is_refused_and_not_a_fault(
    each_world: World, path: str
) -> None:
    headers = await each_world.sign_in(each_world.subscriber)
    answer = await each_world.client.get(f"/api/v1/{path}", headers=headers)
    problem_of(answer, answer.status_code, answer.json()["code"])
    assert answer.status_code in {400, 404}


async def test_a_fault_of_ours_is_told_as_a_problem_without_its_words(world: World) -> None:
    host = BrokenHost(world.host)
    async with serve(api_app(host)) as address:
        headers = await world.sign_in(world.subscriber)
        answer = await world.client.get(f"{address.url}/v1/plans", headers=headers)
    assert "whoops" not in str(problem_of(answer, 500, "internal_error"))


async def test_a_cookie_alone_changes_nothing(world: World) -> None:
    await world.buy("pack")
    cookie = {"Cookie": (await world.sign_in(world.subscriber))["Cookie"]}
    client = world.client
    for answer in (
        await client.post("/api/v1/tokens", headers=cookie, json={"offering": "mirror"}),
        await client.delete("/api/v1/tokens/x", headers=cookie),
        await client.put("/api/v1/cap", headers=cookie, json={"credits": 1}),
        await client.post("/api/v1/drafts/x/key", headers=cookie, json={"key": UPSTREAM_KEY}),
    ):
        problem_of(answer, 403, "not_allowed")
    assert await world.host.access_tokens.list() == []


async def test_a_key_goes_into_the_vault_and_only_its_end_comes_back(world: World) -> None:
    draft = await world.host.drafts.open_draft(world.builder, "a-thread")
    headers = await world.sign_in(world.builder)
    address = f"/api/v1/drafts/{draft.draft_id}/key"
    entered = await world.client.post(address, headers=headers, json={"key": UPSTREAM_KEY})
    assert entered.status_code == 200
    told = entered.json()
    assert (told["last4"], told["state"]) == (UPSTREAM_KEY[-4:], "valid")
    assert UPSTREAM_KEY not in entered.text
    other = await world.host.accounts.create("bob@example.com", "Bob", None, [Role.BUILDER])
    stranger = await world.sign_in(other.id)
    refused = await world.client.post(address, headers=stranger, json={"key": UPSTREAM_KEY})
    problem_of(refused, 404, "unknown_draft")


@pytest.mark.parametrize("body", [{"key": [UPSTREAM_KEY]}, {"clef": UPSTREAM_KEY}, UPSTREAM_KEY])
async def test_a_refusal_does_not_quote_the_key(world: World, body: object) -> None:
    headers = await world.sign_in(world.builder)
    answer = await world.client.post("/api/v1/drafts/x/key", headers=headers, json=body)
    problem_of(answer, 400, "malformed_request")
    assert UPSTREAM_KEY not in answer.text


async def test_more_than_a_form_holds_is_refused(world: World) -> None:
    headers = await world.sign_in(world.builder)
    large = {"key": "x" * 20_000}
    answer = await world.client.post("/api/v1/drafts/x/key", headers=headers, json=large)
    problem_of(answer, 413, "payload_too_large")


async def test_unknown_addresses_and_methods_are_refused_in_json(world: World) -> None:
    for path in ("/api", "/api/v1/nothing", "/api/v2/me"):
        answer = await world.client.get(path, follow_redirects=True)
        problem_of(answer, 404, "not_found")
    problem_of(await world.client.put("/api/v1/me"), 405, "method_not_registered")


async def test_the_api_describes_itself(world: World) -> None:
    described = (await world.client.get("/api/openapi.json")).json()
    assert {f"/v1/{path}" for path in READABLE} <= set(described["paths"])
    assert described["servers"] == [{"url": "/api"}]


async def test_a_whole_host_is_alive_and_ready(each_world: World) -> None:
    world = each_world
    assert (await world.client.get("/healthz")).json() == {"status": "ok"}
    ready = await world.client.get("/readyz")
    assert (ready.status_code, set(ready.json().values())) == (200, {"ok"})


async def test_a_host_under_another_master_key_is_not_ready(world: World) -> None:
    await world.token("mirror")
    stranger = Vault(world.host.database, world.host.clock, MasterKey(b"x" * 32))
    with capture_logs() as logged:
        ready = await asked_ready(world.host.settings, world.host.database, stranger)
    assert ready.status_code == 503
    assert ready.json() == {"database": "ok", "migrations": "ok", "master_key": "failed"}
    assert [(line["event"], line["check"], line["error"]) for line in logged] == [
        ("ready.failed", "master_key", "SecretUnreadable")
    ]


async def test_a_host_without_its_tables_is_not_ready(databases: Databases) -> None:
    with databases.fresh("sqlite", is_migrated=False) as address:
        database = Database.open(address)
        vault = Vault(database, SystemClock(), MasterKey(bytes(32)))
        ready = await asked_ready(Settings(database_url=address), database, vault)
        await database.close()
    assert ready.status_code == 503
    assert set(ready.json().values()) == {"failed"}


class BrokenHost:
    """A host whose catalogue has a fault."""

    def __init__(self, host: Host) -> None:
        self.settings, self.clock, self.database = host.settings, host.clock, host.database
        self.vault, self.login_sessions = host.vault, host.login_sessions
        self.access_tokens, self.drafts = host.access_tokens, host.drafts
        self.purchases, self.vouchers = host.purchases, host.vouchers
        self.corrections = host.corrections
        self.forgetting = host.forgetting

    @property
    def catalogue(self) -> Catalogue:
        raise ZeroDivisionError("whoops")


async def asked_ready(settings: Settings, database: Database, vault: Vault) -> httpx.Response:
    web = FastAPI()
    web.include_router(health_router(settings, database, vault))
    transport = httpx.ASGITransport(web)
    async with httpx.AsyncClient(transport=transport, base_url="http://host") as client:
        return await client.get("/readyz")
