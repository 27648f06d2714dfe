"""What a subscriber gets to see, scene by scene: where it is, and what has to happen there first.

One table for two purposes. axe looks at every scene (`test_accessibility`), and
`python -m tests.acceptance.pictures --all` takes a picture of each in light and dark, on a desk
and on a phone, for people to look at. A new page, or a new state of one, is one line here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playwright.sync_api import expect

from tests.acceptance.browser import PASSWORD, Person
from tests.acceptance.servers import farebox

SAM, OLGA, RAE = "sam@example.com", "olga@example.com", "rae@example.com"
NOBODY: Final = ""


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
    NOBODY: (
        Scene("sign in", "/login"),
        Scene("signed out", "/login?notice=out"),
        Scene("sign up", "/signup"),
        Scene("set up", "/setup"),
        Scene("reset", "/reset"),
    ),
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
        Scene("the account in Spanish", "/account?speak=es"),
    ),
    RAE: (Scene("the setup bot with its form for a key"),),
}


def furnish(data_dir: Path, visit: Callable[[], Person]) -> None:
    """Bring Rae to where her scene begins: an assistant described up to its key."""
    made = farebox(
        "account", "create", RAE, "--role", "builder", "--password-stdin",
        data_dir=data_dir, stdin=f"{PASSWORD}\n",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    rae = visit()
    rae.sign_in(RAE)
    for answer in ("Rhyme Helper", "Finds rhymes.", "gpt-6-luna", "You find rhymes."):
        rae.ask(answer)
    expect(rae.answers.last).to_contain_text("Step 5 of 9")
    rae.page.context.close()
