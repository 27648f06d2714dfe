"""What every answer carries and what no other site's page can do, at every address there is.

The addresses are the application's own list (`tests.addresses`), so a new one cannot be forgotten.
Metered calls under `/s/` are not among them: programs call those from anywhere, with a token.
"""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI, Response

from host.config import Settings
from host.pages.outer import Outer
from host.pages.router import pages_router
from storage.database import Database
from storage.models.accounts import Role
from tests.acceptance.servers import ServerProcess
from tests.addresses import Address, every_address
from tests.chatting import newcomer
from tests.databases import SQLITE_ALONE
from tests.fakes.clock import ManualClock
from tests.integration.test_pages import GOOD, PagesHost

HARMLESS = {"GET", "HEAD", "OPTIONS"}
HTTPS = "https://farebox.example"
EVERYWHERE = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
PAGES = ("/login", "/signup", "/setup", "/reset", "/logout", "/account", "/receipts", "/buy")
"""Pages need no script of ours, nor anything but our own styles and pictures."""


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> list[Address]:
    """Every method and address, with an "x" for each id and name."""
    found = every_address(tmp_path_factory.mktemp("addresses"))
    return [(method, _filled_in(path)) for method, path in found]


def _filled_in(path: str) -> str:
    return "/".join("x" if part.startswith("{") else part for part in path.split("/"))


def test_the_list_has_pages_api_chat_and_what_chainlit_brings(addresses: list[Address]) -> None:
    assert {
        ("POST", "/login"),
        ("POST", "/account/logins/x/end"),
        ("POST", "/api/v1/tokens"),
        ("DELETE", "/api/v1/tokens/x"),
        ("PUT", "/feedback"),
        ("DELETE", "/project/thread"),
        ("POST", "/mcp"),
        ("GET", "/x"),
    } <= set(addresses)


async def test_every_answer_says_what_it_may_load_who_may_frame_it_and_what_it_is(
    server: ServerProcess, folder: Path, addresses: list[Address]
) -> None:
    async with newcomer(server, folder) as eve:
        for method, path in addresses:
            answer = await eve.http.request(method, path, headers={"Accept": "text/html"})
            where = f"{method} {path}: {answer.status_code}"
            assert answer.status_code < 500, where
            assert EVERYWHERE.items() <= dict(answer.headers).items(), where
            policy = answer.headers["content-security-policy"]
            assert "frame-ancestors 'none'" in policy, where
            assert "form-action 'self'" in policy, where
            assert answer.headers["referrer-policy"] in {"same-origin", "strict-origin"}, where
            assert "strict-transport-security" not in answer.headers, where
            if path.startswith(PAGES):
                assert policy.startswith("default-src 'none'"), where
                assert re.findall("script-src [^;]*", policy) in ([], ["script-src 'self'"]), where


@pytest.mark.parametrize(
    "origin",
    [
        pytest.param("https://evil.example", id="another site"),
        pytest.param("http://localhost:1", id="another port"),
        pytest.param("http://evil.localhost", id="a neighbour"),
        pytest.param("null", id="a sandboxed page"),
    ],
)
async def test_nothing_is_changed_for_another_sites_page(
    server: ServerProcess, folder: Path, addresses: list[Address], origin: str
) -> None:
    changing = [(method, path) for method, path in addresses if method not in HARMLESS]
    assert len(changing) > 20
    async with newcomer(server, folder) as eve:
        for method, path in changing:
            headers = {"Origin": origin, "X-Requested-With": "farebox"}
            answer = await eve.http.request(method, path, headers=headers, json={})
            assert answer.status_code == 403, f"{method} {path}: {answer.status_code}"
        assert (await eve.http.get("/account")).status_code == 200
        own = {"Origin": server.address}
        assert (await eve.http.post("/logout", headers=own)).status_code == 303
        assert (await eve.http.get("/account")).status_code == 303


async def test_a_form_of_another_site_is_refused_by_every_page_without_an_origin_too(
    server: ServerProcess, folder: Path, addresses: list[Address]
) -> None:
    forms = [path for method, path in addresses if method == "POST" and path.startswith(PAGES)]
    assert len(forms) > 7
    async with newcomer(server, folder) as eve:
        for path in forms:
            answer = await eve.http.post(path, headers={"Sec-Fetch-Site": "cross-site"}, data={})
            assert answer.status_code == 403, path
        assert (await eve.http.get("/account")).status_code == 200


