"""A subscriber in the browser: a paid answer, its receipt, and failures that cost nothing."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.conftest import DESKTOP, PHONE, PICTURES, People

SAM = "sam@example.com"
SIZES = [pytest.param(DESKTOP, id="1280"), pytest.param(PHONE, id="390")]


@pytest.mark.browser
@pytest.mark.parametrize("size", SIZES)
def test_a_paid_answer_streams_and_its_receipt_is_right(
    people: People, size: dict[str, int]
) -> None:
    sam = people.person(size=size)
    sam.sign_in(SAM)
    before = sam.credits_left()
    sam.say("What is 17 * 23?")
    expect(sam.page.locator("#stop-button")).to_be_visible()
    expect(sam.answers.last).to_contain_text("391")
    sam.settled()
    expect(sam.receipts.last).to_contain_text("−5 credits")
    expect(sam.receipts.last).to_contain_text(f"{before - 5:g} left")
    expect(sam.balance).to_contain_text(f"{before - 5:g}")
    sam.picture(f"paid-answer-{size['width']}", PICTURES)


@pytest.mark.browser
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("trigger", "sentence"),
    [
        ("/error", "Not charged: the assistant's upstream failed"),
        ("/error-mid", "Not charged: the assistant's upstream failed"),
        ("/empty", "Not charged: the answer was empty"),
        ("/cut", "Not charged: the answer broke off"),
        ("/429", "Not charged: the assistant is busy"),
        ("/401", "trying again will not help"),
        ("/quota", "trying again will not help"),
    ],
)
def test_what_fails_costs_nothing_and_says_so(
    people: People, trigger: str, sentence: str, size: dict[str, int]
) -> None:
    sam = people.person(size=size)
    sam.sign_in(SAM)
    before = sam.credits_left()
    sam.say(trigger)
    expect(sam.page.get_by_text(re.compile(re.escape(sentence))).last).to_be_visible()
    sam.settled()
    sam.picture(f"free{trigger.replace('/', '-')}-{size['width']}", PICTURES)
    assert sam.credits_left() == before


@pytest.mark.browser
@pytest.mark.parametrize("size", SIZES)
def test_a_reload_keeps_the_conversation_and_its_receipt(
    people: People, size: dict[str, int]
) -> None:
    sam = people.person(size=size)
    sam.sign_in(SAM)
    answer = sam.ask("What is 6 * 7?")
    expect(answer).to_contain_text("42")
    sam.page.wait_for_url("**/thread/*")
    sam.page.reload()
    sam.arrive()
    expect(sam.answers.last).to_contain_text("42")
    expect(sam.receipts.last).to_contain_text("−5 credits")
    expect(sam.ask("And what did I ask before?")).to_contain_text("6 * 7")


@pytest.mark.browser
def test_an_answer_has_its_assistants_picture_when_it_is_written_and_when_it_is_reopened(
    people: People,
) -> None:
    sam = people.person()
    sam.sign_in(SAM)
    sam.ask("What is 8 * 7?")
    pictures = sam.page.get_by_role("img", name="Avatar for Math Tutor")
    expect(pictures).to_have_count(1)
    written = pictures.get_attribute("src")
    sam.page.wait_for_url("**/thread/*")
    sam.page.reload()
    sam.arrive()
    expect(pictures).to_have_count(1)
    assert pictures.get_attribute("src") == written
    expect(sam.page.get_by_alt_text("Avatar for Farebox")).to_have_count(0)


@pytest.mark.browser
def test_the_address_of_a_conversation_that_is_gone_leads_to_a_new_one(people: People) -> None:
    sam = people.person()
    sam.sign_in(SAM)
    sam.page.goto(f"{sam.address}/thread/6f0b6f9e-52f5-4c43-9d0e-8d1d2a0c7f11")
    expect(sam.page.get_by_text("There is no such conversation.")).to_be_visible()
    expect(sam.ask("What is 2 * 2?")).to_contain_text("4")


@pytest.mark.browser
def test_an_answer_goes_on_when_the_page_closes(people: People) -> None:
    sam = people.person()
    sam.sign_in(SAM)
    before = sam.credits_left()
    sam.say("/long")
    expect(sam.answers.last).to_contain_text("I am a maths tutor")
    sam.page.wait_for_url("**/thread/*")
    address = sam.page.url
    sam.page.goto("about:blank")
    sam.page.goto(address)
    sam.arrive()
    expect(sam.receipts.last).to_contain_text("−5 credits", timeout=60_000)
    assert sam.credits_left() == before - 5


@pytest.mark.browser
def test_stopping_costs_nothing_before_the_first_word_and_the_price_after(people: People) -> None:
    sam = people.person()
    sam.sign_in(SAM)
    before = sam.credits_left()
    sam.say("/slow")
    sam.page.locator("#stop-button").click()
    expect(sam.page.get_by_text("Stopped, not charged").last).to_be_visible()
    assert sam.credits_left() == before
    sam.say("/long")
    expect(sam.answers.last).to_contain_text("I am a maths tutor")
    sam.page.locator("#stop-button").click()
    expect(sam.page.get_by_text("Stopped, 5 credits").last).to_be_visible()
    assert sam.credits_left() == before - 5


@pytest.mark.browser
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_is_wider_than_the_screen(
    people: People, size: dict[str, int], theme: str
) -> None:
    sam = people.person(size=size, theme=theme)
    sam.page.goto(f"{sam.address}/login")
    sam.picture(f"login-{size['width']}-{theme}", PICTURES)
    widths = [_width(sam.page)]
    sam.sign_in(SAM)
    sam.picture(f"chat-{size['width']}-{theme}", PICTURES)
    widths.append(_width(sam.page))
    for part in ("", "/usage", "/purchases", "/tokens", "/sign-in", "/data"):
        sam.page.goto(f"{sam.address}/account{part}")
        sam.picture(f"account{part.replace('/', '-')}-{size['width']}-{theme}", PICTURES)
        widths.append(_width(sam.page))
    assert max(widths) <= size["width"]


@pytest.mark.browser
def test_a_receipt_opens_its_form_by_the_keyboard_and_keeps_what_was_said(people: People) -> None:
    sam = people.person(size=PHONE)
    sam.sign_in(SAM)
    sam.ask("What is 2 + 3?")
    found = sam.page.request.get(f"{sam.address}/api/v1/usage?limit=1").json()
    receipt = found["entries"][0]["receipt"]
    sam.page.goto(f"{sam.address}/receipts/{receipt}")
    words = sam.page.get_by_label(re.compile("What is wrong with it"))
    expect(words).to_be_hidden()
    sam.page.get_by_role("link", name="Report this answer").press("Enter")
    expect(words).to_be_visible()
    words.fill("It is 5, not 6.")
    sam.page.keyboard.press("Tab")
    sam.page.keyboard.press("Enter")
    expect(sam.page.get_by_text("Nobody has answered yet.")).to_be_visible()
    expect(sam.page.get_by_text("It is 5, not 6.")).to_be_visible()
    assert _width(sam.page) <= PHONE["width"]


def _width(page: Page) -> int:
    measured = page.evaluate(
        "Math.max(document.documentElement.scrollWidth,"
        " document.querySelector('#header')?.scrollWidth ?? 0)"
    )
    assert isinstance(measured, int)
    return measured
