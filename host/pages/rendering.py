"""How a page is made: templates that escape, headers that keep it to itself, errors as pages."""

import functools
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import quote, urlencode

import structlog
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from host.errors import FareboxError, NotSignedIn, broken, from_storage
from host.identity.login_sessions import Visitor
from host.language import N_, Language, _, _n, spoken
from host.pages.browsers import browser_name
from host.pages.requests import check_same_origin, local_path
from host.pages.speaking import CHOICE
from host.writing import (
    NBSP,
    amount,
    counted,
    credits_written,
    day,
    long_day,
    seconds,
    short_day,
    time_of_day,
)
from storage.errors import StorageError
from storage.models.accounts import Role
from storage.moments import DAY, NEVER, Micros, to_datetime

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]

HERE: Final = Path(__file__).parent
STATIC: Final = HERE / "static"
SEE_OTHER: Final = 303
POLICY: Final = "Content-Security-Policy"
HEADERS: Final = {
    "Cache-Control": "no-store",
    # Only the origin: the address of a one-time link is a secret. Not `no-referrer`, with which
    # browsers post forms from the origin "null".
    "Referrer-Policy": "strict-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    POLICY: "default-src 'none'; style-src 'self'; img-src 'self' data:;"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
}

ROLES: Final = {
    Role.OPERATOR: N_("Operator"),
    Role.BUILDER: N_("Builder"),
    Role.SUBSCRIBER: N_("Subscriber"),
}

_asked: ContextVar[tuple[str, str]] = ContextVar("asked", default=("", ""))
"""At which path and query the page that is made can be asked for; without a path, at its own."""

log = structlog.get_logger(__name__)


class Renderer:
    """Turns templates and facts into pages."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(
            credits=amount,
            written=credits_written,
            counted=counted,
            figure=figure,
            seconds=seconds,
            moment=moment,
            date=date,
            short_day=day_of_month,
            browser=browser_name,
            role=role_name,
        )
        self._templates.globals.update(
            styles_version=_version("pages.css"),
            script_version=_version("pages.js"),
            never=NEVER,
            operator=Role.OPERATOR,
            _=_said,
            _n=_said_of,
            link=_link,
            strong=functools.partial(_element, "strong"),
            code=functools.partial(_element, "code"),
            time=_time,
            date=date,
            day=long_day,
            spoken=spoken,
            other_languages=_other_languages,
        )

    def page(
        self,
        template: str,
        *,
        visitor: Visitor | None = None,
        error: FareboxError | None = None,
        **facts: object,
    ) -> Response:
        """One page; with an error also its status, and its words where the template puts them.

        Pages of somebody who is signed in may load scripts of this host, and do without them;
        those on which a password is typed to sign in load none.
        """
        html = self._templates.get_template(template).render(
            visitor=visitor,
            error=error,
            error_field=error.facts.get("field", "") if error else "",
            **facts,
        )
        headers = HEADERS | (error.headers if error else {})
        if visitor is not None:
            headers[POLICY] = f"{HEADERS[POLICY]}; script-src 'self'"
        return HTMLResponse(html, status_code=error.status if error else 200, headers=headers)

    def stream(self, pieces: AsyncIterator[bytes], *, kind: str, name: str) -> Response:
        """A file to keep, made while it is sent."""
        named = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(pieces, media_type=kind, headers=HEADERS | named)

    def guarded(self, endpoint: Endpoint, public_url: str, *, shown_at: str = "") -> Endpoint:
        """`endpoint`, posted to only from our own pages, its refusals rendered as pages.

        `shown_at`: where what it shows can be asked for, if not under its own path.
        """

        @functools.wraps(endpoint)
        async def answer(request: Request) -> Response:
            parts = {name: quote(str(part)) for name, part in request.path_params.items()}
            _asked.set((shown_at.format(**parts), request.url.query))
            try:
                if request.method == "POST":
                    check_same_origin(request, public_url)
                return await endpoint(request)
            except NotSignedIn:
                return to_login(request)
            except FareboxError as error:
                return self.page("refused.html", error=error)
            except StorageError as error:
                return self.page("refused.html", error=from_storage(error))
            except Exception:
                log.exception("page.broke")
                return self.page("refused.html", error=broken())

        return answer


@dataclass(frozen=True, slots=True)
class OtherLanguage:
    """A language that the same page can be had in."""

    code: str
    name: str
    href: str
    """Relative: the query alone, where the page can be asked for at its own path."""


def _other_languages() -> list[OtherLanguage]:
    path, query = _asked.get()
    kept = f"{query}&" if query else ""
    return [
        OtherLanguage(one.value, one.name_in_it, f"{path}?{kept}{CHOICE}={one}")
        for one in Language
        if one is not spoken()
    ]


def _version(name: str) -> str:
    """What its address ends with, so that it may be kept for long."""
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


def _said(sentence: str, /, **facts: object) -> Markup:
    """A sentence of a template; facts are escaped, unless they are markup themselves."""
    return _filled(_(sentence), facts)


def _said_of(one: str, many: str, number: int, /, **facts: object) -> Markup:
    return _filled(_n(one, many, number), facts)


def _filled(said: str, facts: Mapping[str, object]) -> Markup:
    markup = escape(said)
    return markup.format(**facts) if facts else markup


def _link(href: str, text: str) -> Markup:
    """A link in the middle of a sentence."""
    return Markup('<a href="{}">{}</a>').format(href, text)


def _element(name: str, text: str) -> Markup:
    """Text that stands out in a sentence."""
    return Markup("<{0}>{1}</{0}>").format(name, text)


def go(path: str, *cookies: str) -> Response:
    """Send the browser on, to be asked with GET."""
    response = RedirectResponse(path, status_code=SEE_OTHER, headers=HEADERS)
    for cookie in cookies:
        response.headers.append("Set-Cookie", cookie)
    return response


def to_login(request: Request) -> Response:
    """Send somebody to sign in, and back here afterwards where that makes sense."""
    wanted = request.scope["path"] if request.method == "GET" else "/account"
    if request.method == "GET" and request.url.query:
        wanted = f"{wanted}?{request.url.query}"  # where to return to, for one
    return go("/login?" + urlencode({"next": local_path(wanted)}))


def moment(at: int) -> str:
    """A moment as people read it: `18 Nov 2026, 11:06 UTC`, broken after the comma if at all."""
    return f"{date(at)}, {time_of_day(at)}"


def date(at: int) -> str:
    """A day as it stands in a row, in one piece: `18 Nov 2026`."""
    return day(at).replace(" ", NBSP)


def day_of_month(number: int) -> str:
    """A day of the last month, by its number since 1970: `18 Nov`."""
    return short_day(number * DAY).replace(" ", NBSP)


def _time(at: int, written: Callable[[int], str] = moment) -> Markup:
    """A moment as people read it in UTC, and as machines do: `pages.js` puts it in their zone."""
    exactly = to_datetime(Micros(at)).isoformat(timespec="seconds")
    return Markup('<time datetime="{}" data-as="{}">{}</time>').format(
        exactly, written.__name__, written(at)
    )


def figure(credits_: int) -> Markup:
    """An amount in large letters, and its unit in small ones on whichever side it belongs."""
    large = amount(credits_)
    before, _large, after = credits_written(credits_).partition(large)
    return _small(before) + large + _small(after)


def role_name(role: Role) -> str:
    """What somebody is here."""
    return _(ROLES[role])


def _small(unit: str) -> Markup:
    return Markup("<span>{}</span>").format(unit) if unit else Markup()
