"""The tab of one message or call: opened before the work, captured or released when it ends.

Opening asks the tables, decides (`host.metering.admission`) and sets the credits aside in one unit
of work, because a check whose write comes later lets concurrent calls all pass. Each verb exists
twice: on its own, and with `_in` for callers who have more to write in the same unit.

It is longer than most modules, because a tab is one story, from being refused to being replayed,
and half of it could not be read without the other.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import chain, repeat
from typing import Final, TypeAlias, TypeVar

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
from host.metering.admission import Admitted, Asked, Refused, admit
from storage.books import (
    EndHold,
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
from storage.database import Database, Unit
from storage.entitlement import entitlement
from storage.errors import LedgerBusy, LedgerDown, StorageError
from storage.holds import hold_of_key
from storage.ids import new_id
from storage.models.catalogue import OfferingState
from storage.models.money import Operation
from storage.moments import SECOND, Micros
from storage.subscriptions import AdmissionFacts, admission_facts

T = TypeVar("T")

END_PAUSES_S: Final = (0.1, 0.5, 2.0)
"""Ending a hold is tried again after these: ending it twice is harmless, not ending it costs."""
END_EVERY_S: Final = 5.0
"""How often a charge is tried after those, until the hold has expired."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeteredWork:
    """One message or call that wants to begin."""

    account_id: int
    offering: OfferingCard
    operation: Operation
    key: str
    """The message's id, or the caller's idempotency key."""
    fingerprint: bytes
    """Over what the caller sent; see `fingerprint`."""
    price: MilliCredits
    """The most it may cost."""
    run_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """The work may begin; what it may cost is set aside. End it once: capture or release."""

    receipt_id: str
    wallet_id: int | None
    hold_id: int | None
    """None for the owner's own work, which is free and leaves no receipt."""
    amount: MilliCredits
    available: MilliCredits
    """What is left to spend on this offering while the hold is open."""
    plan_ids: tuple[int, ...]
    included_until: Micros | None
    """The end of the time plan that includes it."""

    @property
    def is_free(self) -> bool:
        """Whether this is the owner's own work: nothing held, nothing recorded."""
        return self.hold_id is None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedTab:
    """The same key was used before for the same thing. Never permission to do the work again."""

    receipt_id: str
    run_id: str | None
    state: HoldState
    amount: MilliCredits
    captured: MilliCredits
    available: MilliCredits
    included_until: Micros | None


