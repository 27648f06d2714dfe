"""Takes the pictures that README and docs show: `python -m tests.acceptance.pictures [DIRECTORY]`.

From a demo of its own, in the browser that the tests use, so that they can be taken again whenever
the pages change. Look at them before they are committed. With `--all DIRECTORY` it takes one
of every scene (`tests.acceptance.scenes`) in light and dark, on a desk and on a phone, to be
looked at after a change of how things look.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, expect

from tests.acceptance.browser import Person, chromium
from tests.acceptance.conftest import DESKTOP, PHONE
from tests.acceptance.scenes import OLGA, SAM, SCENES, furnish
from tests.acceptance.servers import ServerProcess


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
    browser: Browser,
    address: str,
    *,
    size: dict[str, int] = DESKTOP,
    theme: str = "light",
) -> Iterator[Person]:
    """A page in a browser profile of its own."""
    context = browser.new_context(
        viewport=size,  # type: ignore[arg-type]
        color_scheme=theme,  # type: ignore[arg-type]
        locale="en-US",
        reduced_motion="reduce",
    )
    yield Person(context.new_page(), address)
    context.close()


def take_all(browser: Browser, demo: ServerProcess, data: Path, into: Path) -> None:
    """Every scene, in each of four ways."""

    def visit() -> Person:
        return Person(browser.new_context(locale="en-US").new_page(), demo.address)

    furnish(data, visit)
    for theme in ("light", "dark"):
        for email, scenes in SCENES.items():
            with somebody(browser, demo.address, theme=theme) as person:
                if email:
                    person.sign_in(email)
                for number, scene in enumerate(scenes):
                    person.page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
                    if scene.address:
                        person.page.goto(f"{person.address}{scene.address}")
                    scene.prepare(person)
                    for size in (DESKTOP, PHONE):
                        person.page.set_viewport_size(size)  # type: ignore[arg-type]
                        who = email.partition("@")[0] or "nobody"
                        named = f"{who}-{number:02} {scene.name}"
                        person.picture(f"{named} {theme} {size['width']}", into)


def main(arguments: list[str]) -> None:
    """Start a demo, take the pictures, stop it."""
    with TemporaryDirectory() as folder:
        data, log = Path(folder, "data"), Path(folder, "log")
        command = ["farebox", "demo", "--port", "0", "--data-dir", str(data)]
        demo = ServerProcess(command, log=log).start()
        try:
            with chromium() as browser:
                if arguments[:1] == ["--all"]:
                    take_all(browser, demo, data, Path(arguments[1]))
                else:
                    take(browser, demo.address, Path(*arguments or ["docs/pictures"]))
        finally:
            demo.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
