"""Chainlit's data layer on our tables.

Chainlit writes without waiting, one task for each step, in no fixed order; here the writes of one
thread are put in a line. It also writes what is none of its business: its own runs, titles taken
from the names of buttons, whatever lies in a session. What is kept is what a page needs to draw a
conversation again; questions and answers themselves are written by `host.runs`. Before anything is
kept, secrets are taken out a second time.

Chainlit swallows what is raised here, so failures are logged. `update_thread` must not raise at
all: it is called while a chat session is being taken down, which would then never end.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar
from weakref import WeakValueDictionary

import structlog
from chainlit.context import get_context
from chainlit.data.base import BaseDataLayer
from chainlit.data.utils import queue_until_user_message
from chainlit.element import Element as DrawnElement
from chainlit.element import ElementDict
from chainlit.session import WebsocketSession
from chainlit.step import StepDict
from chainlit.types import (
    Feedback,
    PageInfo,
    PaginatedResponse,
    Pagination,
    ThreadDict,
    ThreadFilter,
)
from chainlit.user import PersistedUser, User
from typing_extensions import override

from chat_ui import wording
from chat_ui.cards import HOME, SETUP_BOT
from chat_ui.hearing import is_id
from chat_ui.history import drawn, element_dict
from chat_ui.pages import is_stored, page_of, pages_of
from chat_ui.secret_text import without_secrets
from chat_ui.stamps import iso, moment_of
from chat_ui.telling import tell
from host.app import Host
from host.language import _
from host.redaction import redact
from host.runs.opening import is_text
from storage import chat_history, search
from storage.chat_history import Cursor
from storage.conversations import PROGRAM
from storage.database import Unit
from storage.ids import new_id
from storage.models.conversations import Element, Step, Thread
from storage.models.conversations import Feedback as FeedbackRow
from storage.moments import Micros
from storage.notices import read_beside

T = TypeVar("T")

OUR_PROFILES: Final = frozenset({HOME, SETUP_BOT})
"""Profiles that a thread notes; an assistant's thread is known by its offering."""
DRAWN_BY_RUNS: Final = frozenset({"run", "undefined"})
"""Chainlit's own grouping; ours is made from the runs."""
NAMED_COLUMNS: Final = frozenset(
    {"id", "threadId", "parentId", "type", "name", "input", "output", "isError", "createdAt"}
    | {"start", "end", "streaming", "feedback"}
)
EPOCH: Final = "1970-01-01T00:00:00Z"
PAGE_MAX: Final = 100
"""Lines of the sidebar in one answer; Chainlit's page asks for 35."""
CURSOR: Final = re.compile(r"([0-9]{1,18})\.(.+)", re.ASCII)
"""A moment in microseconds, short enough for 64 bits, and a thread."""

log = structlog.get_logger()


