"""Whose conversation a chat session is in, looked up each time that it matters.

Chainlit asks this once, when a socket opens on a conversation that exists by then. A chat session
lives longer than that and its conversation may come to be, or go, at any time after; so whatever
shows, stops or changes something by `session.thread_id` asks here first.
"""

from chainlit.session import WebsocketSession

from chat_ui.wiring import wiring
from storage import chat_history


async def owner_of(thread_id: str) -> int | None:
    """Whose conversation it is; None if there is no such conversation."""
    return await wiring.host.database.read(lambda s: chat_history.author_of(s, thread_id))


def account_of(session: WebsocketSession) -> int | None:
    """Who sits at this chat session."""
    return int(session.user.identifier) if session.user is not None else None


async def is_theirs(session: WebsocketSession) -> bool:
    """Whether its conversation belongs to who sits at it, or to nobody yet."""
    account_id = account_of(session)
    return account_id is not None and await owner_of(session.thread_id) in {None, account_id}
