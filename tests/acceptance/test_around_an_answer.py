"""What stands around an answer, where only a browser shows it: nothing moves, the button works."""

from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import expect

from tests.acceptance.conftest import PHONE, PICTURES, People
from tests.acceptance.servers import ServerProcess, farebox

SAM = "sam@example.com"
NOTE_SHIFTS: Final = """
    window.shifted = 0;
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) {
            if (!entry.hadRecentInput) window.shifted += entry.value;
        }
    }).observe({ type: 'layout-shift', buffered: false });
"""
SHIFT_MOST: Final = 0.05
"""Half of what is called good; a page that jumps has several times that."""


@pytest.fixture(autouse=True, scope="module")
def more_credits(demo: ServerProcess, demo_dir: Path) -> None:
    """What is asked here is not to be missing elsewhere."""
    assert demo.address
    given = farebox("grant", SAM, "pack-100", data_dir=demo_dir)
    assert given.returncode == 0, given.stderr


@pytest.mark.browser
def test_nothing_moves_while_an_answer_streams_and_it_can_be_asked_again(people: People) -> None:
    sam = people.person()
    sam.sign_in(SAM)
    price = sam.page.locator("#farebox-price")
    before = sam.credits_left()
    expect(price).to_have_text(f"Math Tutor · 5 credits per message · {before:g} left")
    expect(sam.page.locator("#chat-input")).to_have_attribute("aria-describedby", "farebox-price")

    sam.ask("What is 6 * 7?")
    sam.page.evaluate(NOTE_SHIFTS)
    sam.ask("/cite")
    expect(sam.receipts).to_have_count(2)
    assert sam.page.evaluate("window.shifted") <= SHIFT_MOST
    expect(sam.page.get_by_role("button", name="Searched the web")).to_be_visible()
    expect(sam.answers.last.get_by_role("link", name="[1]")).to_have_attribute(
        "href", "https://example.org/si/metre"
    )

    again = sam.page.get_by_role("button", name="Ask again · 5 credits")
    expect(again).to_have_count(1)  # under the last answer alone
    again.press("Enter")
    expect(sam.receipts).to_have_count(3)
    sam.settled()
    expect(sam.receipts.last).to_contain_text(f"{before - 15:g} left")
    expect(price).to_contain_text(f"{before - 15:g} left")
    expect(again).to_have_count(1)


@pytest.mark.browser
def test_a_table_and_code_fit_on_a_phone_and_the_receipts_links_unfold(people: People) -> None:
    sam = people.person(size=PHONE)
    sam.sign_in(SAM)
    sam.ask("/table")
    sam.ask("/code")
    links = sam.receipts.last.get_by_role("link")
    expect(links).to_have_count(0)
    sam.receipts.last.get_by_role("button", name="What you can do with this receipt").click()
    expect(links).to_have_text(["receipt", "report", "refund"])
    expect(sam.page.locator("#farebox-price > span")).to_be_visible()
    assert sam.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    sam.picture("table-and-code-390", PICTURES)
