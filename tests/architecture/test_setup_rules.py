"""Each of the setup bot's rules, as docs/setup-bot.md lists them, has the tests that it names."""

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
RULES: Final = 28
_ROW: Final = re.compile(r"^\| (\d+) \| [^|]+ \| (`test_.*) \|$", re.MULTILINE)
_TEST: Final = re.compile(r"^(?:async )?def (test_\w+)", re.MULTILINE)


def rules() -> dict[int, list[str]]:
    """By its number, the tests of a rule."""
    text = (ROOT / "docs" / "setup-bot.md").read_text(encoding="utf-8")
    return {int(number): re.findall(r"`(\w+)`", tests) for number, tests in _ROW.findall(text)}


def written() -> set[str]:
    """Every test there is."""
    files = (ROOT / "tests").rglob("test_*.py")
    return {name for file in files for name in _TEST.findall(file.read_text(encoding="utf-8"))}


def test_no_rule_is_left_out() -> None:
    assert list(rules()) == list(range(1, RULES + 1))


@pytest.mark.parametrize("number", range(1, RULES + 1))
def test_a_rule_has_the_tests_that_are_named_with_it(number: int) -> None:
    named = rules()[number]
    assert named
    assert set(named) <= written()
