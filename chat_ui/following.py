"""Every page shows the answer of its conversation by itself, at its own pace.

An answer that begins is shown on all pages that have its conversation open, whichever of them
asked; a page that is opened later takes it up where it is. Each has a task of its own that only
listens: a page that is slow, or gone, holds up neither the answer nor another page.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import structlog
from chainlit.context import context, init_ws_context
from chainlit.session import WebsocketSession

from chat_ui.pages import Following, page_of
from host.runs.answers import LiveAnswer

log = structlog.get_logger()
Show: TypeAlias = Callable[[LiveAnswer], Awaitable[None]]
"""Draws an answer, first word to receipt, on the page in whose context it is called."""

_tasks: set[asyncio.Task[None]] = set()


def follow(session: WebsocketSession, live: LiveAnswer, show: Show) -> Following:
    """Have the page show the answer, once, however often this is asked."""
    page = page_of(session)
    if page.following is None and page.shown == live.run_id:
        return _ended(live)
    if page.following is None or page.following.live is not live:
        pause(session)
        page.following = Following(live)
        _begin(session, page.following, show)
    return page.following


def _ended(live: LiveAnswer) -> Following:
    """An answer that was shown to its end."""
    following = Following(live)
    following.done.set()
    return following


def pause(session: WebsocketSession) -> None:
    """Draw no more of the answer that the page shows, until `go_on`."""
    following = page_of(session).following
    if following is not None and following.task is not None:
        following.task.cancel()
        following.task = None


def go_on(session: WebsocketSession, show: Show) -> None:
    """Show the answer again from its first word: the page was drawn anew meanwhile."""
    following = page_of(session).following
    if following is not None and following.task is None:
        _begin(session, following, show)


def _begin(session: WebsocketSession, following: Following, show: Show) -> None:
    task = asyncio.create_task(_follow(session, following, show))
    following.task = task
    _tasks.add(task)  # the loop itself keeps only a weak hold of a task
    task.add_done_callback(_tasks.discard)


async def _follow(session: WebsocketSession, following: Following, show: Show) -> None:
    init_ws_context(session)
    await context.emitter.task_start()
    try:
        await show(following.live)
    except Exception:
        log.exception("chat.show_failed", run_id=following.live.run_id)
    page = page_of(session)
    if page.following is following:  # and not another, begun at once
        page.following, page.shown = None, following.live.run_id
        await context.emitter.task_end()
    following.done.set()
