"""The tab of one message or call: opened before the work, captured or released when it ends.

Opening asks the tables and decides (`host.metering.admission`); whether the credits suffice is
asked by the ledger alone, in the step that sets them aside, because a check whose write comes
later lets concurrent calls all pass. Each verb exists twice: on its own, served together with
other callers' (`storage.teller`), and with `_in` for callers who have more to write in the same
unit of work.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, repeat
from typing import Final, TypeVar

import structlog

from host.clock import Clock
from host.config import Settings
from host.errors import (
    CreditsExhausted,
    IdempotencyConflict,
    LedgerUnavailable,
    SpendCapReached,
    UnknownOffering,
)
from host.language import _
from host.metering.admission import Admitted, Asked, Refused, admit
from host.metering.tabs import (
    MeteredWork,
    Opening,
    ReplayedTab,
    Tab,
    free_end,
    free_tab,
    opened_tab,
    replayed_tab,
)
from storage.books import (
    EndHold,
    HoldAnswer,
    HoldConflict,
    HoldEnded,
    HoldOpened,
    HoldReplayed,
    Insufficient,
    OpenHold,
    OverCap,
)
from storage.cards import OfferingCard
from storage.credits import HoldState, MilliCredits
from storage.database import Database, Snapshot, Unit
from storage.entitlement import entitlement
from storage.errors import LedgerBroken, LedgerBusy, LedgerDown, StorageError
from storage.holds import hold_of_key
from storage.ids import new_id
from storage.models.catalogue import OfferingState
from storage.moments import SECOND, Micros
from storage.subscriptions import AdmissionFacts, admission_facts

T = TypeVar("T")

END_PAUSES_S: Final = (0.1, 0.5, 2.0)
"""Ending a hold is tried again after these: ending it twice is harmless, not ending it costs."""
END_EVERY_S: Final = 5.0
"""How often a charge is tried after those, until the hold has expired."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The hold that admitted work needs."""

    hold: OpenHold
    admitted: Admitted


