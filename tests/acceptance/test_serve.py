"""`farebox serve` on settings alone: another program's upstream, and both kinds of database."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.browser import Person
from tests.acceptance.builder import publish_assistant
from tests.acceptance.servers import ServerProcess, farebox, free_port
from tests.databases import Databases

KEY = "sk-demo-served-5555555555555555"
WORDS = "correct-horse-battery"
MASTER_KEY = "NDJkZTM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTA="


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[ServerProcess]:
    """The scripted upstream as a program of its own."""
    arguments = ["farebox.demo.upstream", "--port", "0", "--key", KEY]
    server = ServerProcess(arguments, log=tmp_path / "upstream.log").start()
    yield server
    server.stop()


@pytest.mark.browser
def test_a_builders_key_and_the_settings_are_all_it_takes(
    browser: Browser,
    upstream: ServerProcess,
    tmp_path: Path,
    database_kind: str,
    databases: Databases,
) -> None:
    data_dir = tmp_path / "data"
    with databases.fresh(database_kind, is_migrated=False) as database:
        settings = {
            "FAREBOX_DATABASE_URL": database,
            "FAREBOX_MASTER_KEY": MASTER_KEY,
            "FAREBOX_OPENAI_BASE_URL": upstream.address,
        }

        def run(*arguments: str, stdin: str = "") -> None:
            done = farebox(*arguments, data_dir=data_dir, stdin=stdin, settings=settings)
            assert done.returncode == 0, done.stderr

        run("db", "upgrade")
        for who in ("builder", "subscriber"):
            run(
                "account", "create", f"{who}@example.com", "--role", who, "--password-stdin",
                stdin=f"{WORDS}\n",
            )  # fmt: skip
        port = free_port()
        server = ServerProcess(
            ["farebox", "serve", "--port", str(port), "--data-dir", str(data_dir)],
            log=tmp_path / "serve.log",
            settings=settings | {"FAREBOX_PUBLIC_URL": f"http://localhost:{port}"},
        ).start()
        try:
            _register_and_chat(browser, server.address, run)
        finally:
            server.stop()
        run("ledger", "verify")


def _register_and_chat(browser: Browser, address: str, run: Callable[..., None]) -> None:
    builder = Person(browser.new_context().new_page(), address)
    builder.sign_in("builder@example.com", WORDS)
    slug = publish_assistant(builder, title="Sums", key=KEY, plan="")
    run("grant", "subscriber@example.com", "poem-pack")
    subscriber = Person(browser.new_context().new_page(), address)
    subscriber.sign_in("subscriber@example.com", WORDS)
    subscriber.page.goto(f"{address}/a/{slug}")
    subscriber.arrive()
    expect(subscriber.ask("Hello there")).to_contain_text("scripted")
    expect(subscriber.receipts.last).to_contain_text("−3 credits · 97 left")
    for person in (builder, subscriber):
        assert not person.page_errors
        person.page.context.close()
