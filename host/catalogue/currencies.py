"""Amounts of real money: whole numbers of a currency's minor unit, as ISO 4217 divides it."""

import re
from dataclasses import dataclass
from typing import Final

from host.language import _


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WITHOUT_MINOR: Final = _words(
    "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
)
_OF_A_THOUSAND: Final = _words("BHD IQD JOD KWD LYD OMR TND")
_OF_A_HUNDRED: Final = _words(
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF"
    " CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD"
    " HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA"
    " MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN"
    " QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP"
    " TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG"
)
_SIGNS: Final = {"$": "USD", "€": "EUR", "£": "GBP"}
_MOST: Final = 10**12
_AMOUNT: Final = r"(?P<whole>[0-9]{1,10})(?:\.(?P<part>[0-9]{1,3}))?"
_WRITTEN: Final = re.compile(
    rf"(?:(?P<sign>[$€£])\s*)?{_AMOUNT}(?:\s*(?P<code>[A-Za-z]{{3}}))?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Money:
    """So many minor units (cents, for USD) of a currency."""

    minor: int
    currency: str


def parse_money(written: str) -> Money:
    """An amount as people write it: `5.00 USD`, `$5`, `700 JPY`.

    Raises:
        ValueError: no such currency, or the currency is not divided so finely.
    """
    match = _WRITTEN.fullmatch(written.strip())
    if match is None:
        raise ValueError("an amount is a number and a currency, such as 5.00 USD")
    signed, code = _SIGNS.get(match["sign"] or ""), (match["code"] or "").upper()
    if (signed and code and signed != code) or not (signed or code):
        raise ValueError("an amount names one currency, such as 5.00 USD")
    currency = code or signed or ""
    places = minor_places(currency)
    part = match["part"] or ""
    if len(part) > places:
        raise ValueError(f"{currency} has {places} decimals")
    minor = int(match["whole"]) * 10**places + int(part.ljust(places, "0") or 0)
    if minor > _MOST:
        raise ValueError("the amount is too large")
    return Money(minor, currency)


def format_money(minor: int, currency: str) -> str:
    """An amount as people read it: `5.00 USD`."""
    places = minor_places(currency)
    whole, part = divmod(abs(minor), 10**places)
    sign = "-" if minor < 0 else ""
    return f"{sign}{whole}.{part:0{places}d} {currency}" if places else f"{sign}{whole} {currency}"


def format_price(minor: int, currency: str) -> str:
    """An amount as it stands on a price tag: `$5.00`, `700 JPY`, `Free`."""
    if not minor:
        return _("Free")
    written = format_money(minor, currency)
    sign = next((sign for sign, code in _SIGNS.items() if code == currency), None)
    return written if sign is None else f"{sign}{written.removesuffix(currency).rstrip()}"


def minor_places(currency: str) -> int:
    """Into how many decimals ISO 4217 divides the currency.

    Raises:
        ValueError: there is no such currency.
    """
    if currency in _OF_A_HUNDRED:
        return 2
    if currency in _WITHOUT_MINOR:
        return 0
    if currency in _OF_A_THOUSAND:
        return 3
    raise ValueError(f"{currency} is not a currency; a currency has three letters, such as USD")
