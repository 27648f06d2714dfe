"""What a browser may say over its socket, decided without Chainlit.

A message keeps what a browser may choose: its id, its text, the time it shows and its files. Who
says it, as what, and in answer to what is known here. Whatever looks like a secret is gone from
the text. `chat_ui.guards` stands at the socket and asks.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from chat_ui import wording
from chat_ui.secret_text import without_secrets
from host.runs.opening import NAME_MAX, is_text
from storage.credits import MilliCredits

TEXT_MAX: Final = 200_000
"""Characters; beyond it the page itself breaks. What an assistant takes is decided by the runs."""
REFERENCES_MAX: Final = 100
"""Files that a browser may refer to; how many may be sent is said in words by who knows."""
SHOWN: Final = "farebox_shown"
"""Under this name a page says which price stands at its composer (`custom.js`)."""
UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
UUID4: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A message that a browser sent, without anything else that it sent."""

    id: str
    text: str
    created_at: str | None
    files: tuple[str, ...]
    """The ids of files that go with it; whether there are such files is asked later."""
    is_redacted: bool
    """Whether the browser's own bubble shows more than this."""


@dataclass(frozen=True, slots=True)
class ShownPrice:
    """What a page shows at its composer: what a message to which assistant costs."""

    slug: str
    price: MilliCredits


def is_handshake(auth: object) -> bool:
    """Whether a browser introduces itself properly."""
    return (
        isinstance(auth, dict)
        and is_id(auth.get("sessionId"), UUID4)
        and auth.get("clientType") == "webapp"
        and (not auth.get("threadId") or is_id(auth["threadId"]))
        and isinstance(auth.get("chatProfile") or "", str)
    )


def is_id(value: object, shape: re.Pattern[str] = UUID) -> bool:
    """Whether something is an id in its canonical form, fit to be part of a path."""
    return isinstance(value, str) and shape.fullmatch(value) is not None


def heard(raw: object, references: object = None, *, is_setup: bool) -> Heard | None:
    """The message that a browser may have meant; None if it is none."""
    if not isinstance(raw, dict) or not is_id(raw.get("id"), UUID4):
        return None
    text, created_at, files = raw.get("output"), raw.get("createdAt"), _files(references)
    if not isinstance(text, str) or len(text) > TEXT_MAX or files is None:
        return None
    if not text.strip() and not files:
        return None
    if not is_text(text):
        return None
    cleaned = without_secrets(text, is_setup=is_setup)
    return Heard(
        id=raw["id"],
        text=cleaned,
        created_at=created_at if isinstance(created_at, str) else None,
        files=files,
        is_redacted=cleaned != text,
    )


def _files(references: object) -> tuple[str, ...] | None:
    """The ids of the files that a browser refers to; None if that is nonsense."""
    if references is None:
        return ()
    if not isinstance(references, list) or len(references) > REFERENCES_MAX:
        return None
    ids = [one.get("id") for one in references if isinstance(one, dict)]
    sound = tuple(one for one in ids if isinstance(one, str) and is_id(one))
    return sound if len(sound) == len(references) else None


def agreed_price(payload: Mapping[str, Any]) -> MilliCredits | None:
    """The price that stood where somebody pressed; None where none is named."""
    price = payload.get("price")
    if isinstance(price, bool) or not isinstance(price, int) or price < 0:
        return None
    return MilliCredits(price)


def price_shown(raw: object) -> ShownPrice | None:
    """The price that a page says it shows at its composer; None where it says something else."""
    said = raw.get(SHOWN) if isinstance(raw, dict) else None
    if not isinstance(said, dict):
        return None
    slug, price = said.get("slug"), agreed_price(said)
    if price is None or not isinstance(slug, str) or not 0 < len(slug) <= NAME_MAX:
        return None
    return ShownPrice(slug, price)


def why_not_heard(raw: object) -> str:
    """What to tell who sent something that is no message, as it is marked in `chat_ui.wording`."""
    text = raw.get("output") if isinstance(raw, dict) else None
    if not isinstance(text, str):
        return wording.NOT_HEARD
    if not text.strip():
        return wording.EMPTY
    if len(text) > TEXT_MAX:
        return wording.TOO_LONG
    return wording.NOT_HEARD if is_text(text) else wording.NO_TEXT
