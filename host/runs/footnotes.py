"""The sources of an answer as footnotes in its own text, in Markdown. Pure.

Titles and addresses come from the upstream, which has them from the open web: a title is kept
from becoming anything but words, and only http and https are linked.
"""

from typing import Final
from urllib.parse import quote, urlsplit

from host.language import N_, _
from host.providers.base import Cited

SOURCES_MAX: Final = 40
"""More than anybody checks; what is cited beyond them gets no number."""
TITLE_MAX: Final = 120
URL_MAX: Final = 2000
HEADING: Final = N_("Sources")
_MARKS: Final = ("\\", "[", "]", "!", "#", "<", "`", "*", "_", "|", "~")


def noted(sources: tuple[Cited, ...], cited: Cited) -> tuple[tuple[Cited, ...], str]:
    """The sources with this one among them, and the mark that names it; the same one keeps its.

    Beyond the last number there is no mark.
    """
    if cited not in sources:
        if len(sources) >= SOURCES_MAX:
            return sources, ""
        sources = (*sources, cited)
    mark = f"\\[{sources.index(cited) + 1}\\]"
    url = safe_url(cited.url)
    return sources, mark if url is None else f"[{mark}]({url})"


def listed(sources: tuple[Cited, ...]) -> str:
    """What stands under the answer, for who asked; nothing when it cites nothing."""
    if not sources:
        return ""
    lines = [f"{number}. {_line(source)}" for number, source in enumerate(sources, start=1)]
    return f"\n\n**{_(HEADING)}**\n\n" + "\n".join(lines)


def safe_url(url: str | None) -> str | None:
    """The address, fit to stand in a link; None when it is none to be followed."""
    if url is None or len(url) > URL_MAX:
        return None
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme.lower() not in {"http", "https"} or not host:
        return None
    return quote(url.strip(), safe=":/?#[]@!$&'*+,;=%~-._").replace("[", "%5B").replace("]", "%5D")


def _line(source: Cited) -> str:
    url = safe_url(source.url)
    title = _plain(source.title)
    if url is None:
        return title or _("a file")
    host = urlsplit(url).hostname or url
    return f"[{title or _plain(host)}]({url}) · {_plain(host)}"


def _plain(text: str) -> str:
    flat = " ".join(text.split())[:TITLE_MAX]
    for mark in _MARKS:
        flat = flat.replace(mark, f"\\{mark}")
    return flat
