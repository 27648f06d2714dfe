"""The terms of this host: what the operator wrote, or what holds anywhere that Farebox runs.

The operator's file is Markdown. Its HTML and its pictures are switched off, so that a text which
was pasted together from somewhere can do nothing but be read.
"""

import asyncio
from typing import Final

from markdown_it import MarkdownIt
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from host.pages.own import OwnPages

_MARKDOWN: Final = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")


class TermsPages(OwnPages):
    """One page, for whoever comes."""

    async def show(self, request: Request) -> Response:
        """The terms; who is signed in keeps the way to their account."""
        sessions = self._host.login_sessions
        visitor = await sessions.find(sessions.read_cookie(request.headers.raw))
        path = self._host.settings.terms_file
        # Read each time: the operator may change it while the host runs.
        text = None if path is None else await asyncio.to_thread(path.read_text, encoding="utf-8")
        written = None if text is None else terms_written(text)
        return self._renderer.page("terms.html", visitor=visitor, written=written)


def terms_written(markdown: str) -> Markup:
    """The text as a page shows it; what is no Markdown in it is text."""
    return Markup(_MARKDOWN.render(markdown))  # noqa: S704 - its own HTML is escaped
