"""The composition root: the only module that knows all parts of a host and how they fit.

`open_host` makes the parts and reads what must be known before anything is asked; `Host.start`
resolves what dead processes left and begins the work in the background. Addresses and pages are
not here: `farebox.application` puts those around a host.
"""

import asyncio
import base64
import os
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import structlog

from host.catalogue.catalogue import Catalogue
from host.clock import Clock, SystemClock
from host.config import Settings
from host.drafts.drafts import Drafts
from host.identity.access_tokens import AccessTokens
from host.identity.accounts import Accounts
from host.identity.entrance import Entrance
from host.identity.login_sessions import LoginSessions
from host.identity.passwords import Passwords
from host.metering.meter import Meter
from host.metering.sweeper import Sweeper
from host.providers.openai_client import OpenAIClients
from host.providers.openai_responses import ResponsesProvider
from host.proxy.gateway import Gateway
from host.runs.drive import Means
from host.runs.runner import Runs
from host.vault.envelope import MasterKey
from host.vault.master_key import load_master_key
from host.vault.vault import Vault
from storage.database import Database
from storage.errors import StorageError
from storage.ids import new_id
from storage.migrate import check_is_current

DRAIN_S: Final = 20.0
"""What answers that are being given may take to end when the host stops."""
RECOVER_EVERY_S: Final = 15.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Host:
    """Everything that decides and does, put together."""

    settings: Settings
    clock: Clock
    database: Database
    vault: Vault
    accounts: Accounts
    entrance: Entrance
    login_sessions: LoginSessions
    access_tokens: AccessTokens
    catalogue: Catalogue
    meter: Meter
    runs: Runs
    drafts: Drafts
    gateway: Gateway
    sweeper: Sweeper
    chat_secret: str = field(repr=False)
    """Signs Chainlit's cookie: derived from the master key, so it is equal in every process."""
    _clients: OpenAIClients
    _background: list[asyncio.Task[None]] = field(default_factory=list)

    async def start(self) -> None:
        """Resolve what dead processes left, then work in the background. Call before serving."""
        await self.access_tokens.refresh()
        await self.runs.recover()  # providers are asked before anything is swept
        await self.sweeper.start()
        if not self.settings.is_sqlite:  # other processes may die while this one lives
            self._background.append(asyncio.create_task(self._watch(), name="watch"))

    async def close(self) -> None:
        """Let answers end, give the lease back, close every connection."""
        await self.runs.drain(DRAIN_S)
        for task in self._background:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await self.sweeper.stop()
        await self.gateway.close()
        await self._clients.close()
        await self.database.close()

    async def _watch(self) -> None:
        """See what other processes did: access tokens revoked, runs left by the dead."""
        while True:
            await asyncio.sleep(RECOVER_EVERY_S)
            try:
                await self.access_tokens.refresh()
                await self.runs.recover()
            except StorageError as error:
                log.warning("watch.failed", kind=type(error).__name__)


async def open_host(settings: Settings, clock: Clock | None = None) -> Host:
    """A host on a database that has been migrated. Close it when done.

    Raises:
        NotMigrated: the tables are not this program's.
        BadSettings: the master key is missing, or cannot be trusted.
    """
    check_is_current(settings.database)
    return _put_together(settings, clock or SystemClock(), load_master_key(settings))


def _put_together(settings: Settings, clock: Clock, master_key: MasterKey) -> Host:
    owner = f"{socket.gethostname()}:{os.getpid()}:{new_id()}"
    database = Database.open(settings.database)
    vault = Vault(database, clock, master_key)
    passwords = Passwords()
    login_sessions = LoginSessions(database, clock, settings)
    access_tokens = AccessTokens(database, clock, vault, settings.public_url)
    catalogue = Catalogue(database, clock, settings)
    meter = Meter(database, clock, settings, owner=owner)
    clients = OpenAIClients(settings.upstreams)
    providers = {"responses": ResponsesProvider(clients)}
    runs = Runs(
        Means(
            database=database,
            clock=clock,
            meter=meter,
            vault=vault,
            providers=providers,
            settings=settings,
        )
    )
    return Host(
        settings=settings,
        clock=clock,
        database=database,
        vault=vault,
        accounts=Accounts(database, clock, passwords, settings),
        entrance=Entrance(database, clock, passwords, login_sessions, settings),
        login_sessions=login_sessions,
        access_tokens=access_tokens,
        catalogue=catalogue,
        meter=meter,
        runs=runs,
        drafts=Drafts(database, clock, vault, catalogue, providers, runs, settings),
        gateway=Gateway(
            settings=settings,
            catalogue=catalogue,
            access_tokens=access_tokens,
            meter=meter,
            vault=vault,
            runs=runs,
        ),
        sweeper=Sweeper(database, clock, owner=owner),
        chat_secret=base64.b64encode(master_key.derive("chainlit")).decode(),
        _clients=clients,
    )
