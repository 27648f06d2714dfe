"""What a page does around its composer and its own menus, in a browser."""

from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from host.runs.opening import TEXT_MAX
from tests.acceptance.browser import Person
from tests.acceptance.conftest import DESKTOP, People, operate

SAM = "sam@example.com"
DELETE: Final = """
thread => fetch("/project/thread", {
    method: "DELETE",
    headers: {"Content-Type": "application/json"},
    body: JSON.stringify({threadId: thread}),
})
"""
AGREED: Final = "{farebox_shown: {slug: 'math-tutor', price: %d}}"
NOTE_OTHERS: Final = """
addEventListener("message", ({ source }) => { window.spokenTo ||= source !== window }, true)
"""


def more_about_this(page: Page, choice: str) -> None:
    """Take something from the menu of the conversation that is open."""
    line = page.locator("a[aria-current='page']")
    line.hover()
    line.get_by_label("More about this conversation").click()
    page.get_by_role("menuitem", name=choice).click()


@pytest.mark.browser
def test_deleting_the_open_conversation_begins_a_new_one_in_every_window(people: People) -> None:
    sam = people.person(size=DESKTOP)
    sam.sign_in(SAM)
    sam.choose("math-tutor")
    sam.ask("What is 6 * 7?")
    expect(sam.page.locator("a[aria-current='page']")).to_have_text("What is 6 * 7?")
    other = Person(sam.page.context.new_page(), sam.address)
    other.page.goto(sam.page.url)
    other.arrive()
    other.page.locator("#chat-input").fill("And what I had begun to write")
    left = sam.credits_left()

    more_about_this(sam.page, "Delete")
    sam.page.get_by_role("button", name="Confirm").click()

    expect(sam.page).to_have_url(f"{sam.address}/")
    expect(sam.answers).to_have_count(0)
    expect(other.page).to_have_url(f"{sam.address}/")
    expect(other.page.locator("#chat-input")).to_have_value("And what I had begun to write")
    expect(other.page.get_by_role("alert")).to_have_text(
        "That conversation was deleted. What you wrote was not sent, and is here."
    )
    other.arrive()
    sam.arrive()
    expect(sam.ask("Did I ask something earlier?")).to_contain_text("nothing earlier")
    expect(sam.page.locator("a[href^='/thread/']").first).to_have_text(
        "Did I ask something earlier?"
    )
    assert sam.credits_left() == left - 5


@pytest.mark.browser
def test_what_was_written_to_an_assistant_is_not_put_before_another(
    people: People, demo_dir: Path, newcomer: str
) -> None:
    for plan in ("pack-100", "travel-pass"):
        granted = {"email": newcomer, "plan": plan, "credits_": "", "note": ""}
        operate(demo_dir, "grant", **granted, request=uuid4().hex)
    ann = people.person(size=DESKTOP)
    ann.sign_in(newcomer)
    ann.choose("math-tutor")
    ann.ask("What is 6 * 7?")
    other = Person(ann.page.context.new_page(), ann.address)
    other.page.goto(ann.page.url)
    other.arrive()
    other.page.locator("#chat-input").fill("For the tutor alone")
    ann.choose("travel-helper")
    ann.ask("Where is it warm?")  # with whom a new page would begin
    ann.page.evaluate(DELETE, other.page.url.rsplit("/", 1)[1])
    expect(other.page.get_by_role("alert")).to_contain_text("That conversation was deleted.")
    expect(other.page.locator("#chat-input")).to_have_value("For the tutor alone")
    expect(other.page.locator("#chat-profiles")).to_contain_text("Math Tutor")


@pytest.mark.browser
def test_what_another_window_says_to_the_page_is_not_heard(people: People) -> None:
    sam = people.person(size=DESKTOP)
    sam.sign_in(SAM)
    with sam.page.context.expect_page() as opening:
        sam.page.evaluate("address => { window.opened = window.open(address) }", sam.address)
    opened = Person(opening.value, sam.address)
    opened.page.add_init_script(NOTE_OTHERS)
    with opened.page.expect_websocket() as connecting:
        opened.page.reload()
    opened.arrive()
    sam.page.evaluate(f"window.opened.postMessage({AGREED % 1}, '*')")
    opened.page.wait_for_function("window.spokenTo")
    with connecting.value.expect_event("framesent", lambda frame: '"price":2}' in str(frame)):
        opened.page.evaluate(f"window.postMessage({AGREED % 2}, '*')")
    assert not any('"price":1}' in frame for frame in opened.frames_sent)


@pytest.mark.browser
def test_what_is_longer_than_is_taken_stays_in_the_composer(people: People) -> None:
    sam = people.person(size=DESKTOP)
    sam.sign_in(SAM)
    sam.choose("math-tutor")
    box, said = sam.page.locator("#chat-input"), sam.page.locator("[data-step-type]")
    long = "word " * (TEXT_MAX // 5 + 1)
    expect(sam.page.locator("#farebox-price")).to_contain_text("credits per message")
    for is_pressed in (True, False):
        box.fill(long)
        if is_pressed:
            box.press("Enter")
        else:
            sam.page.locator("#chat-submit").click()
        expect(sam.page.get_by_role("alert")).to_have_text(
            "This has 32,005 characters; at most 32,000 can be sent at once. Send it in parts."
        )
        expect(box).to_have_value(long)
        expect(said).to_have_count(0)
    box.fill("What is 6 * 7?")
    expect(sam.page.get_by_role("alert")).to_have_count(0)
    box.press("Enter")
    expect(sam.answers.last).to_contain_text("42")
    sam.settled()
    assert box.evaluate("box => box.clientHeight") < 60


@pytest.mark.browser
def test_what_stopping_costs_is_said_while_an_answer_is_written(people: People) -> None:
    sam = people.person(size=DESKTOP)
    sam.sign_in(SAM)
    sam.choose("math-tutor")
    line = sam.page.locator("#farebox-price")
    sam.say("/long")
    expect(sam.answers).to_have_count(1)
    expect(line).to_have_text("Math Tutor · stopping now costs 5 credits")
    expect(sam.page.locator("#stop-button")).to_have_accessible_name("Stop the answer")
    sam.page.locator("#stop-button").click()
    sam.settled()
    expect(sam.receipts.last).to_contain_text("Stopped, 5 credits")
    expect(line).to_contain_text("5 credits per message")


@pytest.mark.browser
def test_the_pages_own_parts_say_what_they_mean(people: People, tmp_path: Path) -> None:
    ana = people.person(size=DESKTOP, locale="es-ES")
    ana.sign_in(SAM)
    ana.choose("math-tutor")
    zipped = tmp_path / "a.zip"
    zipped.write_bytes(b"PK")
    ana.page.locator("#upload-button-input").set_input_files(zipped)
    expect(ana.page.locator("[data-sonner-toast]")).to_have_text(
        "A este asistente no se le puede enviar este tipo de archivo."
    )
    picker = ana.page.locator("#chat-profiles")
    picker.click()
    expect(ana.page.locator("#chat-profile-description")).to_be_visible()
    ana.page.keyboard.press("Escape")  # once, though a card stands beside the entry
    expect(picker).to_have_attribute("data-state", "closed")
    expect(ana.page.get_by_label("Claro u oscuro")).to_be_visible()
    ana.page.locator("#search-chats-button").click()
    ana.page.keyboard.type("xyzzy")
    expect(ana.page.locator("[cmdk-empty]")).to_have_attribute(
        "data-said", "No se ha encontrado nada"
    )
