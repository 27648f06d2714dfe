"""Puts Chainlit into the application: last, at "/", behind the door, with its gaps closed.

All of Chainlit's state is module-global, so there is one chat in a process. It is mounted by hand
and not by `mount_chainlit`, whose middleware buffers every answer and logs browsers that go away;
its lifespan is never run, because it ends in `os._exit`. `farebox.chat_root` must have chosen
Chainlit's directory before this module is imported.
"""

from chainlit.auth import ensure_jwt_secret
from chainlit.chat_context import chat_contexts
from chainlit.config import ChainlitConfig, config
from chainlit.server import app as chainlit_app
from chainlit.session import WebsocketSession
from fastapi import FastAPI

from chat_ui import app as callbacks
from chat_ui import guards, overrides
from chat_ui.door import Door
from chat_ui.wiring import wiring
from host.app import Host


def mount_chat(app: FastAPI, host: Host) -> None:
    """Mount the chat at "/". Call last: it answers every path that is not taken."""
    wiring.connect(host)
    ensure_jwt_secret()
    callbacks.register()
    guards.install()
    _patch_sessions()
    chat = FastAPI(openapi_url=None)
    chat.include_router(overrides.router)
    chat.mount("/", chainlit_app)
    app.mount("/", Door(chat, host.login_sessions))


def _patch_sessions() -> None:
    """Two repairs of Chainlit's sessions.

    Mounted, the configuration of a chat profile cannot be computed and the attempt is logged as a
    coroutine never awaited; and what was said in a session stayed in memory for ever after it.
    """
    delete = WebsocketSession.delete

    def get_config(_session: WebsocketSession) -> ChainlitConfig:
        whole: ChainlitConfig = config
        return whole

    async def delete_with_context(session: WebsocketSession) -> None:
        chat_contexts.pop(session.id, None)
        await delete(session)

    WebsocketSession.get_config = get_config  # type: ignore[method-assign, assignment]
    WebsocketSession.delete = delete_with_context  # type: ignore[method-assign]
