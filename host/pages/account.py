"""One's own account: what one has, what may act for one, and where one is signed in."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from host.catalogue.issuing import NAME_MAX, IssuedToken, WantedToken, issue_access_token
from host.errors import FareboxError, InvalidInput, NotSignedIn, UnknownAddress
from host.identity.login_sessions import Visitor
from host.pages.parts import PageHost
from host.pages.rendering import Renderer, go
from host.pages.requests import read_form
from storage.cards import SubscriptionView
from storage.charges import recent_charges
from storage.credits import MilliCredits
from storage.ledger import PlanBalance, balances, daily_cap
from storage.models.catalogue import PlanKind
from storage.moments import NEVER, Micros

_ROW_DIGITS_MAX: Final = 18
TOKEN_DAYS: Final = (7, 30, 90, 365)
CHARGES_SHOWN: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanLine:
    """One plan as its subscriber sees it: credits left, or time left."""

    title: str
    is_time: bool
    available: MilliCredits
    held: MilliCredits
    ends_at: Micros
    is_running: bool
    is_taken_back: bool

    @property
    def has_end(self) -> bool:
        """Whether it ends by time at all."""
        return self.ends_at < NEVER


class AccountPages:
    """The account page and its buttons."""

    def __init__(self, host: PageHost, renderer: Renderer) -> None:
        self._host = host
        self._renderer = renderer

    async def show(self, request: Request) -> Response:
        """Everything about one's own account."""
        return await self._page(await self._visitor(request))

    async def issue_token(self, request: Request) -> Response:
        """Make an access token and show it, once."""
        visitor, form = await self._visitor(request), await read_form(request)
        host, account_id = self._host, visitor.account_id
        try:
            wanted = WantedToken(
                account_id=account_id,
                slug=form.get("offering", ""),
                days=_days(form.get("days", "")),
                name=form.get("name", ""),
            )
            issued = await issue_access_token(
                host.catalogue, host.access_tokens, wanted, actor=account_id
            )
        except FareboxError as error:
            return await self._page(visitor, error=error)
        return await self._page(visitor, issued=issued)

    async def revoke_token(self, request: Request) -> Response:
        """Revoke one of one's own access tokens."""
        visitor = await self._visitor(request)
        await self._host.access_tokens.revoke(
            request.path_params["jti"], account_id=visitor.account_id, actor=visitor.account_id
        )
        return go("/account#tokens")

    async def end_login(self, request: Request) -> Response:
        """Sign one of one's own browsers out."""
        visitor = await self._visitor(request)
        login_session_id = _row_id(request.path_params["login_session_id"])
        await self._host.login_sessions.end(login_session_id, visitor.account_id)
        return go("/account#browsers")

    async def _visitor(self, request: Request) -> Visitor:
        cookie = self._host.login_sessions.read_cookie(request.headers.raw)
        visitor = await self._host.login_sessions.find(cookie)
        if visitor is None:
            raise NotSignedIn("Sign in to see your account.")
        return visitor

    async def _page(
        self,
        visitor: Visitor,
        *,
        error: FareboxError | None = None,
        issued: IssuedToken | None = None,
    ) -> Response:
        host, account_id, now = self._host, visitor.account_id, self._host.clock.now()
        left, cap = await host.database.read(
            lambda s: (balances(s, account_id, now), daily_cap(s, account_id, now))
        )
        lines = plan_lines(await host.catalogue.subscriptions(account_id), left, now=now)
        charges = await host.database.read(
            lambda s: recent_charges(s, account_id, most=CHARGES_SHOWN)
        )
        tokens = await host.access_tokens.list(account_id)
        return self._renderer.page(
            "account.html",
            visitor=visitor,
            plans=lines,
            cap=cap,
            charges=charges,
            tokens=[t for t in tokens if t.revoked_at is None and t.expires_at > now],
            logins=await host.login_sessions.list(account_id),
            purchased=await host.catalogue.purchased(account_id),
            token_days=TOKEN_DAYS,
            token_name_max=NAME_MAX,
            public_url=host.settings.public_url,
            issued=issued,
            error=error,
        )


def plan_lines(
    subscriptions: Iterable[SubscriptionView], left: Iterable[PlanBalance], *, now: Micros
) -> list[PlanLine]:
    """One line for each plan, however often it was got: those that run first, then the newest."""
    by_plan: dict[int, list[SubscriptionView]] = {}
    for subscription in subscriptions:
        by_plan.setdefault(subscription.plan_id, []).append(subscription)
    balance_of = {balance.plan_id: balance for balance in left}
    lines = [_plan_line(got, balance_of.get(id_), now) for id_, got in by_plan.items()]
    return sorted(lines, key=lambda line: not line.is_running)


def _plan_line(got: list[SubscriptionView], left: PlanBalance | None, now: Micros) -> PlanLine:
    kept = [subscription for subscription in got if not subscription.is_cancelled]
    ends_at = Micros(max(subscription.ends_at for subscription in kept or got))
    return PlanLine(
        title=got[0].plan_title,
        is_time=got[0].kind is PlanKind.TIME,
        available=left.available if left else MilliCredits(0),
        held=left.held if left else MilliCredits(0),
        ends_at=ends_at,
        is_running=bool(kept) and now < ends_at,
        is_taken_back=not kept,
    )


def _row_id(written: str) -> int:
    """A row's number as an address names it; no row has more digits than fit 64 bits."""
    if not (written.isascii() and written.isdigit() and len(written) <= _ROW_DIGITS_MAX):
        raise UnknownAddress("You have no login session of this number.")
    return int(written)


def _days(written: str) -> int:
    if written not in map(str, TOKEN_DAYS):
        raise InvalidInput("Choose how long the access token may last.", facts={"field": "days"})
    return int(written)
