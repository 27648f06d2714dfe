"""Identity on one database, with passwords that are cheap to check unless the test says so."""

from urllib.parse import parse_qs, urlsplit

from argon2 import PasswordHasher

from host.clock import Clock
from host.config import Settings
from host.identity.accounts import Accounts
from host.identity.entrance import Entrance
from host.identity.login_sessions import LoginSessions
from host.identity.passwords import Passwords
from storage.database import Database


class Door:
    """The parts of identity, wired as the host wires them."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        settings: Settings,
        passwords: Passwords | None = None,
    ) -> None:
        passwords = passwords or cheap_passwords()
        self.passwords = passwords
        self.login_sessions = LoginSessions(database, clock, settings)
        self.accounts = Accounts(database, clock, passwords, settings)
        self.entrance = Entrance(database, clock, passwords, self.login_sessions, settings)


def cheap_passwords() -> Passwords:
    """The real algorithm with the least it can do."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


def key_of(link: str) -> str:
    """The secret in the address of a one-time link."""
    return parse_qs(urlsplit(link).query)["key"][0]
