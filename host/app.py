"""The composition root: the only module that knows all parts of a host and how they fit.

`open_host` makes the parts and reads what must be known before anything is asked; `Host.start`
resolves what dead processes left and begins the work in the background. Addresses and pages are
not here: `farebox.application` puts those around a host.
"""

import asyncio
import base64
import os
import secrets
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Final

import structlog

from host.catalogue.catalogue import Catalogue
from host.clock import Clock, SystemClock
from host.config import Settings
from host.drafts.drafts import Drafts
from host.earnings import Earnings
from host.files.files import Files
from host.identity.access_tokens import AccessTokens
from host.identity.accounts import Accounts
from host.identity.entrance import Entrance
from host.identity.login_sessions import LoginSessions
from host.identity.own_login import OwnLogin
from host.identity.passwords import Passwords
from host.metering.corrections import Corrections
from host.metering.meter import Meter
from host.metering.sweeper import Sweeper
from host.personal.concerns import Concerns
from host.personal.deletion import Deletion
from host.personal.download import Download
from host.providers.openai_client import OpenAIClients
from host.providers.openai_responses import ResponsesProvider
from host.proxy.gateway import Gateway
from host.purchase.purchases import Purchases
from host.purchase.vouchers import Vouchers
from host.runs.drive import Means
from host.runs.forgetting import Forgetting
from host.runs.naming import Naming
from host.runs.runner import Runs
from host.vault.envelope import MasterKey
from host.vault.master_key import load_master_key
from host.vault.vault import Vault
from storage.database import Database
from storage.migrate import check_is_current
from storage.secrets import sealing_keys

RECOVER_EVERY_S: Final = 15.0
FORGET_EVERY_S: Final = 30.0
SWEEP_FILES_EVERY_S: Final = 300.0
ROLL_UP_EVERY_S: Final = 3600.0
EXPIRE_ORDERS_EVERY_S: Final = 60.0
KEEP_USES_EVERY_S: Final = 60.0
REFRESH_EVERY_S: Final = 0.5
"""How long a revoked access token may still be good at the other processes."""

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
    own_login: OwnLogin
    concerns: Concerns
    deletion: Deletion
    download: Download
    catalogue: Catalogue
    meter: Meter
    corrections: Corrections
    purchases: Purchases
    vouchers: Vouchers
    runs: Runs
    forgetting: Forgetting
    files: Files
    drafts: Drafts
    gateway: Gateway
    sweeper: Sweeper
    earnings: Earnings
    chat_secret: str = field(repr=False)
    """Signs Chainlit's cookie: derived from the master key, so it is equal in every process."""
    _clients: OpenAIClients
    _background: list[asyncio.Task[None]] = field(default_factory=list)

    async def start(self) -> None:
        """Resolve what dead processes left, then work in the background. Call before serving."""
        log.info(
            "process.named", owner=self.meter.owner, host=socket.gethostname(), pid=os.getpid()
        )
        await self.access_tokens.refresh()
        await self.runs.recover()  # providers are asked before anything is swept
        await self.sweeper.start()
        self._repeat(self.runs.recover, every_s=RECOVER_EVERY_S, name="recover")
        self._repeat(self.forgetting.work_off, every_s=FORGET_EVERY_S, first_in_s=0, name="forget")
        self._repeat(self.files.sweep, every_s=SWEEP_FILES_EVERY_S, first_in_s=0, name="files")
        self._repeat(self.earnings.roll_up, every_s=ROLL_UP_EVERY_S, first_in_s=0, name="earnings")
        self._repeat(self.purchases.expire_due, every_s=EXPIRE_ORDERS_EVERY_S, name="orders")
        self._repeat(self.access_tokens.keep_uses, every_s=KEEP_USES_EVERY_S, name="uses")
        if not self.settings.is_sqlite:  # other processes issue and revoke access tokens
            self._repeat(self.access_tokens.refresh, every_s=REFRESH_EVERY_S, name="refresh")

    async def drain(self) -> bool:
        """Begin nothing more, and let answers end, for a while. Says whether there were any."""
        return await self.runs.drain(self.settings.drain_s)

    async def close(self) -> None:
        """Let answers end, give the lease back, close every connection.

        What one of the parts raises is raised at the end, after all others have closed too.
        """
        async with AsyncExitStack() as parts:  # closed from the last to the first
            parts.push_async_callback(self.database.close)
            parts.push_async_callback(self._clients.close)
            parts.push_async_callback(self.gateway.close)
            parts.push_async_callback(self.sweeper.stop)
            parts.push_async_callback(self.access_tokens.keep_uses)
            parts.push_async_callback(self._rest)
            await self.drain()

    def _repeat(
        self,
        work: Callable[[], Awaitable[object]],
        *,
        every_s: float,
        first_in_s: float | None = None,
        name: str,
    ) -> None:
        again = again_and_again(work, every_s=every_s, first_in_s=first_in_s, name=name)
        self._background.append(asyncio.create_task(again, name=name))

    async def _rest(self) -> None:
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)


