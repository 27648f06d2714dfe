"""One's own account: what one has, what may act for one, and where one is signed in."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from host.errors import FareboxError, InvalidInput, NotSignedIn
from host.identity.login_sessions import Visitor
from host.pages.parts import PageHost
from host.pages.rendering import Renderer, go
from host.pages.requests import read_form
from storage.cards import PurchasedOffering, SubscriptionView
from storage.credits import MilliCredits
from storage.ledger import PlanBalance, balances
from storage.models.catalogue import PlanKind
from storage.moments import NEVER, Micros

TOKEN_DAYS: Final = (7, 30, 90, 365)
TOKEN_NAME_MAX: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanLine:
    """One plan as its subscriber sees it: credits left, or time left."""

    title: str
    is_time: bool
    available: MilliCredits
    held: MilliCredits
    ends_at: Micros
    is_running: bool

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
        try:
            offering = await self._covered(visitor, form.get("offering", ""))
            days, name = _days(form.get("days", "")), _name(form.get("name", ""))
        except FareboxError as error:
            return await self._page(visitor, error=error)
        encoded = await self._host.access_tokens.issue(
            visitor.account_id,
            offering.offering.id,
            days=days,
            name=name,
            actor=visitor.account_id,
        )
        return await self._page(visitor, issued=encoded, issued_for=offering)

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
        login_session_id: int = request.path_params["login_session_id"]
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
        issued: str = "",
        issued_for: PurchasedOffering | None = None,
    ) -> Response:
        host, account_id, now = self._host, visitor.account_id, self._host.clock.now()
        left = await host.database.read(lambda s: balances(s, account_id, now))
        lines = plan_lines(await host.catalogue.subscriptions(account_id), left, now=now)
        tokens = await host.access_tokens.list(account_id)
        return self._renderer.page(
            "account.html",
            visitor=visitor,
            plans=lines,
            tokens=[t for t in tokens if t.revoked_at is None and t.expires_at > now],
            logins=await host.login_sessions.list(account_id),
            purchased=await host.catalogue.purchased(account_id),
            token_days=TOKEN_DAYS,
            public_url=host.settings.public_url,
            issued=issued,
            issued_for=issued_for,
            error=error,
        )

    async def _covered(self, visitor: Visitor, slug: str) -> PurchasedOffering:
        for purchased in await self._host.catalogue.purchased(visitor.account_id):
            if purchased.offering.slug == slug:
                return purchased
        raise InvalidInput(
            "Choose something one of your plans covers.", facts={"field": "offering"}
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
    ends_at = Micros(max(subscription.ends_at for subscription in got))
    return PlanLine(
        title=got[0].plan_title,
        is_time=got[0].kind is PlanKind.TIME,
        available=left.available if left else MilliCredits(0),
        held=left.held if left else MilliCredits(0),
        ends_at=ends_at,
        is_running=now < ends_at,
    )


def _days(written: str) -> int:
    if written not in map(str, TOKEN_DAYS):
        raise InvalidInput("Choose how long the token may last.", facts={"field": "days"})
    return int(written)


def _name(written: str) -> str:
    name = " ".join(written.split())
    if len(name) > TOKEN_NAME_MAX or not name.isprintable():
        raise InvalidInput(
            f"Use at most {TOKEN_NAME_MAX} characters, such as: laptop.", facts={"field": "name"}
        )
    return name
