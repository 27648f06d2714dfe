"""Metered calls through the gateway, over real sockets from end to end."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.accounts import set_state
from storage.models.accounts import AccountState
from tests.proxy_world import (
    CREDIT,
    SONGS_KEY,
    World,
    add_draft,
    problem_of,
)

WAIT_S = 10


async def test_a_call_is_answered_and_charged_under_a_receipt(each_world: World) -> None:
    world = each_world
    await world.buy("pack")
    answer = await world.client.post(
        "/s/songs/query", headers=await world.bearer("songs"), json={"query": "love"}
    )
    assert answer.status_code == 200
    assert answer.headers["farebox-credits-charged"] == "1"
    assert answer.headers["farebox-credits-remaining"] == "99"
    receipt = answer.headers["farebox-receipt"]
    await settled(world)
    signed = await world.sign_in(world.subscriber)
    found = (await world.client.get(f"/api/v1/receipts/{receipt}", headers=signed)).json()
    assert (found["charged"], found["state"], found["offering"]) == (1, "captured", "songs")
    assert await world.available("songs") == 99 * CREDIT


async def test_a_price_with_decimals_is_charged_exactly(world: World) -> None:
    await world.buy("pack")
    song = {"songs": [{"title": "A song", "summary": "Somebody sings."}]}
    answer = await world.client.post(
        "/s/songs/upsert", headers=await world.bearer("songs"), json=song
    )
    assert answer.status_code == 200
    assert answer.headers["farebox-credits-charged"] == "2.5"
    assert answer.headers["farebox-credits-remaining"] == "97.5"


async def test_without_enough_credits_nothing_is_forwarded(each_world: World) -> None:
    world = each_world
    await world.buy("pack", number=1)
    headers = await world.bearer("mirror")
    assert (await world.client.get("/s/mirror/status/200", headers=headers)).status_code == 200
    refused = await world.client.get("/s/mirror/status/200", headers=headers)
    facts = problem_of(refused, 402, "credits_exhausted")
    assert (facts["balance"], facts["required"]) == (0, 1)
    assert facts["topup_url"] in refused.headers["link"]
    assert refused.headers["access-control-allow-origin"] == "*"
    assert len(world.service.heard) == 1


async def test_a_daily_limit_refuses_forwards_nothing_and_says_when_it_ends(
    each_world: World,
) -> None:
    world = each_world
    await world.buy("pack")
    await world.cap(2)
    headers = await world.bearer("mirror")
    for _ in range(2):
        assert (await world.client.get("/s/mirror/status/200", headers=headers)).is_success
    refused = await world.client.get("/s/mirror/status/200", headers=headers)
    facts = problem_of(refused, 429, "spend_cap_reached")
    assert (facts["required"], facts["daily_cap"], facts["spent_today"]) == (1, 2, 2)
    assert 0 < int(refused.headers["retry-after"]) <= 24 * 3600
    assert "farebox-receipt" not in refused.headers
    assert len(world.service.heard) == 2
    assert await world.available() == 98 * CREDIT
    await world.cap(3)
    assert (await world.client.get("/s/mirror/status/200", headers=headers)).is_success


async def test_of_twenty_calls_at_once_a_daily_limit_of_seven_lets_seven_through(
    each_world: World,
) -> None:
    world = each_world
    await world.buy("pack")
    await world.cap(7)
    headers = await world.bearer("mirror")
    calls = [world.client.get("/s/mirror/status/200", headers=headers) for _ in range(20)]
    statuses = sorted([answer.status_code for answer in await asyncio.gather(*calls)])
    assert statuses == [200] * 7 + [429] * 13
    assert len(world.service.heard) == 7


async def test_whoever_never_had_a_plan_is_told_where_to_get_one(world: World) -> None:
    refused = await world.client.get("/s/mirror/status/200", headers=await world.bearer("mirror"))
    assert "/buy/" in problem_of(refused, 403, "not_in_plan")["topup_url"]


@pytest.mark.parametrize("wrong", ["", "Bearer nonsense", "Basic YTpi", "Bearer"])
async def test_a_wrong_access_token_is_refused(world: World, wrong: str) -> None:
    await world.buy("pack")
    headers = {"Authorization": wrong} if wrong else {}
    refused = await world.client.get("/s/mirror/status/200", headers=headers)
    problem_of(refused, 401, "invalid_token")
    assert refused.headers["www-authenticate"].startswith('Bearer realm="farebox"')
    assert world.service.heard == []


async def test_a_token_for_one_offering_does_not_open_another(world: World) -> None:
    await world.buy("pack")
    headers = await world.bearer("songs")
    problem_of(
        await world.client.get("/s/mirror/status/200", headers=headers), 401, "invalid_token"
    )


@pytest.mark.parametrize("status", [301, 304, 400, 401, 402, 404, 429, 500, 503])
async def test_what_the_upstream_refuses_passes_through_and_is_free(
    world: World, status: int
) -> None:
    await world.buy("pack")
    answer = await world.client.get(
        f"/s/mirror/status/{status}", headers=await world.bearer("mirror")
    )
    assert answer.status_code == status
    assert answer.headers["farebox-credits-charged"] == "0"
    assert answer.headers["farebox-credits-remaining"] == "100"
    assert "farebox-receipt" not in answer.headers
    assert await world.available() == 100 * CREDIT


@pytest.mark.parametrize("method", ["HEAD", "GET"])
async def test_an_answer_without_a_body_is_paid_when_it_is_a_success(
    world: World, method: str
) -> None:
    await world.buy("pack")
    headers = await world.bearer("mirror")
    path = "/s/mirror/bodiless/204" if method == "GET" else "/s/mirror/mirror/x"
    answer = await world.client.request(method, path, headers=headers)
    assert answer.is_success
    assert answer.headers["farebox-credits-charged"] == "1"


@pytest.mark.charges("a proxied body that breaks before its first byte")
async def test_a_body_that_breaks_before_its_first_byte_is_free(world: World) -> None:
    await world.buy("pack")
    answer = await world.client.get("/s/mirror/cut/0", headers=await world.bearer("mirror"))
    problem_of(answer, 502, "upstream_failed")
    assert await world.available() == 100 * CREDIT


@pytest.mark.charges("a proxied body that breaks later")
async def test_a_body_that_breaks_later_is_paid_and_seen_to_be_broken(world: World) -> None:
    await world.buy("pack")
    headers = await world.bearer("mirror")
    async with world.client.stream("GET", "/s/mirror/cut/4", headers=headers) as answer:
        assert answer.headers["farebox-credits-charged"] == "1"
        body = answer.aiter_raw()
        assert await anext(body) == bytes(4)
        world.service.gate.set()
        with pytest.raises(httpx.RemoteProtocolError):
            await anext(body)
    await settled(world)
    assert await world.available() == 99 * CREDIT


async def test_an_upstream_that_does_not_speak_http_costs_nothing(world: World) -> None:
    await world.buy("pack")
    answer = await world.client.get("/s/mirror/garbage", headers=await world.bearer("mirror"))
    facts = problem_of(answer, 502, "upstream_failed")
    assert world.service.url not in json.dumps(facts)
    assert await world.available() == 100 * CREDIT


async def test_twenty_calls_at_once_on_credits_for_seven_are_seven(each_world: World) -> None:
    world = each_world
    await world.buy("pack", number=7)
    headers = await world.bearer("mirror")
    calls = [world.client.post("/s/mirror/mirror/x", headers=headers) for _ in range(20)]
    statuses = sorted([answer.status_code for answer in await asyncio.gather(*calls)])
    assert statuses == [200] * 7 + [402] * 13
    assert len(world.service.heard) == 7
    await settled(world)
    assert await world.available() == 0


async def test_under_a_time_plan_a_call_is_recorded_and_free(each_world: World) -> None:
    world = each_world
    await world.buy("week")
    answer = await world.client.get("/s/mirror/status/200", headers=await world.bearer("mirror"))
    assert answer.headers["farebox-credits-charged"] == "0"
    await settled(world)
    signed = await world.sign_in(world.subscriber)
    receipt = answer.headers["farebox-receipt"]
    found = (await world.client.get(f"/api/v1/receipts/{receipt}", headers=signed)).json()
    assert (found["charged"], found["operation"]) == (0, "call")


@pytest.mark.charges("the builder's own call")
async def test_the_builders_own_call_is_free_and_leaves_no_receipt(world: World) -> None:
    headers = await world.bearer("mirror", world.builder)
    answer = await world.client.get("/s/mirror/status/200", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["farebox-credits-charged"] == "0"
    assert "farebox-receipt" not in answer.headers


@pytest.mark.charges("open endpoint")
async def test_an_open_endpoint_is_free_for_anyone_and_gets_no_credential(world: World) -> None:
    stray = {"Authorization": "Bearer whatever", "Cookie": "farebox_login=stolen"}
    answer = await world.client.get("/s/mirror/open/x", headers=stray)
    assert answer.status_code == 200
    assert world.service.heard[0].header("authorization") is None
    assert world.service.heard[0].header("cookie") is None
    listed = await world.client.get("/s/songs/.well-known/ai-plugin.json")
    assert listed.status_code == 200


async def test_a_protected_endpoint_gets_the_builders_credential_alone(world: World) -> None:
    await world.buy("pack")
    headers = await world.bearer("mirror")
    await world.client.get("/s/mirror/mirror/x", headers=headers | {"Cookie": "a=b"})
    heard = world.service.heard[0]
    assert heard.header("authorization") == f"Bearer {SONGS_KEY}"
    assert heard.header("cookie") is None
    assert heard.header("via") == "1.1 farebox"
    assert heard.header("host") == world.service.url.removeprefix("http://")
    assert headers["Authorization"].encode() not in str(heard.headers).encode()


async def test_an_answer_is_stripped_of_cookies_and_claims(world: World) -> None:
    await world.buy("pack")
    answer = await world.client.get("/s/mirror/cookie", headers=await world.bearer("mirror"))
    assert "set-cookie" not in answer.headers
    assert answer.headers.get_list("farebox-receipt") != ["forged"]
    assert answer.headers.get_list("x-twice") == ["1", "2"]
    assert answer.headers["content-security-policy"] == "sandbox"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert len(answer.headers.get_list("date")) == 1


async def test_a_redirect_is_passed_on_as_a_proxy_url_and_not_followed(world: World) -> None:
    await world.buy("pack")
    answer = await world.client.get("/s/mirror/redirect", headers=await world.bearer("mirror"))
    public_url = world.host.settings.public_url
    assert answer.status_code == 302
    assert answer.headers["location"] == f"{public_url}/s/mirror/mirror/there?x=1"
    assert len(world.service.heard) == 1


async def test_a_preflight_is_answered_free_and_without_credentials(world: World) -> None:
    asked = {"Origin": "https://page.example", "Access-Control-Request-Method": "POST"}
    answer = await world.client.options("/s/mirror/mirror/x", headers=asked)
    assert answer.status_code == 204
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    assert world.service.heard == []


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/s/mirror/unknown", 404, "unknown_endpoint"),
        ("GET", "/s/mirror/Status/200", 404, "unknown_endpoint"),
        ("GET", "/s/nobody/x", 404, "unknown_offering"),
        ("DELETE", "/s/mirror/stream", 405, "method_not_registered"),
        ("TRACE", "/s/mirror/stream", 405, "method_not_registered"),
        ("GET", "/s/mirror/open/..%2fstatus", 400, "ambiguous_path"),
        ("GET", "/s/mirror/open//x", 400, "ambiguous_path"),
        ("GET", "/s/mirror/open/%c0%ae", 400, "ambiguous_path"),
    ],
)
async def test_what_is_not_registered_is_refused_before_anything_else(
    world: World, method: str, path: str, status: int, code: str
) -> None:
    head, body = await raw(world, f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert json.loads(body)["code"] == code
    assert b"access-control-allow-origin: *" in head
    if status == 405:
        assert b"\r\nallow: GET, HEAD" in head
    assert world.service.heard == []


async def test_dot_segments_never_reach_the_upstream(world: World) -> None:
    head, _ = await raw(world, b"GET /s/mirror/open/../status/200 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert world.service.heard == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "status/200"),
        ("GET", "open/x"),
        ("GET", "not/registered"),
        ("DELETE", "stream"),
        ("POST", "ask"),
    ],
)
async def test_a_draft_answers_like_what_does_not_exist(
    world: World, method: str, path: str
) -> None:
    await add_draft(world)
    await world.buy("pack")
    headers: list[dict[str, str]] = [
        {},
        {"Authorization": "Basic YTpi"},
        await world.bearer("secret-plans"),
        await world.bearer("mirror", world.builder),
        {"Idempotency-Key": "x" * 256},
    ]
    for sent in headers:
        answers = [
            await world.client.request(method, f"/s/{slug}/{path}", headers=sent)
            for slug in ("secret-plans", "secret-plums")
        ]
        for answer in answers:
            del answer.headers["date"]  # a second may end between them
        told = [(answer.status_code, answer.headers, answer.content) for answer in answers]
        assert str(told[0]) == str(told[1])
        problem_of(answers[0], 404, "unknown_offering")
    assert world.service.heard == []


async def test_a_drafts_owner_can_try_it(world: World) -> None:
    await add_draft(world)
    headers = await world.bearer("secret-plans", world.builder)
    for path in ("status/200", "open/x"):
        answer = await world.client.get(f"/s/secret-plans/{path}", headers=headers)
        assert answer.status_code == 200


async def test_one_offering_cannot_take_all_connections(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("host.proxy.calls.IN_FLIGHT_MAX", 1)
    await world.buy("pack")
    headers = await world.bearer("mirror")
    first = asyncio.create_task(world.client.post("/s/mirror/hang", headers=headers))
    async with asyncio.timeout(WAIT_S):
        await world.service.arrived.wait()
        for path in ("status/200", "open/x"):
            refused = await world.client.get(f"/s/mirror/{path}", headers=headers)
            problem_of(refused, 429, "rate_limited")
            assert int(refused.headers["retry-after"]) > 0
        other = await world.client.get("/s/songs/.well-known/ai-plugin.json")
        assert other.status_code == 200
        world.service.gate.set()
        await first
    answer = await world.client.get("/s/mirror/status/200", headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize("hosts", [b"", b"Host: a\r\nHost: b\r\n"])
async def test_there_is_exactly_one_host(world: World, hosts: bytes) -> None:
    head, body = await raw(world, b"GET /s/mirror/open/x HTTP/1.1\r\n" + hosts + b"\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["code"] == "malformed_request"


async def test_a_websocket_is_not_supported(world: World) -> None:
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    head, _ = await raw(world, b"GET /s/mirror/open/x HTTP/1.1\r\nHost: x\r\n" + upgrade)
    assert head.startswith(b"HTTP/1.1 501 ")


async def test_a_body_announced_too_large_is_refused_unread(world: World) -> None:
    await world.buy("pack")
    token = (await world.bearer("mirror"))["Authorization"]
    head, _ = await raw(
        world,
        f"POST /s/mirror/mirror/x HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n"
        "Content-Length: 20000001\r\n\r\n".encode(),
    )
    assert head.startswith(b"HTTP/1.1 413 ")
    assert world.service.heard == []


async def test_a_body_that_grows_too_large_is_cut_off_and_free(world: World) -> None:
    await world.buy("pack")

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(21):
            yield bytes(1_000_000)

    answer = await world.client.post(
        "/s/mirror/mirror/x", headers=await world.bearer("mirror"), content=endless()
    )
    problem_of(answer, 413, "payload_too_large")
    assert await world.available() == 100 * CREDIT


async def test_an_event_stream_arrives_as_it_is_written(world: World) -> None:
    await world.buy("pack")
    headers = await world.bearer("mirror")
    async with (
        asyncio.timeout(WAIT_S),
        world.client.stream("GET", "/s/mirror/stream", headers=headers) as answer,
    ):
        assert answer.headers["x-accel-buffering"] == "no"
        assert "farebox-receipt" in answer.headers
        assert "farebox-credits-charged" not in answer.headers  # nothing was, as yet
        events = answer.aiter_raw()
        assert await anext(events) == b"data: one\n\n"
        world.service.gate.set()
        assert b"".join([event async for event in events]) == b"data: two\n\n"
    await settled(world)
    assert await world.available() == 99 * CREDIT


async def test_a_caller_who_leaves_before_the_status_line_pays_nothing(
    each_world: World,
) -> None:
    world = each_world
    await world.buy("pack")
    headers = await world.bearer("mirror")
    call = asyncio.create_task(world.client.post("/s/mirror/hang", headers=headers))
    async with asyncio.timeout(WAIT_S):
        await world.service.arrived.wait()
        assert await world.available() == 99 * CREDIT
        call.cancel()
        await world.service.gone.wait()
    await settled(world)
    assert await world.available() == 100 * CREDIT


async def test_a_caller_who_leaves_a_stream_pays_for_it(world: World) -> None:
    await world.buy("pack")
    headers = await world.bearer("mirror")
    async with (
        asyncio.timeout(WAIT_S),
        world.client.stream("GET", "/s/mirror/stream", headers=headers) as answer,
    ):
        assert await anext(answer.aiter_raw()) == b"data: one\n\n"
    await settled(world)
    assert await world.available() == 99 * CREDIT


async def test_the_same_idempotency_key_is_charged_once_and_forwarded_once(
    each_world: World,
) -> None:
    world = each_world
    await world.buy("pack")
    headers = await world.bearer("mirror") | {"Idempotency-Key": "one"}
    first = await world.client.post("/s/mirror/mirror/x", headers=headers, content=b"body")
    again = await world.client.post("/s/mirror/mirror/x", headers=headers, content=b"body")
    other = await world.client.post("/s/mirror/mirror/x", headers=headers, content=b"other")
    assert first.content == b"body"
    problem_of(again, 409, "idempotency_conflict")
    assert again.headers["farebox-receipt"] == first.headers["farebox-receipt"]
    problem_of(other, 409, "idempotency_conflict")
    assert "farebox-receipt" not in other.headers
    assert len(world.service.heard) == 1
    assert world.service.heard[0].header("idempotency-key") is None
    assert await world.available() == 99 * CREDIT


async def test_the_same_idempotency_key_while_in_progress_is_told_to_wait(world: World) -> None:
    await world.buy("pack")
    headers = await world.bearer("mirror") | {"Idempotency-Key": "one"}
    first = asyncio.create_task(world.client.post("/s/mirror/hang", headers=headers))
    async with asyncio.timeout(WAIT_S):
        await world.service.arrived.wait()
        again = await world.client.post("/s/mirror/hang", headers=headers)
        problem_of(again, 409, "call_in_progress")
        assert int(again.headers["retry-after"]) > 0
        world.service.gate.set()
        problem_of(await first, 502, "upstream_failed")
    released = await world.client.post("/s/mirror/hang", headers=headers)
    assert "not charged" in problem_of(released, 409, "idempotency_conflict")["detail"]
    assert await world.available() == 100 * CREDIT


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\u00e9"])
async def test_an_idempotency_key_that_cannot_be_kept_is_refused(world: World, key: str) -> None:
    await world.buy("pack")
    headers = await world.bearer("mirror") | {"Idempotency-Key": key}
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    answer = await world.client.post("/s/mirror/mirror/x", headers=encoded)
    problem_of(answer, 400, "malformed_request")


async def test_a_paused_offering_and_a_suspended_account_are_refused(world: World) -> None:
    await world.buy("pack")
    headers = await world.bearer("mirror")
    await world.host.catalogue.pause(world.builder, "mirror")
    for path in ("/s/mirror/status/200", "/s/mirror/open/x"):
        problem_of(await world.client.get(path, headers=headers), 403, "offering_paused")
    await world.host.catalogue.resume(world.builder, "mirror")
    await world.host.database.run(
        lambda unit: set_state(unit.session, world.subscriber, AccountState.SUSPENDED)
    )
    refused = await world.client.get("/s/mirror/status/200", headers=headers)
    problem_of(refused, 403, "account_suspended")
    assert world.service.heard == []


QUERY = st.text(st.sampled_from("abz019=&+;,/?:@!$'()*-._~[]|^`{}%"), max_size=30).map(
    lambda text: text.replace("%", "%2f")
)
SEGMENT = st.text(st.sampled_from("abz019-_~!$&'()*+,=:@"), min_size=1, max_size=12).map(
    lambda text: text + "%e2%82%ac"
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(segment=SEGMENT, query=QUERY, body=st.binary(max_size=70_000), chunked=st.booleans())
async def test_path_query_and_bodies_pass_byte_for_byte(
    world: World, segment: str, query: str, body: bytes, chunked: bool
) -> None:
    headers = await world.bearer("mirror", world.builder)
    target = f"/mirror/{segment}?{query}" if query else f"/mirror/{segment}"
    framing = (
        b"Transfer-Encoding: chunked\r\n\r\n" + in_chunks(body)
        if chunked
        else f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    )
    head, answer = await raw(
        world,
        f"PUT /s/mirror{target} HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: {headers['Authorization']}\r\n".encode()
        + framing,
    )
    assert head.startswith(b"HTTP/1.1 200 "), answer
    heard = world.service.heard[-1]
    assert heard.target.decode() == target
    assert heard.body == body
    assert answer == body
    assert b"content-encoding: x-mirror" in head.lower()


async def raw(world: World, request: bytes) -> tuple[bytes, bytes]:
    """Send these very bytes; the head and the body of the answer."""
    url = world.client.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    try:
        writer.write(request)
        async with asyncio.timeout(WAIT_S):
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            return head, await reader.readexactly(int(length or 0))
    finally:
        writer.close()


def in_chunks(body: bytes) -> bytes:
    pieces = [body[start : start + 9_999] for start in range(0, len(body), 9_999)]
    return b"".join(f"{len(p):x}\r\n".encode() + p + b"\r\n" for p in pieces) + b"0\r\n\r\n"


async def settled(world: World) -> None:
    """Wait until no hold is open."""
    signed = await world.sign_in(world.subscriber)
    async with asyncio.timeout(WAIT_S):
        while (await world.client.get("/api/v1/balance", headers=signed)).json()["held"]:
            pass
