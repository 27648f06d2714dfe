"""What a browser may say over its socket; everything else is not heard.

Chainlit believes its clients: a session id becomes a directory that is later removed, a message
may name its own author and type, an old message may be edited into a new unpaid one. So each
handler that stays is wrapped once, and each that we do not offer is taken away. What comes
through is a message that we built ourselves from the few fields that a browser may choose.

Nor does it ask often enough whose conversation it is: a socket may be opened on an id that becomes
somebody else's conversation later. So a socket opens on conversations that exist, and on fresh ids
of Chainlit's own, only; and whoever sits in another person's conversation is put out.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias
from weakref import WeakSet

from chainlit.server import sio
from chainlit.session import WebsocketSession
from chainlit.step import StepDict
from socketio.exceptions import (  # type: ignore[import-untyped]
    ConnectionRefusedError as Refused,
)

from chat_ui import subscriber
from chat_ui.arriving import arrive
from chat_ui.cards import SETUP_BOT
from chat_ui.door import TOO_LARGE
from chat_ui.hearing import Heard, heard, is_handshake, price_shown, why_not_heard
from chat_ui.ownership import account_of, is_theirs, owner_of
from chat_ui.pages import is_deleted, page_of, watch
from chat_ui.subscriber import FILES
from chat_ui.wiring import wiring
from chat_ui.wording import KEY_REMOVED, NO_SUCH_THREAD, TOO_LONG
from host.language import _
from host.runs.opening import TEXT_MAX
from storage import chat_history

Handler: TypeAlias = Callable[..., Awaitable[Any]]
"""A socket handler: Chainlit does not say what it takes or gives."""

HEARD: Final = frozenset(
    {"connect", "disconnect", "connection_successful", "client_message", "stop", "clear_session"}
)
NO_ENTRY: Final = "Connection refused by server"
"""What Chainlit's own refusals come to as well."""
_astray: WeakSet[WebsocketSession] = WeakSet()
"""Chat sessions whose page asked for a conversation that does not exist, and is to be told."""


def install() -> None:
    """Wrap the handlers that stay and take the others away."""
    handlers: MutableMapping[str, Handler] = sio.handlers["/"]
    for event in set(handlers) - HEARD:
        del handlers[event]
    handlers["connect"] = _guarded_connect(handlers["connect"])
    handlers["connection_successful"] = _connected
    handlers["client_message"] = _guarded_message(handlers["client_message"])
    handlers["stop"] = _stop
    handlers["window_message"] = _window_message
    handlers[TOO_LARGE] = _too_large


def _guarded_connect(inner: Handler) -> Handler:
    async def connect(sid: str, environ: dict[str, Any], auth: object) -> Any:
        if not is_handshake(auth):
            raise Refused("bad handshake")
        assert isinstance(auth, dict)
        known = WebsocketSession.get_by_id(auth["sessionId"])
        if known is not None and not await is_theirs(known):
            raise Refused(NO_ENTRY)
        thread_id: str = auth.get("threadId") or ""
        # A page cannot recover from a closed door, so it gets a conversation, of a fresh id.
        is_astray = thread_id != "" and known is None and await owner_of(thread_id) is None
        told = {**auth, "userEnv": "{}", "threadId": "" if is_astray else thread_id}
        admitted = await inner(sid, environ, told)
        if (session := WebsocketSession.get(sid)) is not None:
            watch(session)
            if is_astray:
                _astray.add(session)
        return admitted

    return connect


def _guarded_message(inner: Handler) -> Handler:
    async def client_message(sid: str, payload: object) -> None:
        session = WebsocketSession.get(sid)
        if session is None or session.user is None or not isinstance(payload, dict):
            return
        if not await _may_stay(session):
            return
        message = await _understood(session, payload)
        if message is None:
            return
        if not await _is_new(session, message.id):
            await session.emit("task_end", {})
            return
        if await is_deleted(session):  # Chainlit would make it anew, of this one message
            await subscriber.turn_away(session, message.text, has_files=bool(message.files))
            await session.emit("task_end", {})
            return
        step = _step(message, author=session.user.identifier)
        await _show(session, message, step)
        await inner(sid, {"message": step, "fileReferences": None})

    return client_message


