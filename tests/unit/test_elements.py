"""Cards are drawn with the classes that Chainlit's page brings; others would draw nothing."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

ELEMENTS = Path(__file__).parents[2] / "public" / "elements"
OURS = "farebox-"
"""Classes of our own, from public/custom.css."""
_QUOTED = re.compile(r"className=\"([^\"]*)\"")
_CHOSEN = re.compile(r"className=\{[^}]*?\}")


def page_styles() -> str:
    # Finding a package does not import it: importing Chainlit writes files.
    spec = find_spec("chainlit")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    assets = Path(spec.submodule_search_locations[0]) / "frontend" / "dist" / "assets"
    return "".join(path.read_text() for path in assets.glob("*.css"))


def classes_of(jsx: str) -> set[str]:
    quoted = [match[1] for match in _QUOTED.finditer(jsx)]
    chosen = [text for match in _CHOSEN.finditer(jsx) for text in re.findall(r"'(.*?)'", match[0])]
    return {name for text in quoted + chosen for name in text.split()}


def is_styled(name: str, css: str) -> bool:
    escaped = re.sub(r"([:/\[\].%])", r"\\\\\1", name)
    return re.search(rf"\.{escaped}(?![\w-])", css) is not None


@pytest.mark.parametrize("path", sorted(ELEMENTS.glob("*.jsx")), ids=lambda path: path.name)
def test_every_class_of_a_card_exists_on_the_page(path: Path) -> None:
    css = page_styles()

    unknown = {
        name
        for name in classes_of(path.read_text())
        if not name.startswith(OURS) and not is_styled(name, css)
    }

    assert unknown == set()


def test_a_class_that_chainlit_does_not_bring_would_be_noticed() -> None:
    css = page_styles()

    assert is_styled("flex-wrap", css)
    assert not is_styled("max-w-md", css)


def test_the_key_leaves_its_field_before_it_is_sent_and_goes_nowhere_else() -> None:
    jsx = (ELEMENTS / "KeyForm.jsx").read_text()
    sending = jsx[jsx.index("async function send") : jsx.index("async function stored")]

    assert sending.index("field.current.value = ''") < sending.index("fetch(")
    assert "'X-Requested-With': 'farebox'" in sending
    assert re.findall(r"\bkey\b(?=[ ,})])", sending.split("fetch(")[1]) == ["key"]
    for kept in ("localStorage", "sessionStorage", "console."):
        assert kept not in jsx
