"""A browser is signed in until somebody ends it, or it has not been seen for too long."""

import pytest
import pytest_asyncio
from sqlmodel import select

from host.config import Settings
from host.identity.login_sessions import LoginSessions
from storage.database import Database
from storage.models.accounts import LoginSession
from storage.moments import DAY, MINUTE, SECOND
from tests.builders import add_account
from tests.fakes.clock import START, ManualClock


@pytest.fixture
def login_sessions(database: Database, clock: ManualClock) -> LoginSessions:
    return LoginSessions(database, clock, Settings())


@pytest_asyncio.fixture
async def account_id(database: Database) -> int:
    return await database.run(lambda unit: add_account(unit.session, name="Sam"))


async def start(
    database: Database, login_sessions: LoginSessions, account_id: int, browser: str = "Firefox"
) -> str:
    return await database.run(lambda u: login_sessions.start(u, account_id, browser))


async def test_the_cookie_finds_its_owner_and_nothing_else_does(
    database: Database, login_sessions: LoginSessions, account_id: int
) -> None:
    cookie = await start(database, login_sessions, account_id)
    visitor = await login_sessions.find(cookie)
    assert visitor is not None
    assert visitor.account_id == account_id
    for wrong in ("", None, cookie[:-1], cookie + "A", "\udcff", "x" * 10_000):
        assert await login_sessions.find(wrong) is None


async def test_two_weeks_unseen_ends_it(
    database: Database, login_sessions: LoginSessions, account_id: int, clock: ManualClock
) -> None:
    cookie = await start(database, login_sessions, account_id)
    clock.advance(14 * DAY - SECOND)
    assert await login_sessions.find(cookie) is not None
    clock.advance(14 * DAY - SECOND)  # seen in between, so still in
    assert await login_sessions.find(cookie) is not None
    clock.advance(14 * DAY)
    assert await login_sessions.find(cookie) is None
    assert await login_sessions.list(account_id) == []


async def test_sixty_days_end_it_however_busy_it_was(
    database: Database, login_sessions: LoginSessions, account_id: int, clock: ManualClock
) -> None:
    cookie = await start(database, login_sessions, account_id)
    for _ in range(5):
        clock.advance(12 * DAY - SECOND)
        assert await login_sessions.find(cookie) is not None
    clock.advance(5 * SECOND)
    assert await login_sessions.find(cookie) is None


async def test_being_seen_is_written_down_at_most_each_minute(
    database: Database, login_sessions: LoginSessions, account_id: int, clock: ManualClock
) -> None:
    cookie = await start(database, login_sessions, account_id)

    async def seen_at() -> int:
        return await database.read(lambda s: s.exec(select(LoginSession.seen_at)).one())

    clock.advance(MINUTE - SECOND)
    await login_sessions.find(cookie)
    assert await seen_at() == START
    clock.advance(SECOND)
    await login_sessions.find(cookie)
    assert await seen_at() == START + MINUTE


async def test_one_can_be_ended_while_the_others_go_on(
    database: Database, login_sessions: LoginSessions, account_id: int, clock: ManualClock
) -> None:
    phone = await start(database, login_sessions, account_id, "Phone")
    clock.advance(SECOND)
    laptop = await start(database, login_sessions, account_id, "Laptop")
    lines = await login_sessions.list(account_id)
    assert [line.browser for line in lines] == ["Laptop", "Phone"]
    assert await login_sessions.end(lines[1].id, account_id)
    assert await login_sessions.find(phone) is None
    assert await login_sessions.find(laptop) is not None
    assert not await login_sessions.end(lines[1].id, account_id)


async def test_nobody_can_end_somebody_elses(
    database: Database, login_sessions: LoginSessions, account_id: int
) -> None:
    cookie = await start(database, login_sessions, account_id)
    (line,) = await login_sessions.list(account_id)
    stranger = await database.run(lambda unit: add_account(unit.session))
    assert not await login_sessions.end(line.id, stranger)
    assert await login_sessions.find(cookie) is not None


def test_the_cookie_is_bound_to_the_host_and_hidden_from_scripts(
    login_sessions: LoginSessions, database: Database, clock: ManualClock
) -> None:
    plain = login_sessions.set_cookie("abc")
    assert plain.startswith("farebox_login=abc; Path=/; Max-Age=5184000; HttpOnly; SameSite=Lax")
    assert "Secure" not in plain
    https = LoginSessions(database, clock, Settings(public_url="https://farebox.example"))
    assert https.set_cookie("abc").startswith("__Host-farebox=abc; Path=/;")
    assert https.set_cookie("abc").endswith("; Secure")
    assert "Domain" not in https.set_cookie("abc")
    assert "Max-Age=0" in https.clear_cookie()


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        pytest.param([], None, id="no headers"),
        pytest.param([(b"cookie", b"farebox_login=abc")], "abc", id="alone"),
        pytest.param([(b"Cookie", b"a=1; farebox_login=abc; b=2")], "abc", id="among others"),
        pytest.param([(b"cookie", b"a=1"), (b"cookie", b"farebox_login=abc")], "abc", id="second"),
        pytest.param([(b"cookie", b"xfarebox_login=abc")], None, id="another name"),
        pytest.param([(b"x-cookie", b"farebox_login=abc")], None, id="another header"),
    ],
)
def test_the_cookie_is_found_among_raw_headers(
    login_sessions: LoginSessions, headers: list[tuple[bytes, bytes]], found: str | None
) -> None:
    assert login_sessions.read_cookie(headers) == found
