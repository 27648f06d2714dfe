"""What an account's pages do with their script, in a browser: times and copying."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.browser import Person
from tests.acceptance.servers import ServerProcess

ZONE: Final = "Pacific/Auckland"
"""Twelve or thirteen hours ahead of what the server writes."""


@pytest.fixture
def sam(browser: Browser, demo: ServerProcess) -> Iterator[Person]:
    """Somebody far from here, whose browser lets pages use the clipboard."""
    context = browser.new_context(
        locale="en-US", timezone_id=ZONE, permissions=["clipboard-read", "clipboard-write"]
    )
    person = Person(context.new_page(), demo.address)
    person.sign_in("sam@example.com")
    yield person
    assert not person.page_errors
    context.close()


@pytest.mark.browser
def test_times_are_in_the_readers_zone_and_say_what_they_are_in_utc(sam: Person) -> None:
    sam.page.goto(f"{sam.address}/account/sign-in")
    seen = sam.page.locator("time[data-as=moment]").first
    at = datetime.fromisoformat(seen.get_attribute("datetime") or "")
    there = at.astimezone(ZoneInfo(ZONE))
    expect(seen).to_have_text(f"{there.day} {there:%b %Y}, {there:%H:%M}")
    expect(seen).to_have_attribute("title", f"{at.day}\xa0{at:%b}\xa0{at:%Y}, {at:%H:%M}\xa0UTC")


@pytest.mark.browser
def test_a_token_and_a_call_with_it_are_copied_whole(sam: Person) -> None:
    sam.page.goto(f"{sam.address}/account/tokens")
    sam.page.locator("#offering").select_option("math-tutor")
    sam.page.get_by_role("button", name="Make access token").click()
    token = sam.page.get_by_label("Access token", exact=True).input_value()
    for label, starts in (("Copy token", token), ("Copy call", "curl -X POST http://")):
        button = sam.page.get_by_role("button", name=label)
        button.click()
        expect(sam.page.get_by_role("button", name="Copied")).to_be_visible()
        expect(button).to_be_visible()  # its own name again
        copied = sam.page.evaluate("navigator.clipboard.readText()")
        assert copied.startswith(starts)
        assert token in copied
