"""How people come in: sign in, sign up, set up, and a new password when the old one is lost.

A refusal to sign in never says whether an account exists, and takes as long either way. Open
sign-up has to say that an address is taken; it is limited by neighbourhood for that reason too.
Attempts to sign in are limited by where they come from, and most tightly for one account from one
neighbourhood: a stranger's guesses do not keep its owner out. The limit of an account as a whole
is far above what one stranger can reach. Whoever gets through has a login session
(`host.identity.login_sessions`); what else can be done to accounts is `host.identity.accounts`.
"""

from dataclasses import dataclass, field
from typing import Final

from host.clock import Clock
from host.config import Settings
from host.errors import AccountSuspended, NotAllowed, NotSignedIn
from host.identity.accounts import add_account, note
from host.identity.addresses import neighbourhood
from host.identity.links import OneTimeLinks
from host.identity.login_sessions import LoginSessions
from host.identity.passwords import Passwords
from host.identity.rules import PASSWORD_MAX, check_new_password, clean_email, clean_name
from host.identity.throttle import Throttle
from host.language import N_, _
from storage import accounts as kept
from storage.accounts import AccountRecord, NewAccount
from storage.database import Database, Unit
from storage.login_sessions import end_login_sessions_of
from storage.models.accounts import AccountState, LinkPurpose, OneTimeLink, Role

