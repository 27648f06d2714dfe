"""What is said beside an answer, in words: tools at work, notices, asking again, prices. Pure.

The answer itself and its receipt are `chat_ui.wording`'s.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from chat_ui.hearing import agreed_price
from chat_ui.wording import DOT, plain, price_tag
from host.language import N_, _, _n
from host.providers.base import Tool
from host.runs.outcomes import Outcome
from host.writing import credits_written, left_written, seconds, short_day
from storage.cards import PurchasedOffering
from storage.credits import MilliCredits
from storage.models.catalogue import OfferingState
from storage.notices import AgainTerms, Beside, Crossing, Ending

WORKING: Final[Mapping[Tool, str]] = {
    Tool.WEB_SEARCH: N_("Searching the web"),
    Tool.FILE_SEARCH: N_("Searching its files"),
    Tool.CODE: N_("Running code"),
    Tool.PICTURE: N_("Drawing a picture"),
    Tool.OTHER: N_("Using a tool"),
}
WORKED: Final[Mapping[Tool, str]] = {
    Tool.WEB_SEARCH: N_("Searched the web"),
    Tool.FILE_SEARCH: N_("Searched its files"),
    Tool.CODE: N_("Ran code"),
    Tool.PICTURE: N_("Drew a picture"),
    Tool.OTHER: N_("Used a tool"),
}
FAILED: Final[Mapping[Tool, str]] = {
    Tool.WEB_SEARCH: N_("Searching the web did not work out"),
    Tool.FILE_SEARCH: N_("Searching its files did not work out"),
    Tool.CODE: N_("Running code did not work out"),
    Tool.PICTURE: N_("Drawing a picture did not work out"),
    Tool.OTHER: N_("Using a tool did not work out"),
}
TOOL_EXPLAINED: Final = N_(
    "The assistant's provider did this on the way to the answer. It is part of the price of the"
    " message; what was looked up or computed is not passed on to this page."
)
PICTURE_EXPLAINED: Final = N_(
    "The assistant's provider did this on the way to the answer. It is part of the price of the"
    " message; the picture stands under the finished answer."
)
MORE: Final = N_("Get more")
ASKED_ALREADY: Final = N_("This was asked again already. Nothing more was charged.")
TERMS: Final = N_("Terms")
TERMS_HREF: Final = "/terms"
ASK_AGAIN: Final = "ask_again"
"""The name of the action behind the button."""


def tool_explained(tool: Tool) -> str:
    """What the line of a tool says when it is opened."""
    return _(PICTURE_EXPLAINED if tool is Tool.PICTURE else TOOL_EXPLAINED)


def tool_line(tool: Tool, took_s: float | None, *, is_failed: bool) -> str:
    """What the upstream does or did: `Searched the web · 2 s`."""
    if took_s is None:
        return _(WORKING[tool])
    took = seconds(took_s, decimals=0) if took_s >= 1 else _("under 1 s")
    done = _(FAILED[tool] if is_failed else WORKED[tool])
    return f"{done}{DOT}{took}"


def receipt_actions(outcome: Outcome, href: str) -> list[dict[str, str]]:
    """What can be done with a receipt; what cost nothing cannot be refunded."""
    actions = [
        {"label": _("receipt"), "href": href},
        {"label": _("report"), "href": f"{href}#report"},
    ]
    if outcome.charged:
        actions.append({"label": _("refund"), "href": f"{href}#refund"})
    return actions


def again_button(terms: AgainTerms) -> dict[str, Any]:
    """The button that asks the same question again, with its price."""
    if terms.is_included:
        cost = _("included")
    else:
        cost = credits_written(terms.price) if terms.price else _("free")
    return {
        "answer": terms.answer_id,
        "price": terms.price,
        "label": _("Ask again · {cost}", cost=cost),
    }


def notices(run_id: str, beside: Beside) -> list[dict[str, str]]:
    """What stands under the receipt of one answer, each with the way to get more."""
    href = f"/buy/{beside.plan_to_buy}" if beside.plan_to_buy else "/account"
    texts = [ending_text(ending) for ending in beside.endings.get(run_id, ())]
    if (crossing := beside.crossings.get(run_id)) is not None:
        texts.insert(0, crossing_text(crossing))
    return [{"text": text, "href": href, "label": _(MORE)} for text in texts]


def crossing_text(crossing: Crossing) -> str:
    """How far what is left will go: `12 credits left: about 2 messages`."""
    if not crossing.left:
        return _("No credits left: not enough for another message")
    left = credits_written(crossing.left)
    if crossing.is_exhausted:
        return _("{credits} left: not enough for another message", credits=left)
    messages = crossing.left // crossing.price
    return _n(
        "{credits} left: about {n} message",
        "{credits} left: about {n} messages",
        messages,
        credits=left,
        n=messages,
    )


def ending_text(ending: Ending) -> str:
    """When something that was bought ends."""
    plan, day = ending.plan_title, short_day(ending.ends_at)
    if ending.is_time:
        return _("{plan} ends on {day}", plan=plan, day=day)
    return _("What is left of {plan} ends on {day}", plan=plan, day=day)


def composer_line(purchased: PurchasedOffering) -> str:
    """What stands at the composer: `Math Tutor · 5 credits per message · 95 left`."""
    offering, standing = purchased.offering, purchased.standing
    parts = [offering.title]
    if offering.state is OfferingState.PAUSED:
        return DOT.join([*parts, _("paused by its builder")])
    until = standing.entitlement.included_until
    parts.append(price_tag(offering.price, included_until=until))
    if (left := left_for(purchased)) is not None:
        parts.append(left)
        if not standing.entitlement.is_running:
            parts.append(_("your plan has ended"))
    return DOT.join(parts)


def left_for(purchased: PurchasedOffering) -> str | None:
    """What is left for an assistant: `95 left`; None where messages cost no credits."""
    standing = purchased.standing
    if standing.entitlement.included_until is not None or not purchased.offering.price:
        return None
    return left_written(standing.available)


def disclosure(title: str, base_url: str) -> str:
    """Who gets to see what is written to an assistant, as a conversation says it. In Markdown."""
    told = disclosure_text(plain(title), plain(host_name(base_url)))
    return f"{told} [{_(TERMS)}]({TERMS_HREF})"


def disclosure_text(title: str, host: str) -> str:
    """The same in plain words, without the link."""
    return _(
        "What you write here goes to {host}, which answers for {assistant}."
        " Its builder sees counts and receipts, not the text.",
        host=host,
        assistant=title,
    )


def host_name(base_url: str) -> str:
    """The name of the machine that an upstream's address leads to."""
    return urlsplit(base_url).hostname or base_url


def pressed(payload: Mapping[str, Any]) -> tuple[str, MilliCredits] | None:
    """The answer and the price that a button sent back; None when it is no button of ours."""
    answer_id, price = payload.get("answer"), agreed_price(payload)
    return None if price is None or not isinstance(answer_id, str) else (answer_id, price)