class Meter:
    """Opens and ends tabs for one process."""

    def __init__(
        self, database: Database, clock: Clock, settings: Settings, *, owner: str
    ) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._owner = owner

    @property
    def owner(self) -> str:
        """The name under which this process opens holds."""
        return self._owner

    async def open(self, work: MeteredWork) -> Opening:
        """Admit the work and hold the most it may cost, or find the tab it had before.

        Raises:
            FareboxError: it was refused, in words; nothing is held.
            LedgerUnavailable: credits cannot be set aside now.
        """
        return await self._said(self._open(work))

    async def _open(self, work: MeteredWork) -> Opening:
        wanted = await self._database.read(partial(self._decide, work=work))
        if not isinstance(wanted, _Wanted):
            return wanted
        return self._opened(work, wanted, await self._database.teller.open_hold(wanted.hold))

    def open_in(self, unit: Unit, work: MeteredWork) -> Opening:
        """The same inside a unit of work."""
        wanted = self._decide(unit.session, work)
        if not isinstance(wanted, _Wanted):
            return wanted
        return self._opened(work, wanted, unit.books.open_hold(wanted.hold))

    async def capture(self, tab: Tab, used: MilliCredits) -> HoldEnded:
        """Charge what was used. The same again returns what was recorded.

        Raises:
            HoldClosedError: it was released, or captured with another amount.
            LedgerUnavailable: nobody knows whether it was written; if not, the hold ends by its
                deadline or with the next process, uncharged.
        """

        async def capture() -> HoldEnded:
            end = self._end(tab)
            if end is None:
                return free_end(tab, HoldState.CAPTURED)
            return _noted(await self._database.teller.capture(end, used))

        return await self._said(self._try(capture, _without_end()))

    def capture_in(self, unit: Unit, tab: Tab, used: MilliCredits) -> HoldEnded:
        """The same inside a unit of work."""
        end = self._end(tab)
        if end is None:
            return free_end(tab, HoldState.CAPTURED)
        return _noted(unit.books.capture(end, used))

    async def release(self, tab: Tab) -> HoldEnded:
        """Charge nothing and give everything back.

        Raises:
            HoldClosedError: it was captured.
            LedgerUnavailable: it could not be written; the hold ends by its deadline, uncharged.
        """

        async def release() -> HoldEnded:
            end = self._end(tab)
            if end is None:
                return free_end(tab, HoldState.RELEASED)
            return await self._database.teller.release(end)

        # Not for long, since nobody loses by it: the sweeper gives the credits back too.
        return await self._said(self._try(release, END_PAUSES_S))

    def release_in(self, unit: Unit, tab: Tab) -> HoldEnded:
        """The same inside a unit of work."""
        end = self._end(tab)
        return free_end(tab, HoldState.RELEASED) if end is None else unit.books.release(end)

    async def renew(self, tab: Tab) -> bool:
        """Move the deadline of long work. False when the hold has ended meanwhile."""
        return await self._write(partial(self.renew_in, tab=tab), must_land=True)

    def renew_in(self, unit: Unit, tab: Tab) -> bool:
        """The same inside a unit of work."""
        if tab.hold_id is None or tab.wallet_id is None:
            return True
        return unit.books.renew(
            wallet_id=tab.wallet_id,
            hold_id=tab.hold_id,
            expires_at=self._deadline(self._clock.now()),
        ).is_open

    async def insist(self, work: Callable[[Unit], T]) -> T:
        """Write down an end, again and again while the database refuses and the hold may be open.

        What was delivered is paid for even when the database is away for a minute. Whatever is
        raised, do not say what it cost: an attempt may have landed unheard, and until its time
        the hold can be captured by whoever ends it next (`host.runs.recovery`).

        Raises:
            LedgerBroken: this process writes nothing more. Not tried again, since only a restart
                helps: to wait for the hold's time would keep everybody from it.
            LedgerBusy, LedgerDown: no answer by the hold's time; from now on nobody may charge.
            Exception: it cannot be written like this, and was not tried again.
        """
        return await self._try(lambda: self._database.run(work, must_land=True), _without_end())

    def _decide(self, session: Snapshot, work: MeteredWork) -> Opening | _Wanted:
        """What to hold; or the tab that needs no hold, or had one before."""
        facts = admission_facts(session, account_id=work.account_id, offering_id=work.offering.id)
        if facts is None:
            raise UnknownOffering(_("There is no published offering of that name."))
        now = self._clock.now()
        admission = admit(self._asked(work, facts, now))
        if isinstance(admission, Refused):
            return self._replay_or_raise(session, work, facts, admission)
        if admission.is_free:
            return free_tab()
        assert facts.wallet_id is not None, "whoever got a plan has a wallet"
        return _Wanted(self._hold(work, facts.wallet_id, admission, now), admission)

    def _replay_or_raise(
        self, session: Snapshot, work: MeteredWork, facts: AdmissionFacts, refused: Refused
    ) -> ReplayedTab:
        """What was done under this key stays done, even when nothing new would be admitted."""
        if facts.wallet_id is not None and not facts.is_suspended:
            before = hold_of_key(
                session, facts.wallet_id, work.operation, work.key, work.fingerprint
            )
            if isinstance(before, HoldReplayed):
                return replayed_tab(before, included_until=None)
            if isinstance(before, HoldConflict):
                raise _used_before()
        raise refused.error

    def _asked(self, work: MeteredWork, facts: AdmissionFacts, now: Micros) -> Asked:
        state, entitled = facts.offering_state, entitlement(facts.periods, now=now)
        titles = {plan.id: plan.title for plan in work.offering.plans}
        return Asked(
            title=work.offering.title,
            is_draft=state == OfferingState.DRAFT,
            is_paused=state == OfferingState.PAUSED,
            is_retired=state == OfferingState.RETIRED,
            is_owner=work.offering.owner_id == work.account_id,
            is_suspended=facts.is_suspended,
            price=work.price,
            entitlement=entitled,
            ended_plan=titles.get(entitled.ended.plan_id) if entitled.ended else None,
            buy_url=self._buy_url(work.offering, had={p.plan_id for p in facts.periods}),
        )

    def _hold(
        self, work: MeteredWork, wallet_id: int, admitted: Admitted, now: Micros
    ) -> OpenHold:
        return OpenHold(
            wallet_id=wallet_id,
            public_id=new_id(),
            operation=work.operation,
            key=work.key,
            fingerprint=work.fingerprint,
            amount=admitted.amount,
            plan_ids=admitted.plan_ids,
            owner=self._owner,
            now=now,
            expires_at=self._deadline(now),
            offering_id=work.offering.id,
            run_id=work.run_id,
        )

    def _opened(self, work: MeteredWork, wanted: _Wanted, answer: HoldAnswer) -> Opening:
        """The tab that the ledger's answer makes, or its refusal in words."""
        match answer:
            case HoldOpened():
                return opened_tab(answer, wanted.hold.wallet_id, wanted.admitted)
            case HoldReplayed():
                return replayed_tab(answer, included_until=wanted.admitted.included_until)
            case HoldConflict():
                raise _used_before()
            case Insufficient():
                raise CreditsExhausted(
                    offering=work.offering.title,
                    required=answer.required,
                    available=answer.available,
                    topup_url=self._buy_url(work.offering, had=wanted.admitted.plan_ids)
                    or self._settings.public_url,
                )
            case OverCap():
                raise SpendCapReached(
                    required=answer.required,
                    cap=answer.cap,
                    is_operators=answer.is_operators,
                    spent=answer.spent,
                    retry_after_s=(answer.resets_at - wanted.hold.now) // SECOND + 1,
                )

    def _buy_url(self, offering: OfferingCard, *, had: Collection[int]) -> str | None:
        plan = offering.plan_to_buy(had=had)
        return None if plan is None else f"{self._settings.public_url}/buy/{plan.slug}"

    def _deadline(self, now: Micros) -> Micros:
        return Micros(now + self._settings.hold_ttl_s * SECOND)

    def _end(self, tab: Tab) -> EndHold | None:
        if tab.hold_id is None or tab.wallet_id is None:
            return None
        return EndHold(
            wallet_id=tab.wallet_id,
            hold_id=tab.hold_id,
            plan_ids=tab.plan_ids,
            now=self._clock.now(),
        )

    async def _write(self, work: Callable[[Unit], T], *, must_land: bool = False) -> T:
        return await self._said(self._database.run(work, must_land=must_land))

    async def _said(self, writing: Awaitable[T]) -> T:
        try:
            return await writing
        except StorageError as error:
            log.warning("ledger.unavailable", kind=type(error).__name__)
            raise LedgerUnavailable from None

    async def _try(self, write: Callable[[], Awaitable[T]], pauses_s: Iterable[float]) -> T:
        """Write, and again after each pause, as long as a hold that was open now may be.

        A ledger that is broken is not asked again.
        """
        until = self._deadline(self._clock.now())
        for pause_s in pauses_s:
            try:
                return await write()
            except LedgerBroken:
                raise
            except (LedgerBusy, LedgerDown) as error:
                log.warning("hold.not_ended", kind=type(error).__name__)
            await asyncio.sleep(pause_s)
            if self._clock.now() >= until:
                break
        return await write()


def _without_end() -> Iterator[float]:
    """The pauses between tries to charge."""
    return chain(END_PAUSES_S, repeat(END_EVERY_S))


def _noted(ended: HoldEnded) -> HoldEnded:
    """The end of a hold; what it cost beyond it is the builder's loss, for the log."""
    if ended.shortfall:
        log.warning("hold.shortfall", receipt_id=ended.public_id, shortfall=ended.shortfall)
    return ended


def _used_before() -> IdempotencyConflict:
    return IdempotencyConflict(
        _("This idempotency key was used before for something else; use a new one.")
    )
