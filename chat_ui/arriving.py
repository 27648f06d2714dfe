"""A page comes, or comes back, and is to show the conversation whole.

What is sent to a page while its conversation is being read for it is drawn over by what was read,
and what is sent to a socket that has just been replaced is lost. Pages open their socket anew as a
matter of course, shortly after a conversation was loaded. So whenever something was drawn on the
page meanwhile, the conversation is read and drawn once more. Reading waits for what is still to be
written (`chat_ui.data_layer`), so what was sent before is in it.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from chainlit.config import config
from chainlit.context import context, init_ws_context
from chainlit.data import get_data_layer
from chainlit.session import WebsocketSession

from chat_ui import following
from chat_ui.following import Show
from chat_ui.ownership import account_of, is_theirs
from chat_ui.pages import page_of
from chat_ui.wiring import wiring
from host.runs.answers import LiveAnswer

DRAWN_MOST: Final = 5
"""Times that a page is drawn in a row: somebody who never stops writing must not keep it busy."""


async def arrive(
    session: WebsocketSession, draw: Callable[[], Awaitable[None]], show: Show
) -> None:
    """Have the page drawn by `draw`, and again until all is on it; then show the answer."""
    page = page_of(session)
    following.pause(session)
    # Before anything is read: an answer that ends meanwhile is shown to its end all the same.
    live = await _answer_under_way(session)
    before = page.drawn
    is_drawn = session.thread_id_to_resume is not None  # Chainlit draws what it was opened on
    await draw()
    init_ws_context(session)
    if session.has_first_interaction and await is_theirs(session):
        for _ in range(DRAWN_MOST):
            if is_drawn and page.drawn == before:
                break
            following.pause(session)
            before, is_drawn = page.drawn, True
            await _draw_again(session)
    if live is not None and page.following is None:
        following.follow(session, live, show)
    else:
        following.go_on(session, show)


async def _answer_under_way(session: WebsocketSession) -> LiveAnswer | None:
    is_fresh = session.thread_id_to_resume is None and not session.has_first_interaction
    if is_fresh or not await is_theirs(session):
        return None
    return await wiring.host.runs.join(session.thread_id, account_id=account_of(session))


async def _draw_again(session: WebsocketSession) -> None:
    """As Chainlit does when it resumes, for pages on which the conversation began as well."""
    layer = get_data_layer()
    assert layer is not None
    thread = await layer.get_thread(session.thread_id)
    if thread is not None:
        if config.code.on_chat_resume is not None:
            await config.code.on_chat_resume(thread)
        await context.emitter.resume_thread(thread)
