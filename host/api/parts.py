"""What the API needs of the host, so that it can be built from less than all of it."""

from typing import Protocol

from host.catalogue.catalogue import Catalogue
from host.clock import Clock
from host.config import Settings
from host.drafts.drafts import Drafts
from host.identity.access_tokens import AccessTokens
from host.identity.login_sessions import LoginSessions
from host.metering.corrections import Corrections
from host.purchase.purchases import Purchases
from host.purchase.vouchers import Vouchers
from host.runs.forgetting import Forgetting
from host.vault.vault import Vault
from storage.database import Database


class ApiHost(Protocol):
    """The parts behind the API; `host.app.Host` has them all."""

    @property
    def settings(self) -> Settings:
        """The public address."""
        ...

    @property
    def clock(self) -> Clock:
        """What has ended and what has not."""
        ...

    @property
    def database(self) -> Database:
        """Balances, receipts and history."""
        ...

    @property
    def vault(self) -> Vault:
        """Whether secrets can be opened."""
        ...

    @property
    def login_sessions(self) -> LoginSessions:
        """Who is asking."""
        ...

    @property
    def access_tokens(self) -> AccessTokens:
        """What may act for somebody."""
        ...

    @property
    def catalogue(self) -> Catalogue:
        """What is for sale, and who has what."""
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
    def forgetting(self) -> Forgetting:
        """What deletes conversations."""
        ...

    @property
    def drafts(self) -> Drafts:
        """Where a key that was entered belongs."""
        ...

    @property
    def corrections(self) -> Corrections:
        """The limit for the day."""
        ...
