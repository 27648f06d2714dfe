"""The end of an account: what tells of a person goes, and the books still add up.

Names, addresses, conversations, drafts, keys and what was written to the operator are erased in
one unit of work; wallet, entries and what was bought stay under a number, since bookkeeping law
wants them kept. That a trial is once for each person stays true after it (`host.identity.former`).
It is refused, with the reason, while something would be torn apart by it: an
answer that is being written, a payment that nobody has decided, offerings that others have paid
for, the last operator. Orders that nobody paid are cancelled.
"""

from collections.abc import Callable, Iterable

from host.catalogue.catalogue import Catalogue
from host.catalogue.registering import By
from host.clock import Clock
from host.errors import AccountBusy
from host.identity.access_tokens import AccessTokens
from host.identity.accounts import keep_an_operator
from host.identity.former import FormerPeople
from host.language import _
from host.purchase.ordering import cancel
from storage import accounts as kept
from storage import audit, erasing
from storage.accounts import AccountRecord
from storage.database import Database, Unit
from storage.erasing import Hindrances
from storage.models.accounts import AccountState
from storage.models.catalogue import OfferingState
from storage.order_states import OrderState
from storage.orders import orders_of
from storage.subscriptions import lock_wallet
from storage.tokens import revoke_access_tokens_of


class Deletion:
    """Deletes accounts, whoever asks: the person on their page, or the operator for them."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        access_tokens: AccessTokens,
        catalogue: Catalogue,
        *,
        former: FormerPeople,
        told_of_erased_words: Callable[[], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._access_tokens = access_tokens
        self._catalogue = catalogue
        self._former = former
        self._told_of_erased_words = told_of_erased_words

    async def hindrance(self, account_id: int) -> str | None:
        """Why the account cannot be deleted just now, in a sentence; None when it can."""
        now = self._clock.now()
        return _in_words(
            await self._database.read(lambda s: erasing.hindrances(s, account_id, now))
        )

    async def delete(self, account_id: int, *, actor: int | None) -> None:
        """Make the account nobody's. Once it is, deleting it again changes nothing.

        Raises:
            AccountBusy: something is in the way; the text says what to do.
            NotAllowed: it is the last operator that can come in.
        """
        await self._stop_selling(account_id)
        revoked = await self._database.run(lambda unit: self._erase(unit, account_id, actor))
        self._access_tokens.forget(revoked)
        # What another process had begun to write for this person has landed by now, and goes too.
        await self._database.run(
            lambda unit: erasing.erase_conversations(unit.session, account_id, self._clock.now())
        )
        self._told_of_erased_words()

    async def _stop_selling(self, account_id: int) -> None:
        """Retire what nobody has any more, by the catalogue's own steps."""
        hindrance = await self.hindrance(account_id)
        if hindrance is not None:
            raise AccountBusy(hindrance)
        on_sale = await self._database.read(lambda s: erasing.offerings_on_sale(s, account_id))
        for slug, state in on_sale:
            if state is OfferingState.PUBLISHED:
                await self._catalogue.pause(None, slug)
            await self._catalogue.retire(None, slug)

    def _erase(self, unit: Unit, account_id: int, actor: int | None) -> tuple[str, ...]:
        session, now = unit.session, self._clock.now()
        for order in orders_of(session, account_id, now):  # orders are locked before wallets
            if order.state is OrderState.CREATED:
                cancel(unit, By(None, now), order.id, reason="")
        erasing.erase_orders(session, account_id)
        erasing.lock_conversations(session, account_id)  # and threads before wallets
        # Also where there is none yet: a trial that is being taken is waited for, and remembered.
        lock_wallet(session, unit.books.open_wallet(account_id))
        account = kept.find_account(session, account_id)
        if account is None or account.state is AccountState.DELETED:
            return ()
        hindrance = _in_words(erasing.hindrances(session, account_id, now))
        if hindrance is not None:
            raise AccountBusy(hindrance)
        keep_an_operator(unit, account_id)
        revoked = revoke_access_tokens_of(session, account_id, now)
        self._anonymise(unit, account)
        subject = f"account:{erasing.nobody(account_id)}"
        audit.note(session, "account.deleted", subject, at=now, actor_id=actor)
        return revoked

    def _anonymise(self, unit: Unit, account: AccountRecord) -> None:
        self._former.remember(unit, account)
        erasing.erase_account(unit.session, account.id, account.email, self._clock.now())


def _in_words(found: Hindrances) -> str | None:
    if found.is_answering:
        return _(
            "An answer is still being written for this account, or a call is under way."
            " Wait until it has ended, or stop it, and try again."
        )
    if found.open_orders:
        return _(
            "The payment for {titles} is on its way or disputed. Wait until that is decided, and"
            " try again.",
            titles=_listed(found.open_orders),
        )
    if found.held_offerings:
        return _(
            "Other people still have {titles} on their plans. Ask the operator to end these"
            " plans or to give back what is unused, and try again.",
            titles=_listed(found.held_offerings),
        )
    return None


def _listed(titles: Iterable[str]) -> str:
    return ", ".join(f"“{title}”" for title in titles)