QUARTER_S: Final = 15 * 60
HOUR_S: Final = 60 * 60
WRONG: Final = N_("That e-mail address and password do not belong together.")
SUSPENDED: Final = N_(
    "This account is suspended. Its balance is kept; ask the operator of this host."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """Where somebody knocks from: for limits, and for their own list of login sessions."""

    browser: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """What somebody wrote into the form that makes an account."""

    name: str
    email: str
    password: str = field(repr=False)


class Entrance:
    """Lets people in, and says no politely."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        passwords: Passwords,
        login_sessions: LoginSessions,
        settings: Settings,
    ) -> None:
        self._database = database
        self._clock = clock
        self._passwords = passwords
        self._login_sessions = login_sessions
        self._links = OneTimeLinks(database, clock, settings)
        self.signup: Final = settings.signup
        much = N_("Too many attempts to sign in.")
        self._by_both = Throttle(clock, most=10, window_s=QUARTER_S, sentence=much)
        self._by_address = Throttle(clock, most=40, window_s=QUARTER_S, sentence=much)
        self._by_account = Throttle(clock, most=400, window_s=QUARTER_S, sentence=much)
        self._sign_ups = Throttle(
            clock, most=20, window_s=HOUR_S, sentence=N_("Too many new accounts from here.")
        )

    async def sign_in(self, email: str, password: str, visit: Visit) -> str:
        """Check the password and sign the browser in. Returns the cookie's value.

        Raises:
            NotSignedIn: unknown account or wrong password; the text is the same.
            AccountSuspended: the password is right, the account may not come in.
            RateLimited: too many attempts for this account or from this address.
        """
        email, near = email.strip().lower()[:300], neighbourhood(visit.address)
        self._by_address.spend(near)
        self._by_both.spend(_both(email, near))
        self._by_account.spend(email)
        account = await self._database.read(lambda s: kept.find_account_by_email(s, email))
        checked = await self._passwords.check(
            password[: PASSWORD_MAX + 1], account.password_hash if account else None
        )
        if account is None or not checked.is_right:
            raise NotSignedIn(_(WRONG))
        self._by_both.forget(_both(email, near))
        self._by_account.give_back(email)
        self._by_address.give_back(near)
        known = account

        def work(unit: Unit) -> str:
            self._still_the_same(unit, known)
            if checked.rehashed is not None:
                kept.set_password_hash(unit.session, known.id, checked.rehashed)
            return self._login_sessions.start(unit, known.id, visit.browser)

        return await self._database.run(work)

    async def sign_up(self, newcomer: Newcomer, visit: Visit, key: str = "") -> str:
        """Make one's own account, with an invitation's key or where sign-up is open.

        Returns the cookie's value of a first login session.

        Raises:
            NotAllowed: sign-up is not open, or the invitation is spent.
            InvalidInput: a value does not follow its rule, or the address has an account.
            RateLimited: too many new accounts from this address.
        """
        self._check_open()
        link = await self._links.find(LinkPurpose.INVITE, key) if key else None
        if link is None and self.signup != "open":
            raise NotAllowed(_("Accounts here are made by invitation. Ask the operator for one."))
        # An invitation is for the address it was made for, whatever the form says.
        email = clean_email(newcomer.email if link is None else link.email or "")
        name = clean_name(newcomer.name)
        password = check_new_password(newcomer.password, email=email)
        self._sign_ups.spend(neighbourhood(visit.address))
        hashed = await self._passwords.hash(password)
        roles = {Role.SUBSCRIBER} | ({Role(link.role)} if link and link.role else set())

        def work(unit: Unit) -> str:
            if link is not None:
                self._links.use(unit, link)
            account_id = add_account(
                unit,
                NewAccount(
                    email=email,
                    name=name,
                    password_hash=hashed,
                    roles=frozenset(roles),
                    given_by=None if link is None else link.created_by,
                    now=self._clock.now(),
                ),
            )
            return self._login_sessions.start(unit, account_id, visit.browser)

        return await self._database.run(work)

    async def set_up(self, newcomer: Newcomer, visit: Visit, key: str) -> str:
        """Make the first operator, who gets every role. Returns the cookie's value.

        Raises:
            NotAllowed: the link is spent, or there is an operator by now.
            InvalidInput: a value does not follow its rule.
        """
        link = await self._links.find(LinkPurpose.SETUP, key)
        email, name = clean_email(newcomer.email), clean_name(newcomer.name)
        hashed = await self._passwords.hash(check_new_password(newcomer.password, email=email))

        def work(unit: Unit) -> str:
            self._links.use(unit, link)
            if kept.exists_with_role(unit.session, Role.OPERATOR):
                raise NotAllowed(_("This host has an operator already. Sign in instead."))
            account_id = add_account(
                unit,
                NewAccount(
                    email=email,
                    name=name,
                    password_hash=hashed,
                    roles=frozenset(Role),
                    given_by=None,
                    now=self._clock.now(),
                ),
            )
            return self._login_sessions.start(unit, account_id, visit.browser)

        return await self._database.run(work)

    async def reset_password(self, key: str, password: str, visit: Visit) -> None:
        """Choose a new password by link; ends every login session and starts none.

        Raises:
            NotAllowed: the link is spent.
            InvalidInput: the password does not follow the rule.
        """
        link, account = await self._account_of_reset(key)
        hashed = await self._passwords.hash(check_new_password(password, email=account.email))

        def work(unit: Unit) -> None:
            now = self._clock.now()
            self._links.use(unit, link)
            kept.set_password_hash(unit.session, account.id, hashed)
            end_login_sessions_of(unit.session, account.id, now)
            note(unit, "password.reset", account.email, actor=account.id, at=now)

        await self._database.run(work)
        self._by_both.forget(_both(account.email, neighbourhood(visit.address)))
        self._by_account.forget(account.email)

    async def invitation(self, key: str) -> str:
        """The address that an invitation is for.

        Raises:
            NotAllowed: the invitation is spent, or sign-up is closed by now.
        """
        self._check_open()
        return (await self._links.find(LinkPurpose.INVITE, key)).email or ""

    async def check_setup(self, key: str) -> None:
        """Tell early that a setup link is spent, before somebody fills in its form.

        Raises:
            NotAllowed: it was used, its time is over, or there never was one.
        """
        await self._links.find(LinkPurpose.SETUP, key)

    async def resetting(self, key: str) -> str:
        """The address of the account that a reset link is for.

        Raises:
            NotAllowed: the link is spent.
        """
        return (await self._account_of_reset(key))[1].email

    def _check_open(self) -> None:
        """An invitation is no way round a door that was closed since."""
        if self.signup == "closed":
            raise NotAllowed(
                _("This host takes no new accounts. Its operator can make one for you.")
            )

    async def _account_of_reset(self, key: str) -> tuple[OneTimeLink, AccountRecord]:
        link = await self._links.find(LinkPurpose.RESET, key)
        account = await self._database.read(lambda s: kept.find_account(s, link.account_id or 0))
        assert account is not None, "a link is kept no longer than its account"
        return link, account

    def _still_the_same(self, unit: Unit, checked: AccountRecord) -> None:
        """Nothing was changed while the password was being checked."""
        now = kept.find_account(unit.session, checked.id)
        if now is None or now.password_hash != checked.password_hash:
            raise NotSignedIn(_(WRONG))
        if now.state is AccountState.SUSPENDED:
            raise AccountSuspended(_(SUSPENDED))


def _both(email: str, near: str) -> str:
    return f"{near} {email}"
