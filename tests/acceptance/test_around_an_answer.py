"""What stands around an answer, where only a browser shows it: nothing moves, the button works."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
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


@pytest.mark.browser
def test_a_picture_that_was_drawn_is_seen_under_its_answer_and_after_a_reload(
    people: People,
) -> None:
    sam = people.person()
    sam.sign_in(SAM)
    sam.ask("/draw")
    for _ in range(2):
        drawn = sam.page.get_by_role("img", name="picture-1.png")
        expect(drawn).to_have_count(1)
        expect(drawn).to_have_js_property("naturalWidth", 240)
        sam.page.reload()
        sam.arrive()


@pytest.mark.browser
def test_a_price_that_changed_a_moment_ago_is_agreed_to_before_it_is_paid(
    people: People, demo_dir: Path
) -> None:
    sam = people.person()
    sam.sign_in(SAM)
    before = sam.credits_left()
    price = sam.page.locator("#farebox-price")
    expect(price).to_contain_text("5 credits per message")
    sam.page.route("**/composer", lambda route: route.abort())  # it has not heard of it yet
    with repriced(demo_dir, 6_000):
        sam.say("What is 6 * 7?")
        expect(sam.page.get_by_text("this message costs 6 credits now")).to_be_visible()
        assert sam.credits_left() == before
        sam.page.unroute("**/composer")
        sam.page.get_by_role("button", name="Send my message now · 6 credits").click()
        expect(sam.receipts).to_have_count(1)
        sam.settled()
        assert sam.credits_left() == before - 6
        expect(price).to_contain_text("6 credits per message")
        sam.ask("What is 6 * 8?")  # and the new price is what the page shows by now
        assert sam.credits_left() == before - 12


@contextmanager
def repriced(demo_dir: Path, price: int) -> Iterator[None]:
    """Another price for Math Tutor, and afterwards the old one."""
    statement = "UPDATE offering SET price = ? WHERE slug = 'math-tutor'"
    with closing(sqlite3.connect(demo_dir / "farebox.db", timeout=10)) as stored:
        stored.execute(statement, (price,))
        stored.commit()
        try:
            yield
        finally:
            stored.execute(statement, (5_000,))
            stored.commit()
