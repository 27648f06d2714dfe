"""Every page and the chat, looked at by axe-core in the real Chromium: WCAG 2.1, A and AA.

What it looks at is a table of its own (`tests.acceptance.scenes`), in light and dark and at both
sizes. There are no exceptions: what Chainlit's own parts lack is mended in `public/custom.js`.
"""

from pathlib import Path
from typing import Any, Final

import axe_playwright_python  # type: ignore[import-untyped]  # it has no types
import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.browser import Person
from tests.acceptance.conftest import DESKTOP, PHONE
from tests.acceptance.scenes import SAM, SCENES, furnish
from tests.acceptance.servers import ServerProcess

AXE: Final = Path(axe_playwright_python.__file__).with_name("axe.min.js")
RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
THEMES: Final = ("light", "dark")
NEXT_DRAWN: Final = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


@pytest.fixture(scope="module")
def seats(browser: Browser, demo: ServerProcess, demo_dir: Path) -> ServerProcess:
    """The demo, in which everybody has what their scenes need."""
    furnish(demo_dir, lambda: Person(browser.new_page(), demo.address))
    return demo


@pytest.mark.browser
@pytest.mark.parametrize("theme", THEMES)
def test_everybody_can_use_every_page(browser: Browser, seats: ServerProcess, theme: str) -> None:
    found: list[str] = []
    for email, scenes in SCENES.items():
        context = browser.new_context(
            color_scheme=theme,  # type: ignore[arg-type]
            reduced_motion="reduce",
            locale="en-US",
        )
        person = Person(context.new_page(), seats.address)
        if email:
            person.sign_in(email)
        for scene in scenes:
            person.page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
            if scene.address:
                person.page.goto(f"{person.address}{scene.address}")
            scene.prepare(person)
            for size in (DESKTOP, PHONE):
                person.page.set_viewport_size(size)  # type: ignore[arg-type]
                person.page.evaluate(NEXT_DRAWN)
                where = f"{scene.name} at {size['width']}"
                found += [f"{where}: {problem}" for problem in _lasting_problems(person)]
        context.close()
    assert not found, "\n".join(found)


@pytest.mark.browser
def test_a_conversations_menu_is_within_reach_of_the_keyboard(
    browser: Browser, demo: ServerProcess
) -> None:
    sam = Person(browser.new_page(), demo.address)
    sam.sign_in(SAM)
    sam.ask("What is 2 + 2?")
    options = sam.page.get_by_role("button", name="More about this conversation").first
    sam.page.locator("#thread-history a").first.focus()
    sam.page.keyboard.press("Tab")
    expect(options).to_be_focused()
    expect(options).to_have_css("opacity", "1")
    options.press("Enter")
    expect(sam.page.get_by_role("menuitem", name="Rename")).to_be_visible()
    sam.page.context.close()


def _lasting_problems(person: Person) -> list[str]:
    """Those that are still there after the next frame, in which what is new gets its name."""
    if not _problems(person):
        return []
    person.page.evaluate(NEXT_DRAWN)
    return _problems(person)


def _problems(person: Person) -> list[str]:
    """What axe finds on the page as it is now: the rule, where, and what it says."""
    person.page.evaluate(AXE.read_text(encoding="utf-8"))
    told: dict[str, Any] = person.page.evaluate(
        "rules => axe.run({ runOnly: rules, resultTypes: ['violations'] })", RULES
    )
    assert told["passes"], "axe looked at nothing"
    return [
        f"{violation['id']}: {node['target']}: {node['failureSummary']}"
        for violation in told["violations"]
        for node in violation["nodes"]
    ]
