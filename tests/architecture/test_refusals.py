"""A refusal that speaks of the charge says that it does, so that nobody says it a second time."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SPOKEN = sorted(path for place in ("host", "chat_ui") for path in (ROOT / place).rglob("*.py"))


def refusals(path: Path) -> Iterator[tuple[str, bool]]:
    """What is said there as `Refusal(_("…"))`, and whether it says that it tells of the charge."""
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match call:
            case ast.Call(
                func=ast.Name(id=kind),
                args=[ast.Call(func=ast.Name(id="_"), args=[ast.Constant(value=str(said)), *_])],
                keywords=keywords,
            ) if kind[0].isupper():
                yield (
                    said,
                    any(
                        one.arg == "says_charge" and ast.unparse(one.value) == "True"
                        for one in keywords
                    ),
                )


def test_a_refusal_that_speaks_of_the_charge_says_that_it_does() -> None:
    found = {said: told for path in SPOKEN for said, told in refusals(path)}
    assert len(found) > 50, "they are written in another way now; look for them there"
    wrong = [said for said, told in found.items() if told != ("charged" in said)]
    assert wrong == []
