"""A person at the chat, in a real Chromium."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import Final

from playwright.sync_api import Browser, Locator, Page, WebSocket, expect, sync_playwright

CHROMIUM: Final = which("chromium")
NO_CHROMIUM: Final = "Chromium is not installed (apt-get install chromium)"
PATIENCE_MS: Final = 20_000
OPENED_MS: Final = 60_000
"""A page that opens while an answer is written is drawn up to five times before it rests."""
PASSWORD: Final = "farebox-demo"
# A page opens its socket again once it knows whose conversation it is in, and draws that anew;
# what is drawn in between is drawn over. So people wait until what belongs to opening is over: the
# last socket was answered, and for a while nothing more of that kind has come.
NOTE_SOCKETS: Final = """
    const OPENING = /^42\\["(task_end|clear_ask|clear_call_fn|first_interaction|resume_thread)"/;
    window.WebSocket = class extends window.WebSocket {
        constructor(...all) {
            super(...all);
            window.openedAt = null;
            this.addEventListener("message", ({ data }) => {
                if (OPENING.test(data)) window.openedAt = performance.now();
            });
        }
    };
"""
CONNECTED: Final = "window.openedAt && performance.now() - window.openedAt > 1200"
ARGUMENTS: Final = (
    "--no-sandbox",  # CI runs as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser that Debian installs."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()


@dataclass
class Person:
    """Somebody with a page open."""

    page: Page
    address: str
    frames_received: list[str] = field(default_factory=list)
    frames_sent: list[str] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    page_errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        expect.set_options(timeout=PATIENCE_MS)
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.add_init_script(NOTE_SOCKETS)
        self.page.on("pageerror", lambda error: self.page_errors.append(str(error)))
        self.page.on("websocket", self._listen)
        self.page.on(
            "request",
            lambda request: self.requests.append((request.url, request.post_data or "")),
        )

    def _listen(self, socket: WebSocket) -> None:
        socket.on("framereceived", lambda frame: self.frames_received.append(str(frame)))
        socket.on("framesent", lambda frame: self.frames_sent.append(str(frame)))

    def sign_in(self, email: str, password: str = PASSWORD) -> None:
        """Sign in, in whichever language the page is, and arrive at the chat."""
        self.page.goto(f"{self.address}/login")
        self.page.locator("#email").fill(email)
        self.page.locator("#password").fill(password)
        self.page.locator("#password").press("Enter")
        self.arrive()

    def arrive(self) -> None:
        """Wait until the chat is there, can be typed into, and has stopped connecting anew."""
        self.page.locator("#chat-input").wait_for()
        expect(self.page.locator("#chat-submit, #stop-button")).to_be_visible()
        self.page.wait_for_function(CONNECTED, timeout=OPENED_MS)

    def choose(self, slug: str) -> None:
        """Pick an assistant; a new conversation begins."""
        self.page.locator("#chat-profiles").click()
        self.page.locator(f'[data-test="select-item:{slug}"]').click()
        confirm = self.page.locator("#confirm")
        if confirm.is_visible():
            confirm.click()
        self.page.locator("#chat-input").wait_for()

    def say(self, text: str) -> None:
        """Type a message and send it."""
        box = self.page.locator("#chat-input")
        box.click()
        box.fill(text)
        self.page.locator("#chat-submit").click()

    def ask(self, text: str) -> Locator:
        """Send a message and wait until its answer is finished; returns the last answer."""
        before = self.answers.count()
        self.say(text)
        expect(self.answers).not_to_have_count(before)
        self.settled()
        return self.answers.last

    def settled(self) -> None:
        """Wait until nothing is being answered."""
        expect(self.page.locator("#stop-button")).to_have_count(0, timeout=60_000)

    @property
    def answers(self) -> Locator:
        """The bubbles of the other side."""
        return self.page.locator('[data-step-type="assistant_message"]')

    @property
    def receipts(self) -> Locator:
        """The lines under answers that say what they cost."""
        return self.page.locator(".farebox-receipt")

    @property
    def balance(self) -> Locator:
        """What is left, in the header."""
        return self.page.locator("#farebox-balance")

    def credits_left(self) -> float:
        """What the host says is left, asked with the page's own cookie."""
        answer = self.page.request.get(f"{self.address}/api/v1/balance")
        assert answer.ok, answer.status
        return float(answer.json()["available"])

    def picture(self, name: str, directory: Path) -> None:
        """Keep a picture of the page for people to look at."""
        directory.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=directory / f"{name}.png")
