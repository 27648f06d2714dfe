"""Finds out in which language to speak, and lets people choose another one.

What a browser asks for is what it gets, until somebody follows a link with `?speak=es` on any
page: that is remembered in a cookie, and the same page comes in that language. A socket speaks the
language that it was opened in. Metered calls do not pass here; programs go by codes.
"""

from typing import Final
from urllib.parse import parse_qsl, quote, urlencode

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from host.language import COOKIE, Language, of_browser, speaking

CHOICE: Final = "speak"
"""The parameter by which a language is chosen. (`language` is one of Chainlit's.)"""
KEPT_S: Final = 365 * 86_400


class Speaking:
    """Wraps an application, so that what is said inside is said in the right language."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request or socket in the language of who asks."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        chosen = _chosen(scope)
        if chosen is not None:
            await _remember(scope, chosen)(scope, receive, send)
            return
        with speaking(language_of(scope)):
            await self._app(scope, receive, send)


def language_of(scope: Scope) -> Language:
    """What whoever asks is spoken to in."""
    headers = Headers(scope=scope)
    return of_browser(headers.get("cookie", ""), headers.get("accept-language", ""))


def _chosen(scope: Scope) -> Language | None:
    """The language that a page is asked to change to."""
    if scope["type"] != "http" or scope["method"] != "GET":
        return None
    chosen = dict(_query(scope)).get(CHOICE)
    return Language(chosen) if chosen in list(Language) else None


def _remember(scope: Scope, language: Language) -> RedirectResponse:
    """Back to the same page, with a cookie that says what was chosen."""
    others = urlencode([(name, value) for name, value in _query(scope) if name != CHOICE])
    # One slash in front: with two, browsers would take the path for another host.
    path = "/" + quote(scope["path"]).lstrip("/")
    there = f"{path}?{others}" if others else path
    answer = RedirectResponse(there, 303, headers={"Cache-Control": "no-store"})
    answer.set_cookie(COOKIE, language, max_age=KEPT_S, httponly=True, samesite="lax")
    return answer


def _query(scope: Scope) -> list[tuple[str, str]]:
    return parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
