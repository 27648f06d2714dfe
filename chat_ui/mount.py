"""Puts Chainlit into the application: last, at "/", behind the door, with its gaps closed.

All of Chainlit's state is module-global, so there is one chat in a process. It is mounted by hand
and not by `mount_chainlit`, whose middleware buffers every answer and logs browsers that go away;
its lifespan is never run, because it ends in `os._exit`. `farebox.chat_root` must have chosen
Chainlit's directory before this module is imported.
"""

import json
import re
from functools import cache
from typing import Final

from chainlit import server
from chainlit.auth import ensure_jwt_secret
from chainlit.chat_context import chat_contexts
from chainlit.config import ChainlitConfig, config
from chainlit.session import WebsocketSession
from fastapi import FastAPI, Request, Response
from starlette.types import ExceptionHandler

from chat_ui import app as callbacks
from chat_ui import assets, composer, guards, overrides, subscriber, uploads
from chat_ui.door import Door
from chat_ui.wiring import wiring
from host.app import Host
from host.errors import FareboxError
from host.language import Language, page_words, spoken
from host.pages.refusals import Refusals

FOREIGN_LINK: Final = re.compile(r'\s*<link\b[^>]*\bhref="https?://[^>]*>')
"""Google's fonts and the styles of formulas, neither of which is used here."""
OURS: Final = """\
<script type="application/json" id="farebox-words">{words}</script>
<script src="/public/words.js"></script>
<script src="/public/shop.js" defer></script>
<script src="/public/typing.js" defer></script>
<script src="/public/names.js" defer></script>
"""
"""The words of the page's language, and what its scripts and cards share."""
HTML_LANGUAGE: Final = re.compile(r'<html lang="[^"]*"')


def mount_chat(app: FastAPI, host: Host) -> None:
    """Mount the chat at "/". Call last: it answers every path that is not taken."""
    wiring.connect(host)
    ensure_jwt_secret()
    callbacks.register()
    guards.install()
    host.runs.tell(subscriber.announce)
    host.forgetting.tell(subscriber.leave_deleted)
    _patch_page()
    _patch_sessions()
    chat = FastAPI(openapi_url=None)
    chat.include_router(assets.router)
    chat.include_router(overrides.router)
    chat.include_router(uploads.router)
    chat.include_router(composer.router)
    chat.mount("/", server.app)
    refusals = Refusals(host.settings.public_url)
    chat.add_exception_handler(FareboxError, _refused_by(refusals))
    app.mount("/", Door(chat, host.login_sessions, refusals))


def _refused_by(refusals: Refusals) -> ExceptionHandler:
    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, FareboxError)
        return refusals.answer(request, error)

    return refused


def _patch_page() -> None:
    """Drop from Chainlit's page what it links to on other hosts, and add what our scripts need.

    Our policy forbids the former anyway; of scripts Chainlit's settings can name one alone.
    """
    template = server.get_html_template

    def our_page(root_path: str) -> str:
        page = FOREIGN_LINK.sub("", template(root_path))
        page = HTML_LANGUAGE.sub(f'<html lang="{spoken()}"', page, count=1)
        return page.replace("</head>", f"{_our_scripts(spoken())}</head>", 1)

    server.get_html_template = our_page


@cache
def _our_scripts(language: Language) -> str:
    words = json.dumps(page_words(language), ensure_ascii=False, separators=(",", ":"))
    return OURS.format(words=words.replace("<", r"\u003c"))


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
