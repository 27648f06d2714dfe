"""What is drawn beside the words: the receipt under an answer, an assistant's entry, its tile.

A receipt is derived from its run each time it is shown and never stored as an element, so it can
say nothing that the ledger does not. Its face is `public/elements/Receipt.jsx`.
"""

import hashlib
import html
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

from chainlit.config import (
    ChainlitConfigOverrides,
    FeaturesSettings,
    SpontaneousFileUploadFeature,
)
from chainlit.element import ElementDict
from chainlit.types import ChatProfile, Starter

from chat_ui import asides, wording
from host.files.limits import EXTENSIONS, FILE_BYTES_MAX, FILES_MAX, MB, kinds_of
from host.language import _
from host.runs.outcomes import Outcome
from storage.cards import AssistantConfig, PurchasedOffering
from storage.ledger import RefundLine
from storage.notices import NOTHING, Beside

HOME: Final = "home"
HOME_ICON: Final = "/avatars/browse"
"""Also where `public/custom.css` knows Browse by, whose empty conversation is never empty."""
SETUP_BOT: Final = "setup-bot"
STARTER_LABEL_MAX: Final = 42
NOT_IN_ADDRESSES: Final = str.maketrans(dict.fromkeys("/?#%\\", " "))
TILES: Final = (
    ("#1f7a68", "#f6f4ee"),
    ("#8a4b2d", "#fbf3ec"),
    ("#34568b", "#eef3fa"),
    ("#7a5c14", "#fbf6e6"),
    ("#6b3f69", "#f8f0f7"),
    ("#3d6b35", "#f0f7ee"),
)
"""Background and ink of the tiles that assistants without a picture get."""


def receipt_element(
    thread_id: str,
    outcome: Outcome,
    refunds: Sequence[RefundLine] = (),
    beside: Beside = NOTHING,
) -> ElementDict:
    """The element that draws the receipt under an answer, and what else stands there."""
    href, again = _receipt_address(outcome), beside.again
    is_last = again is not None and again.answer_id == outcome.answer_id
    props: dict[str, Any] = {
        "line": wording.receipt_line(outcome, refunds),
        "href": href,
        "tone": _tone(outcome),
        "actions": asides.receipt_actions(outcome, href, beside) if href else [],
        "notices": asides.notices(outcome.run_id, beside),
        "again": asides.again_button(again) if again is not None and is_last else None,
    }
    return ElementDict(
        id=outcome.receipt_id,
        threadId=thread_id,
        forId=outcome.answer_id,
        type="custom",
        name="Receipt",
        display="inline",
        props=props,
        mime="application/json",
    )


def _receipt_address(outcome: Outcome) -> str | None:
    """Where the receipt is; a builder's own message costs nothing and leaves none."""
    has_one = outcome.price or outcome.included_until is not None
    return f"/receipts/{outcome.receipt_id}" if has_one else None


def _tone(outcome: Outcome) -> str:
    if outcome.charged:
        return "charged"
    return "included" if outcome.reason is None else "not-charged"


def assistant_profile(purchased: PurchasedOffering, *, is_default: bool) -> ChatProfile:
    """An assistant that somebody bought, as an entry of the picker."""
    offering, standing = purchased.offering, purchased.standing
    return ChatProfile(
        name=offering.slug,
        display_name=offering.title,
        markdown_description=wording.profile_text(
            offering.title,
            offering.description,
            offering.price,
            included_until=standing.entitlement.included_until,
        ),
        icon=tile_address(offering.title),
        starters=_starters(offering.starters),
        default=is_default,
        config_overrides=_upload_button(offering.assistant),
    )


def _upload_button(assistant: AssistantConfig | None) -> ChainlitConfigOverrides | None:
    """The page's button for files, for an assistant that takes any; the check is elsewhere."""
    kinds = kinds_of(assistant.accepts) if assistant is not None else frozenset()
    if not kinds:
        return None
    offered = {kind: names for each in sorted(kinds) for kind, names in EXTENSIONS[each].items()}
    upload = SpontaneousFileUploadFeature(
        enabled=True,
        accept=offered,
        max_files=FILES_MAX,
        max_size_mb=FILE_BYTES_MAX // MB,
    )
    return ChainlitConfigOverrides(features=FeaturesSettings(spontaneous_file_upload=upload))


def home_profile(*, is_default: bool) -> ChatProfile:
    """Where people look around, and where they land who have not chosen."""
    return ChatProfile(
        name=HOME,
        display_name=_("Browse"),
        markdown_description=_(wording.HOME),
        icon=HOME_ICON,
        default=is_default,
    )


def setup_profile(*, is_default: bool) -> ChatProfile:
    """The setup bot, for builders."""
    return ChatProfile(
        name=SETUP_BOT,
        display_name=_("Setup bot"),
        markdown_description=_(wording.SETUP),
        icon="/avatars/setup_bot",
        default=is_default,
    )


def _starters(messages: Sequence[str]) -> list[Starter]:
    return [Starter(label=_shortened(message), message=message) for message in messages]


def _shortened(message: str) -> str:
    if len(message) <= STARTER_LABEL_MAX:
        return message
    return message[: STARTER_LABEL_MAX - 1].rstrip() + "…"


def speaker(title: str) -> str:
    """The name under which an assistant's answers are drawn: its title, fit to be in an address.

    Chainlit's page asks for the picture of whoever speaks by that name, and does not escape it.
    """
    return " ".join(title.translate(NOT_IN_ADDRESSES).split()) or _("Assistant")


def tile_address(title: str) -> str:
    """Where the tile of an assistant of this name is served."""
    return f"/avatars/{quote(speaker(title), safe='')}"


def tile(title: str) -> str:
    """An SVG square with the initials of a name, always in the same colour for the same name."""
    words = [word for word in title.split() if word[:1].isalnum()]
    initials = "".join(word[0] for word in words[:2]).upper() or "?"
    background, ink = TILES[hashlib.sha256(title.encode()).digest()[0] % len(TILES)]
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">'
        f'<rect width="64" height="64" rx="18" fill="{background}"/>'
        f'<text x="32" y="33" fill="{ink}" font-family="ui-sans-serif, system-ui, sans-serif"'
        ' font-size="26" font-weight="650" letter-spacing="-0.5" text-anchor="middle"'
        f' dominant-baseline="central">{html.escape(initials)}</text></svg>'
    )
