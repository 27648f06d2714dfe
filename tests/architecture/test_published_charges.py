"""Every row of the published table of charges is claimed by one test, and no claim is astray."""

import ast
import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_each_row_of_the_table_is_claimed_once() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("## What is charged")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+?) \|", table, re.MULTILINE)[1:]
    assert len(rows) > 10
    assert claims() == Counter(rows)


def claims() -> Counter[str]:
    """What `pytest.mark.charges` says, by how many tests."""
    found: Counter[str] = Counter()
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found.update(row for mark in node.decorator_list for row in claimed(mark))
    return found


def claimed(mark: ast.expr) -> list[str]:
    if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.charges":
        return [str(ast.literal_eval(mark.args[0]))]
    return []
