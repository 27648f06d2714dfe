"""How amounts and moments are written, in the language that is spoken (`host.language`).

For people: what programs read has credits as plain decimals (`storage.credits.format_credits`) and
moments in ISO 8601. Moments are UTC. Sums of money are written alike in every language
(`host.catalogue.currencies`).
"""

import re
from functools import cache
from typing import Final

from babel.dates import format_date, format_time
from babel.numbers import format_decimal, get_decimal_symbol

from host.language import Language, _n, spoken
from storage.credits import PER_CREDIT, format_credits
from storage.moments import Micros, to_datetime

NBSP: Final = "\N{NO-BREAK SPACE}"
_MB: Final = 1_000_000
_THOUSANDS: Final = re.compile(r"\.\d{3}(?!\d)")


def amount(credits_: int) -> str:
    """An amount of credits by itself: `95`, `2.5`."""
    return format_credits(credits_).replace(".", _decimal_sign(spoken()))


def plain_amount(written: str) -> str:
    """What somebody wrote as an amount, with the decimal point that programs write.

    Raises:
        ValueError: where the sign is a comma, `1.000` may be a thousand.
    """
    sign = _decimal_sign(spoken())
    if sign != "." and _THOUSANDS.search(written):
        raise ValueError(written)
    return written.replace(sign, ".")


def credits_written(credits_: int) -> str:
    """An amount of credits with its unit: `1 credit`, `2.5 credits`."""
    return _n("{amount} credit", "{amount} credits", counted(credits_), amount=amount(credits_))


def left_written(credits_: int) -> str:
    """What is left of credits, where it is clear of what: `95 left`."""
    return _n("{amount} left", "{amount} left", counted(credits_), amount=amount(credits_))


def counted(credits_: int) -> int:
    """The number that words about so many credits go with: one, or any other."""
    return 1 if credits_ == PER_CREDIT else 2


def seconds(number: float, *, decimals: int = 1) -> str:
    """A short time: `1.2 s`."""
    return f"{number:.{decimals}f} s".replace(".", _decimal_sign(spoken()))


def megabytes(size: int) -> str:
    """How much a file has, of bytes: `10 MB`, `0.5 MB`."""
    return f"{format_decimal(round(size / _MB, 1), '0.#', locale=spoken().culture)} MB"


def short_day(moment: int) -> str:
    """A day of about now: `27 Nov`."""
    return format_date(to_datetime(Micros(moment)), "d MMM", locale=spoken().culture)


def day(moment: int) -> str:
    """A day as it stands in a row: `18 Nov 2026`."""
    return format_date(to_datetime(Micros(moment)), "medium", locale=spoken().culture)


def long_day(moment: int) -> str:
    """A day in a sentence: `18 November 2026`."""
    return format_date(to_datetime(Micros(moment)), "long", locale=spoken().culture)


def long_moment(moment: int) -> str:
    """A moment in a sentence: `18 November 2026, 11:06 UTC`."""
    return f"{long_day(moment)}, {time_of_day(moment).replace(NBSP, ' ')}"


def time_of_day(moment: int) -> str:
    """`11:06 UTC`."""
    written = format_time(to_datetime(Micros(moment)), "HH:mm", locale=spoken().culture)
    return f"{written}{NBSP}UTC"


@cache
def _decimal_sign(language: Language) -> str:
    return get_decimal_symbol(language.culture)
