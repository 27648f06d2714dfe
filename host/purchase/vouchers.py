"""Vouchers: issued by the operator, redeemed once by whoever has the code.

A voucher stands for an order that was paid elsewhere, on the terms its plan had when it was
issued; so it is good also when the plan is no longer sold. Trying codes is limited by account and
by neighbourhood, and a code that is right does not count.
"""

from dataclasses import dataclass
from typing import Final

from host.catalogue.offering_fields import refusal
from host.catalogue.registering import By, find_plan, note
from host.catalogue.subscribing import SubscribeRequest, subscribe
from host.clock import Clock
from host.errors import InvalidInput, UnknownVoucher, VoucherSpent
from host.identity.addresses import neighbourhood
from host.identity.throttle import Throttle
from host.language import N_, _
from host.metering.operators import require_operator
from host.purchase.ordering import Given, Ordered, add_given
from host.purchase.payments.voucher import VoucherPayments
from host.purchase.voucher_codes import code_hash, new_code
from storage import orders as orders_kept
from storage import subscriptions as got
from storage import vouchers as kept
from storage.catalogue import find_plan_as_sold
from storage.database import Database, Unit
from storage.models.purchase import Voucher
from storage.moments import DAY, NEVER, Micros
from storage.vouchers import VoucherLine, VoucherState

COUNT_MAX: Final = 1000
"""Vouchers made at once: more would be a long unit of work."""
DAYS_MAX: Final = 3650
QUARTER_S: Final = 15 * 60
_WHY_SPENT: Final = {
    VoucherState.REDEEMED: N_("This voucher has been used."),
    VoucherState.VOID: N_("This voucher was withdrawn. Ask whoever gave it to you."),
    VoucherState.EXPIRED: N_("This voucher was not used in time. Ask whoever gave it to you."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherBatch:
    """What vouchers to issue."""

    plan_slug: str
    count: int = 1
    days: int | None = None
    """How long they are good; None is for ever."""
    note: str = ""
    code: str | None = None
    """A code of one's own, for one voucher that is meant to be known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedVoucher:
    """A voucher's number, and its code, which is shown this once."""

    number: int
    code: str


class Vouchers:
    """Issuing and redeeming; an actor of None is the operator at the machine."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        much = N_("Too many codes were tried.")
        self._by_account = Throttle(clock, most=10, window_s=QUARTER_S, sentence=much)
        self._by_address = Throttle(clock, most=40, window_s=QUARTER_S, sentence=much)

    async def issue(self, actor: int | None, batch: VoucherBatch) -> tuple[IssuedVoucher, ...]:
        """Make vouchers for a plan on its present terms.

        Raises:
            NotAllowed: the actor is no operator.
            UnknownPlan: there is no such plan.
            InvalidInput: too many, or for too long.
        """
        _check(batch)
        return await self._database.run(lambda unit: issue(unit, self._by(actor), batch))

    async def listed(self) -> tuple[VoucherLine, ...]:
        """Every voucher, the newest first."""
        now = self._clock.now()
        return await self._database.read(lambda s: kept.all_vouchers(s, now))

    async def void(self, actor: int | None, number: int) -> None:
        """Make a voucher useless; twice is like once.

        Raises:
            NotAllowed: the actor is no operator.
            UnknownVoucher: there is none of that number.
            VoucherSpent: it has been redeemed.
        """
        await self._database.run(lambda unit: void(unit, self._by(actor), number))

    async def redeem(self, account_id: int, code: str, address: str) -> Ordered:
        """Get what a voucher stands for; the same person asking again gets the same order.

        Raises:
            UnknownVoucher: no voucher has this code.
            VoucherSpent: it was used by somebody else, withdrawn, or is past its day.
            RateLimited: too many wrong codes from this account or neighbourhood.
        """
        who, near = str(account_id), neighbourhood(address)
        self._by_address.spend(near)
        self._by_account.spend(who)
        now, wanted = self._clock.now(), code_hash(code)
        done = await self._database.run(lambda unit: redeem(unit, now, account_id, wanted))
        self._by_address.give_back(near)
        self._by_account.give_back(who)
        return done

    def _by(self, actor: int | None) -> By:
        return By(actor, self._clock.now())


def issue(unit: Unit, by: By, batch: VoucherBatch) -> tuple[IssuedVoucher, ...]:
    """Make vouchers, inside a unit of work."""
    require_operator(unit, by)
    plan = find_plan(unit, batch.plan_slug)
    issued = []
    for _each in range(batch.count):
        code = batch.code or new_code()
        number = kept.add_voucher(
            unit.session,
            Voucher(
                plan_id=plan.id,
                plan_version_id=plan.version.id,
                code_hash=code_hash(code),
                note=batch.note,
                created_at=by.now,
                expires_at=NEVER if batch.days is None else by.now + batch.days * DAY,
            ),
        )
        issued.append(IssuedVoucher(number=number, code=code))
    note(
        unit,
        by,
        "voucher.issued",
        f"plan:{plan.slug}",
        count=str(batch.count),
        first=str(issued[0].number),
        note=batch.note,
    )
    return tuple(issued)


def void(unit: Unit, by: By, number: int) -> None:
    """Make a voucher useless, inside a unit of work."""
    require_operator(unit, by)
    row = kept.lock_voucher(unit.session, number)
    if row is None:
        raise UnknownVoucher(f"There is no voucher {number}.")
    if row.order_id is not None:
        raise VoucherSpent(f"Voucher {number} has been redeemed; its order is {row.order_id}.")
    if row.voided_at is None:
        row.voided_at = by.now
        note(unit, by, "voucher.voided", f"voucher:{number}")


def redeem(unit: Unit, now: Micros, account_id: int, wanted: bytes) -> Ordered:
    """Give what a voucher stands for, inside a unit of work."""
    got.lock_wallet(unit.session, unit.books.open_wallet(account_id))
    row = kept.lock_by_code(unit.session, wanted)
    if row is None:
        raise UnknownVoucher(
            _("No voucher has this code. Check it, or ask whoever gave it to you."),
            facts={"field": "code"},
        )
    if row.order_id is not None:
        order = orders_kept.find_order(unit.session, row.order_id, now)
        if order is not None and order.account_id == account_id:
            return Ordered(order=order, is_new=False)
    state = kept.voucher_state(row, now)
    if state is not VoucherState.ISSUED:
        raise VoucherSpent(_(_WHY_SPENT[state]), facts={"field": "code"})
    return Ordered(order=_give(unit, now, account_id, row), is_new=True)


def _give(unit: Unit, now: Micros, account_id: int, row: Voucher) -> orders_kept.OrderView:
    plan = find_plan_as_sold(unit.session, row.plan_version_id)
    assert plan is not None, "a voucher keeps its plan's version"
    provider, name = VoucherPayments(), f"voucher:{row.id}"
    request = SubscribeRequest(
        account_id=account_id,
        plan_slug=plan.slug,
        source=provider.source,
        source_ref=name,
        version_id=row.plan_version_id,
    )
    opened = subscribe(unit, By(None, now), request)
    given = Given(provider=provider, request_key=name, provider_ref=name)
    order = add_given(unit, now, plan, given, opened.subscription)
    row.order_id = order.id
    return order


def _check(batch: VoucherBatch) -> None:
    if not 1 <= batch.count <= COUNT_MAX or (batch.code is not None and batch.count != 1):
        raise refusal("count", "So many cannot be made.", f"Make 1 to {COUNT_MAX} at once", "10")
    if batch.days is not None and not 1 <= batch.days <= DAYS_MAX:
        raise InvalidInput(f"A voucher may be good for 1 to {DAYS_MAX} days, such as 90.")
