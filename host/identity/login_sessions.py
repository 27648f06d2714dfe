"""Who a browser belongs to: login sessions on the server, ended by whoever owns them.

The browser keeps 256 random bits in a cookie; we keep their SHA-256. A login session ends when
somebody ends it, 14 days after it was last seen, or 60 days after it began. Roles and the state
of the account are read afresh each time, so a suspended account is out at once.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from host.clock import Clock
from host.config import Settings
from host.identity.opaque import digest, new_secret
from storage import audit
from storage import login_sessions as kept
from storage.database import Database, Unit
from storage.errors import StorageError
from storage.login_sessions import LiveLogin, LoginLine
from storage.models.accounts import LoginSession, Role
from storage.moments import DAY, MINUTE, SECOND, Micros

IDLE_MAX: Final = 14 * DAY
AGE_MAX: Final = 60 * DAY
SEEN_EVERY: Final = MINUTE
"""`seen_at` need not be exact, and a write for each request would be."""
BROWSER_MAX: Final = 200

HTTPS_COOKIE: Final = "__Host-farebox"
"""The prefix makes browsers insist on Secure, this host alone and the path `/`."""
HTTP_COOKIE: Final = "farebox_login"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody who is signed in."""

    account_id: int
    email: str
    name: str
    roles: frozenset[Role]
    login_session_id: int


class LoginSessions:
    """Starts, finds and ends login sessions."""

    def __init__(self, database: Database, clock: Clock, settings: Settings) -> None:
        self._database = database
        self._clock = clock
        self._is_https = settings.is_https
        self.cookie_name: Final = HTTPS_COOKIE if settings.is_https else HTTP_COOKIE

    def start(self, unit: Unit, account_id: int, browser: str) -> str:
        """Sign a browser in, inside a unit of work. Returns the cookie's value."""
        secret, now = new_secret(), self._clock.now()
        login_session_id = kept.add_login_session(
            unit.session,
            LoginSession(
                account_id=account_id,
                secret_hash=digest(secret),
                browser=browser[:BROWSER_MAX],
                created_at=now,
                seen_at=now,
                expires_at=now + AGE_MAX,
            ),
        )
        self._note(unit, "started", account_id, login_session_id)
        return secret

    async def find(self, cookie_value: str | None) -> Visitor | None:
        """The visitor whose cookie this is, if the login session is live."""
        if not cookie_value:
            return None
        now, secret_hash = self._clock.now(), digest(cookie_value)
        live = await self._database.read(
            lambda s: kept.find_live_login(
                s, secret_hash, now=now, idle_since=Micros(now - IDLE_MAX)
            )
        )
        if live is None:
            return None
        if now - live.seen_at >= SEEN_EVERY:
            await self._touch(live, now)
        return Visitor(
            account_id=live.account_id,
            email=live.email,
            name=live.name,
            roles=live.roles,
            login_session_id=live.id,
        )

    async def list(self, account_id: int) -> list[LoginLine]:
        """The account's live login sessions, the one seen last first."""
        now = self._clock.now()
        return await self._database.read(
            lambda s: kept.list_live_logins(
                s, account_id, now=now, idle_since=Micros(now - IDLE_MAX)
            )
        )

    async def end(self, login_session_id: int, account_id: int) -> bool:
        """End one login session of this account; False when there is none such."""
        now = self._clock.now()

        def work(unit: Unit) -> bool:
            ended = kept.end_login_session(
                unit.session, login_session_id, account_id=account_id, now=now
            )
            if ended:
                self._note(unit, "ended", account_id, login_session_id)
            return ended

        return await self._database.run(work)

    def read_cookie(self, headers: Iterable[tuple[bytes, bytes]]) -> str | None:
        """Our cookie's value among raw request headers, as ASGI gives them."""
        wanted = self.cookie_name.encode()
        for name, value in headers:
            if name.lower() != b"cookie":
                continue
            for pair in value.split(b";"):
                key, _, content = pair.strip().partition(b"=")
                if key == wanted:
                    return content.decode("latin-1")
        return None

    def set_cookie(self, cookie_value: str) -> str:
        """The `Set-Cookie` header that signs the browser in."""
        return self._cookie(cookie_value, AGE_MAX // SECOND)

    def clear_cookie(self) -> str:
        """The `Set-Cookie` header that makes the browser forget."""
        return self._cookie("", 0)

    def _cookie(self, value: str, max_age_s: int) -> str:
        secure = "; Secure" if self._is_https else ""
        attributes = f"Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Lax"
        return f"{self.cookie_name}={value}; {attributes}{secure}"

    def _note(self, unit: Unit, verb: str, account_id: int, login_session_id: int) -> None:
        audit.note(
            unit.session,
            f"login_session.{verb}",
            f"login_session:{login_session_id}",
            at=self._clock.now(),
            actor_id=account_id,
        )

    async def _touch(self, live: LiveLogin, now: Micros) -> None:
        try:
            await self._database.run(
                lambda unit: kept.touch_login_session(unit.session, live.id, now)
            )
        except StorageError:
            return  # being seen is not worth refusing a visitor for
