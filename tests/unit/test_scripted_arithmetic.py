"""The tutor really computes: its parser agrees with exact fractions on every expression."""

import contextlib
import operator
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farebox.demo.upstream.arithmetic import NotASum, Sum, evaluate, find_sum, written

OPERATIONS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}

numbers = st.integers(0, 99).map(lambda n: (str(n), Fraction(n)))
expressions = st.recursive(
    numbers,
    lambda part: (
        st.tuples(part, st.sampled_from("+-*/"), part)
        .filter(lambda t: t[1] != "/" or t[2][1] != 0)
        .map(lambda t: (f"({t[0][0]} {t[1]} {t[2][0]})", OPERATIONS[t[1]](t[0][1], t[2][1])))
    ),
    max_leaves=8,
)


@given(expressions)
def test_any_bracketed_expression_has_its_exact_value(expression: tuple[str, Fraction]) -> None:
    text, value = expression
    assert evaluate(text) == value


@given(st.lists(st.integers(1, 50), min_size=2, max_size=8), st.data())
def test_without_brackets_products_bind_before_sums(
    values: list[int], data: st.DataObject
) -> None:
    signs = [data.draw(st.sampled_from("+-*")) for _ in values[1:]]
    text = str(values[0]) + "".join(f"{s}{v}" for s, v in zip(signs, values[1:], strict=True))
    total, product, adds = 0, values[0], True
    for sign, value in zip(signs, values[1:], strict=True):
        if sign == "*":
            product *= value
            continue
        total += product if adds else -product
        product, adds = value, sign == "+"
    total += product if adds else -product
    assert evaluate(text) == total


@given(st.text(alphabet="0123456789.+-*/^() x", max_size=130))
def test_no_text_does_more_than_raise_that_it_is_no_sum(text: str) -> None:
    with contextlib.suppress(NotASum, ZeroDivisionError):
        evaluate(text)
    found = find_sum(text)
    assert found is None or isinstance(found, Sum)


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("what is 17*23", "391"),
        ("What is 17 × 23?", "391"),
        ("what is 2 + 2 * 10?", "22"),
        ("what is (2 + 2) x 10, please", "40"),
        ("how much is 12 plus 30", "42"),
        ("15% of 80", "12"),
        ("7 divided by 2", "3.5"),
        ("2^10", "1024"),
        ("-2^2 + 0", "-4"),
        ("1,250 + 50", "1300"),
        ("10 / 3", "≈ 3.333333"),
        ("5 squared", "25"),
    ],
)
def test_a_sum_in_a_sentence_is_found_and_worked_out(question: str, value: str) -> None:
    found = find_sum(question)
    assert found is not None
    assert found.value is not None
    assert written(found.value) == value


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "I am 30 years old",
        "on 2026-12-01 please",
        "3-4 days in Rome",
        "a-b",
        "(",
        "call 5",
    ],
)
def test_a_sentence_without_an_operation_holds_no_sum(text: str) -> None:
    assert find_sum(text) is None


def test_dividing_by_zero_is_a_sum_without_a_value() -> None:
    found = find_sum("what is 1/0?")
    assert found is not None
    assert found.value is None


@pytest.mark.parametrize("text", ["9^64^64", "2^65", "(" * 40 + "1" + ")" * 40, "1" * 200])
def test_what_would_take_too_long_is_refused(text: str) -> None:
    with pytest.raises(NotASum):
        evaluate(text)