async def again_and_again(
    work: Callable[[], Awaitable[object]],
    *,
    every_s: float,
    first_in_s: float | None = None,
    name: str,
) -> None:
    """Do it every so often, however it went the last time, until cancelled."""
    pause_s = every_s if first_in_s is None else first_in_s
    while True:
        await asyncio.sleep(pause_s)
        pause_s = every_s
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - its text may quote rows, so the kind alone
            log.error("background.failed", work=name, kind=type(error).__name__)  # noqa: TRY400


async def open_host(settings: Settings, clock: Clock | None = None) -> Host:
    """A host on a database that has been migrated. Close it when done.

    Raises:
        NotMigrated: the tables are not this program's.
        BadSettings: the master key is missing, cannot be trusted, or is not the database's.
        LedgerDown: the database cannot be reached.
    """
    check_is_current(settings.database)
    master_key = load_master_key(settings, sealing_keys(settings.database))
    return _put_together(settings, clock or SystemClock(), master_key)


def _put_together(settings: Settings, clock: Clock, master_key: MasterKey) -> Host:
    owner = secrets.token_hex(6)  # every hold carries it, so it is short
    database = Database.open(settings.database)
    clients = OpenAIClients(settings.upstreams)
    means = Means(
        database=database,
        clock=clock,
        meter=Meter(database, clock, settings, owner=owner),
        vault=Vault(database, clock, master_key),
        providers={"responses": ResponsesProvider(clients)},
        settings=settings,
    )
    runs = Runs(means, Naming(master_key.derive("idempotency-keys")))
    chat_secret = base64.b64encode(master_key.derive("chainlit")).decode()
    return _host(means, runs, clients, chat_secret=chat_secret)


def _host(means: Means, runs: Runs, clients: OpenAIClients, *, chat_secret: str) -> Host:
    database, clock, settings = means.database, means.clock, means.settings
    vault, meter = means.vault, means.meter
    passwords = Passwords()
    login_sessions = LoginSessions(database, clock, settings)
    access_tokens = AccessTokens(database, clock, vault, settings.public_url)
    catalogue = Catalogue(database, clock, settings)
    forgetting = Forgetting(means, runs)
    return Host(
        settings=settings,
        clock=clock,
        database=database,
        vault=vault,
        accounts=Accounts(database, clock, passwords, settings),
        entrance=Entrance(database, clock, passwords, login_sessions, settings),
        login_sessions=login_sessions,
        access_tokens=access_tokens,
        own_login=OwnLogin(database, clock, passwords),
        concerns=Concerns(database, clock),
        deletion=Deletion(
            database,
            clock,
            access_tokens,
            catalogue,
            told_of_erased_words=forgetting.words_were_erased,
        ),
        download=Download(database, clock, public_url=settings.public_url),
        catalogue=catalogue,
        meter=meter,
        corrections=Corrections(database, clock),
        purchases=Purchases(database, clock, settings),
        vouchers=Vouchers(database, clock),
        runs=runs,
        forgetting=forgetting,
        files=Files(database, clock),
        drafts=Drafts(database, clock, vault, catalogue, means.providers, runs, settings),
        gateway=Gateway(
            settings=settings,
            catalogue=catalogue,
            access_tokens=access_tokens,
            meter=meter,
            vault=vault,
            runs=runs,
        ),
        sweeper=Sweeper(database, clock, owner=meter.owner),
        earnings=Earnings(database, clock),
        chat_secret=chat_secret,
        _clients=clients,
    )
