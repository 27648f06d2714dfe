"""Every page shows the answer of its conversation by itself, at its own pace.

An answer that begins is shown on all pages that have its conversation open, whichever of them
asked; a page that is opened later takes it up where it is. Each has a task of its own that only
listens: a page that is slow, or gone, holds up neither the answer nor another page.
"""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import structlog
from chainlit.context import context, init_ws_context
from chainlit.session import WebsocketSession

from chat_ui.pages import language_of, page_of
from chat_ui.shown import Following, Pen
from host.language import speaking
from host.runs.answers import LiveAnswer

log = structlog.get_logger()
Show: TypeAlias = Callable[[LiveAnswer], Awaitable[None]]
"""Draws an answer, first word to receipt, on the page in whose context it is called."""


def follow(session: WebsocketSession, live: LiveAnswer, show: Show) -> Following:
    """Have the page show the answer, once, however often this is asked."""
    return page_of(session).shown.follow(live, _pen(session, show))


def pause(session: WebsocketSession) -> None:
    """Draw no more of the answer that the page shows, until `go_on`."""
    page_of(session).shown.pause()


def go_on(session: WebsocketSession, show: Show) -> None:
    """Show the answer again from its first word: the page was drawn anew meanwhile."""
    page_of(session).shown.go_on(_pen(session, show))


def _pen(session: WebsocketSession, show: Show) -> Pen:
    async def draw(live: LiveAnswer) -> None:
        init_ws_context(session)
        try:
            with speaking(language_of(session)):  # whoever asked may speak another
                await context.emitter.task_start()
                await show(live)
        except Exception:
            log.exception("chat.show_failed", run_id=live.run_id)

    async def rest() -> None:
        await context.emitter.task_end()

    return Pen(draw, rest)
