"""The whole ASGI application on one port: host routes first, the chat mounted last.

The gateway answers below `/s/` before any framework; everything else passes the outer wrapper
(origin, headers) and the one that knows in which language to speak, and reaches pages, API and, at
the end, Chainlit. A process that serves the proxy alone never loads the chat.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import structlog
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from farebox import chat_root, control, one_writer
from farebox.server import ServerRole
from host import language
from host.api.routes import add_api
from host.app import Host
from host.pages.outer import Outer
from host.pages.router import pages_router
from host.pages.speaking import Speaking

PROXIED: Final = "/s/"
BODY_MAX: Final = 20_000_000
"""Bytes of a request to the pages, the API and the chat; uploads are whole in memory there."""

log = structlog.get_logger(__name__)


@asynccontextmanager
async def compose(host: Host, *, role: ServerRole) -> AsyncGenerator[ASGIApp, None]:
    """Start the host's work, lend the application, end the work."""
    one_writer.report(host.settings, role=role)
    web = FastAPI(openapi_url=None, max_body_size=BODY_MAX)
    add_api(web, host)
    if role is not ServerRole.PROXY:
        web.include_router(pages_router(host))
        _add_chat(web, host)
    application = Outer(Speaking(web), host.settings)
    language.prepare()
    await host.start()
    await _announce_setup(host)
    async with control.listen(host):
        yield Front(application, gateway=None if role is ServerRole.CHAT else host.gateway)


class Front:
    """Sends metered calls to the gateway and everything else to the application."""

    def __init__(self, application: ASGIApp, *, gateway: ASGIApp | None) -> None:
        self._application = application
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request or socket."""
        if self._gateway is not None and scope["path"].startswith(PROXIED):
            await self._gateway(scope, receive, send)
        else:
            await self._application(scope, receive, send)


def _add_chat(web: FastAPI, host: Host) -> None:
    chat_root.prepare(host.settings.data_dir, auth_secret=host.chat_secret)
    from chat_ui.mount import mount_chat

    mount_chat(web, host)


async def _announce_setup(host: Host) -> None:
    """While there is no operator, a link that makes the first one stands in the log."""
    link = await host.accounts.setup_link()
    if link is not None:
        log.warning("setup.needed", open_this_once=link)