async def test_the_api_changes_nothing_without_its_own_header(
    server: ServerProcess, folder: Path, addresses: list[Address]
) -> None:
    changing = [
        (method, path)
        for method, path in addresses
        if path.startswith("/api/") and method not in HARMLESS
    ]
    assert len(changing) > 2
    async with newcomer(server, folder) as eve:
        for method, path in changing:
            answer = await eve.http.request(method, path, json={})
            assert answer.json()["code"] == "not_allowed", f"{method} {path}"


async def test_who_is_not_signed_in_gets_nothing_that_is_somebodys(
    server: ServerProcess, addresses: list[Address]
) -> None:
    async with httpx.AsyncClient(base_url=server.address) as stranger:
        for method, path in addresses:
            if path.startswith(OPEN_TO_ALL):
                continue
            answer = await stranger.request(method, path, json={} if method != "GET" else None)
            assert answer.status_code in {303, 400, 401, 403, 404, 405, 422}, f"{method} {path}"
            assert "set-cookie" not in answer.headers


OPEN_TO_ALL = (
    "/login", "/signup", "/setup", "/reset", "/static/", "/healthz", "/readyz", "/assets/",
    "/public/", "/avatars/", "/favicon", "/logo", "/auth/config", "/project/translations",
    "/api/openapi.json", "/terms",
)  # fmt: skip
"""Ways in, what they are drawn with, and whether the server is well."""


@pytest_asyncio.fixture
async def over_tls(database: Database, clock: ManualClock) -> AsyncIterator[httpx.AsyncClient]:
    """The pages behind the outer wrapper, where browsers come over TLS; Sam has an account."""
    host = PagesHost(database, clock, Settings(public_url=HTTPS))
    await host.accounts.create("sam@example.com", "Sam", GOOD, (Role.SUBSCRIBER,))
    web = FastAPI()
    web.include_router(pages_router(host))

    @web.get("/chainlits-own")
    def chainlits_own() -> Response:
        return Response(headers={"Set-Cookie": "theirs=1; Path=/; HttpOnly; SameSite=lax"})

    transport = httpx.ASGITransport(app=Outer(web, host.settings))
    headers = {"Sec-Fetch-Site": "same-origin", "Origin": HTTPS}
    async with httpx.AsyncClient(transport=transport, base_url=HTTPS, headers=headers) as browser:
        yield browser


@SQLITE_ALONE
async def test_over_tls_the_cookie_is_bound_to_the_host_and_browsers_are_told_to_stay(
    over_tls: httpx.AsyncClient,
) -> None:
    form = {"email": "sam@example.com", "password": GOOD}
    for answer in (
        await over_tls.get("/login"),
        await over_tls.get("/nothing"),
        await over_tls.post("/login", data=form),
    ):
        assert answer.headers["strict-transport-security"].startswith("max-age=31536000")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-farebox=")
    parts = {part.strip() for part in cookie.split(";")[1:]}
    assert {"Path=/", "HttpOnly", "SameSite=Lax", "Secure"} <= parts
    assert not any(part.startswith("Domain") for part in parts)


@SQLITE_ALONE
async def test_over_tls_every_cookie_is_secure_whoever_sets_it(
    over_tls: httpx.AsyncClient,
) -> None:
    answer = await over_tls.get("/chainlits-own")
    assert answer.headers["set-cookie"] == "theirs=1; Path=/; HttpOnly; SameSite=lax; Secure"


async def test_guessing_a_password_is_slowed_down_for_the_guesser(
    server: ServerProcess, folder: Path
) -> None:
    async with newcomer(server, folder) as eve, httpx.AsyncClient(base_url=server.address) as http:
        guess = {"email": eve.email, "password": "wrong-password-99"}
        answers = [await http.post("/login", data=guess) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert int(answers[-1].headers["retry-after"]) > 60
    assert "Too many attempts to sign in." in answers[-1].text
