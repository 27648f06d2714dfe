"""The composition root: the only module that knows all parts of a host and how they fit.

`open_host` makes the parts and reads what must be known before anything is asked; `Host.start`
resolves what dead processes left and begins the work in the background. Addresses and pages are
not here: `farebox.application` puts those around a host.
"""

import base64
import os
import secrets
import socket
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Final

import structlog

from host.background import Background
from host.catalogue.catalogue import Catalogue
from host.clock import Clock, SystemClock
from host.config import Settings
from host.drafts.drafts import Drafts
from host.earnings import Earnings
from host.files.files import Files
from host.identity.access_tokens import AccessTokens
from host.identity.accounts import Accounts
from host.identity.entrance import Entrance
from host.identity.former import FormerPeople
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
EXPIRE_DRAFTS_EVERY_S: Final = 60 * 60.0
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
    _background: Background = field(default_factory=Background)

    async def start(self) -> None:
        """Resolve what dead processes left, then work in the background. Call before serving."""
        log.info(
            "process.named", owner=self.meter.owner, host=socket.gethostname(), pid=os.getpid()
        )
        await self.access_tokens.refresh()
        await self.runs.recover()  # providers are asked before anything is swept
        await self.sweeper.start()
        repeat = self._background.repeat
        repeat(self.runs.recover, every_s=RECOVER_EVERY_S, name="recover")
        repeat(self.forgetting.work_off, every_s=FORGET_EVERY_S, first_in_s=0, name="forget")
        repeat(self.files.sweep, every_s=SWEEP_FILES_EVERY_S, first_in_s=0, name="files")
        repeat(self.drafts.expire_idle, every_s=EXPIRE_DRAFTS_EVERY_S, name="drafts")
        repeat(self.earnings.roll_up, every_s=ROLL_UP_EVERY_S, first_in_s=0, name="earnings")
        repeat(self.purchases.expire_due, every_s=EXPIRE_ORDERS_EVERY_S, name="orders")
        repeat(self.access_tokens.keep_uses, every_s=KEEP_USES_EVERY_S, name="uses")
        if not self.settings.is_sqlite:  # other processes issue and revoke access tokens
            repeat(self.access_tokens.refresh, every_s=REFRESH_EVERY_S, name="refresh")

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
            parts.push_async_callback(self._background.rest)
            await self.drain()


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
    catalogue = Catalogue(database, clock, settings)
    identity = _identity(means)
    former = FormerPeople(means.vault)
    forgetting = Forgetting(means, runs)
    return Host(
        settings=settings,
        clock=clock,
        database=database,
        vault=means.vault,
        accounts=identity.accounts,
        entrance=identity.entrance,
        login_sessions=identity.login_sessions,
        access_tokens=identity.access_tokens,
        own_login=identity.own_login,
        concerns=Concerns(database, clock),
        deletion=Deletion(
            database,
            clock,
            identity.access_tokens,
            catalogue,
            former=former,
            told_of_erased_words=forgetting.words_were_erased,
        ),
        download=Download(database, clock, public_url=settings.public_url),
        catalogue=catalogue,
        meter=means.meter,
        corrections=Corrections(database, clock),
        purchases=Purchases(database, clock, settings, former),
        vouchers=Vouchers(database, clock),
        runs=runs,
        forgetting=forgetting,
        files=Files(database, clock),
        drafts=Drafts(database, clock, means.vault, catalogue, means.providers, runs, settings),
        gateway=_gateway(means, runs, catalogue, identity.access_tokens),
        sweeper=Sweeper(database, clock, owner=means.meter.owner),
        earnings=Earnings(database, clock),
        chat_secret=chat_secret,
        _clients=clients,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Identity:
    """Who somebody is, and how they come in."""

    accounts: Accounts
    entrance: Entrance
    login_sessions: LoginSessions
    access_tokens: AccessTokens
    own_login: OwnLogin


def _identity(means: Means) -> _Identity:
    database, clock, settings = means.database, means.clock, means.settings
    passwords = Passwords()
    login_sessions = LoginSessions(database, clock, settings)
    return _Identity(
        accounts=Accounts(database, clock, passwords, settings),
        entrance=Entrance(database, clock, passwords, login_sessions, settings),
        login_sessions=login_sessions,
        access_tokens=AccessTokens(database, clock, means.vault, settings.public_url),
        own_login=OwnLogin(database, clock, passwords),
    )


def _gateway(
    means: Means, runs: Runs, catalogue: Catalogue, access_tokens: AccessTokens
) -> Gateway:
    return Gateway(
        settings=means.settings,
        catalogue=catalogue,
        access_tokens=access_tokens,
        meter=means.meter,
        vault=means.vault,
        runs=runs,
    )
