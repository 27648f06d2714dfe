"""What Browse says, and what stands above the card that keeps a refused message.

As everywhere, what costs nothing says so first. Cards themselves are drawn in `public/elements`.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from chat_ui.wording import plain
from host.catalogue.showing import left_words
from host.errors import FareboxError, PriceChanged
from host.language import N_, _, _n
from host.writing import amount, credits_written, day, long_day
from storage.cards import SubscriptionView
from storage.credits import MilliCredits
from storage.ledger import DailyCap, PlanBalance
from storage.models.catalogue import PlanKind
from storage.moments import NEVER, Micros

AUTHOR: Final = N_("Browse")
"""Under which name Browse speaks, in every language: its picture is served by that name."""
LOOK_AROUND: Final = N_(
    "**What would you like to use?** Open what is yours, or try something new."
)
WELCOME: Final = N_(
    "**Welcome.** Pick something to try. You pay only for answers you get, and see the price"
    " before you ask."
)
NOTHING_HAD: Final = N_("You have no plan yet. Pick something to try, or to buy:")
QUOTED_MAX: Final = 60
"""Characters of what was typed that an answer repeats."""
KEPT: Final = N_("Your message is kept.")
SENT: Final = N_("This message was sent. Its answer is below.")
GONE: Final = N_("This message is no longer kept, so nothing was sent and nothing charged.")
PREVIEW_MAX: Final = 240
LIMIT_HREF: Final = "/account#limit"


def greeting(*, has_some: bool, taken_back: SubscriptionView | None) -> str:
    """What stands above the catalogue. In Markdown."""
    if has_some:
        return _(LOOK_AROUND)
    welcome = _(WELCOME)
    return welcome if taken_back is None else f"{_taken_back(taken_back)}\n\n{welcome}"


def found(text: str, number: int, *, shown: int) -> str:
    """What stands above the cards that some words brought."""
    said = _quoted(text)
    if shown < number:
        return _("{n} matches for “{text}”, the best {shown}:", n=number, text=said, shown=shown)
    return _n("{n} match for “{text}”:", "{n} matches for “{text}”:", number, n=number, text=said)


def found_nothing(text: str) -> str:
    """What stands above all cards, when words brought none."""
    return _("Nothing here matches “{text}”. This is everything there is:", text=_quoted(text))


def account(
    got: Sequence[SubscriptionView],
    balances: Sequence[PlanBalance],
    runs_until: Mapping[int, Micros],
) -> str:
    """What somebody has, plan by plan; empty when they never had a plan. In Markdown."""
    left = {line.plan_id: line for line in balances}
    lines, told = [], set()
    for one in got:
        if one.plan_id in told:
            continue
        told.add(one.plan_id)
        has = _has(one, left.get(one.plan_id), runs_until.get(one.plan_id))
        lines.append(f"- **{plain(one.plan_title)}**: {has}")
    if not lines:
        return ""
    total = MilliCredits(sum(line.available for line in balances))
    spendable = _("You have **{credits}** to spend.", credits=credits_written(total))
    more = _("Purchases, receipts and access tokens are on [your account](/account).")
    return "\n\n".join([spendable, "\n".join(lines), more])


def kept(refused: FareboxError) -> str:
    """Why a message was refused, in Markdown.

    That it is kept takes the place of the advice where to buy.
    """
    if isinstance(refused, PriceChanged):
        return _kept_for_its_price(refused.price)
    if refused.says_charge:
        return f"{plain(refused.detail)} {_(KEPT)}"
    return _("Not charged. {why}", why=plain(refused.reason)) + f" {_(KEPT)}"


def limit(cap: DailyCap) -> dict[str, str]:
    """Why a kept message cannot be sent today, and where that is changed by who may change it."""
    facts = {"limit": credits_written(cap.cap), "left": amount(cap.left)}
    if cap.is_operators:
        text = _(
            "The operator of this site lets you spend {limit} a day; {left} left until midnight"
            " UTC.",
            **facts,
        )
        return {"text": text}
    text = _("Your own limit is {limit} a day; {left} left until midnight UTC.", **facts)
    return {"text": text, "href": LIMIT_HREF, "label": _("Change the limit")}


def preview(text: str) -> str:
    """The beginning of a kept message, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= PREVIEW_MAX else f"{line[: PREVIEW_MAX - 1].rstrip()}…"


def price_to_send(price: MilliCredits, *, included_until: Micros | None) -> str:
    """What sending a kept message costs."""
    if included_until is not None:
        return _("Included until {day}", day=day(included_until))
    if not price:
        return _("Free")
    return _("Costs {credits}, once it is answered", credits=credits_written(price))


def button_to_send(price: MilliCredits, *, is_included: bool) -> str:
    """What stands on the button that sends a kept message: the price that is agreed to."""
    if is_included:
        return _("Send my message now · included")
    if not price:
        return _("Send my message now · free")
    return _("Send my message now · {price}", price=credits_written(price))


def _kept_for_its_price(price: MilliCredits) -> str:
    if not price:
        return _(
            "Not charged. The price has changed: this message costs nothing now. Your message is"
            " kept."
        )
    return _(
        "Not charged. The price has changed: this message costs {price} now. Your message is"
        " kept.",
        price=credits_written(price),
    )


def _has(one: SubscriptionView, left: PlanBalance | None, until: Micros | None) -> str:
    if one.is_cancelled:
        return _("taken back by the operator on {day}", day=day(one.ends_at))
    if one.kind is PlanKind.TIME:
        if until is None:
            return _("ended on {day}", day=day(one.ends_at))
        return _("until {day}", day=day(until))
    if left is None:
        return left_words(MilliCredits(0))
    has = left_words(left.available)
    if left.expires_at >= NEVER:
        return has
    return _("{left}, the first expire on {day}", left=has, day=day(left.expires_at))


def _taken_back(lost: SubscriptionView) -> str:
    return _(
        "{plan} was taken back by the operator on {day}.",
        plan=plain(lost.plan_title),
        day=long_day(lost.ends_at),
    )


def _quoted(text: str) -> str:
    line = " ".join(text.split())
    return plain(line if len(line) <= QUOTED_MAX else f"{line[: QUOTED_MAX - 1].rstrip()}…")
