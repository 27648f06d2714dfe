"""Refusals outside the pages: to a browser the page, to everything else problem+json.

For addresses that the pages' own router does not have, such as unknown ones, so that nobody who
mistypes or follows an old link is left with raw JSON and no way back.
"""

from starlette.requests import HTTPConnection
from starlette.responses import Response

from host.errors import FareboxError
from host.pages.rendering import Renderer
from host.proxy.answers import refusal


class Refusals:
    """Words a refusal for whoever asks."""

    def __init__(self, public_url: str) -> None:
        self._public_url = public_url
        self._renderer = Renderer()

    def answer(self, asked: HTTPConnection, error: FareboxError) -> Response:
        """The refusal, as a page for people or as a document for programs."""
        if "text/html" in asked.headers.get("accept", ""):
            return self._renderer.page("refused.html", error=error)
        document = refusal(error, public_url=self._public_url)
        response = Response(document.body, document.status)
        response.raw_headers = list(document.headers)
        return response
