"""Sums worked out for real: finds an expression in a sentence and evaluates it, exactly.

A small recursive-descent parser over fractions; nothing is ever handed to Python's own `eval`.
Sizes are bounded, because anyone may type anything.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

LONGEST_EXPRESSION: Final = 120
DEEPEST: Final = 20
LARGEST_EXPONENT: Final = 64
LARGEST_BITS: Final = 2048  # what a result may take, so that no power eats the machine
DECIMALS: Final = 6

LONGEST_TEXT: Final = 1000  # how much of a message is searched

_WORDS: Final = (
    (r"\b\d{4}-\d\d?-\d\d?\b", " "),  # a date is no subtraction, nor a range
    (r"\b\d+\s*[-–]\s*\d+(?=\s+(?:hour|day|night|week|month|year|people|person))", " "),
    (r"\bplus\b", "+"),
    (r"\bminus\b", "-"),
    (r"\b(?:times|multiplied by)\b", "*"),
    (r"\b(?:divided by|over)\b", "/"),
    (r"\bto the power of\b", "^"),
    (r"\bsquared\b", "^2"),
    (r"\bcubed\b", "^3"),
    (r"(?<=\d)\s*%\s*of\b|\bpercent of\b", "/100*"),
    (r"(?<=\d),(?=\d{3}\b)", ""),
    (r"\*\*", "^"),
    (r"[×·]|(?<=[\d)\s])x(?=[\d(\s])", "*"),
    (r"÷", "/"),
    (r"[−–]", "-"),
)
_CANDIDATE: Final = re.compile(r"[-+(\d.][-+*/^().\d\s]*[\d)]")
_HAS_OPERATION: Final = re.compile(r"[\d)]\s*[-+*/^]\s*[-(\d.]")
_PIECE: Final = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+|[-+*/^()])")


class NotASum(Exception):
    """The text is no expression this parser knows, or too large a one."""


@dataclass(frozen=True, slots=True)
class Sum:
    """An expression and what it comes to; no value where it divides by zero."""

    expression: str
    value: Fraction | None


def find_sum(text: str) -> Sum | None:
    """The longest expression in a sentence, worked out; None if there is none."""
    text = text[:LONGEST_TEXT]
    for pattern, symbol in _WORDS:
        text = re.sub(pattern, symbol, text, flags=re.IGNORECASE)
    candidates = [m.group() for m in _CANDIDATE.finditer(text)]
    for candidate in sorted(candidates, key=len, reverse=True):
        if _HAS_OPERATION.search(candidate):
            try:
                return Sum(candidate.strip(), evaluate(candidate))
            except ZeroDivisionError:
                return Sum(candidate.strip(), None)
            except NotASum:
                continue
    return None


def evaluate(expression: str) -> Fraction:
    """The exact value of `+ - * / ^`, brackets and signs.

    Raises:
        NotASum: it cannot be read, or is too large.
        ZeroDivisionError: it divides by zero.
    """
    if len(expression) > LONGEST_EXPRESSION:
        raise NotASum("too long")
    return _Parser(_pieces(expression)).whole()


def written(value: Fraction) -> str:
    """A number as people write it: whole, decimal, or rounded and marked so."""
    if value.denominator == 1:
        return str(value.numerator)
    rounded = round(value, DECIMALS)
    text = f"{float(rounded):.{DECIMALS}f}".rstrip("0").rstrip(".")
    return text if rounded == value else f"≈ {text}"


def _pieces(expression: str) -> list[str]:
    pieces, at = [], 0
    expression = expression.rstrip()
    while at < len(expression):
        match = _PIECE.match(expression, at)
        if match is None:
            raise NotASum("unknown character")
        pieces.append(match.group(1))
        at = match.end()
    return pieces


class _Parser:
    """One method a level of precedence, weakest first."""

    def __init__(self, pieces: list[str]) -> None:
        self._left = pieces[::-1]
        self._depth = 0

    def whole(self) -> Fraction:
        value = self._sum()
        if self._left:
            raise NotASum("something follows the end")
        return value

    def _sum(self) -> Fraction:
        value = self._product()
        while sign := self._take("+-"):
            term = self._product()
            value = _bounded(value + term if sign == "+" else value - term)
        return value

    def _product(self) -> Fraction:
        value = self._signed()
        while sign := self._take("*/"):
            factor = self._signed()
            value = _bounded(value * factor if sign == "*" else value / factor)
        return value

    def _signed(self) -> Fraction:
        # A sign binds weaker than a power: -2^2 is -4.
        negative = False
        while sign := self._take("+-"):
            negative ^= sign == "-"
        value = self._power()
        return -value if negative else value

    def _power(self) -> Fraction:
        base = self._atom()
        if not self._take("^"):
            return base
        self._deeper()
        exponent = self._signed()
        self._depth -= 1
        if exponent.denominator != 1 or abs(exponent) > LARGEST_EXPONENT:
            raise NotASum("only small whole exponents")
        return _bounded(base ** int(exponent))

    def _atom(self) -> Fraction:
        if self._take("("):
            self._deeper()
            value = self._sum()
            self._depth -= 1
            if not self._take(")"):
                raise NotASum("a bracket stays open")
            return value
        if not self._left or not self._left[-1][-1].isdigit():
            raise NotASum("a number is missing")
        return _bounded(Fraction(self._left.pop()))

    def _take(self, symbols: str) -> str | None:
        if self._left and self._left[-1] in symbols:
            return self._left.pop()
        return None

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise NotASum("nested too deep")


def _bounded(value: Fraction) -> Fraction:
    bits = value.numerator.bit_length() + value.denominator.bit_length()
    if bits > LARGEST_BITS:
        raise NotASum("too large")
    return value
