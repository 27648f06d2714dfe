"""A page comes, or comes back, and is to show the conversation whole.

What is sent to a page while its conversation is being read for it is drawn over by what was read,
and what is sent to a socket that has just been replaced is lost. Pages open their socket anew as a
matter of course, shortly after a conversation was loaded. So whenever something was drawn on the
page meanwhile, the conversation is read and drawn once more. Reading waits for what is still to be
written (`chat_ui.data_layer`), so what was sent before is in it.

All of it stands in place of Chainlit's own handler, which also keeps in memory, for nobody, every
message of a conversation that is opened, and holds up the whole process a millisecond for each.
"""

import asyncio
from typing import Final

from chainlit.config import config
from chainlit.context import context, init_ws_context
from chainlit.data import get_data_layer
from chainlit.session import WebsocketSession
from chainlit.socket import resume_thread
from chainlit.types import ThreadDict

from chat_ui import following
from chat_ui.following import Show
from chat_ui.ownership import account_of, is_theirs
from chat_ui.pages import page_of
from chat_ui.wiring import wiring
from chat_ui.wording import NO_SUCH_THREAD
from host.language import _
from host.runs.answers import LiveAnswer

DRAWN_MOST: Final = 5
"""Times that a page is drawn in a row: somebody who never stops writing must not keep it busy."""


async def arrive(session: WebsocketSession, show: Show) -> None:
    """Draw the page, and again until all is on it; then show the answer."""
    page = page_of(session)
    following.pause(session)
    # Before anything is read: an answer that ends meanwhile is shown to its end all the same.
    live = await _answer_under_way(session)
    try:
        await _draw_whole(session)
    finally:  # what could not be read must not keep the answer from being shown
        if live is not None and page.shown.following is None:
            following.follow(session, live, show)
        else:
            following.go_on(session, show)


async def _draw_whole(session: WebsocketSession) -> None:
    page = page_of(session)
    before = page.drawn
    init_ws_context(session)
    is_drawn = await _begin(session)
    if not session.has_first_interaction or not await is_theirs(session):
        return
    for _time in range(DRAWN_MOST):
        if is_drawn and page.drawn == before:
            return
        following.pause(session)
        before, is_drawn = page.drawn, True
        await _draw_again(session)


async def _begin(session: WebsocketSession) -> bool:
    """Greet a socket as Chainlit does. Says whether the conversation was drawn."""
    emitter = context.emitter
    await emitter.task_end()
    await emitter.clear("clear_ask")
    await emitter.clear("clear_call_fn")
    is_opened_on_one = session.thread_id_to_resume is not None
    if is_opened_on_one and not (session.restored and not session.has_first_interaction):
        thread = await resume_thread(session)
        if thread is not None:
            session.has_first_interaction = True
            known = {"interaction": "resume", "thread_id": thread["id"]}
            await emitter.emit("first_interaction", known)
            await _draw(thread)
            return True
        await emitter.send_resume_thread_error(_(NO_SUCH_THREAD))
    if session.has_first_interaction:
        return False
    if config.code.on_chat_start and not session.chat_started:
        session.chat_started = True
        session.current_task = asyncio.create_task(config.code.on_chat_start())
    return False


async def _answer_under_way(session: WebsocketSession) -> LiveAnswer | None:
    is_fresh = session.thread_id_to_resume is None and not session.has_first_interaction
    if is_fresh or not await is_theirs(session):
        return None
    return await wiring.host.runs.join(session.thread_id, account_id=account_of(session))


async def _draw_again(session: WebsocketSession) -> None:
    """Read the conversation anew, on pages where it began as well as on those opened on it."""
    layer = get_data_layer()
    assert layer is not None
    thread = await layer.get_thread(session.thread_id)
    if thread is not None:
        await _draw(thread)


async def _draw(thread: ThreadDict) -> None:
    if config.code.on_chat_resume is not None:
        await config.code.on_chat_resume(thread)
    await context.emitter.resume_thread(thread)
