"""Buying in the browser: the pay page tells the page that opened it, and gets out of the way."""

import pytest
from playwright.sync_api import expect

from tests.acceptance.conftest import PHONE, PICTURES, People

SAM = "sam@example.com"
LISTEN = """() => {
    window.channel = new BroadcastChannel("farebox");
    window.channel.onmessage = ({ data }) => { window.heard = data; };
}"""


@pytest.mark.browser
def test_what_was_paid_in_another_window_is_heard_at_once_and_is_there(people: People) -> None:
    sam = people.person(size=PHONE)
    sam.sign_in(SAM)
    before = sam.credits_left()
    sam.page.goto(f"{sam.address}/buy/pack-100")
    sam.picture("buy-390", PICTURES)
    sam.page.evaluate(LISTEN)
    with sam.page.expect_popup() as opened:
        sam.page.evaluate("window.open(location.href)")
    till = opened.value
    till.get_by_role("button", name="Buy").click()
    expect(till.get_by_text("no money moves here")).to_be_visible()
    till.screenshot(path=PICTURES / "pay-390.png")
    assert till.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    order = till.url.rpartition("/")[2]
    with till.expect_event("close"):
        till.get_by_role("button", name="Pay $5.00").click()
    heard = sam.page.wait_for_function("window.heard").json_value()
    assert heard == {"order": order, "state": "fulfilled"}
    assert sam.credits_left() == before + 100
    sam.page.goto(f"{sam.address}/pay/{order}")
    expect(sam.page.get_by_role("heading", name="This order is already paid")).to_be_visible()
    sam.page.get_by_role("link", name="See the receipt").click()
    expect(sam.page.get_by_text(order)).to_be_visible()


@pytest.mark.browser
def test_in_one_window_paying_leads_back_to_where_one_came_from(people: People) -> None:
    sam = people.person()
    sam.sign_in(SAM)
    sam.page.goto(f"{sam.address}/buy/travel-pass?return_to=/account")
    sam.page.get_by_role("button", name="Buy").click()
    sam.page.get_by_role("button", name="Pay $9.00").click()
    sam.page.wait_for_url("**/account")
    expect(sam.page.get_by_text("7-day travel pass").first).to_be_visible()
