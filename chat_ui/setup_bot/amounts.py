"""Numbers as people say them in a chat: credits per message, money for a plan, what a plan gives.

Each reading turns a way of speaking into the plain form that `host.catalogue.offering_fields`
validates for every door, or raises its `InvalidInput`. Nothing is guessed about price: what is not
plainly one amount is refused with the rule and an example. `2.5` is refused too, although the
ledger could hold it: said in a chat, a price like that is nearly always a slip.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from chat_ui.setup_bot.phrases import without_courtesy
from host.catalogue import offering_fields
from host.catalogue.currencies import Money
from storage.credits import MilliCredits

PRICE_RULE: Final = (
    f"a whole number from 0 to {offering_fields.PRICE_MAX // 1000:,}, in credits per message"
)

_COUNTED: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    " sixteen seventeen eighteen nineteen twenty"
)
_WORDS: Final[Mapping[str, int]] = {
    **{word: number for number, word in enumerate(_COUNTED.split())},
    **dict.fromkeys(("free", "for free", "nothing", "no charge"), 0),
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    **dict.fromkeys(("hundred", "a hundred", "one hundred"), 100),
}
_PRICE: Final = re.compile(
    r"(?:(?:make|set|let) it(?: be| to| cost)? |it(?: should)? costs? |charge |it is |it's |="
    r"|(?:the )?(?:price|cost)s?(?: is)?[:= ] ?)?"
    r"(?P<amount>[a-z ]+?|[0-9]{1,7})"
    r"(?: ?(?:credits?|cr))?(?: ?(?:per|a|each|for each|for a|for every) (?:message|answer))?"
    r"(?: each)?",
    re.ASCII,
)
_CURRENCY_WORDS: Final = {
    "dollar": "USD",
    "dollars": "USD",
    "us dollars": "USD",
    "bucks": "USD",
    "euro": "EUR",
    "euros": "EUR",
    "pound": "GBP",
    "pounds": "GBP",
}
_CODE_FIRST: Final = re.compile(r"(?P<code>[a-z]{3}) ?(?P<amount>[0-9.]+)", re.ASCII)
_SIGN_LAST: Final = re.compile(r"(?P<amount>[0-9.]+) ?(?P<sign>[$€£])", re.ASCII)
_WORD_LAST: Final = re.compile(r"(?P<amount>[0-9.]+) ?(?P<word>[a-z ]+)", re.ASCII)
_CREDITS_FOR: Final = re.compile(
    r"(?P<credits>.+ credits?),? (?:for|within|in|valid|valid for|over) (?P<lasting>[0-9].*)",
    re.ASCII,
)
_PASS: Final = re.compile(r"-(?=hour|day|week)| pass$")


@dataclass(frozen=True, slots=True)
class Gives:
    """What buyers of a plan get: credits, or, when they are zero, time; and for how long."""

    credits: MilliCredits
    duration_s: int | None


def read_price(text: str) -> MilliCredits:
    """Credits per message.

    Raises:
        InvalidInput: not one whole number in range.
    """
    match = _PRICE.fullmatch(without_courtesy(text.lower()))
    amount = match["amount"].strip() if match else ""
    number = _WORDS.get(amount)
    if number is None and not amount.isdecimal():
        raise offering_fields.refusal(
            "price",
            f"“{offering_fields.shown(text)}” is not a price I can use.",
            f"It is {PRICE_RULE}",
            "5",
        )
    return offering_fields.price(amount if number is None else str(number))


def read_money(text: str) -> Money:
    """What a plan costs to buy.

    Raises:
        InvalidInput: no amount with a currency, or out of range.
    """
    plain = without_courtesy(text.lower())
    if plain in {"free", "for free", "0", "nothing"}:
        return Money(0, "USD")
    if match := _CODE_FIRST.fullmatch(plain):
        return offering_fields.money(f"{match['amount']} {match['code']}")
    if match := _SIGN_LAST.fullmatch(plain):
        return offering_fields.money(f"{match['sign']}{match['amount']}")
    match = _WORD_LAST.fullmatch(plain)
    if match and (code := _CURRENCY_WORDS.get(match["word"])):
        return offering_fields.money(f"{match['amount']} {code}")
    return offering_fields.money(plain)


def read_gives(text: str) -> Gives:
    """What a plan gives: `100 credits`, `100 credits for 30 days`, `7 days`.

    Raises:
        InvalidInput: neither credits nor a time, or out of range.
    """
    plain = _PASS.sub(" ", without_courtesy(text.lower())).strip()
    if match := _CREDITS_FOR.fullmatch(plain):
        amount = offering_fields.plan_credits(match["credits"])
        return Gives(amount, offering_fields.duration(match["lasting"]))
    if plain.endswith(("credit", "credits")):
        return Gives(offering_fields.plan_credits(plain), None)
    if plain[:1].isdecimal() and any(unit in plain for unit in ("hour", "day", "week")):
        return Gives(MilliCredits(0), offering_fields.duration(plain))
    raise offering_fields.refusal(
        "gives",
        f"“{offering_fields.shown(text)}” does not say what buyers get.",
        "A plan gives credits, or time, said with the word",
        "100 credits, or 7 days",
    )
