"""What may be entered about an offering, a plan and an endpoint: one validator for every door.

The setup bot, the form and the command line all ask here, so that a rule and its sentence exist
once. Each function takes what somebody wrote and returns the value to keep, or raises
`InvalidInput` that says what was wrong, the rule and an example. Giving a value back a second time
changes nothing. Nothing here touches the network: whether a name leads to a private address is
checked where the connection is made.
"""

import re
from collections.abc import Iterable
from typing import Final

from host.catalogue.currencies import Money, parse_money
from host.catalogue.upstream_addresses import origin_of
from host.errors import InvalidInput
from storage.credits import PER_CREDIT, MilliCredits, parse_credits
from storage.file_kinds import Accepts
from storage.moments import DAY, HOUR, SECOND

TITLE_MIN: Final = 3
TITLE_MAX: Final = 80
DESCRIPTION_MAX: Final = 500
TAGS_MAX: Final = 10
TAG_MAX: Final = 30
MODEL_MAX: Final = 100
INSTRUCTIONS_MAX: Final = 32_000
STARTERS_MAX: Final = 4
STARTER_MAX: Final = 200
PRICE_MAX: Final = MilliCredits(10_000 * PER_CREDIT)
PLAN_CREDITS_MAX: Final = MilliCredits(100_000_000 * PER_CREDIT)
DAYS_MAX: Final = 3660
CREDENTIAL_MAX: Final = 4096
SLUG_MAX: Final = 63  # a DNS label

_RESERVED: Final = (
    "a account admin api app assets auth billing buy chat chainlit docs farebox ftp health healthz"
    " help host localhost login logout mail mcp metrics ns1 ns2 oauth problems project proxy"
    " public readyz receipts reset root s setup signup smtp static status support tokens user"
    " vouchers webhooks well-known ws www"
)
RESERVED_SLUGS: Final = frozenset(_RESERVED.split())
"""Names that are, or may become, addresses of the host itself."""

