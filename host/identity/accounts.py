"""People: who they are and what they may do, as the operator and the command line see them.

An account is made here, by an invitation, by open sign-up, or by the setup link that exists only
while there is no operator; the last three are `host.identity.entrance`. Whether an actor may use a
verb is checked by who calls it: pages and chat by role, the command line by owning the machine.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from host.clock import Clock
from host.config import Settings
from host.errors import InvalidInput, NotAllowed
from host.identity.links import LinkFor, OneTimeLinks
from host.identity.passwords import Passwords
from host.identity.rules import check_new_password, clean_email, clean_name, refused
from host.language import _
from storage import accounts as kept
from storage import audit
from storage.accounts import AccountRecord, EmailTaken, NewAccount
from storage.database import Database, Unit
from storage.login_sessions import end_login_sessions_of
from storage.models.accounts import AccountState, LinkPurpose, Role
from storage.moments import Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """An account as others may see it."""

    id: int
    email: str
    name: str
    state: AccountState
    roles: frozenset[Role]
    created_at: Micros


class Accounts:
    """Makes accounts, gives and takes roles, keeps people out."""

    def __init__(
        self, database: Database, clock: Clock, passwords: Passwords, settings: Settings
    ) -> None:
        self._database = database
        self._clock = clock
        self._passwords = passwords
        self._links = OneTimeLinks(database, clock, settings)
        self._signup = settings.signup

    async def create(
        self,
        email: str,
        name: str,
        password: str | None,
        roles: Iterable[Role],
        actor: int | None = None,
    ) -> AccountView:
        """Make an account; without a password it waits for a reset link.

        Raises:
            InvalidInput: a value does not follow its rule, or the address has an account.
        """
        email, name = clean_email(email), clean_name(name)
        hashed = None
        if password is not None:
            hashed = await self._passwords.hash(check_new_password(password, email=email))
        new = NewAccount(
            email=email,
            name=name,
            password_hash=hashed,
            roles=frozenset(roles),
            given_by=actor,
            now=self._clock.now(),
        )
        return await self.get(await self._database.run(lambda unit: add_account(unit, new)))

    async def get(self, account_id: int) -> AccountView:
        """The account of this id, which must exist."""
        record = await self._database.read(lambda s: kept.find_account(s, account_id))
        assert record is not None, f"no account {account_id}"
        return _view(record)

    async def find(self, email: str) -> AccountView:
        """The account with this address.

        Raises:
            InvalidInput: there is none.
        """
        wanted = clean_email(email)
        record = await self._database.read(lambda s: kept.find_account_by_email(s, wanted))
        if record is None:
            raise refused("email", f"There is no account with the address {wanted}.")
        return _view(record)

    async def list(self) -> list[AccountView]:
        """Every account, oldest first."""
        return [_view(record) for record in await self._database.read(kept.list_accounts)]

    async def roles_of(self, account_id: int) -> frozenset[Role]:
        """What the account may do now."""
        return await self._database.read(lambda s: kept.roles_of(s, account_id))

    async def setup_link(self) -> str | None:
        """The link that makes the first operator; None once there is one."""

        def work(unit: Unit) -> str | None:
            if kept.exists_with_role(unit.session, Role.OPERATOR):
                return None
            return self._links.make(unit, LinkPurpose.SETUP, LinkFor())

        return await self._database.run(work)

    async def invite(self, email: str, role: Role, actor: int | None = None) -> str:
        """A link with which this address can make an account, with the role beside subscriber.

        Raises:
            InvalidInput: not an address, it has an account, or sign-up is closed.
        """
        email = clean_email(email)
        if self._signup == "closed":
            raise InvalidInput(
                "Sign-up is closed (FAREBOX_SIGNUP), so an invitation would lead nowhere."
                " `farebox account create` makes an account."
            )

        def work(unit: Unit) -> str:
            if kept.find_account_by_email(unit.session, email) is not None:
                raise email_taken()
            self._note(unit, "account.invited", email, actor, role)
            whom = LinkFor(email=email, role=role, created_by=actor)
            return self._links.make(unit, LinkPurpose.INVITE, whom)

        return await self._database.run(work)

    async def reset_link(self, email: str, actor: int | None = None) -> str:
        """A link with which this account can choose a new password, for an hour.

        Raises:
            InvalidInput: there is no such account.
        """
        account = await self.find(email)

        def work(unit: Unit) -> str:
            self._note(unit, "password.reset_link_made", account.email, actor)
            whom = LinkFor(account_id=account.id, created_by=actor)
            return self._links.make(unit, LinkPurpose.RESET, whom)

        return await self._database.run(work)

    async def suspend(self, email: str, actor: int | None = None) -> AccountView:
        """Keep an account out, at once and everywhere; its balance stays.

        Raises:
            InvalidInput: there is no such account.
            NotAllowed: it is the last operator that can come in.
        """
        account = await self.find(email)

        def work(unit: Unit) -> None:
            now = self._clock.now()
            keep_an_operator(unit, account.id)
            kept.set_state(unit.session, account.id, AccountState.SUSPENDED)
            kept.void_links_of(unit.session, account.id, account.email, now)
            end_login_sessions_of(unit.session, account.id, now)
            self._note(unit, "account.suspended", account.email, actor)

        await self._database.run(work)
        return await self.get(account.id)

    async def reinstate(self, email: str, actor: int | None = None) -> AccountView:
        """Let a suspended account come in again.

        Raises:
            InvalidInput: there is no such account.
        """
        account = await self.find(email)

        def work(unit: Unit) -> None:
            kept.set_state(unit.session, account.id, AccountState.ACTIVE)
            self._note(unit, "account.reinstated", account.email, actor)

        await self._database.run(work)
        return await self.get(account.id)

    async def give_role(self, email: str, role: Role, actor: int | None = None) -> AccountView:
        """Give an account one role more.

        Raises:
            InvalidInput: there is no such account.
        """
        account = await self.find(email)

        def work(unit: Unit) -> None:
            now = self._clock.now()
            if kept.give_role(unit.session, account.id, role, given_by=actor, now=now):
                self._note(unit, "role.given", account.email, actor, role)

        await self._database.run(work)
        return await self.get(account.id)

    async def take_role(self, email: str, role: Role, actor: int | None = None) -> AccountView:
        """Take one role back.

        Raises:
            InvalidInput: there is no such account.
            NotAllowed: it is the last operator that can come in.
        """
        account = await self.find(email)

        def work(unit: Unit) -> None:
            if role is Role.OPERATOR:
                keep_an_operator(unit, account.id)
            if kept.take_role(unit.session, account.id, role):
                self._note(unit, "role.taken", account.email, actor, role)

        await self._database.run(work)
        return await self.get(account.id)

    def _note(
        self, unit: Unit, action: str, email: str, actor: int | None, role: Role | None = None
    ) -> None:
        note(unit, action, email, actor=actor, at=self._clock.now(), role=role)


def add_account(unit: Unit, new: NewAccount) -> int:
    """Save an account inside a unit of work, and say so in the audit.

    Raises:
        InvalidInput: the address has an account already.
    """
    try:
        account_id = kept.add_account(unit.session, new)
    except EmailTaken:
        raise email_taken() from None
    note(unit, "account.created", new.email, actor=new.given_by, at=new.now)
    return account_id


def keep_an_operator(unit: Unit, account_id: int) -> None:
    """Make sure that without this account somebody can still let the others in again.

    Raises:
        NotAllowed: it is the last operator that can come in.
    """
    if Role.OPERATOR not in kept.roles_of(unit.session, account_id):
        return
    if kept.count_active_with_role(unit.session, Role.OPERATOR) <= 1:
        raise NotAllowed(_("This is the only operator who can come in. Make another one first."))


def note(
    unit: Unit,
    action: str,
    email: str,
    *,
    actor: int | None,
    at: Micros,
    role: Role | None = None,
) -> None:
    """Record in the audit what was done to an account."""
    facts = {} if role is None else {"role": role.value}
    audit.note(unit.session, action, f"account:{email}", at=at, actor_id=actor, **facts)


def email_taken() -> InvalidInput:
    """The refusal of an address that has an account."""
    return refused("email", _("There is an account with this address already. Sign in instead."))


def _view(record: AccountRecord) -> AccountView:
    return AccountView(
        id=record.id,
        email=record.email,
        name=record.name,
        state=record.state,
        roles=record.roles,
        created_at=record.created_at,
    )
