"""Pictures in an answer: those of other hosts become links. Pure.

The page may load pictures from here alone (its content policy says so): a picture from elsewhere
would tell its host who reads what, and when. So in place of one stands a link that names it and
where it is; whoever follows it does so knowingly. Code is left as it was written.
"""

import re
from typing import Final
from urllib.parse import urlsplit

from host.language import _

_CODE: Final = re.compile(r"(```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)|`[^`\n]+`)", re.DOTALL)
_PICTURE: Final = re.compile(
    r"!\[([^\]\n]{0,500})\]\(\s*<?(https?://[^\s)>]{1,2000})>?[^)\n]{0,300}\)"
)
HELD_MAX: Final = 3000
"""Characters: what has not become a picture by then is none."""


def without_pictures(text: str) -> str:
    """The text as it is drawn."""
    if "![" not in text:
        return text
    parts = _CODE.split(text)  # the odd ones are code
    return "".join(
        part if number % 2 else _PICTURE.sub(_as_link, part) for number, part in enumerate(parts)
    )


class Painter:
    """Draws a growing text in pieces; what is drawn once does not change.

    The beginning of a picture is held back until it is known what it becomes. The rest comes with
    the whole text at the end, which replaces what was drawn.
    """

    def __init__(self) -> None:
        self._text = ""
        self._drawn = 0

    def draw(self, piece: str) -> str:
        """The next piece to be drawn; perhaps nothing yet."""
        self._text += piece
        if "!" not in self._text:
            shown = self._text
        else:
            shown = without_pictures(self._text[: self._sure()])
        new = shown[self._drawn :]
        self._drawn = max(self._drawn, len(shown))
        return new

    def _sure(self) -> int:
        """Up to where no picture can begin that is not yet whole."""
        text = self._text
        begun = text.rfind("![")
        if begun != -1 and len(text) - begun <= HELD_MAX:
            is_whole = _PICTURE.match(text, begun) is not None
            if not is_whole and "\n" not in text[begun:]:
                return begun
        return len(text) - text.endswith("!")


def _as_link(found: re.Match[str]) -> str:
    words, url = found.groups()
    name, host = words.strip(), urlsplit(url).hostname or url
    if name:
        said = _("Picture: {name} ({host})", name=name, host=host)
    else:
        said = _("Picture: without a name ({host})", host=host)
    return f"[{said}]({url})"
