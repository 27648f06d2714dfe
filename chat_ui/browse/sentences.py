"""What Browse says, and what stands above the card that keeps a refused message.

As everywhere, what costs nothing says so first. Cards themselves are drawn in `public/elements`.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from chat_ui.wording import plain
from host.catalogue.showing import day_words, left_words
from host.errors import FareboxError, PriceChanged
from host.language import _
from host.writing import credits_written
from storage.cards import SubscriptionView
from storage.credits import MilliCredits
from storage.ledger import PlanBalance
from storage.models.catalogue import PlanKind
from storage.moments import NEVER, Micros, to_datetime

AUTHOR: Final = "Browse"
"""Under which name, and picture, Browse speaks."""
LOOK_AROUND: Final = "**What would you like to use?** Open what is yours, or try something new."
WELCOME: Final = (
    "**Welcome.** Pick something to try. You pay only for answers you get, and see the price"
    " before you ask."
)
NOTHING_HAD: Final = "You have no plan yet. Pick something to try, or to buy:"
QUOTED_MAX: Final = 60
"""Characters of what was typed that an answer repeats."""
KEPT: Final = "Your message is kept."
SENT: Final = "This message was sent. Its answer is below."
GONE: Final = "This message is no longer kept, so nothing was sent and nothing charged."
PREVIEW_MAX: Final = 240


def greeting(*, has_some: bool, taken_back: SubscriptionView | None) -> str:
    """What stands above the catalogue. In Markdown."""
    if has_some:
        return LOOK_AROUND
    return WELCOME if taken_back is None else f"{_taken_back(taken_back)}\n\n{WELCOME}"


def found(text: str, number: int, *, shown: int) -> str:
    """What stands above the cards that some words brought."""
    counted = f"{number} {'match' if number == 1 else 'matches'} for “{_quoted(text)}”"
    return f"{counted}:" if shown == number else f"{counted}, the best {shown}:"


def found_nothing(text: str) -> str:
    """What stands above all cards, when words brought none."""
    return f"Nothing here matches “{_quoted(text)}”. This is everything there is:"


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
    return (
        f"You have **{credits_written(total)}** to spend.\n\n"
        + "\n".join(lines)
        + "\n\nPurchases, receipts and access tokens are on [your account](/account)."
    )


def kept(refused: FareboxError) -> str:
    """Why a message was refused, in Markdown.

    That it is kept takes the place of the advice where to buy.
    """
    if isinstance(refused, PriceChanged):
        return _kept_for_its_price(refused.price)
    address = refused.facts.get("topup_url")
    reason = refused.detail
    for advice in (
        f" Top up at {address} and try again.",
        f" Get a plan at {address} and try again.",
    ):
        reason = reason.removesuffix(advice)
    return f"Not charged. {plain(reason)} {KEPT}"


def preview(text: str) -> str:
    """The beginning of a kept message, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= PREVIEW_MAX else f"{line[: PREVIEW_MAX - 1].rstrip()}…"


def price_to_send(price: MilliCredits, *, included_until: Micros | None) -> str:
    """What sending a kept message costs."""
    if included_until is not None:
        return f"Included until {day_words(included_until)}"
    return f"Costs {credits_written(price)}, once it is answered" if price else "Free"


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
        return f"taken back by the operator on {day_words(one.ends_at)}"
    if one.kind is PlanKind.TIME:
        return (
            f"ended on {day_words(one.ends_at)}" if until is None else f"until {day_words(until)}"
        )
    if left is None:
        return left_words(MilliCredits(0))
    expiry = (
        "" if left.expires_at >= NEVER else f", the first expire on {day_words(left.expires_at)}"
    )
    return f"{left_words(left.available)}{expiry}"


def _taken_back(lost: SubscriptionView) -> str:
    when = to_datetime(lost.ends_at)
    return f"{plain(lost.plan_title)} was taken back by the operator on {when.day} {when:%B %Y}."


def _quoted(text: str) -> str:
    line = " ".join(text.split())
    return plain(line if len(line) <= QUOTED_MAX else f"{line[: QUOTED_MAX - 1].rstrip()}…")
