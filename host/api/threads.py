"""`/api/v1/threads`: one's own conversations, to list, read, take away and delete.

Somebody else's conversation is answered as if there were none.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from sqlmodel import Session

from host.api.edge import signed_in
from host.api.parts import ApiHost
from host.api.thread_export import as_json, as_markdown, file_name
from host.api.thread_views import (
    Deleted,
    ThreadPageView,
    ThreadView,
    WaitingDeletion,
    deletion_view,
    line_view,
    thread_view,
)
from host.errors import MalformedRequest, UnknownThread
from host.files.names import disposition
from host.identity.login_sessions import Visitor
from host.language import _
from storage import chat_history, deletions, search
from storage.catalogue import find_cards
from storage.chat_history import Cursor

PAGE_MAX: Final = 100
CURSOR: Final = re.compile(r"([0-9]{1,18})\.([0-9A-Za-z-]{1,128})", re.ASCII)
TYPES: Final = {"md": "text/markdown; charset=utf-8", "json": "application/json"}

Search = Annotated[
    str, Query(description="Words that each occur in it; the last may be a beginning.")
]
Before = Annotated[str | None, Query(description="The `next` of the page before.")]


def thread_routes(host: ApiHost) -> APIRouter:
    """The routes of conversations."""
    router = APIRouter()
    signed = Depends(signed_in(host.login_sessions, may_change=False))
    changing = Depends(signed_in(host.login_sessions, may_change=True))

    async def own(thread_id: str, visitor: Visitor) -> ThreadView:
        history = await host.database.read(lambda s: chat_history.read_history(s, thread_id))
        if history is None or history.thread.account_id != visitor.account_id:
            raise UnknownThread(_("You have no such conversation."))
        return thread_view(history)

    @router.get("/threads")
    async def threads(
        visitor: Annotated[Visitor, signed],
        search: Search = "",
        before: Before = None,
        limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 35,
    ) -> ThreadPageView:
        after = _cursor(before)
        return await host.database.read(
            lambda s: _page(s, visitor.account_id, wanted=search, after=after, most=limit)
        )

    @router.get("/threads/{thread_id}")
    async def thread(thread_id: str, visitor: Annotated[Visitor, signed]) -> ThreadView:
        return await own(thread_id, visitor)

    @router.get("/threads/{thread_id}/export", response_class=StreamingResponse)
    async def export(
        thread_id: str,
        visitor: Annotated[Visitor, signed],
        format: Literal["md", "json"] = "md",  # noqa: A002 - the name in the address
    ) -> StreamingResponse:
        found = await own(thread_id, visitor)
        write = as_markdown if format == "md" else as_json
        pieces: Iterator[str] = write(found, host.settings.public_url)
        name = disposition(file_name(found, format), is_inline=False)
        headers = {"Content-Disposition": name, "X-Content-Type-Options": "nosniff"}
        return StreamingResponse(pieces, media_type=TYPES[format], headers=headers)

    @router.delete("/threads/{thread_id}")
    async def delete(thread_id: str, visitor: Annotated[Visitor, changing]) -> Deleted:
        everywhere = await host.forgetting.delete(thread_id, account_id=visitor.account_id)
        return Deleted(deleted=True, deleted_upstream=everywhere)

    @router.get("/deletions")
    async def waiting(visitor: Annotated[Visitor, signed]) -> list[WaitingDeletion]:
        """What is deleted here, and not yet at the assistants' providers."""
        notes = await host.database.read(lambda s: deletions.deletions_of(s, visitor.account_id))
        return [deletion_view(note) for note in notes]

    return router


def _page(
    session: Session, account_id: int, *, wanted: str, after: Cursor | None, most: int
) -> ThreadPageView:
    page = chat_history.list_threads(
        session, account_id, first=most, after=after, search=wanted or None
    )
    offerings = {thread.offering_id for thread in page.threads if thread.offering_id}
    cards = {card.id: card for card in find_cards(session, ids=offerings)}
    ids = [thread.id for thread in page.threads]
    excerpts = search.excerpts(session, account_id, wanted, ids) if wanted else {}
    last = page.threads[-1] if page.has_more else None
    return ThreadPageView(
        threads=[line_view(thread, cards, excerpts) for thread in page.threads],
        next=f"{last.updated_at}.{last.id}" if last else None,
    )


def _cursor(given: str | None) -> Cursor | None:
    if given is None:
        return None
    parts = CURSOR.fullmatch(given)
    if parts is None:
        raise MalformedRequest(_("`before` is the `next` of another page."))
    return Cursor(int(parts[1]), parts[2])
