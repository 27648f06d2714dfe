"""A voucher's code: hard to guess, easy to copy, and known only by its hash."""

import math
import re

import pytest

from host.purchase.voucher_codes import ALPHABET, LENGTH, code_hash, new_code


def test_a_code_has_eighty_bits_in_letters_that_are_not_mistaken() -> None:
    codes = {new_code() for _ in range(200)}
    assert len(codes) == 200
    for code in codes:
        assert re.fullmatch(rf"(?:[{ALPHABET}]{{4}}-){{3}}[{ALPHABET}]{{4}}", code)
    assert math.log2(len(ALPHABET)) * LENGTH >= 80
    assert not set("ILOU") & set(ALPHABET)


@pytest.mark.parametrize(
    "written",
    ["AB10-CDEF-GHJK-MNPQ", "ab10cdefghjkmnpq", " ab1o-cdef ghjk mnpq ", "AB\nIO CDEF-GHJKMNPQ"],
)
def test_how_it_is_written_does_not_matter(written: str) -> None:
    assert code_hash(written) == code_hash("AB10-CDEF-GHJK-MNPQ")


def test_another_code_has_another_hash() -> None:
    assert code_hash("AB10-CDEF-GHJK-MNPQ") != code_hash("AB10-CDEF-GHJK-MNPR")
    assert len(code_hash("x" * 10_000)) == 32
