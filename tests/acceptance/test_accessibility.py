"""Every page and the chat, looked at by axe-core in the real Chromium: WCAG 2.1, A and AA.

What it looks at is a table of its own (`tests.acceptance.scenes`), in light and dark and at both
sizes. There are no exceptions: what Chainlit's own parts lack is mended in `public/names.js`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import axe_playwright_python  # type: ignore[import-untyped]  # it has no types
import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from tests.acceptance.browser import Person
from tests.acceptance.conftest import DESKTOP, PHONE
from tests.acceptance.scenes import SAM, SCENES, furnish
from tests.acceptance.servers import ServerProcess

AXE: Final = Path(axe_playwright_python.__file__).with_name("axe.min.js")
RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
THEMES: Final = ("light", "dark")
NEXT_DRAWN: Final = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


@dataclass(frozen=True, slots=True)
class Opening:
    """Something that opens over the chat, and is closed by Escape."""

    shows: str
    open: Callable[[Page], object]
    stays: bool = False
    """Whether it goes by itself, though not from under the pointer, and nothing closes it."""
    in_sidebar: bool = False
    """Whether it is reached where there is room for the sidebar."""


def of_the_conversation(page: Page, choice: str = "") -> None:
    """The menu of the conversation that is open, or what is in it."""
    line = page.locator("a[aria-current='page']")
    line.hover()
    line.get_by_label("More about this conversation").click()
    if choice:
        page.get_by_role("menuitem", name=choice).click()


def search_in_vain(page: Page) -> None:
    """For what is nowhere."""
    page.get_by_label("Search conversations").click()
    page.keyboard.type("xyzzy")


ZIPPED: Final = FilePayload(name="a.zip", mimeType="application/zip", buffer=b"PK")
OPENINGS: Final = (
    Opening("[role='listbox']", lambda page: page.locator("#chat-profiles").click()),
    Opening("[role='menu']", lambda page: page.locator("#user-nav-button").click()),
    Opening("[role='menu']", lambda page: page.locator("#theme-toggle").click()),
    Opening("#farebox-export[open]", lambda page: page.locator("#farebox-export").click()),
    Opening("[role='menu']", of_the_conversation, in_sidebar=True),
    Opening("[role='dialog']", lambda page: of_the_conversation(page, "Rename"), in_sidebar=True),
    Opening(
        "[role='alertdialog']", lambda page: of_the_conversation(page, "Delete"), in_sidebar=True
    ),
    Opening("[cmdk-empty]", search_in_vain, in_sidebar=True),
    Opening(
        "[data-sonner-toast][data-front='true']",
        lambda page: page.locator("#upload-button-input").set_input_files(ZIPPED),
        stays=True,
    ),
)


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
@pytest.mark.parametrize("theme", THEMES)
def test_everybody_can_use_what_opens_over_the_chat(
    browser: Browser, demo: ServerProcess, theme: str
) -> None:
    context = browser.new_context(
        color_scheme=theme,  # type: ignore[arg-type]
        reduced_motion="reduce",
        locale="en-US",
    )
    sam = Person(context.new_page(), demo.address)
    sam.sign_in(SAM)
    sam.ask("What is 2 + 2?")
    found: list[str] = []
    for size in (DESKTOP, PHONE):
        sam.page.set_viewport_size(size)  # type: ignore[arg-type]
        for opening in OPENINGS:
            if opening.in_sidebar and size is PHONE:
                continue
            opening.open(sam.page)
            shown = sam.page.locator(opening.shows).last
            expect(shown).to_be_visible()
            if opening.stays:
                shown.hover()
            sam.page.evaluate(NEXT_DRAWN)
            where = f"{opening.shows} at {size['width']}"
            found += [f"{where}: {problem}" for problem in _lasting_problems(sam)]
            expect(shown).to_be_visible()
            sam.page.keyboard.press("Escape")
            if not opening.stays:
                expect(sam.page.locator(opening.shows)).to_have_count(0)
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