async def _understood(session: WebsocketSession, payload: dict[str, Any]) -> Heard | None:
    """What was said; where it is nothing that is taken, the page is told why."""
    said, is_setup = payload.get("message"), session.chat_profile == SETUP_BOT
    message = heard(said, payload.get("fileReferences"), is_setup=is_setup)
    if message is None:
        await _refuse(session, why_not_heard(said))
    return message


async def _show(session: WebsocketSession, message: Heard, step: StepDict) -> None:
    """Show a message as it was taken: here, if a key was removed from it, and on other pages."""
    if message.is_redacted:
        # In place of the browser's own bubble, which still shows what was typed.
        shown = {**step, "threadId": session.thread_id}
        await sio.emit("update_message", shown, to=session.socket_id)
    if session.chat_profile == SETUP_BOT:
        return  # it says itself what was removed, and in each window where it stands
    if message.is_redacted:
        removed = {"message": _(KEY_REMOVED), "type": "warning"}
        await sio.emit("toast", removed, to=session.socket_id)
    await subscriber.show_question(session, step)


async def _too_large(sid: str, *_nothing: object) -> None:
    """What the door puts in place of a frame that Chainlit would hang up on."""
    session = WebsocketSession.get(sid)
    if session is not None:
        await _refuse(session, TOO_LONG)


async def _refuse(session: WebsocketSession, sentence: str) -> None:
    """Say why a message was not taken; the page stops waiting for its answer."""
    said = _(sentence, most=TEXT_MAX)  # the number that one of them has a place for
    await sio.emit("toast", {"message": said, "type": "error"}, to=session.socket_id)
    await session.emit("task_end", {})  # type: ignore[misc]  # Chainlit does not say that it is awaited


def _step(message: Heard, *, author: str) -> StepDict:
    return StepDict(
        id=message.id,
        threadId="",
        name=author,
        type="user_message",
        output=message.text,
        createdAt=message.created_at,
        metadata={FILES: list(message.files)} if message.files else {},
    )


async def _is_new(session: WebsocketSession, message_id: str) -> bool:
    """Whether nothing was ever said under this id: an id used again would overwrite a message."""
    said = page_of(session).said
    if message_id in said:
        return False
    said.add(message_id)
    return not await wiring.host.database.read(lambda s: chat_history.is_known(s, message_id))


async def _connected(sid: str) -> None:
    session = WebsocketSession.get(sid)
    if session is None or not await _may_stay(session):
        return
    await arrive(session, subscriber.show)
    if session in _astray:
        _astray.discard(session)
        await sio.emit("resume_thread_error", _(NO_SUCH_THREAD), to=sid)
    await subscriber.tell_profile(session)


async def _window_message(sid: str, said: object) -> None:
    """What the page says to itself is passed on to us; heard is only which price it shows."""
    session, shown = WebsocketSession.get(sid), price_shown(said)
    if session is not None and shown is not None:
        page_of(session).price = shown


async def _may_stay(session: WebsocketSession) -> bool:
    """Whether the session is in a conversation of its own; if not, its socket is closed."""
    if await is_theirs(session):
        return True
    await sio.disconnect(session.socket_id)
    return False


async def _stop(sid: str) -> None:
    """Stop the answer of the thread; Chainlit would only cancel the task that shows it."""
    session = WebsocketSession.get(sid)
    if session is None or not await _may_stay(session):
        return
    shown = page_of(session).shown.following
    live = await wiring.host.runs.join(session.thread_id, account_id=account_of(session))
    if live is not None:
        await live.stop()
    elif shown is not None:  # it is over, and only the end of it is still being drawn
        return
    elif session.current_task is not None:
        session.current_task.cancel()
