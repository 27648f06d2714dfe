"""Files and history in the browser: what only a page can show of them."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.acceptance.conftest import DESKTOP, PHONE, PICTURES, People
from tests.fakes.pictures import png

SAM = "sam@example.com"


@pytest.mark.browser
def test_a_picture_is_sent_with_a_message_and_there_after_a_reload(
    people: People, tmp_path: Path
) -> None:
    figure = tmp_path / "figure.png"
    figure.write_bytes(png(640, 480))
    sam = people.person(size=DESKTOP)
    sam.sign_in(SAM)
    sam.choose("math-tutor")
    expect(sam.page.locator("#farebox-limits")).to_contain_text("up to 5 files, 10 MB each")
    sam.page.locator("#upload-button-input").set_input_files(figure)
    expect(sam.page.locator("#upload-button")).to_be_enabled()
    expect(sam.ask("What is in this figure?")).to_contain_text("You sent an image, 640×480.")
    sam.page.reload()
    sam.arrive()
    picture = sam.page.get_by_role("img", name="figure.png")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") == 640
    sam.picture("picture-after-reload-1280", PICTURES)
    sam.page.get_by_label("Export this conversation").click()
    with sam.page.expect_download() as download:
        sam.page.get_by_role("link", name="Export as Markdown").click()
    assert "You sent an image" in download.value.path().read_text(encoding="utf-8")
    assert download.value.suggested_filename.startswith("what-is-in-this-figure")


@pytest.mark.browser
def test_a_conversation_is_found_on_a_phone_by_what_was_said_in_it(people: People) -> None:
    sam = people.person(size=PHONE)
    sam.sign_in(SAM)
    sam.choose("math-tutor")
    sam.ask("What is 12 * 12, in memory of the xylophone?")
    sam.page.locator("#new-chat-button").first.click()
    sam.page.locator("#sidebar-trigger-button").first.click()
    sam.page.get_by_label("Search conversations").click()
    sam.page.get_by_placeholder("Search").fill("xyloph")
    found = sam.page.get_by_role("option").filter(has_text="xylophone")
    expect(found).to_have_count(1)
    sam.picture("search-390", PICTURES)
    assert sam.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    found.click()
    expect(sam.answers.last).to_contain_text("144")
