"""Amounts as people write and read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.credits import MOST, format_credits, parse_credits


@given(st.integers(0, MOST))
def test_what_is_written_reads_back_exactly(amount: int) -> None:
    assert parse_credits(format_credits(amount)) == amount


@pytest.mark.parametrize(
    ("amount", "written"),
    [(5000, "5"), (250, "0.25"), (1, "0.001"), (0, "0"), (-5000, "-5"), (100_500, "100.5")],
)
def test_credits_are_shown_without_needless_digits(amount: int, written: str) -> None:
    assert format_credits(amount) == written


@pytest.mark.parametrize(
    "written", ["", "-1", "1e3", "nan", "0.0001", "1,5", "١", "1000000000.001", "five", "+1"]
)
def test_what_is_not_an_amount_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="credits"):
        parse_credits(written)
