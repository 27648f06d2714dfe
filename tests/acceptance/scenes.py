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
from tests.fakes.pictures import png

SAM, OLGA, RAE = "sam@example.com", "olga@example.com", "rae@example.com"
IVO: Final = "ivo@example.com"
"""Has credits for nothing, and a limit for the day."""
NOBODY: Final = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """Something that people see."""

    name: str
    address: str = ""
    """Where it is; empty for where the person is already, after signing in at the chat."""
    prepare: Callable[[Person], object] = lambda person: None
    """What has to happen before it can be looked at."""


def open_receipt(person: Person) -> None:
    """From the last answer on the page to its receipt."""
    person.page.goto(f"{person.address}/")
    person.arrive()
    person.ask("What is 6 * 7?")
    address = person.receipts.last.locator("a").first.get_attribute("href")
    person.page.goto(f"{person.address}{address}")


def find(text: str) -> Callable[[Person], None]:
    """Look for something in the catalogue."""

    def prepare(person: Person) -> None:
        person.page.get_by_label("Search assistants and services").fill(text)

    return prepare


def open_card(person: Person) -> None:
    """One assistant of the catalogue, with its plans."""
    person.page.get_by_role("button", name="Show everything").click()
    person.page.get_by_role("button", name="Buy Travel Helper").click()
    expect(person.page.locator("[data-plan]").first).to_be_visible()


def browse(text: str) -> Callable[[Person], None]:
    """Say something to Browse."""

    def prepare(person: Person) -> None:
        person.arrive()
        before = person.answers.count()
        person.say(text)
        expect(person.answers).not_to_have_count(before)
        person.settled()

    return prepare


def be_refused(person: Person) -> None:
    """A message that there are not enough credits for."""
    person.arrive()
    person.say("What is 17 * 23?")
    expect(person.page.get_by_text("Your message is kept.")).to_be_visible()
    expect(person.page.locator("[data-plan]").first).to_be_visible()


def order(person: Person) -> None:
    """The page on which a pack is paid for."""
    person.page.get_by_role("button", name="Buy for $5.00").click()
    expect(person.page.get_by_text("no money moves here")).to_be_visible()


def pay(person: Person) -> None:
    """The same, paid; and its receipt."""
    order(person)
    address = person.page.url.replace("/pay/", "/receipts/")
    person.page.get_by_role("button", name="Pay $5.00").click()
    person.page.wait_for_url("**/a/*", timeout=10_000)
    person.page.goto(address)


def attach(person: Person) -> None:
    """A picture sent with a question."""
    person.page.goto(f"{person.address}/")
    person.arrive()
    figure = {"name": "figure.png", "mimeType": "image/png", "buffer": png(640, 480)}
    person.page.locator("#upload-button-input").set_input_files(figure)  # type: ignore[arg-type]
    expect(person.page.locator("#upload-button")).to_be_enabled()
    person.ask("What is in this figure?")


def stop(person: Person) -> None:
    """An answer that was stopped after its first words."""
    person.say("/long")
    expect(person.answers.last).to_contain_text("I am a maths tutor")
    person.page.locator("#stop-button").click()
    person.settled()


SCENES: Final[dict[str, tuple[Scene, ...]]] = {
    NOBODY: (
        Scene("sign in", "/login"),
        Scene("signed out", "/login?notice=out"),
        Scene("sign up", "/signup"),
        Scene("set up", "/setup"),
        Scene("reset", "/reset"),
        Scene("terms", "/terms"),
    ),
    OLGA: (
        Scene("browse"),
        Scene("found nothing", "", find("cities in a day")),
        Scene("a card opened", "", open_card),
        Scene("browse answers", "/a/travel-helper", browse("song")),
        Scene("a balance of nothing", "", browse("balance")),
    ),
    SAM: (
        Scene("an empty conversation", "/a/math-tutor", Person.arrive),
        Scene("an answer and its receipt", "", lambda sam: sam.ask("What is 6 * 7?")),
        Scene("a table", "", lambda sam: sam.ask("/table")),
        Scene("code", "", lambda sam: sam.ask("/code")),
        Scene("sources and tools", "", lambda sam: sam.ask("/cite")),
        Scene("something that failed", "", lambda sam: sam.ask("/error-mid")),
        Scene("nothing to show", "", lambda sam: sam.ask("/empty")),
        Scene("stopped", "", stop),
        Scene("a picture sent", "/a/math-tutor", attach),
        Scene("a receipt", "/a/math-tutor", open_receipt),
        Scene("somebody else's receipt", "/receipts/x"),
        Scene("the account", "/account"),
        Scene("usage", "/account/usage"),
        Scene("purchases", "/account/purchases"),
        Scene("access tokens", "/account/tokens"),
        Scene("sign-in", "/account/sign-in"),
        Scene("one's data", "/account/data"),
        Scene("a plan", "/buy/pack-100"),
        Scene("a trial", "/buy/trial-20"),
        Scene("paying", "/buy/pack-100", order),
        Scene("paid", "/buy/pack-100", pay),
        Scene("a voucher", "/redeem"),
        Scene("nothing", "/nothing/here"),
        Scene("sign out", "/logout"),
        Scene("the account in Spanish", "/account?speak=es"),
        Scene("usage in Spanish", "/account/usage"),
        Scene("a plan in Spanish", "/buy/pack-100"),
        Scene("the terms in Spanish", "/terms"),
    ),
    IVO: (
        Scene("a message kept", "/a/math-tutor", be_refused),
        Scene("the account of somebody low", "/account"),
    ),
    RAE: (Scene("the setup bot with its form for a key"),),
}


def furnish(data_dir: Path, visit: Callable[[], Person]) -> None:
    """What the people of the scenes have, beside what the demo gives them."""
    for email, role in ((RAE, "builder"), (IVO, "subscriber")):
        made = farebox(
            "account", "create", email, "--role", role, "--password-stdin",
            data_dir=data_dir, stdin=f"{PASSWORD}\n",
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
    for arguments in (
        ("grant", IVO, "pack-100", "--credits", "3"),
        ("grant", SAM, "pack-100"),
        ("account", "cap", IVO, "--credits", "50"),
    ):
        given = farebox(*arguments, data_dir=data_dir)
        assert given.returncode == 0, given.stderr
    rae = visit()
    rae.sign_in(RAE)
    for answer in ("Rhyme Helper", "Finds rhymes.", "gpt-6-luna", "You find rhymes."):
        rae.ask(answer)
    expect(rae.answers.last).to_contain_text("Step 5 of 9")
    rae.page.context.close()
