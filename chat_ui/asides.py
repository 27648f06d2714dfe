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
from host.writing import amount, credits_written, left_written, seconds, short_day
from storage.cards import PurchasedOffering
from storage.credits import MilliCredits
from storage.ledger import DailyCap
from storage.models.catalogue import OfferingState
from storage.models.people import ConcernKind, ConcernState
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
REFUND_LABELS: Final[Mapping[ConcernState | None, str]] = {
    None: N_("refund"),
    ConcernState.OPEN: N_("refund requested"),
    ConcernState.CLOSED: N_("refund declined"),
    ConcernState.REFUNDED: N_("refunded"),
}
"""What the way to a refund is called, by what became of the request; None where none was made."""
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


def receipt_actions(outcome: Outcome, href: str, beside: Beside) -> list[dict[str, str]]:
    """What can be done with a receipt, or was; what cost nothing cannot be refunded."""
    raised = beside.raised.get(outcome.receipt_id, {})
    report = _("reported") if ConcernKind.REPORT in raised else _("report")
    actions = [
        {"label": _("receipt"), "href": href},
        {"label": report, "href": f"{href}#report"},
    ]
    if outcome.charged:
        refund = _(REFUND_LABELS[raised.get(ConcernKind.REFUND)])
        actions.append({"label": refund, "href": f"{href}#refund"})
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
    told = [("ending", ending_text(ending)) for ending in beside.endings.get(run_id, ())]
    if (crossing := beside.crossings.get(run_id)) is not None:
        told.insert(0, ("balance", crossing_text(crossing)))
    return [{"text": text, "href": href, "label": _(MORE), "about": about} for about, text in told]


def crossing_text(crossing: Crossing) -> str:
    """How far what is left will go: `12 credits left: about 2 messages`."""
    if not crossing.left:
        return _("No credits left, so not enough for another message.")
    left = credits_written(crossing.left)
    if crossing.is_exhausted:
        return _("{credits} left, not enough for another message.", credits=left)
    messages = crossing.left // crossing.price
    return _n(
        "{credits} left: about {n} message.",
        "{credits} left: about {n} messages.",
        messages,
        credits=left,
        n=messages,
    )


def ending_text(ending: Ending) -> str:
    """When something that was bought ends."""
    plan, day = ending.plan_title, short_day(ending.ends_at)
    if ending.is_time:
        return _("{plan} ends on {day}.", plan=plan, day=day)
    return _("What is left of {plan} ends on {day}.", plan=plan, day=day)


def composer_line(purchased: PurchasedOffering, cap: DailyCap | None = None) -> str:
    """What stands at the composer: `Math Tutor · 5 credits per message · 95 left`.

    Where a limit for the day leaves less than there is, what it leaves stands there.
    """
    offering, standing = purchased.offering, purchased.standing
    parts = [offering.title]
    if offering.state is OfferingState.PAUSED:
        return DOT.join([*parts, _("paused by its builder")])
    until = standing.entitlement.included_until
    parts.append(price_tag(offering.price, included_until=until))
    if until is not None or not offering.price:
        return DOT.join(parts)
    if cap is not None and cap.left < standing.available:
        parts.append(_("{left} left today", left=amount(cap.left)))
    else:
        parts.append(left_written(standing.available))
    if not standing.entitlement.is_running:
        parts.append(_("your plan has ended"))
    return DOT.join(parts)


def stop_lines(purchased: PurchasedOffering, account_id: int) -> dict[str, str] | None:
    """What stands there while an answer is written: what stopping it costs.

    Before its first words and after them; None where it costs nothing in any case.
    """
    offering = purchased.offering
    price = offering.price_for(account_id, purchased.standing.entitlement)
    if not price:
        return None
    cost = _("stopping now costs {credits}", credits=credits_written(price))
    return {
        "before": DOT.join([offering.title, _("stopping now costs nothing")]),
        "after": DOT.join([offering.title, cost]),
    }


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