class DataLayer(BaseDataLayer):
    """What Chainlit asks of a database, answered by `storage.chat_history`."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._lines: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @override
    async def get_user(self, identifier: str) -> PersistedUser | None:
        """Whoever the door let in: it has just looked, so nothing is looked up again."""
        return PersistedUser(id=identifier, identifier=identifier, createdAt=EPOCH)

    @override
    async def create_user(self, user: User) -> PersistedUser | None:
        """Accounts are made elsewhere."""
        return await self.get_user(user.identifier)

    @override
    async def update_thread(
        self,
        thread_id: str,
        name: str | None = None,
        user_id: str | None = None,
        metadata: dict[str, Any] | None = None,
        tags: list[str] | None = None,
    ) -> None:
        """Note an owner, a new name, or whom the thread is with. Never raises.

        A name that comes with an owner is the first text, or the name of a button: not a title.
        """
        title = redact(name) if name and user_id is None else None
        profile = (metadata or {}).get("chat_profile")
        now = self._host.clock.now()
        # Asked here: units of work run in a thread that knows no chat session.
        account_id = _account_here() if profile in OUR_PROFILES else None

        def work(unit: Unit) -> None:
            if user_id is not None:
                chat_history.open_thread(unit.session, thread_id, int(user_id), now)
            if title:
                chat_history.name_thread(unit.session, thread_id, title)
            if profile in OUR_PROFILES and _is_theirs(unit, thread_id, account_id):
                chat_history.merge_metadata(unit.session, thread_id, {"chat_profile": profile})

        try:
            await self._write(thread_id, work)
            if user_id is not None:
                _note_stored(thread_id)
        except Exception:
            log.exception("chat.thread_not_saved", thread_id=thread_id)

    @override
    @queue_until_user_message()
    async def create_step(self, step_dict: StepDict) -> None:
        """Keep a step, or keep it again."""
        thread_id, now = step_dict.get("threadId") or "", self._host.clock.now()
        if step_dict["type"] in DRAWN_BY_RUNS or not _is_here(thread_id):
            return
        account_id, step = _account_here(), _step_row(step_dict, default=now)
        profile, was_stored = _profile_here(), _was_stored(thread_id)

        def work(unit: Unit) -> None:
            if was_stored and chat_history.author_of(unit.session, thread_id) is None:
                return  # deleted meanwhile
            thread = chat_history.open_thread(unit.session, thread_id, account_id, now)
            if thread.account_id != account_id:
                return
            if not chat_history.save_step(unit.session, step, now):
                log.warning("chat.step_of_another_thread", step_id=step.id, thread_id=thread_id)
            # The setup bot names its own after what is described in it.
            is_named_by_it = step.type == "user_message" and profile != SETUP_BOT
            if is_named_by_it and thread.title is None:
                chat_history.name_thread(unit.session, thread_id, step.output)
            if profile in OUR_PROFILES:
                chat_history.merge_metadata(unit.session, thread_id, {"chat_profile": profile})

        await self._write(thread_id, work)

    @override
    @queue_until_user_message()
    async def update_step(self, step_dict: StepDict) -> None:
        """As `create_step`: the two may come in either order."""
        await DataLayer.create_step(self, step_dict)

    @override
    @queue_until_user_message()
    async def delete_step(self, step_id: str) -> None:
        """Forget a step of this conversation."""
        thread_id = get_context().session.thread_id
        await self._write_own(
            thread_id, lambda u: chat_history.delete_step(u.session, thread_id, step_id)
        )

    @override
    @queue_until_user_message()
    async def create_element(self, element: DrawnElement) -> None:
        """Keep one of our own elements: its name and props. Receipts are not kept but derived."""
        if not element.for_id or element.type != "custom" or not _is_here(element.thread_id):
            return
        row = _element_row(element, self._host.clock.now())
        await self._write_own(row.thread_id, lambda u: chat_history.save_element(u.session, row))

    @override
    @queue_until_user_message()
    async def delete_element(self, element_id: str, thread_id: str | None = None) -> None:
        """Forget an element of this conversation, whichever the browser names."""
        here = get_context().session.thread_id
        await self._write_own(
            here, lambda u: chat_history.delete_element(u.session, here, element_id)
        )

    @override
    async def get_element(self, thread_id: str, element_id: str) -> ElementDict | None:
        """An element of a thread whose owner asks."""
        row = await self._host.database.read(
            lambda s: chat_history.find_element(s, thread_id, element_id)
        )
        return element_dict(row) if row else None

    @override
    async def get_thread(self, thread_id: str) -> ThreadDict | None:
        """The whole conversation, with the answer being written, if one is."""
        now = self._host.clock.now()
        async with self._line(thread_id):  # behind what was shown and is yet to be written
            history, beside = await self._host.database.read(
                lambda s: (
                    chat_history.read_history(s, thread_id),
                    read_beside(s, thread_id, now=now),
                )
            )
        if history is None:
            return None
        live = self._host.runs.live(thread_id, account_id=history.thread.account_id)
        return drawn(history, live, beside)

    @override
    async def get_thread_author(self, thread_id: str) -> str:
        """The identifier of the thread's owner; empty when there is no such thread."""
        async with self._line(thread_id):  # it may be about to be written
            owner = await self._host.database.read(lambda s: chat_history.author_of(s, thread_id))
        return "" if owner is None else str(owner)

    @override
    async def list_threads(
        self, pagination: Pagination, filters: ThreadFilter
    ) -> PaginatedResponse[ThreadDict]:
        """A page of the sidebar, most recently used first."""
        if filters.userId is None or not is_text(filters.search or ""):
            return PaginatedResponse(PageInfo(False, None, None), [])
        account_id, after = int(filters.userId), _cursor(pagination.cursor)
        await self._settled_for(account_id)
        page = await self._host.database.read(
            lambda s: chat_history.list_threads(
                s,
                account_id,
                first=min(max(pagination.first, 1), PAGE_MAX),
                after=after,
                search=filters.search,
                feedback=filters.feedback,
            )
        )
        excerpts: Mapping[str, str] = {}
        if filters.search:
            found, wanted = [thread.id for thread in page.threads], filters.search
            excerpts = await self._host.database.read(
                lambda s: search.excerpts(s, account_id, wanted, found)
            )
        lines = [
            ThreadDict(
                id=thread.id,
                createdAt=iso(thread.updated_at),  # the page sorts and groups by it
                name=_named(thread, excerpts.get(thread.id)),
                userId=filters.userId,
                userIdentifier=filters.userId,
                tags=list(thread.tags),
                metadata={},
                steps=[],
                elements=[],
            )
            for thread in page.threads
        ]
        last = page.threads[-1] if page.threads else None
        end = f"{last.updated_at}.{last.id}" if last else None
        return PaginatedResponse(PageInfo(page.has_more, None, end), lines)

    @override
    async def delete_thread(self, thread_id: str) -> None:
        """Forget a conversation, here and at its provider; who asks was checked by Chainlit."""
        async with self._line(thread_id):  # behind what was shown and is yet to be written
            owner = await self._host.database.read(lambda s: chat_history.author_of(s, thread_id))
        is_gone_everywhere = await self._host.forgetting.delete(thread_id, account_id=owner)
        if owner is not None and not is_gone_everywhere:
            await tell(owner, wording.NOT_DELETED_UPSTREAM)

    @override
    async def upsert_feedback(self, feedback: Feedback) -> str:
        """Keep thumbs up or down; `chat_ui.overrides` has checked whose answer it is."""
        now, for_id, comment = self._host.clock.now(), feedback.forId, feedback.comment

        def work(unit: Unit) -> str:
            thread_id = chat_history.thread_of_step(unit.session, for_id)
            row = FeedbackRow(
                id=new_id(),
                for_id=for_id,
                thread_id=thread_id or "",
                value=feedback.value,
                comment=redact(comment) if comment and is_text(comment) else None,
                created_at=now,
            )
            return chat_history.save_feedback(unit.session, row)

        return await self._host.database.run(work)

    @override
    async def delete_feedback(self, feedback_id: str) -> bool:
        """Take feedback back."""
        return await self._host.database.run(
            lambda unit: chat_history.delete_feedback(unit.session, feedback_id)
        )

    @override
    async def get_favorite_steps(self, user_id: str) -> list[StepDict]:
        """None: favourites are off."""
        return []

    @override
    async def build_debug_url(self) -> str:
        """None: there is no such page."""
        return ""

    @override
    async def close(self) -> None:
        """Nothing to close: the host owns the database."""

    async def _write(self, thread_id: str, work: Callable[[Unit], T]) -> T:
        """One write after the other in each thread, in the order they were asked for."""
        async with self._line(thread_id):
            return await self._host.database.run(work)

    def _line(self, thread_id: str) -> asyncio.Lock:
        return self._lines.setdefault(thread_id, asyncio.Lock())

    async def _settled_for(self, account_id: int) -> None:
        """Wait behind what is yet to be written of the conversations on this person's pages.

        The page asks for its list the moment a conversation begins, and once: what has no name in
        it then has none until the page is loaded again.
        """
        for thread_id in {page.thread_id for page in pages_of(account_id)}:
            async with self._line(thread_id):
                pass

    async def _write_own(self, thread_id: str, work: Callable[[Unit], object]) -> None:
        """Write into a thread that belongs to who sits here; a stranger's is left as it is."""
        account_id = _account_here()

        def own(unit: Unit) -> None:
            if _is_theirs(unit, thread_id, account_id):
                work(unit)

        await self._write(thread_id, own)


