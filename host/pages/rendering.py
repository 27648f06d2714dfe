"""How a page is made: templates that escape, headers that keep it to itself, errors as pages."""

import functools
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import urlencode

import structlog
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from host.errors import FareboxError, NotSignedIn, broken, from_storage
from host.identity.login_sessions import Visitor
from host.pages.browsers import browser_name
from host.pages.requests import check_same_origin, local_path
from storage.credits import credits_written, format_credits
from storage.errors import StorageError
from storage.models.accounts import Role
from storage.moments import NEVER, Micros, to_datetime

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

NBSP: Final = "\N{NO-BREAK SPACE}"

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
            credits=format_credits,
            written=credits_written,
            moment=moment,
            date=date,
            day=day,
            iso=iso,
            browser=browser_name,
        )
        styles = (STATIC / "pages.css").read_bytes()
        self._templates.globals.update(
            styles_version=hashlib.sha256(styles).hexdigest()[:12],
            never=NEVER,
            operator=Role.OPERATOR,
        )

    def page(
        self,
        template: str,
        *,
        visitor: Visitor | None = None,
        error: FareboxError | None = None,
        with_script: bool = False,
        **facts: object,
    ) -> Response:
        """One page; with an error also its status, and its words where the template puts them.

        `with_script`: it may load scripts of this host, and does without them.
        """
        html = self._templates.get_template(template).render(
            visitor=visitor,
            error=error,
            error_field=error.facts.get("field", "") if error else "",
            **facts,
        )
        headers = HEADERS | (error.headers if error else {})
        if with_script:
            headers[POLICY] = f"{HEADERS[POLICY]}; script-src 'self'"
        return HTMLResponse(html, status_code=error.status if error else 200, headers=headers)

    def guarded(self, endpoint: Endpoint, public_url: str) -> Endpoint:
        """`endpoint`, posted to only from our own pages, its refusals rendered as pages."""

        @functools.wraps(endpoint)
        async def answer(request: Request) -> Response:
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
    when = to_datetime(Micros(at))
    return f"{date(at)}, {when:%H:%M}{NBSP}UTC"


def date(at: int) -> str:
    """A day as it stands in a row, in one piece: `18 Nov 2026`."""
    when = to_datetime(Micros(at))
    return f"{when.day}{NBSP}{when:%b}{NBSP}{when:%Y}"


def day(at: int) -> str:
    """A day as people read it: `18 November 2026`."""
    when = to_datetime(Micros(at))
    return f"{when.day} {when:%B %Y}"


def iso(at: int) -> str:
    """A moment as machines read it."""
    return to_datetime(Micros(at)).isoformat(timespec="seconds")
