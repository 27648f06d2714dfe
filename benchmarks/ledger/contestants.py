"""Who takes part: a contestant is asked for one paid message after another.

Ours holds the price and captures it, which is two durable commits and what a message costs in
Farebox. What others would write is `benchmarks.ledger.sqlmodel_baseline`.
"""

from collections.abc import Sequence
from typing import Final, Protocol

from sqlmodel import Session, func, select

from storage.books import EndHold, HoldAnswer, HoldEnded, HoldOpened, OpenHold
from storage.credits import MilliCredits
from storage.database import Database, Unit
from storage.ids import new_id
from storage.invariants import verify
from storage.models.money import Entry, EntryKind
from storage.moments import Micros
from tests.builders import (
    Shop,
    add_account,
    add_offering,
    add_plan,
    grant_of,
    hold_of,
)

PRICE: Final = MilliCredits(5_000)
GIVEN: Final = MilliCredits(10**11)
"""What every wallet starts with: twenty million messages."""
OWNER: Final = "a1b2c3d4e5f6"
NOT_YET: Final = Micros(0)
"""The moment that ledgers are verified at: nothing is overdue, since nobody sweeps here."""


class Contestant(Protocol):
    """Charges messages, one at a time for each caller."""

    async def message(self, number: int) -> bool:
        """Charge the message of this number, which says whose it is. False: it was refused."""
        ...


class Ours:
    """Farebox on either database: a hold, then its capture."""

    def __init__(self, database: Database, shops: Sequence[Shop]) -> None:
        self._database = database
        self.shops = shops
        self.charged = 0

    async def message(self, number: int) -> bool:
        """Hold the price, then capture it; anything but success is an error."""
        shop = self.shops[number % len(self.shops)]
        request = hold_of(shop, PRICE, key=new_id(), owner=OWNER)
        opened = await _open_hold(self._database, request)
        if not isinstance(opened, HoldOpened):
            raise TypeError(f"the hold was answered {type(opened).__name__}")
        end = EndHold(
            wallet_id=shop.wallet_id,
            hold_id=opened.hold_id,
            plan_ids=request.plan_ids,
            now=request.now,
        )
        await _capture(self._database, end)
        self.charged += 1
        return True


async def _open_hold(database: Database, request: OpenHold) -> HoldAnswer:
    """How callers reach the ledger: this and `_capture` are all that knows."""
    return await database.teller.open_hold(request)


async def _capture(database: Database, end: EndHold) -> HoldEnded:
    return await database.teller.capture(end, PRICE)


async def open_shops(database: Database, count: int) -> list[Shop]:
    """Subscribers of one plan, each with a wallet and one grant that lasts the whole run."""

    def all_of_them(unit: Unit) -> list[Shop]:
        builder_id = add_account(unit.session)
        plan = add_plan(unit.session, builder_id)
        offering_id = add_offering(unit.session, builder_id, plan)
        shops = []
        for _ in range(count):
            subscriber_id = add_account(unit.session)
            wallet_id = unit.books.open_wallet(subscriber_id)
            shop = Shop(builder_id, subscriber_id, wallet_id, offering_id, plan)
            unit.books.grant(grant_of(shop, GIVEN))
            shops.append(shop)
        return shops

    return await database.run(all_of_them)


async def check_charges(database: Database, *contestants: Ours, before: int = 0) -> None:
    """Make sure that what was answered is on record, once, and that the ledger adds up.

    `before` is how many charges there were at the start.

    Raises:
        RuntimeError: it does not, so that nothing was measured.
    """

    def charges(session: Session) -> int:
        kinds = select(func.count()).select_from(Entry).where(Entry.kind == EntryKind.CHARGE.value)
        return session.exec(kinds).one()

    recorded = await database.read(charges)
    answered = before + sum(contestant.charged for contestant in contestants)
    report = await database.read(lambda session: verify(session, NOT_YET))
    if recorded != answered or not report.ok:
        raise RuntimeError(f"{answered} charged, {recorded} recorded, {report.violations[:3]}")
