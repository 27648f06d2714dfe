"""A subscriber's conversation: a message in, an answer shown, a receipt under it.

Everything that costs is decided by `host.runs`; here its answer is only shown. An answer belongs
to its thread: the page that asked shows it, and so does every other page that opens the thread
while it is being written. Nothing of an answer is stored from here.
"""

import asyncio
from typing import Final

import chainlit as cl
import structlog
from chainlit.config import config
from chainlit.context import context, init_ws_context
from chainlit.data import get_data_layer
from chainlit.session import WebsocketSession
from chainlit.step import StepDict

from chat_ui import cards, wording
from chat_ui.history import RUN, file_element
from chat_ui.ownership import account_of, is_theirs
from chat_ui.stamps import iso
from chat_ui.wiring import wiring
from host.identity.login_sessions import Visitor
from host.runs.answers import LiveAnswer
from host.runs.lifecycle import Reason
from storage import attachments, chat_history

FILES: Final = "files"
"""Under this name a message's metadata carries the ids of its files from the socket to here."""

log = structlog.get_logger()
_showing: set[asyncio.Task[None]] = set()


async def answer(visitor: Visitor, message: cl.Message) -> None:
    """Ask the assistant of this conversation and show what it says.

    Raises:
        FareboxError: the message was refused; nothing was charged.
    """
    session = context.session
    beginning = asyncio.ensure_future(
        wiring.host.runs.begin(
            account_id=visitor.account_id,
            thread_id=session.thread_id,
            offering_slug=session.chat_profile or "",
            text=message.content,
            message_id=message.id,
            files=tuple((message.metadata or {}).get(FILES, ())),
        )
    )
    try:
        live = await asyncio.shield(beginning)
    except asyncio.CancelledError:  # Stop was pressed before there was an answer to stop
        live = await beginning
        live.halt(Reason.STOPPED)
    await _show_files(live)
    await show(live)


async def _show_files(live: LiveAnswer) -> None:
    """Show what was sent with the question, now that it was taken."""
    if not live.question.files:
        return
    sent = await wiring.host.database.read(
        lambda s: attachments.sent_with(s, live.question.message_id)
    )
    for one in sent:
        await context.emitter.send_element(file_element(one))


async def tell_address() -> None:
    """Tell the page under which address this conversation is found again (`custom.js` listens)."""
    await context.emitter.send_window_message({"farebox_thread": context.session.thread_id})


async def say(text: str) -> None:
    """Say something that is no answer of an assistant."""
    await cl.Message(text).send()


async def show(live: LiveAnswer) -> None:
    """Show an answer on this page from its first word to its receipt."""
    emitter, name = context.emitter, await _speaker(live.thread_id)
    await emitter.send_step(run_step(live))
    begun = False
    async for piece in live.listen():
        if begun:
            await emitter.send_token(live.answer_id, piece.text)
        else:
            await emitter.stream_start(answer_step(live, name, piece.text))
            begun = True
    outcome = await live.outcome()
    final = answer_step(live, name, wording.answer_or_sentence(outcome))
    await (emitter.update_step(final) if begun else emitter.send_step(final))
    await emitter.send_step(run_step(live, is_over=True))
    await emitter.send_element(cards.receipt_element(live.thread_id, outcome))


async def rejoin(session: WebsocketSession) -> None:
    """Bring a page that has come back up to date, and take up the answer being written."""
    if not session.has_first_interaction or not await is_theirs(session):
        return
    if session.restored and session.chat_profile != cards.SETUP_BOT:
        await _draw_again(session.thread_id)  # what was sent while it was away is lost
    live = wiring.host.runs.live(session.thread_id, account_id=account_of(session))
    if live is None:
        return
    await context.emitter.task_start()
    if session.current_task is not None and not session.current_task.done():
        return  # the task that showed it before the page went away goes on by itself
    task = asyncio.create_task(_show_again(session, live))
    session.current_task = task
    _showing.add(task)  # the loop itself keeps only a weak hold of a task
    task.add_done_callback(_showing.discard)


async def _draw_again(thread_id: str) -> None:
    layer = get_data_layer()
    assert layer is not None
    thread = await layer.get_thread(thread_id)
    if thread is not None:
        await context.emitter.resume_thread(thread)


async def _show_again(session: WebsocketSession, live: LiveAnswer) -> None:
    init_ws_context(session)
    try:
        await show(live)
    except Exception:
        log.exception("chat.show_failed", run_id=live.run_id)
    finally:
        await context.emitter.task_end()


def run_step(live: LiveAnswer, *, is_over: bool = False) -> StepDict:
    """What holds an answer together with its question on the page."""
    now = iso(wiring.host.clock.now())
    return StepDict(
        id=live.run_id,
        threadId=live.thread_id,
        parentId=live.question.message_id,
        name=RUN,
        type="run",
        createdAt=now,
        start=now,
        end=now if is_over else None,
        input="",
        output="",
        metadata={},
    )


async def _speaker(thread_id: str) -> str:
    """The name under which this conversation's assistant is drawn, now and when it is reopened."""
    title = await wiring.host.database.read(lambda s: chat_history.assistant_title(s, thread_id))
    return cards.speaker(title or config.ui.name)


def answer_step(live: LiveAnswer, name: str, text: str) -> StepDict:
    """The answer's bubble; it is being written until there is an outcome."""
    return StepDict(
        id=live.answer_id,
        threadId=live.thread_id,
        parentId=live.run_id,
        name=name,
        type="assistant_message",
        createdAt=iso(wiring.host.clock.now()),
        output=text,
        streaming=not live.is_over,
        metadata={},
    )
