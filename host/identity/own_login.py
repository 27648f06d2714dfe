"""What people change about their own way in: the password, and where else they are signed in.

Who changes a password, or deletes the account, knows the password there is, or a stolen cookie
would be worth an account. Guesses are counted by account before they are checked. A password that
is lost is `host.identity.entrance`'s.
"""

from typing import Final

from host.clock import Clock
from host.errors import InvalidInput, NotSignedIn
from host.identity.accounts import note
from host.identity.login_sessions import Visitor
from host.identity.passwords import Passwords
from host.identity.rules import PASSWORD_MAX, check_new_password, refused
from host.identity.throttle import Throttle
from host.language import N_, _
from storage import accounts as kept
from storage.database import Database, Unit
from storage.login_sessions import end_login_sessions_of

GUESSES: Final = 10
QUARTER_S: Final = 15 * 60


class OwnLogin:
    """Changes one's own password, and signs one's other browsers out."""

    def __init__(self, database: Database, clock: Clock, passwords: Passwords) -> None:
        self._database = database
        self._clock = clock
        self._passwords = passwords
        self._guesses = Throttle(
            clock, most=GUESSES, window_s=QUARTER_S, sentence=N_("Too many wrong passwords.")
        )

    async def change_password(self, visitor: Visitor, *, current: str, new: str) -> int:
        """Set a new password; other browsers are signed out. Returns how many.

        Raises:
            InvalidInput: the current one is wrong, or the new one does not follow the rule.
            RateLimited: too many wrong ones.
            NotSignedIn: the account was changed or deleted meanwhile.
        """
        account = await self._confirmed(visitor, current)
        try:
            check_new_password(new, email=visitor.email)
        except InvalidInput as error:
            raise refused("new", error.detail) from None
        if new == current:
            raise refused("new", _("That is the password you have. Choose another one."))
        hashed = await self._passwords.hash(new)

        def work(unit: Unit) -> int:
            now, current_row = self._clock.now(), kept.find_account(unit.session, account.id)
            if current_row is None or current_row.password_hash != account.password_hash:
                raise NotSignedIn(_("Your password was just changed elsewhere. Sign in again."))
            kept.set_password_hash(unit.session, account.id, hashed)
            kept.void_links_of(unit.session, account.id, account.email, now)
            note(unit, "password.changed", account.email, actor=account.id, at=now)
            return self._end_others(unit, visitor)

        return await self._database.run(work)

    async def confirm(self, visitor: Visitor, *, current: str) -> None:
        """Let pass who knows the password, for what cannot be undone.

        Raises:
            InvalidInput: it is another one.
            RateLimited: too many wrong ones.
        """
        await self._confirmed(visitor, current)

    async def end_others(self, visitor: Visitor) -> int:
        """Sign every other browser of this account out. Returns how many there were."""

        def work(unit: Unit) -> int:
            note(
                unit,
                "login_session.others_ended",
                visitor.email,
                actor=visitor.account_id,
                at=self._clock.now(),
            )
            return self._end_others(unit, visitor)

        return await self._database.run(work)

    async def _confirmed(self, visitor: Visitor, current: str) -> kept.AccountRecord:
        key = str(visitor.account_id)
        self._guesses.spend(key)
        account = await self._database.read(lambda s: kept.find_account(s, visitor.account_id))
        known = account.password_hash if account else None
        checked = await self._passwords.check(current[: PASSWORD_MAX + 1], known)
        if account is None or not checked.is_right:
            raise refused("current", _("That is not your current password."))
        self._guesses.forget(key)
        return account

    def _end_others(self, unit: Unit, visitor: Visitor) -> int:
        return end_login_sessions_of(
            unit.session, visitor.account_id, self._clock.now(), but=visitor.login_session_id
        )
