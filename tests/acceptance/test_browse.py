"""Buying in the page: from the catalogue, and in the middle of a conversation on a phone."""

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.acceptance.browser import Person
from tests.acceptance.conftest import DESKTOP, PHONE, PICTURES, People, operate

PAYING = "**/pay/*"


def pay(window: Page, button: str) -> None:
    window.wait_for_url(PAYING)
    window.get_by_role("button", name=button).click()


def plan(person: Person, slug: str) -> Locator:
    return person.page.locator(f'[data-plan="{slug}"]').last


@pytest.mark.browser
def test_somebody_new_buys_in_the_page_and_opens_what_they_bought(
    people: People, newcomer: str
) -> None:
    eve = people.person(size=DESKTOP)
    eve.sign_in(newcomer)
    cards = eve.page.locator("[data-offering]")
    expect(cards).to_have_count(3)
    expect(eve.page.locator("#chat-profiles")).to_have_count(0)
    eve.picture("browse-1280", PICTURES)
    eve.page.get_by_label("Search assistants and services").fill("cities in a day")
    expect(cards).to_have_count(0)
    eve.page.get_by_role("button", name="Show everything").click()
    eve.page.get_by_role("button", name="travel", exact=True).click()
    expect(cards).to_have_count(1)
    eve.page.get_by_role("button", name="Buy Travel Helper").click()
    with eve.page.expect_popup() as declined:
        plan(eve, "travel-pass").get_by_role("button", name="Buy for $9.00").dblclick()
    pay(declined.value, "Decline")
    expect(plan(eve, "travel-pass")).to_contain_text("nothing was charged")
    with eve.page.expect_popup() as paid:
        plan(eve, "travel-pass").get_by_role("button", name="Buy for $9.00").click()
    pay(paid.value, "Pay $9.00")
    expect(eve.page.get_by_text("Done: 7-day travel pass is yours.")).to_be_visible()
    eve.picture("bought-1280", PICTURES)
    ordered = [body for url, body in eve.requests if url.endswith("/api/v1/orders") and body]
    assert len(ordered) == 2, "a double click is one order"
    # With a pass no credits are counted, so there are not 0 of them.
    expect(eve.balance).to_have_accessible_name("Your account")
    picker = eve.page.locator("#chat-profiles")  # with Browse alone there is nothing to pick
    opens = eve.page.get_by_role("button", name="Open Travel Helper")
    expect(opens).to_be_focused()
    opens.press("Enter")
    expect(picker).to_contain_text("Travel Helper")
    eve.arrive()
    expect(eve.ask("Two days in Lisbon")).to_contain_text("Lisbon")
    expect(eve.receipts.last).to_contain_text("Included in your plan until")


@pytest.mark.browser
def test_a_message_that_was_too_dear_is_sent_after_paying_also_on_a_phone_and_after_a_reload(
    people: People, newcomer: str, demo_dir: Path
) -> None:
    facts = {"email": newcomer, "plan": "pack-100", "note": "", "request": newcomer}
    operate(demo_dir, "grant", **facts, credits_="8")
    eve = people.person(size=PHONE)
    eve.sign_in(newcomer)
    eve.ask("What is 6 * 7?")
    low = eve.page.get_by_text("3 credits left, not enough for another message.")
    expect(low).to_be_visible()
    expect(eve.page.locator(".farebox-again")).to_be_hidden()
    eve.say("What is 17 * 23?")
    expect(eve.page.get_by_text("Your message is kept.")).to_be_visible()
    eve.page.wait_for_url("**/thread/*")
    eve.page.reload()
    eve.arrive()
    expect(plan(eve, "pack-100")).to_be_visible()
    eve.picture("kept-390", PICTURES)
    width = "Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)"
    assert eve.page.evaluate(width) <= PHONE["width"]
    with eve.page.expect_popup() as paid:
        plan(eve, "pack-100").get_by_role("button", name="Buy for $5.00").click()
    pay(paid.value, "Pay $5.00")
    send = eve.page.get_by_role("button", name="Send my message now")
    expect(send).to_be_focused()
    expect(low).to_be_hidden()
    eve.picture("paid-390", PICTURES)
    send.dblclick()
    expect(eve.answers.last).to_contain_text("391")
    eve.settled()
    expect(eve.page.get_by_text("This message was sent.")).to_be_visible()
    assert eve.credits_left() == 98


@pytest.mark.browser
def test_a_kept_message_is_shown_also_where_its_page_takes_long_to_connect(
    people: People, newcomer: str, demo_dir: Path
) -> None:
    facts = {"email": newcomer, "plan": "pack-100", "note": "", "request": newcomer}
    operate(demo_dir, "grant", **facts, credits_="3")
    eve = people.person()
    eve.sign_in(newcomer)
    unknown = iter(range(9))

    def not_known_yet(route: Route) -> None:
        if next(unknown, None) is None:
            route.continue_()
        else:
            route.fulfill(status=404, json={})

    eve.page.route("**/project/action", not_known_yet)
    eve.say("What is 17 * 23?")
    expect(plan(eve, "pack-100")).to_be_visible(timeout=40_000)
