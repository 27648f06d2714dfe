"""A subscriber's conversation: a message in, an answer shown, a receipt under it.

Everything that costs is decided by `host.runs`; here its answer is only shown. An answer belongs
to its thread: the page that asked shows it, and so does every other page that has the thread open
or opens it while it is being written (`chat_ui.following`). Nothing of an answer is stored here.
"""

import asyncio
from typing import Any, Final

import chainlit as cl
from chainlit.config import config
from chainlit.context import context
from chainlit.session import WebsocketSession
from chainlit.step import StepDict

from chat_ui import asides, cards, pages, wording
from chat_ui.following import follow
from chat_ui.history import RUN, disclosure_dict, file_element, tool_dict
from chat_ui.ownership import account_of
from chat_ui.pictures import Painter, without_pictures
from chat_ui.stamps import iso
from chat_ui.wiring import wiring
from host.errors import UnknownThread
from host.identity.login_sessions import Visitor
from host.language import _
from host.runs.again import Again
from host.runs.answers import LiveAnswer
from host.runs.lifecycle import Reason
from host.runs.tool_steps import ToolStep
from storage import attachments, chat_history
from storage.credits import MilliCredits
from storage.models.conversations import Step
from storage.notices import DISCLOSURE, Beside, disclosure_id, read_beside, undisclosed

DRAWN_EVERY_S: Final = 0.03
"""A page draws no faster than this, so text that comes faster is sent together."""

FILES: Final = "files"
"""Under this name a message's metadata carries the ids of its files from the socket to here."""


async def answer(visitor: Visitor, message: cl.Message) -> None:
    """Ask the assistant of this conversation and show what it says.

    Raises:
        FareboxError: the message was refused; nothing was charged.
    """
    session = _page()
    page, slug = pages.page_of(session), session.chat_profile or ""
    files = tuple((message.metadata or {}).get(FILES, ()))
    beginning = asyncio.ensure_future(
        wiring.host.runs.begin(
            account_id=visitor.account_id,
            thread_id=session.thread_id,
            offering_slug=slug,
            text=message.content,
            message_id=message.id,
            files=files,
            only_existing=pages.is_stored(session),
            agreed=page.price_of(slug),
        )
    )
    try:
        live = await asyncio.shield(beginning)
    except asyncio.CancelledError:  # Stop was pressed before there was an answer to stop
        live = await beginning
        live.halt(Reason.STOPPED)
    except UnknownThread:
        if not await pages.is_deleted(session):
            raise
        await turn_away(session, message.content, has_files=bool(files))
        return
    page.conversation = session.thread_id
    await follow(session, live, show).done.wait()


def announce(live: LiveAnswer) -> None:
    """Show an answer that begins on every page that has its conversation open."""
    account_id = live.question.account_id
    open_here = list(pages.showing(live.thread_id, account_id=account_id))
    is_said_here = any(live.question_id in pages.page_of(one).said for one in open_here)
    for session in open_here:
        follow(session, live, show if is_said_here else show_with_question)


async def ask_again(visitor: Visitor, answer_id: str, price: MilliCredits) -> str:
    """Ask the question of the last answer again; what comes is shown as it comes.

    Returns what to say about it, if anything.

    Raises:
        FareboxError: it was refused; nothing was charged.
    """
    _live, is_new = await wiring.host.runs.ask_again(
        account_id=visitor.account_id,
        thread_id=_page().thread_id,
        again=Again(answer_id, price),
    )
    return "" if is_new else _(asides.ASKED_ALREADY)


async def again_button() -> dict[str, Any] | None:
    """The button as it would be drawn now, for whose price is not the price any more."""
    thread_id, now = context.session.thread_id, wiring.host.clock.now()
    beside = await wiring.host.database.read(
        lambda s: read_beside(s, thread_id, now=now, run_id="")
    )
    return None if beside.again is None else asides.again_button(beside.again)


async def show_with_question(live: LiveAnswer) -> None:
    """What no page has said, because a program asked it or a button asked it again, is shown."""
    asked = StepDict(
        id=live.question_id,
        threadId=live.thread_id,
        parentId=None,
        name=str(live.question.account_id),
        type="user_message",
        createdAt=iso(wiring.host.clock.now()),
        output=live.question.text,
        metadata={},
    )
    await context.emitter.send_step(asked)
    await show(live)


