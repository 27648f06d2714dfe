"""A server that is killed in the middle of an answer, and what its subscriber finds afterwards."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.browser import Person
from tests.acceptance.servers import ServerProcess, farebox


@pytest.mark.charges("crash in the middle")
@pytest.mark.browser
def test_a_killed_server_charges_nothing_and_keeps_the_partial_text(
    browser: Browser, tmp_path: Path
) -> None:
    data_dir = tmp_path / "data"
    server = _demo(data_dir, port=0).start()
    sam = Person(browser.new_page(), server.address)
    sam.sign_in("sam@example.com")
    before = sam.credits_left()
    sam.say("/long")
    expect(sam.answers.last).to_contain_text(re.compile(r"(\w+\W+){30}"))
    sam.page.wait_for_url("**/thread/*")
    thread = sam.page.url

    server.kill()
    assert farebox("ledger", "verify", data_dir=data_dir).returncode == 0

    again = _demo(data_dir, port=urlsplit(server.address).port or 0).start()
    try:
        sam.page.goto(thread)
        sam.arrive()
        expect(sam.answers.last).to_contain_text(re.compile(r"(\w+\W+){10}"))
        expect(sam.page.get_by_text("Not charged: interrupted").last).to_be_visible()
        assert sam.credits_left() == before
        expect(sam.ask("What is 2 * 21?")).to_contain_text("42")
    finally:
        again.stop()
        sam.page.close()
    verified = farebox("ledger", "verify", data_dir=data_dir)
    assert verified.returncode == 0, verified.stderr


def _demo(data_dir: Path, *, port: int) -> ServerProcess:
    arguments = ["farebox", "demo", "--port", str(port), "--data-dir", str(data_dir)]
    return ServerProcess(arguments, log=data_dir.with_name("demo.log"))