_SLUG: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_MODEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]*")
_PRICED: Final = re.compile(r"(?P<amount>.*?)\s*credits?", re.IGNORECASE)
_LASTING: Final = re.compile(
    r"(?P<count>[0-9]{1,5})\s*(?P<unit>hours?|days?|weeks?)", re.IGNORECASE
)
_UNITS: Final = {"hour": HOUR // SECOND, "day": DAY // SECOND, "week": 7 * DAY // SECOND}
_UNSEEN: Final = re.compile(r"[\x00-\x1f\x7f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_UNSEEN_IN_TEXT: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def title(written: str) -> str:
    """A title on one line."""
    kept = " ".join(written.split())
    if _UNSEEN.search(kept) or not TITLE_MIN <= len(kept) <= TITLE_MAX:
        raise refusal(
            "title",
            f"That title has {len(kept)} characters, or some that cannot be seen.",
            f"A title is {TITLE_MIN} to {TITLE_MAX} characters on one line",
            "Math Tutor",
        )
    return kept


def description(written: str) -> str:
    """A few sentences; may be empty."""
    kept = _UNSEEN_IN_TEXT.sub("", written).strip()
    if len(kept) > DESCRIPTION_MAX:
        raise refusal(
            "description",
            f"That description has {len(kept)} characters.",
            f"A description is at most {DESCRIPTION_MAX} characters",
            "Explains algebra step by step.",
        )
    return kept


def tags(written: str | Iterable[str]) -> tuple[str, ...]:
    """Tags in lower case, each once, in the order given; a text is split at its commas."""
    parts = written.split(",") if isinstance(written, str) else written
    kept = tuple(dict.fromkeys(" ".join(part.lower().split()).lstrip("#") for part in parts))
    kept = tuple(tag for tag in kept if tag)
    if len(kept) > TAGS_MAX or any(len(tag) > TAG_MAX or _UNSEEN.search(tag) for tag in kept):
        raise refusal(
            "tags",
            "Those are too many tags, or one is too long.",
            f"At most {TAGS_MAX} tags of at most {TAG_MAX} characters, divided by commas",
            "maths, school",
        )
    return kept


def starters(written: str | Iterable[str]) -> tuple[str, ...]:
    """Questions offered in an empty chat; a text is split at its line breaks."""
    parts = written.splitlines() if isinstance(written, str) else written
    kept = tuple(line for part in parts if (line := " ".join(part.split())))
    if len(kept) > STARTERS_MAX or any(len(starter) > STARTER_MAX for starter in kept):
        raise refusal(
            "starters",
            "Those are too many starters, or one is too long.",
            f"At most {STARTERS_MAX} starters of at most {STARTER_MAX} characters, one on a line",
            "What is a prime number?",
        )
    return kept


def slug(written: str) -> str:
    """A name for addresses: one DNS label that the host does not need itself."""
    kept = written.strip()
    if _SLUG.fullmatch(kept) is None or kept.startswith("xn--"):
        raise refusal(
            "slug",
            f"“{shown(kept)}” cannot be part of an address.",
            f"A slug is 1 to {SLUG_MAX} of a-z, 0-9 and -, with no - at either end",
            "math-tutor",
        )
    if kept in RESERVED_SLUGS:
        raise refusal(
            "slug", f"“{kept}” is kept for the host itself.", "Choose another name", f"{kept}-1"
        )
    return kept


def slug_from(written_title: str) -> str:
    """The slug that a title suggests; a title without any letter of a-z suggests `offering`."""
    plain = re.sub(r"[^a-z0-9]+", "-", written_title.lower().replace("'", "")).strip("-")
    plain = plain[: SLUG_MAX - 4].strip("-") or "offering"  # room for a number behind it
    return f"{plain}-1" if plain in RESERVED_SLUGS or plain.startswith("xn--") else plain


def model(written: str) -> str:
    """The upstream's name of a model."""
    kept = written.strip()
    if len(kept) > MODEL_MAX or _MODEL.fullmatch(kept) is None:
        raise refusal(
            "model",
            f"“{shown(kept)}” cannot be the name of a model.",
            f"A model is at most {MODEL_MAX} letters, digits and . _ : / -",
            "gpt-5.4-mini",
        )
    return kept


def instructions(written: str) -> str:
    """What the assistant is told before every conversation."""
    kept = _UNSEEN_IN_TEXT.sub("", written).strip()
    if not 1 <= len(kept) <= INSTRUCTIONS_MAX:
        raise refusal(
            "instructions",
            f"Those instructions have {len(kept):,} characters.",
            f"Instructions are 1 to {INSTRUCTIONS_MAX:,} characters",
            "You are a patient maths tutor. Explain every step.",
        )
    return kept


def accepts(written: str) -> Accepts:
    """Which files may be sent to an assistant."""
    try:
        return Accepts(written.strip().lower())
    except ValueError:
        raise refusal(
            "accepts",
            f"“{shown(written)}” does not say which files are accepted.",
            f"An assistant accepts {', '.join(Accepts)}",
            Accepts.IMAGES,
        ) from None


def price(written: str) -> MilliCredits:
    """Credits per message or call: `5`, `0.25`, `5 credits`, `free`."""
    plain = written.strip()
    if plain.lower() == "free":
        return MilliCredits(0)
    worded = _PRICED.fullmatch(plain)
    try:
        return price_in_range(parse_credits(worded["amount"] if worded else plain))
    except ValueError:
        raise _bad_price(f"“{shown(plain)}” is not a price.") from None


def price_in_range(amount: MilliCredits) -> MilliCredits:
    """The amount, when it may be a price."""
    if not 0 <= amount <= PRICE_MAX:
        raise _bad_price("That price is out of range.")
    return amount


def plan_credits(written: str) -> MilliCredits:
    """How many credits a plan gives."""
    worded = _PRICED.fullmatch(written.strip())
    try:
        return credits_in_range(parse_credits(worded["amount"] if worded else written))
    except ValueError:
        raise _bad_credits(f"“{shown(written)}” is not a number of credits.") from None


def credits_in_range(amount: MilliCredits) -> MilliCredits:
    """The amount, when a plan may give it."""
    if not 0 < amount <= PLAN_CREDITS_MAX:
        raise _bad_credits("That number of credits is out of range.")
    return amount


def money(written: str) -> Money:
    """What a plan costs: `5.00 USD`."""
    try:
        return parse_money(written)
    except ValueError as error:
        raise refusal(
            "price",
            f"“{shown(written)}” is not an amount: {error}.",
            "A plan costs an amount and its currency (ISO 4217), or 0 of it",
            "5.00 USD",
        ) from None


def duration(written: str) -> int:
    """How long something lasts, in seconds: `7 days`, `12 hours`, `2 weeks`."""
    match = _LASTING.fullmatch(written.strip())
    seconds = int(match["count"]) * _UNITS[match["unit"].lower().rstrip("s")] if match else 0
    return duration_in_range(seconds)


def duration_in_range(seconds: int) -> int:
    """The seconds, when a plan may last so long."""
    if not 0 < seconds <= DAYS_MAX * DAY // SECOND:
        raise refusal(
            "duration",
            "That is not a duration.",
            f"A duration is hours, days or weeks, at most {DAYS_MAX} days",
            "7 days",
        )
    return seconds


def base_url(written: str, choices: tuple[str, ...]) -> str:
    """One of the upstream addresses that the operator has allowed."""
    kept = written.strip().rstrip("/")
    if kept not in choices:
        raise refusal(
            "base_url",
            "That upstream is not one this host talks to.",
            f"The upstream is one of {', '.join(choices)}",
            choices[0],
        )
    return kept


def upstream_url(written: str, *, allow_private: bool = False) -> str:
    """Where a service lives: scheme, host and port."""
    try:
        return origin_of(written, allow_private=allow_private)
    except ValueError as error:
        raise refusal(
            "upstream_url",
            f"That address cannot be used: {error}.",
            "An upstream is https:// and a public host, without a path",
            "https://api.example.com",
        ) from None


def credential(written: str) -> str:
    """What a service is sent as a bearer token; a refusal does not repeat it."""
    kept = written.strip()
    fits_a_header = kept.isascii() and kept.isprintable() and " " not in kept
    if not fits_a_header or not 1 <= len(kept) <= CREDENTIAL_MAX:
        raise refusal(
            "credential",
            "That credential cannot be sent: it has spaces, letters outside of ASCII, or no end.",
            f"A credential is 1 to {CREDENTIAL_MAX:,} characters as a header carries them",
            "sk-…x9Qd",
        )
    return kept


def refusal(field: str, wrong: str, rule: str, example: str) -> InvalidInput:
    """What was wrong, the rule, and an example; the field is among the facts."""
    return InvalidInput(f"{wrong} {rule}; for example: {example}", facts={"field": field})


def _bad_price(wrong: str) -> InvalidInput:
    return refusal(
        "price", wrong, "A price is 0 to 10,000 credits with at most three decimals", "5"
    )


def _bad_credits(wrong: str) -> InvalidInput:
    return refusal(
        "credits", wrong, "A plan gives up to 100,000,000 credits, at most three decimals", "100"
    )


def shown(written: str) -> str:
    """A little of what was written, to be quoted."""
    return _UNSEEN.sub("", written)[:40]
