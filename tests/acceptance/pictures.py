"""Takes the pictures that README and docs show: `python -m tests.acceptance.pictures [DIRECTORY]`.

From a demo of its own, in the browser that the tests use, so that they can be taken again whenever
the pages change. Look at them before they are committed.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, expect

from tests.acceptance.browser import Person, chromium
from tests.acceptance.conftest import DESKTOP, PHONE
from tests.acceptance.servers import ServerProcess

SAM, OLGA = "sam@example.com", "olga@example.com"


def take(browser: Browser, address: str, into: Path) -> None:
    """One page after the other."""
    with somebody(browser, address) as olga:  # who has no plan yet
        olga.sign_in(OLGA)
        expect(olga.page.locator("[data-offering]")).to_have_count(3)
        olga.picture("browse", into)
    with somebody(browser, address) as sam:
        sam.sign_in(SAM)
        for question in ("What is 17 * 23?", "What is 12.5 % of 640?"):
            sam.ask(question)
        sam.ask("/cite")
        sam.picture("chat", into)
        receipt = sam.page.locator(".farebox-receipt a[href^='/receipts/']").first
        sam.page.goto(address + (receipt.get_attribute("href") or ""))
        sam.picture("receipt", into)
        sam.page.goto(f"{address}/account")
        sam.picture("account", into)
    with somebody(browser, address, size=PHONE, theme="dark") as sam:
        sam.sign_in(SAM)
        sam.ask("What is 6 * 7?")
        sam.picture("chat-phone", into)


@contextmanager
def somebody(
    browser: Browser, address: str, *, size: dict[str, int] = DESKTOP, theme: str = "light"
) -> Iterator[Person]:
    """A page in a browser profile of its own."""
    context = browser.new_context(
        viewport=size,  # type: ignore[arg-type]
        color_scheme=theme,  # type: ignore[arg-type]
        locale="en-US",
    )
    yield Person(context.new_page(), address)
    context.close()


def main(into: Path) -> None:
    """Start a demo, take the pictures, stop it."""
    with TemporaryDirectory() as folder:
        data, log = Path(folder, "data"), Path(folder, "log")
        command = ["farebox", "demo", "--port", "0", "--data-dir", str(data)]
        demo = ServerProcess(command, log=log).start()
        try:
            with chromium() as browser:
                take(browser, demo.address, into)
        finally:
            demo.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/pictures"))
