"""The pages that are open at this process, and what each of them is doing.

A page is what Chainlit calls a session: it outlives its socket, which is opened anew now and then,
and one conversation may be open on several. Here is remembered of each what Chainlit does not:
what was said on it, how often something was drawn on it, and which answer it shows.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from weakref import WeakKeyDictionary

from chainlit.session import WebsocketSession, ws_sessions_id

from chat_ui.hearing import ShownPrice
from chat_ui.ownership import account_of, owner_of
from chat_ui.shown import Shown
from host.language import Language, of_browser
from storage.credits import MilliCredits

DRAWS: Final = frozenset(
    {
        *("new_message", "update_message", "delete_message", "stream_start"),
        *("element", "remove_element"),
    }
)
"""What changes the conversation on a page. Pieces of an answer are left out: it is shown anew."""


@dataclass(slots=True)
class Page:
    """What is known of one page."""

    said: set[str] = field(default_factory=set)
    """The ids of the messages that came from it: the same one twice at once is one message."""
    drawn: int = 0
    """How often the conversation on it was changed."""
    shown: Shown = field(default_factory=Shown)
    """Which answers are drawn on it."""
    conversation: str | None = None
    """The conversation on it that is known to be stored: where that is gone, it was deleted."""
    price: ShownPrice | None = None
    """What stands at its composer, as the page said last."""

    def price_of(self, slug: str) -> MilliCredits | None:
        """What a message to this assistant costs as the page shows it; None if it shows none."""
        return self.price.price if self.price is not None and self.price.slug == slug else None


_pages: WeakKeyDictionary[WebsocketSession, Page] = WeakKeyDictionary()


def page_of(session: WebsocketSession) -> Page:
    """What is known of this page; nothing yet, at first."""
    return _pages.setdefault(session, Page())


def pages_of(account_id: int) -> Iterator[WebsocketSession]:
    """The pages that this person has open."""
    for session in list(ws_sessions_id.values()):
        if account_of(session) == account_id:
            yield session


def showing(thread_id: str, *, account_id: int) -> Iterator[WebsocketSession]:
    """The pages on which this person has the conversation open."""
    for session in pages_of(account_id):
        if session.thread_id == thread_id:
            yield session


async def is_deleted(session: WebsocketSession) -> bool:
    """Whether the conversation of a page was there once and is gone."""
    return is_stored(session) and await owner_of(session.thread_id) is None


def is_stored(session: WebsocketSession) -> bool:
    """Whether the conversation of a page is known to have been stored."""
    return session.thread_id in {page_of(session).conversation, session.thread_id_to_resume}


def watch(session: WebsocketSession) -> None:
    """Note what is drawn over the session's socket. Call for each socket that it gets.

    A page that shows an answer is not told that nothing is going on: Chainlit says so whenever it
    is done with a message, also with one that was refused because of that answer, and the page
    would take its Stop button away.
    """
    emit, page = session.emit, page_of(session)

    async def noted(event: str, data: Any) -> None:
        if event in DRAWS:
            page.drawn += 1
        if event != "task_end" or page.shown.following is None:
            await emit(event, data)  # type: ignore[misc]  # Chainlit does not say that it is awaited

    session.emit = noted  # type: ignore[assignment]


def language_of(session: WebsocketSession) -> Language:
    """The language that a page was opened in."""
    asked = session.environ or {}
    return of_browser(asked.get("HTTP_COOKIE", ""), asked.get("HTTP_ACCEPT_LANGUAGE", ""))
