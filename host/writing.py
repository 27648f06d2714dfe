"""How amounts and moments are written, in the language that is spoken (`host.language`).

For people: what programs read has credits as plain decimals (`storage.credits.format_credits`) and
moments in ISO 8601. Moments are UTC. Sums of money are written alike in every language
(`host.catalogue.currencies`).
"""

from typing import Final

from babel.dates import format_date, format_time
from babel.numbers import format_decimal, get_decimal_symbol

from host.language import _n, spoken
from storage.credits import PER_CREDIT, format_credits
from storage.moments import Micros, to_datetime

NBSP: Final = "\N{NO-BREAK SPACE}"


def amount(credits_: int) -> str:
    """An amount of credits by itself: `95`, `2.5`."""
    plain = format_credits(credits_)
    return plain.replace(".", get_decimal_symbol(spoken().culture))


def credits_written(credits_: int) -> str:
    """An amount of credits with its unit: `1 credit`, `2.5 credits`."""
    number = 1 if credits_ == PER_CREDIT else 2
    return _n("{amount} credit", "{amount} credits", number, amount=amount(credits_))


def seconds(number: float, *, decimals: int = 1) -> str:
    """A short time: `1.2 s`."""
    digits = "0." + "0" * decimals if decimals else "0"
    return f"{format_decimal(number, digits, locale=spoken().culture)} s"


def short_day(moment: int) -> str:
    """A day of about now: `27 Nov`."""
    return format_date(to_datetime(Micros(moment)), "d MMM", locale=spoken().culture)


def day(moment: int) -> str:
    """A day as it stands in a row: `18 Nov 2026`."""
    return format_date(to_datetime(Micros(moment)), "medium", locale=spoken().culture)


def long_day(moment: int) -> str:
    """A day in a sentence: `18 November 2026`."""
    return format_date(to_datetime(Micros(moment)), "long", locale=spoken().culture)


def time_of_day(moment: int) -> str:
    """`11:06 UTC`."""
    written = format_time(to_datetime(Micros(moment)), "HH:mm", locale=spoken().culture)
    return f"{written}{NBSP}UTC"
