"""What the documentation must name is compared with the code."""

import re
from importlib import import_module
from pathlib import Path

from host import errors
from host.config import PREFIX, Settings

ROOT = Path(__file__).parents[2]


def test_every_setting_is_documented_and_no_other() -> None:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    documented = set(re.findall(rf"^\| `{PREFIX}(\w+)`", text, re.MULTILINE))
    assert documented == {name.upper() for name in Settings.model_fields}


def test_every_refusal_is_documented_with_its_status() -> None:
    text = (ROOT / "docs" / "refusals.md").read_text(encoding="utf-8")
    documented = {
        (int(status), code)
        for status, code in re.findall(r"^\| ([0-9]{3}) \| `(\w+)`", text, re.MULTILINE)
    }
    tree = errors.__doc__ or ""
    import_module("host.app")  # and with it every refusal there is
    refusals = family(errors.FareboxError)
    assert documented == {(refusal.status, refusal.code) for refusal in refusals}
    assert {one.__name__ for one in refusals if one.__module__.startswith("host.")} <= set(
        re.findall(r"\w+", tree)
    )


def family(refusal: type[errors.FareboxError]) -> set[type[errors.FareboxError]]:
    children = refusal.__subclasses__()
    return {refusal}.union(*(family(child) for child in children))


def test_links_between_documents_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
