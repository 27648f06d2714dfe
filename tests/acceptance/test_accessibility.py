"""Every page and the chat, looked at by axe-core in the real Chromium: WCAG 2.1, A and AA.

`SCENES` is the table: where to go, as whom, and what to do there first. A new page is one line. It
is looked at in light and dark and at both sizes. There are no exceptions: what Chainlit's own
parts lack is mended in `public/custom.js`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import axe_playwright_python  # type: ignore[import-untyped]  # it has no types
import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.browser import PASSWORD, Person
from tests.acceptance.conftest import DESKTOP, PHONE
from tests.acceptance.servers import ServerProcess, farebox

AXE: Final = Path(axe_playwright_python.__file__).with_name("axe.min.js")
RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
THEMES: Final = ("light", "dark")
NEXT_DRAWN: Final = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
SAM, RAE, OLGA = "sam@example.com", "rae@example.com", "olga@example.com"


@dataclass(frozen=True, slots=True)
class Scene:
    """Something that people see."""

    name: str
    address: str = ""
    """Where it is; empty for where the person is already, after signing in at the chat."""
    prepare: Callable[[Person], object] = lambda person: None
    """What has to happen before it can be looked at."""


def read_the_receipt(person: Person) -> None:
    """From the answer on the page to its receipt."""
    address = person.receipts.last.locator("a").first.get_attribute("href")
    person.page.goto(f"{person.address}{address}")


SCENES: Final[dict[str, tuple[Scene, ...]]] = {
    "": (
        Scene("sign in", "/login"),
        Scene("signed out", "/login?notice=out"),
        Scene("sign up", "/signup"),
        Scene("set up", "/setup"),
        Scene("reset", "/reset"),
    ),
    SAM: (
        Scene("an empty conversation"),
        Scene("an answer and its receipt", "", lambda sam: sam.ask("What is 6 * 7?")),
        Scene("something that failed", "", lambda sam: sam.ask("/error-mid")),
        Scene("a receipt", "", read_the_receipt),
        Scene("somebody else's receipt", "/receipts/x"),
        Scene("the account", "/account"),
        Scene("a plan", "/buy/pack-100"),
        Scene("a trial", "/buy/trial-20"),
        Scene("nothing", "/nothing/here"),
        Scene("sign out", "/logout"),
    ),
    RAE: (Scene("the setup bot with its form for a key"),),
    OLGA: (  # who has no plan yet
        Scene(
            "everything on offer",
            "",
            lambda olga: olga.page.locator("[data-offering]").nth(2).wait_for(),
        ),
        Scene(
            "what brings an offering",
            "/a/travel-helper",
            lambda olga: olga.page.locator("[data-plan]").wait_for(),
        ),
    ),
}


@pytest.fixture(scope="module")
def seats(browser: Browser, demo: ServerProcess, demo_dir: Path) -> ServerProcess:
    """The demo, in which Rae has described an assistant up to its key."""
    made = farebox(
        "account", "create", RAE, "--role", "builder", "--password-stdin",
        data_dir=demo_dir, stdin=f"{PASSWORD}\n",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    rae = Person(browser.new_page(), demo.address)
    rae.sign_in(RAE)
    for answer in ("Rhyme Helper", "Finds rhymes.", "gpt-6-luna", "You find rhymes."):
        rae.ask(answer)
    expect(rae.answers.last).to_contain_text("Step 5 of 9")
    rae.page.context.close()
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
                found += [f"{where}: {problem}" for problem in _problems(person)]
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
