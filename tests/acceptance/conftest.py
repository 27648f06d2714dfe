"""A demo and a browser, each started once and shared by the tests that do not break them."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Browser

from farebox.control import perform
from host.config import Settings
from tests.acceptance.browser import CHROMIUM, NO_CHROMIUM, PASSWORD, Person, chromium
from tests.acceptance.servers import ServerProcess, farebox

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
PICTURES = Path("screenshots")


@pytest.fixture(scope="package")
def demo_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the shared demo keeps its data."""
    return tmp_path_factory.mktemp("demo") / "data"


@pytest.fixture(scope="package")
def demo(demo_dir: Path) -> Iterator[ServerProcess]:
    """A running demo. At its end the ledger must add up."""
    log = demo_dir.with_name("demo.log")
    server = ServerProcess(
        ["farebox", "demo", "--port", "0", "--data-dir", str(demo_dir)], log=log
    ).start()
    yield server
    server.stop()
    verified = farebox("ledger", "verify", data_dir=demo_dir)
    assert verified.returncode == 0, verified.stderr


@pytest.fixture
def newcomer(demo_dir: Path, demo: ServerProcess) -> str:
    """The e-mail address of somebody who has nothing yet."""
    assert demo.is_running
    email = f"{uuid4().hex}@demo.example"
    operate(demo_dir, "create_account", email=email, name="New", roles=[], password=PASSWORD)
    return email


def operate(demo_dir: Path, verb: str, **facts: Any) -> None:
    """Do what a command beside the server does; in a thread, for the browser's loop is in ours."""
    settings = Settings(data_dir=demo_dir)
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: perform(settings, verb, **facts)).result()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium; where it is missing the test is skipped, except in CI.

    It ends with this package, because its event loop would stand in the way of others' tests.
    """
    if CHROMIUM is None:
        if os.environ.get("CI"):  # noqa: TID251 - where nothing may be skipped
            pytest.fail(NO_CHROMIUM)
        pytest.skip(NO_CHROMIUM)
    with chromium() as running:
        yield running


@pytest.fixture
def people(browser: Browser, demo: ServerProcess) -> Iterator["People"]:
    """Opens pages for people; afterwards no page may have failed."""
    made = People(browser, demo.address)
    yield made
    made.leave()


class People:
    """Opens a page, in a browser profile of its own, for each person."""

    def __init__(self, browser: Browser, address: str) -> None:
        self._browser = browser
        self._address = address
        self._persons: list[Person] = []

    def person(
        self, *, size: dict[str, int] | None = None, theme: str = "light", locale: str = "en-US"
    ) -> Person:
        """Somebody with an empty page."""
        context = self._browser.new_context(
            viewport=size or DESKTOP,  # type: ignore[arg-type]
            color_scheme=theme,  # type: ignore[arg-type]
            locale=locale,
        )
        person = Person(context.new_page(), self._address)
        self._persons.append(person)
        return person

    def leave(self) -> None:
        """Close every page, and fail if one of them met an error."""
        errors = [error for person in self._persons for error in person.page_errors]
        for person in self._persons:
            person.page.context.close()
        assert not errors
