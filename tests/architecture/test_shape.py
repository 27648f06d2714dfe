"""Every module tells its story, imports go one way, and nothing heavy is loaded by accident."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    path
    for package in ("farebox", "chat_ui", "host", "storage")
    for path in (ROOT / package).rglob("*.py")
    if "versions" not in path.parts
)


def test_imports_go_one_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert lint_imports() == 0


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_opens_with_its_story(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    if path.name == "__init__.py":
        assert len(tree.body) == 1, "an __init__ holds its docstring alone"


@pytest.mark.parametrize(
    "module", ["farebox.cli", "farebox.commands.books", "host.app", "host.proxy.gateway"]
)
def test_the_chat_is_loaded_only_by_who_serves_it(module: str) -> None:
    program = f"import sys, {module}; print('chainlit' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "False"