Opening: TypeAlias = Tab | ReplayedTab


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
        return await self._write(partial(self.open_in, work=work))

    def open_in(self, unit: Unit, work: MeteredWork) -> Opening:
        """The same inside a unit of work."""
        facts = admission_facts(
            unit.session, account_id=work.account_id, offering_id=work.offering.id
        )
        if facts is None:
            raise UnknownOffering("There is no published offering of that name.")
        now = self._clock.now()
        admission = admit(self._asked(work, facts, now))
        if isinstance(admission, Refused):
            return self._replay_or_raise(unit, work, facts, admission)
        if admission.is_free:
            return _free_tab()
        assert facts.wallet_id is not None, "whoever got a plan has a wallet"
        return self._hold(unit, work, facts.wallet_id, admission, now)

    async def capture(self, tab: Tab, used: MilliCredits) -> HoldEnded:
        """Charge what was used. The same again returns what was recorded.

        Raises:
            HoldClosedError: it was released, or captured with another amount.
            LedgerUnavailable: it could not be written; the hold ends by its deadline, uncharged.
        """
        return await self._said(self.insist(partial(self.capture_in, tab=tab, used=used)))

    def capture_in(self, unit: Unit, tab: Tab, used: MilliCredits) -> HoldEnded:
        """The same inside a unit of work."""
        end = self._end(tab)
        if end is None:
            return _free_end(tab, HoldState.CAPTURED)
        ended = unit.books.capture(end, used)
        if ended.shortfall:
            log.warning("hold.shortfall", receipt_id=ended.public_id, shortfall=ended.shortfall)
        return ended

    async def release(self, tab: Tab) -> HoldEnded:
        """Charge nothing and give everything back.

        Raises:
            HoldClosedError: it was captured.
            LedgerUnavailable: it could not be written; the hold ends by its deadline, uncharged.
        """
        release = partial(self.release_in, tab=tab)
        # Not for long, since nobody loses by it: the sweeper gives the credits back too.
        return await self._said(self._try(release, END_PAUSES_S))

    def release_in(self, unit: Unit, tab: Tab) -> HoldEnded:
        """The same inside a unit of work."""
        end = self._end(tab)
        return _free_end(tab, HoldState.RELEASED) if end is None else unit.books.release(end)

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

        What was delivered is paid for even when the database is away for a minute.

        Raises:
            LedgerBusy, LedgerDown: not written by the hold's time. The hold may look open still;
                whoever ends it from now on must release it.
            Exception: it cannot be written at all, and was not tried again; the hold is open.
        """
        return await self._try(work, chain(END_PAUSES_S, repeat(END_EVERY_S)))

    def _replay_or_raise(
        self, unit: Unit, work: MeteredWork, facts: AdmissionFacts, refused: Refused
    ) -> Opening:
        """What was done under this key stays done, even when nothing new would be admitted."""
        if facts.wallet_id is not None and not facts.is_suspended:
            before = hold_of_key(
                unit.session, facts.wallet_id, work.operation, work.key, work.fingerprint
            )
            if isinstance(before, HoldReplayed):
                return _replayed(before, included_until=None)
            if isinstance(before, HoldConflict):
                raise _used_before()
        raise refused.error

    def _asked(self, work: MeteredWork, facts: AdmissionFacts, now: Micros) -> Asked:
        state = facts.offering_state
        return Asked(
            title=work.offering.title,
            is_draft=state == OfferingState.DRAFT,
            is_paused=state == OfferingState.PAUSED,
            is_retired=state == OfferingState.RETIRED,
            is_owner=work.offering.owner_id == work.account_id,
            is_suspended=facts.is_suspended,
            price=work.price,
            entitlement=entitlement(facts.periods, now=now),
            buy_url=self._buy_url(work.offering),
        )

    def _hold(
        self, unit: Unit, work: MeteredWork, wallet_id: int, admitted: Admitted, now: Micros
    ) -> Opening:
        public_id = new_id()
        answer = unit.books.open_hold(
            OpenHold(
                wallet_id=wallet_id,
                public_id=public_id,
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
        )
        match answer:
            case HoldOpened():
                return _tab(answer, wallet_id, admitted)
            case HoldReplayed():
                return _replayed(answer, included_until=admitted.included_until)
            case HoldConflict():
                raise _used_before()
            case Insufficient():
                raise CreditsExhausted(
                    offering=work.offering.title,
                    required=answer.required,
                    available=answer.available,
                    topup_url=self._buy_url(work.offering) or self._settings.public_url,
                )
            case OverCap():
                raise SpendCapReached(
                    required=answer.required,
                    cap=answer.cap,
                    spent=answer.spent,
                    retry_after_s=(answer.resets_at - now) // SECOND + 1,
                )

    def _buy_url(self, offering: OfferingCard) -> str | None:
        plan = offering.plan_to_buy()
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

    async def _try(self, work: Callable[[Unit], T], pauses_s: Iterable[float]) -> T:
        """Write, and again after each pause, as long as a hold that was open now may be."""
        until = self._deadline(self._clock.now())
        for pause_s in pauses_s:
            try:
                return await self._database.run(work, must_land=True)
            except (LedgerBusy, LedgerDown) as error:
                log.warning("hold.not_ended", kind=type(error).__name__)
            await asyncio.sleep(pause_s)
            if self._clock.now() >= until:
                break
        return await self._database.run(work, must_land=True)


def fingerprint(*parts: str | bytes) -> bytes:
    """16 bytes over what a caller sent: offering, method and path or thread, the body.

    Nothing that we computed belongs in it: a price that changed between two tries must not turn a
    retry into a conflict.
    """
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        digest.update(len(raw).to_bytes(8, "big"))  # so that "ab","c" differs from "a","bc"
        digest.update(raw)
    return digest.digest()[:16]


def _tab(opened: HoldOpened, wallet_id: int, admitted: Admitted) -> Tab:
    return Tab(
        receipt_id=opened.public_id,
        wallet_id=wallet_id,
        hold_id=opened.hold_id,
        amount=admitted.amount,
        available=opened.available,
        plan_ids=admitted.plan_ids,
        included_until=admitted.included_until,
    )


def _replayed(before: HoldReplayed, *, included_until: Micros | None) -> ReplayedTab:
    return ReplayedTab(
        receipt_id=before.public_id,
        run_id=before.run_id,
        state=before.state,
        amount=before.amount,
        captured=before.captured,
        available=before.available,
        included_until=included_until,
    )


def _used_before() -> IdempotencyConflict:
    return IdempotencyConflict(
        "This idempotency key was used before for something else; use a new one."
    )


def _free_tab() -> Tab:
    return Tab(
        receipt_id=new_id(),
        wallet_id=None,
        hold_id=None,
        amount=MilliCredits(0),
        available=MilliCredits(0),
        plan_ids=(),
        included_until=None,
    )


def _free_end(tab: Tab, state: HoldState) -> HoldEnded:
    return HoldEnded(
        public_id=tab.receipt_id,
        state=state,
        captured=MilliCredits(0),
        shortfall=MilliCredits(0),
        version=0,
        available=MilliCredits(0),
    )
