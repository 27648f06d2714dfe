"""A builder puts an assistant on sale, a subscriber uses it, the key is nowhere to be found."""

import gzip
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import expect

from farebox.demo.seed import PASTED_KEY, SONGS_KEY
from tests.acceptance.browser import Person
from tests.acceptance.builder import publish_assistant, publish_service
from tests.acceptance.conftest import DESKTOP, PHONE, PICTURES, People
from tests.acceptance.servers import ServerProcess, farebox

MESSAGES_MAX: Final = 14
"""To put a plan and an offering on sale; what is pressed or typed into a form is no message."""


@pytest.mark.browser
def test_what_a_builder_publishes_a_subscriber_uses_and_the_key_stays_sealed(
    people: People, demo: ServerProcess, demo_dir: Path
) -> None:
    bea = people.person()
    bea.sign_in("bea@example.com")
    slug = publish_assistant(bea, title="Poem Helper", key=PASTED_KEY, plan="")
    bea.picture("setup-bot-published", PICTURES)

    made = farebox(
        "account", "create", "ida@example.com", "--role", "subscriber", "--password-stdin",
        data_dir=demo_dir, stdin="a-password-for-ida\n",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    given = farebox("grant", "ida@example.com", "poem-pack", data_dir=demo_dir)
    assert given.returncode == 0, given.stderr
    ida = people.person(size=PHONE)
    ida.sign_in("ida@example.com", "a-password-for-ida")
    ida.page.goto(f"{ida.address}/a/{slug}")
    ida.arrive()
    expect(ida.ask("Hello")).not_to_be_empty()
    expect(ida.receipts.last).to_contain_text("−3 credits · 97 left")
    ida.picture("poem-helper-phone", PICTURES)

    expect(bea.ask("change the price to 7")).to_contain_text("Price: 3 → 7")
    bea.picture("setup-bot-changing", PICTURES)
    bea.page.get_by_role("button", name="Publish changes").last.click()
    expect(bea.answers.last).to_contain_text("Changed: from the next message or call on.")
    expect(bea.ask("my offerings")).to_contain_text(
        "Poem Helper · on sale · 7 credits per message"
    )
    bea.picture("setup-bot-offerings", PICTURES)
    expect(bea.ask("what did I earn?")).to_contain_text("Poem pack")
    bea.picture("setup-bot-earnings", PICTURES)
    expect(bea.page.locator("a[aria-current='page']")).to_have_text("Poem Helper")
    ida.page.reload()
    ida.arrive()
    expect(ida.page.locator("#farebox-price")).to_contain_text("7 credits per message")

    assert _sightings(bea) == {"sent in one request to the vault"}
    assert not _sightings(ida)
    export = farebox("ledger", "export", data_dir=demo_dir)
    assert PASTED_KEY not in export.stdout
    assert not [path for path in _files(demo_dir, demo.log) if _holds(path, PASTED_KEY)]


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["1280", "390"])
def test_a_service_is_on_sale_in_few_messages_and_its_credential_stays_sealed(
    people: People, demo: ServerProcess, demo_dir: Path, size: dict[str, int]
) -> None:
    email = f"sue-{size['width']}@example.com"
    made = farebox(
        "account", "create", email, "--role", "builder", "--password-stdin",
        data_dir=demo_dir, stdin="a-password-for-sue\n",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    with closing(sqlite3.connect(demo_dir / "farebox.db")) as tables:
        ((songs,),) = tables.execute("SELECT DISTINCT upstream_url FROM service").fetchall()
    sue = people.person(size=size)
    sue.sign_in(email, "a-password-for-sue")
    slug, typed = publish_service(
        sue, document=f"{songs}/.well-known/openapi.json", credential=SONGS_KEY
    )
    assert len(typed) <= MESSAGES_MAX
    sue.picture(f"setup-bot-service-{size['width']}", PICTURES)
    manifest = sue.page.request.get(f"{sue.address}/s/{slug}/.well-known/ai-plugin.json")
    assert manifest.ok, manifest.text()
    closed = sue.page.request.post(f"{sue.address}/s/{slug}/upsert", data={})
    assert closed.status == 404
    assert _sightings(sue, SONGS_KEY) == {"sent in one request to the vault"}
    assert not [path for path in _files(demo_dir, demo.log) if _holds(path, SONGS_KEY)]


@pytest.mark.browser
@pytest.mark.parametrize("anew", ["reload", "sign in"])
def test_a_key_is_entered_into_the_form_of_a_reopened_draft_without_complaint(
    people: People, demo_dir: Path, anew: str
) -> None:
    email = f"ben-{anew.replace(' ', '-')}@example.com"
    made = farebox(
        "account", "create", email, "--role", "builder", "--password-stdin",
        data_dir=demo_dir, stdin="a-password-for-ben\n",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    ben = people.person()
    ben.sign_in(email, "a-password-for-ben")
    expect(ben.answers.last).to_contain_text("Step 1 of 13")
    for answer in (
        *("an assistant", "Rhyme Helper", "Finds rhymes.", "skip", "gpt-6-luna"),
        "You find rhymes.",
    ):
        ben.ask(answer)
    expect(ben.answers.last).to_contain_text("Step 7 of 13")
    ben.page.wait_for_url("**/thread/*")
    address = ben.page.url
    if anew == "sign in":
        ben = people.person()
        ben.sign_in(email, "a-password-for-ben")
    ben.page.goto(address)
    ben.arrive()
    ben.page.locator('input[type="password"]').last.fill(PASTED_KEY)
    ben.page.get_by_role("button", name="Check and store").last.click()
    expect(ben.answers.last).to_contain_text("Step 8 of 13")
    stored = ben.page.locator('[data-farebox="key-stored"]').last
    expect(stored).to_contain_text(f"Key ending in …{PASTED_KEY[-4:]}")
    expect(ben.page.locator("[data-sonner-toast]")).to_have_count(0)


def _sightings(person: Person, key: str = PASTED_KEY) -> set[str]:
    """Where the key was seen from a browser."""
    seen = set()
    posts = [(url, data) for url, data in person.requests if key in url + data]
    if len(posts) == 1 and posts[0][0].endswith("/key"):
        seen.add("sent in one request to the vault")
    elif posts:
        seen.add(f"sent to {[url for url, _ in posts]}")
    if any(key in frame for frame in person.frames_received + person.frames_sent):
        seen.add("in a frame of the socket")
    if key in person.page.content():
        seen.add("in the page")
    storage = person.page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    if key in storage:
        seen.add("kept by the browser")
    return seen


def _files(demo_dir: Path, log: Path) -> list[Path]:
    """Everything Farebox wrote: database and its log, the chat's files, the process's log."""
    written = [path for path in demo_dir.rglob("*") if path.is_file()]
    assert any(path.suffix == ".db" for path in written)
    return [*written, log]


def _holds(path: Path, text: str) -> bool:
    content = path.read_bytes()
    return text.encode() in content or text.encode() in _unzipped(content)


def _unzipped(content: bytes) -> bytes:
    return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else b""
