"""Links that work once: the first operator's setup, an invitation, a new password.

A link carries 256 random bits and is printed or handed over by the operator; only its SHA-256 is
kept. Its address is built from the configured public address, never from what a request says. A
new link for the same purpose and person puts the old one out of use.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from host.clock import Clock
from host.config import Settings
from host.errors import NotAllowed
from host.identity.opaque import digest, new_secret
from host.language import N_, _
from storage import accounts as kept
from storage.database import Database, Unit
from storage.models.accounts import LinkPurpose, OneTimeLink, Role
from storage.moments import DAY, HOUR

LIFE: Final[Mapping[LinkPurpose, int]] = {
    LinkPurpose.SETUP: DAY,
    LinkPurpose.INVITE: 7 * DAY,
    LinkPurpose.RESET: HOUR,
}
PATH: Final[Mapping[LinkPurpose, str]] = {
    LinkPurpose.SETUP: "/setup",
    LinkPurpose.INVITE: "/signup",
    LinkPurpose.RESET: "/reset",
}


class LinkSpent(NotAllowed):
    """The link was used, its time is over, or there never was one; the text does not say which."""

    code, title = "link_spent", N_("This link no longer works")

    def __init__(self) -> None:
        super().__init__(
            _("It has been used already, or its time is over. Ask the operator for a new one.")
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFor:
    """Whom a link is for: an address to invite, or an account."""

    email: str | None = None
    account_id: int | None = None
    role: Role | None = None
    created_by: int | None = None


class OneTimeLinks:
    """Makes, recognises and uses up links."""

    def __init__(self, database: Database, clock: Clock, settings: Settings) -> None:
        self._database = database
        self._clock = clock
        self._public_url = settings.public_url

    def make(self, unit: Unit, purpose: LinkPurpose, whom: LinkFor) -> str:
        """Save a link inside a unit of work. Returns its address, which nobody can see again."""
        secret, now = new_secret(), self._clock.now()
        link = OneTimeLink(
            purpose=purpose.value,
            secret_hash=digest(secret),
            account_id=whom.account_id,
            email=whom.email,
            role=None if whom.role is None else whom.role.value,
            created_by=whom.created_by,
            created_at=now,
            expires_at=now + LIFE[purpose],
        )
        kept.add_link(unit.session, link)
        return f"{self._public_url}{PATH[purpose]}?key={secret}"

    async def find(self, purpose: LinkPurpose, key: str) -> OneTimeLink:
        """The link with this key.

        Raises:
            LinkSpent: there is none, it was used, or its time is over.
        """
        secret_hash, now = digest(key), self._clock.now()
        link = await self._database.read(
            lambda s: kept.find_link(s, purpose, secret_hash, now) if key else None
        )
        if link is None:
            raise LinkSpent
        return link

    def use(self, unit: Unit, link: OneTimeLink) -> None:
        """Use the link up, in the unit of work that does what it is for.

        Raises:
            LinkSpent: somebody has just used it.
        """
        if not kept.use_link(unit.session, link, self._clock.now()):
            raise LinkSpent