async def show_question(session: WebsocketSession, step: StepDict) -> None:
    """Show what was just said on this page on the others that have its conversation open."""
    await _on_other_pages(session, {**step, "threadId": session.thread_id})


async def leave_deleted(thread_id: str, account_id: int) -> None:
    """Have the pages that show a conversation go to a new one: it has been deleted."""
    for session in pages.showing(thread_id, account_id=account_id):
        pages.page_of(session).conversation = thread_id
        await turn_away(session)


async def turn_away(session: WebsocketSession, text: str = "", *, has_files: bool = False) -> None:
    """Have a page whose conversation is gone go to a new one, with what was just typed there.

    Files that were sent with it are gone with the conversation.
    """
    gone = {
        "farebox_gone": session.thread_id,
        "profile": session.chat_profile or cards.HOME,
        "text": text,
        "files": has_files,
    }
    await session.emit("window_message", gone)  # type: ignore[misc]


async def tell_address() -> None:
    """Tell the page under which address this conversation is found again (`custom.js` listens)."""
    await context.emitter.send_window_message({"farebox_thread": context.session.thread_id})


async def tell_profile(session: WebsocketSession) -> None:
    """Tell the page whom it speaks to: of two assistants it may know but the same title."""
    await context.emitter.send_window_message({"farebox_with": session.chat_profile or ""})


async def tell_stale() -> None:
    """Tell the page that what stands at its composer is out of date (`custom.js` asks anew)."""
    await context.emitter.send_window_message({"farebox_stale": True})


async def say(text: str) -> None:
    """Say something that is no answer of an assistant."""
    message = cl.Message(text)
    await message.send()
    if _page().has_first_interaction:
        await _on_other_pages(_page(), message.to_dict())


def _page() -> WebsocketSession:
    session = context.session
    assert isinstance(session, WebsocketSession)
    return session


async def _on_other_pages(session: WebsocketSession, step: StepDict) -> None:
    account_id = account_of(session)
    if account_id is None:
        return
    for other in pages.showing(session.thread_id, account_id=account_id):
        if other is not session:
            await other.emit("new_message", step)  # type: ignore[misc]


async def show(live: LiveAnswer) -> None:
    """Show an answer on this page from its first word to its receipt."""
    emitter, name = context.emitter, await _speaker(live.thread_id)
    if live.question.files:
        await _show_files(live.question_id)  # now that they were taken
    await _disclose(live)
    await emitter.send_step(run_step(live))
    begun, painter = False, Painter()
    async for news in live.follow(every_s=DRAWN_EVERY_S):
        if isinstance(news, ToolStep):
            await emitter.send_step(tool_dict(live.thread_id, live.run_id, news))
        else:
            text = painter.draw(news.text)
            if not begun:  # with nothing drawn, perhaps: from now on, stopping it costs
                await emitter.stream_start(answer_step(live, name, text))
                begun = True
            elif text:
                await emitter.send_token(live.answer_id, text)
    outcome = await live.outcome()
    text = without_pictures(wording.answer_or_sentence(outcome))
    final = answer_step(live, name, text)
    await (emitter.update_step(final) if begun else emitter.send_step(final))
    await emitter.send_step(run_step(live, is_over=True))
    await _show_files(live.answer_id)
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
    if not asked.offering_slug:
        return  # another process's answer: it stands in the conversation that was read for it
    card = await wiring.host.catalogue.find_offering(asked.offering_slug)
    if card.assistant is None:
        return
    database, step_id = wiring.host.database, disclosure_id(asked.account_id, card.id)
    if await database.read(lambda s: undisclosed(s, asked.account_id, [card.id])):
        step = Step(
            id=step_id,
            thread_id=asked.thread_id,
            parent_id=asked.message_id,
            type=DISCLOSURE,
            name=config.ui.name,
            output=asides.disclosure(card.title, card.assistant.base_url),
            created_at=wiring.host.clock.now(),
        )
        await database.run(lambda unit: chat_history.add_step(unit.session, step))
    said = await database.read(lambda s: chat_history.find_step(s, step_id))
    if said is not None and said.parent_id == asked.message_id:
        await context.emitter.send_step(disclosure_dict(said))


async def _show_files(message_id: str) -> None:
    """Show the files of a message: sent with a question, or drawn for an answer."""
    files = await wiring.host.database.read(lambda s: attachments.sent_with(s, message_id))
    for one in files:
        await context.emitter.send_element(file_element(one))


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
