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
KIM: Final = "kim@example.com"
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


def stop_an_answer(person: Person) -> None:
    """After its first words, so that it costs something."""
    person.say("/long")
    expect(person.answers.last).to_contain_text("I am a maths tutor")
    person.page.locator("#stop-button").click()
    expect(person.receipts.last).to_contain_text("Stopped, 5 credits")


def send_a_picture(person: Person) -> None:
    """With a question about it."""
    figure = {"name": "figure.png", "mimeType": "image/png", "buffer": png(640, 480)}
    person.page.locator("#upload-button-input").set_input_files(figure)  # type: ignore[arg-type]
    expect(person.page.locator("#chat-submit")).to_be_enabled()
    person.ask("What do you see?")


def unfold_a_tool(person: Person) -> None:
    """What an assistant did on the way to its answer."""
    person.ask("/tool")
    person.page.get_by_role("button", name="Searched the web").last.click()


def press(person: Person, name: str) -> None:
    """A button of a page, and wait for the page after it."""
    with person.page.expect_navigation():
        person.page.get_by_role("button", name=name).first.click()


def make_a_token(person: Person) -> None:
    """Unfold its form where it is folded, and see the one page that shows it."""
    if not person.page.get_by_role("button", name="Make access token").is_visible():
        person.page.get_by_text("New access token").click()
    press(person, "Make access token")


def ask_too_much(person: Person) -> None:
    """A message that is kept until there are credits for it."""
    person.say("What is 17 * 23?")
    expect(person.page.get_by_text("Your message is kept.")).to_be_visible()
    person.page.locator("[data-plan]").first.wait_for()


def redeem(person: Person, code: str) -> None:
    """Type a voucher's code."""
    person.page.get_by_role("textbox").first.fill(code)
    press(person, "Redeem")


def pay(person: Person) -> None:
    """And see the receipt of it."""
    order = person.page.url.rpartition("/")[2]
    press(person, "Pay $5.00")
    person.page.goto(f"{person.address}/receipts/{order}")


def ask_browse(person: Person, question: str, answer: str) -> None:
    """Something that is not for an assistant, on a page that has just been opened."""
    person.arrive()
    person.say(question)
    expect(person.page.get_by_text(answer).last).to_be_visible()


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
        Scene(
            "something that is not on offer",
            "/",
            lambda olga: ask_browse(olga, "quantum", "Nothing here matches"),
        ),
        Scene("an account with nothing in it", "/account"),
        Scene("no purchases yet", "/account/purchases"),
        Scene("no usage yet", "/account/usage"),
        Scene("no tokens yet", "/account/tokens"),
        Scene("a voucher to redeem", "/redeem"),
        Scene("a voucher that is none", "", lambda olga: redeem(olga, "ABCD-EFGH")),
    ),
    KIM: (  # who has three credits, and a message costs five
        Scene("a message kept for want of credits", "", ask_too_much),
        Scene("an account that runs low", "/account"),
    ),
    SAM: (
        Scene("an empty conversation"),
        Scene("an answer and its receipt", "", lambda sam: sam.ask("What is 6 * 7?")),
        Scene("a table", "", lambda sam: sam.ask("/table")),
        Scene("a program", "", lambda sam: sam.ask("/code")),
        Scene("sources", "", lambda sam: sam.ask("/cite")),
        Scene("a tool at work", "", unfold_a_tool),
        Scene("a picture that was drawn", "", lambda sam: sam.ask("/draw")),
        Scene("a picture that was sent", "", send_a_picture),
        Scene("an answer that was stopped", "", stop_an_answer),
        Scene("something that failed", "", lambda sam: sam.ask("/error-mid")),
        Scene("a receipt", "", read_the_receipt),
        Scene("somebody else's receipt", "/receipts/x"),
        Scene("the account", "/account"),
        Scene("what was used", "/account/usage"),
        Scene("what was bought", "/account/purchases"),
        Scene("access tokens", "/account/tokens"),
        Scene("an access token, once", "", make_a_token),
        Scene("how one signs in", "/account/sign-in"),
        Scene("what is kept of somebody", "/account/data"),
        Scene("the terms", "/terms"),
        Scene("a plan", "/buy/pack-100"),
        Scene("paying for it", "", lambda sam: press(sam, "Buy")),
        Scene("paid", "", pay),
        Scene("a trial", "/buy/trial-20"),
        Scene("nothing", "/nothing/here"),
        Scene("sign out", "/logout"),
        Scene("the account in Spanish", "/account?speak=es"),
    ),
    RAE: (Scene("the setup bot with its form for a key"),),
}


def furnish(data_dir: Path, visit: Callable[[], Person]) -> None:
    """Bring people to where their scenes begin.

    Sam has credits for all that they ask, Kim not enough for one message, and Rae has described
    an assistant up to its key.
    """
    for email, role in ((RAE, "builder"), (KIM, "subscriber")):
        made = farebox(
            "account", "create", email, "--role", role, "--password-stdin",
            data_dir=data_dir, stdin=f"{PASSWORD}\n",
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
    for email, given in ((SAM, "500"), (KIM, "3")):
        granted = farebox("grant", email, "pack-100", "--credits", given, data_dir=data_dir)
        assert granted.returncode == 0, granted.stderr
    rae = visit()
    rae.sign_in(RAE)
    for answer in (
        *("an assistant", "Rhyme Helper", "Finds rhymes.", "skip", "gpt-6-luna"),
        "You find rhymes.",
    ):
        rae.ask(answer)
    expect(rae.answers.last).to_contain_text("Step 7 of 13")
    rae.page.context.close()
