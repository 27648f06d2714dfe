"""What a browser may say over its socket; everything else is not heard.

Chainlit believes its clients: a session id becomes a directory that is later removed, a message
may name its own author and type, an old message may be edited into a new unpaid one. So each
handler that stays is wrapped once, and each that we do not offer is taken away. What comes
through is a message that we built ourselves from the four fields that a browser may choose.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary

from chainlit.context import init_ws_context
from chainlit.server import sio
from chainlit.session import WebsocketSession
from chainlit.step import StepDict
from socketio.exceptions import (  # type: ignore[import-untyped]
    ConnectionRefusedError as Refused,
)

from chat_ui import subscriber
from chat_ui.cards import SETUP_BOT
from chat_ui.hearing import Heard, heard, is_handshake
from chat_ui.wiring import wiring
from chat_ui.wording import KEY_REMOVED
from storage import chat_history

Handler: TypeAlias = Callable[..., Awaitable[Any]]
"""A socket handler: Chainlit does not say what it takes or gives."""

HEARD: Final = frozenset(
    {"connect", "disconnect", "connection_successful", "client_message", "stop", "clear_session"}
)
_taken: WeakKeyDictionary[WebsocketSession, set[str]] = WeakKeyDictionary()
"""Message ids of each chat session: the same one twice at once is one message."""


def install() -> None:
    """Wrap the handlers that stay and take the others away."""
    handlers: MutableMapping[str, Handler] = sio.handlers["/"]
    for event in set(handlers) - HEARD:
        del handlers[event]
    handlers["connect"] = _guarded_connect(handlers["connect"])
    handlers["connection_successful"] = _rejoining(handlers["connection_successful"])
    handlers["client_message"] = _guarded_message(handlers["client_message"])
    handlers["stop"] = _stop


def _guarded_connect(inner: Handler) -> Handler:
    async def connect(sid: str, environ: dict[str, Any], auth: object) -> Any:
        if not is_handshake(auth):
            raise Refused("bad handshake")
        assert isinstance(auth, dict)
        return await inner(sid, environ, {**auth, "userEnv": "{}"})

    return connect


def _guarded_message(inner: Handler) -> Handler:
    async def client_message(sid: str, payload: object) -> None:
        session = WebsocketSession.get(sid)
        if session is None or session.user is None or not isinstance(payload, dict):
            return
        is_setup = session.chat_profile == SETUP_BOT
        message = heard(payload.get("message"), is_setup=is_setup)
        if message is None or not await _is_new(session, message.id):
            await sio.emit("task_end", {}, to=sid)
            return
        step = _step(message, author=session.user.identifier)
        if message.is_redacted:
            # In place of the browser's own bubble, which still shows what was typed.
            shown = {**step, "threadId": session.thread_id}
            await sio.emit("update_message", shown, to=sid)
            if not is_setup:  # the setup bot says so itself
                await sio.emit("toast", {"message": KEY_REMOVED, "type": "warning"}, to=sid)
        await inner(sid, {"message": step, "fileReferences": None})

    return client_message


def _step(message: Heard, *, author: str) -> StepDict:
    return StepDict(
        id=message.id,
        threadId="",
        name=author,
        type="user_message",
        output=message.text,
        createdAt=message.created_at,
        metadata={},
    )


async def _is_new(session: WebsocketSession, message_id: str) -> bool:
    """Whether nothing was ever said under this id: an id used again would overwrite a message."""
    taken = _taken.setdefault(session, set())
    if message_id in taken:
        return False
    taken.add(message_id)
    return not await wiring.host.database.read(lambda s: chat_history.is_known(s, message_id))


def _rejoining(inner: Handler) -> Handler:
    async def connection_successful(sid: str) -> None:
        await inner(sid)
        if (session := WebsocketSession.get(sid)) is not None:
            init_ws_context(session)
            await subscriber.rejoin(session)

    return connection_successful


async def _stop(sid: str) -> None:
    """Stop the answer of the thread; Chainlit would only cancel the task that shows it."""
    session = WebsocketSession.get(sid)
    if session is None:
        return
    live = wiring.host.runs.live(session.thread_id)
    if live is not None:
        await live.stop()
    elif session.current_task is not None:
        session.current_task.cancel()