def _is_here(thread_id: str) -> bool:
    """Whether the thread is the one that this chat session is in."""
    return bool(thread_id) and get_context().session.thread_id == thread_id


def _is_theirs(unit: Unit, thread_id: str, account_id: int | None) -> bool:
    """Whether a thread belongs to this account, or to nobody yet."""
    return chat_history.author_of(unit.session, thread_id) in {None, account_id}


def _was_stored(thread_id: str) -> bool:
    """Whether this page's conversation was stored before: then it is not to be made anew."""
    session = get_context().session
    return isinstance(session, WebsocketSession) and is_stored(session) and _is_here(thread_id)


def _note_stored(thread_id: str) -> None:
    """Remember of this page that its conversation is stored."""
    session = get_context().session
    if isinstance(session, WebsocketSession) and session.thread_id == thread_id:
        page_of(session).conversation = thread_id


def _account_here() -> int | None:
    user = get_context().session.user
    return int(user.identifier) if user is not None else None


def _profile_here() -> str | None:
    profile = get_context().session.chat_profile
    return profile if isinstance(profile, str) else None


def _step_row(step: StepDict, *, default: Micros) -> Step:
    is_setup = _profile_here() == SETUP_BOT
    return Step(
        id=step["id"],
        thread_id=step.get("threadId") or "",
        type=step["type"],
        name=step.get("name") or "",
        input=without_secrets(step.get("input") or "", is_setup=is_setup),
        output=without_secrets(step.get("output") or "", is_setup=is_setup),
        is_error=bool(step.get("isError")),
        created_at=moment_of(step.get("createdAt"), default),
        start_at=moment_of(step.get("start"), default) if step.get("start") else None,
        end_at=moment_of(step.get("end"), default) if step.get("end") else None,
        extra=_redacted({k: v for k, v in step.items() if k not in NAMED_COLUMNS}),
    )


def _element_row(element: DrawnElement, now: Micros) -> Element:
    return Element(
        id=element.id,
        thread_id=element.thread_id,
        for_id=element.for_id or "",
        type=element.type,
        name=element.name,
        display=element.display,
        props=_redacted(getattr(element, "props", None) or {}),
        mime=element.mime,
        created_at=now,
    )


def _redacted(value: Any) -> Any:
    """JSON without known shapes of keys in any text of it."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {key: _redacted(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(part) for part in value]
    return value


def _named(thread: Thread, excerpt: str | None) -> str:
    """A line of the sidebar; in the page's search also where it was found. It shows no more."""
    title = thread.title or _(wording.NAMELESS)
    if PROGRAM in thread.tags:
        title = _("Program: {title}", title=title)
    return title if excerpt is None else f"{title} — {excerpt}"


def _cursor(text: str | None) -> Cursor | None:
    """Where the page before ended; anything that is none of our cursors begins anew."""
    parts = CURSOR.fullmatch(text or "")
    return Cursor(int(parts[1]), parts[2]) if parts and is_id(parts[2]) else None
