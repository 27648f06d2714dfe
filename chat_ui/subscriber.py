"""A subscriber's conversation: a message in, an answer shown, a receipt under it.

Everything that costs is decided by `host.runs`; here its answer is only shown. An answer belongs
to its thread: the page that asked shows it, and so does every other page that opens the thread
while it is being written. Nothing of an answer is stored from here.
"""

import asyncio
from typing import Any, Final

import chainlit as cl
import structlog
from chainlit.config import config
from chainlit.context import context, init_ws_context
from chainlit.data import get_data_layer
from chainlit.session import WebsocketSession
from chainlit.step import StepDict

from chat_ui import asides, cards, wording
from chat_ui.history import RUN, disclosure_dict, tool_dict
from chat_ui.ownership import account_of, is_theirs
from chat_ui.pictures import Painter, without_pictures
from chat_ui.stamps import iso
from chat_ui.wiring import wiring
from host.identity.login_sessions import Visitor
from host.runs.again import Again
from host.runs.answers import LiveAnswer
from host.runs.lifecycle import Reason
from host.runs.tool_steps import ToolStep
from storage import chat_history
from storage.credits import MilliCredits
from storage.models.conversations import Step
from storage.notices import DISCLOSURE, Beside, disclosure_id, read_beside, undisclosed

DRAWN_EVERY_S: Final = 0.03
"""A page draws no faster than this, so text that comes faster is sent together."""

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
        )
    )
    try:
        live = await asyncio.shield(beginning)
    except asyncio.CancelledError:  # Stop was pressed before there was an answer to stop
        live = await beginning
        live.halt(Reason.STOPPED)
    await _disclose(live)
    showing = asyncio.ensure_future(show(live))
    try:
        await asyncio.shield(showing)
    except asyncio.CancelledError:
        if not live.is_over:
            showing.cancel()
            raise
        await showing  # Stop came when there was nothing to stop any more: the receipt stands


async def ask_again(visitor: Visitor, answer_id: str, price: MilliCredits) -> str:
    """Ask the question of the last answer again; what comes is shown as it comes.

    Returns what to say about it, if anything.

    Raises:
        FareboxError: it was refused; nothing was charged.
    """
    session = context.session
    assert isinstance(session, WebsocketSession)
    live, is_new = await wiring.host.runs.ask_again(
        account_id=visitor.account_id,
        thread_id=session.thread_id,
        again=Again(answer_id, price),
    )
    if not is_new:
        return asides.ASKED_ALREADY
    await context.emitter.task_start()
    await context.emitter.send_step(_question_step(live, visitor))
    _show_later(session, live)
    return ""


async def again_button() -> dict[str, Any] | None:
    """The button as it would be drawn now, for whose price is not the price any more."""
    thread_id, now = context.session.thread_id, wiring.host.clock.now()
    beside = await wiring.host.database.read(
        lambda s: read_beside(s, thread_id, now=now, run_id="")
    )
    return None if beside.again is None else asides.again_button(beside.again)


async def tell_address() -> None:
    """Tell the page under which address this conversation is found again (`custom.js` listens)."""
    await context.emitter.send_window_message({"farebox_thread": context.session.thread_id})


async def tell_profile(session: WebsocketSession) -> None:
    """Tell the page whom it speaks to: of two assistants it may know but the same title."""
    await context.emitter.send_window_message({"farebox_with": session.chat_profile or ""})


async def say(text: str) -> None:
    """Say something that is no answer of an assistant."""
    await cl.Message(text).send()


async def show(live: LiveAnswer) -> None:
    """Show an answer on this page from its first word to its receipt."""
    emitter, name = context.emitter, await _speaker(live.thread_id)
    await emitter.send_step(run_step(live))
    begun, painter = False, Painter()
    async for news in live.follow(every_s=DRAWN_EVERY_S):
        if isinstance(news, ToolStep):
            await emitter.send_step(tool_dict(live.thread_id, live.run_id, news))
        elif text := painter.draw(news.text):
            if begun:
                await emitter.send_token(live.answer_id, text)
            else:
                await emitter.stream_start(answer_step(live, name, text))
                begun = True
    outcome = await live.outcome()
    text = without_pictures(wording.answer_or_sentence(outcome))
    final = answer_step(live, name, text)
    await (emitter.update_step(final) if begun else emitter.send_step(final))
    await emitter.send_step(run_step(live, is_over=True))
    beside = await _beside(live)
    await emitter.send_element(cards.receipt_element(live.thread_id, outcome, beside=beside))


async def _beside(live: LiveAnswer) -> Beside:
    now = wiring.host.clock.now()
    return await wiring.host.database.read(
        lambda s: read_beside(s, live.thread_id, now=now, run_id=live.run_id)
    )


async def _disclose(live: LiveAnswer) -> None:
    """Say who gets to read this, before the first answer of an assistant to this person."""
    asked = live.question
    card = await wiring.host.catalogue.find_offering(asked.offering_slug)
    if card.assistant is None:
        return
    database, offering_id = wiring.host.database, card.id
    if not await database.read(lambda s: undisclosed(s, asked.account_id, [offering_id])):
        return
    step = Step(
        id=disclosure_id(asked.account_id, card.id),
        thread_id=asked.thread_id,
        parent_id=asked.message_id,
        type=DISCLOSURE,
        name=config.ui.name,
        output=asides.disclosure(card.title, card.assistant.base_url),
        created_at=wiring.host.clock.now(),
    )
    shown = disclosure_dict(step)
    if await database.run(lambda unit: chat_history.add_step(unit.session, step)):
        await context.emitter.send_step(shown)


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
    _show_later(session, live)


def _show_later(session: WebsocketSession, live: LiveAnswer) -> None:
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


def _question_step(live: LiveAnswer, visitor: Visitor) -> StepDict:
    """The question's bubble, where the browser did not draw it by itself."""
    return StepDict(
        id=live.question_id,
        threadId=live.thread_id,
        parentId=None,
        name=str(visitor.account_id),
        type="user_message",
        createdAt=iso(wiring.host.clock.now()),
        output=live.question.text,
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
