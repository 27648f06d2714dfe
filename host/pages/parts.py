"""What the pages need of the host, so that they can be built from less than all of it."""

from typing import Protocol

from host.catalogue.catalogue import Catalogue
from host.clock import Clock
from host.config import Settings
from host.files.files import Files
from host.identity.access_tokens import AccessTokens
from host.identity.entrance import Entrance
from host.identity.login_sessions import LoginSessions
from host.identity.own_login import OwnLogin
from host.metering.corrections import Corrections
from host.personal.concerns import Concerns
from host.personal.deletion import Deletion
from host.personal.download import Download
from host.purchase.purchases import Purchases
from host.purchase.vouchers import Vouchers
from storage.database import Database


class PageHost(Protocol):
    """The parts behind the pages; `host.app.Host` has them all."""

    @property
    def settings(self) -> Settings:
        """The public address, and which proxies to believe."""
        ...

    @property
    def clock(self) -> Clock:
        """What has ended and what has not."""
        ...

    @property
    def database(self) -> Database:
        """Balances and receipts."""
        ...

    @property
    def entrance(self) -> Entrance:
        """Signing in and up."""
        ...

    @property
    def login_sessions(self) -> LoginSessions:
        """Whose browser this is."""
        ...

    @property
    def access_tokens(self) -> AccessTokens:
        """What may act for somebody."""
        ...

    @property
    def files(self) -> Files:
        """What was sent with messages."""
        ...

    @property
    def catalogue(self) -> Catalogue:
        """What somebody's plans cover."""
        ...

    @property
    def purchases(self) -> Purchases:
        """Orders."""
        ...

    @property
    def vouchers(self) -> Vouchers:
        """Codes that stand for a paid order."""
        ...

    @property
    def own_login(self) -> OwnLogin:
        """One's own password, and where one is signed in."""
        ...

    @property
    def corrections(self) -> Corrections:
        """The limit for the day."""
        ...

    @property
    def concerns(self) -> Concerns:
        """What was asked about receipts."""
        ...

    @property
    def deletion(self) -> Deletion:
        """The end of an account."""
        ...

    @property
    def download(self) -> Download:
        """All that is kept of somebody."""
        ...
