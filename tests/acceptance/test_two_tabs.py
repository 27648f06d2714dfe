"""One conversation in two tabs of a real browser: what is said in one is seen in the other."""

import re

import pytest
from playwright.sync_api import expect

from tests.acceptance.browser import Person
from tests.acceptance.conftest import PICTURES, People


@pytest.mark.browser
def test_what_is_said_in_one_tab_is_answered_in_both_and_stopped_from_either(
    people: People,
) -> None:
    sam = people.person()
    sam.sign_in("sam@example.com")
    sam.ask("What is 6 * 7?")
    sam.page.wait_for_url("**/thread/*")
    other = Person(sam.page.context.new_page(), sam.address)
    other.page.goto(sam.page.url)
    other.arrive()
    sam.say("/long")
    for tab in (sam, other):
        expect(tab.page.locator("#stop-button")).to_be_visible()
    for tab in (sam, other):
        asked = tab.page.locator('[data-step-type="user_message"]')
        expect(asked.get_by_text("/long", exact=True)).to_have_count(1)
        expect(tab.answers).to_have_count(2)
        expect(tab.answers.last).to_contain_text(re.compile(r"(\w+\W+){10}"))
    other.picture("two-tabs-mid-answer", PICTURES)
    other.page.locator("#stop-button").click()
    for tab in (sam, other):
        expect(tab.receipts.last).to_contain_text("Stopped, 5 credits")
        tab.settled()
    assert sam.answers.last.inner_text() == other.answers.last.inner_text()
    other.picture("two-tabs", PICTURES)
    assert not other.page_errors
