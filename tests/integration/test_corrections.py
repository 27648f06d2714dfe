"""What an operator corrects: charges given back, plans taken back, a limit for the day.

Longer than most, because the three are told at one till: what is given back may be of a plan that
was taken back, and what is spent counts against the limit.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import uuid4

import pytest
from sqlmodel import select

from host.catalogue.catalogue import Catalogue
from host.catalogue.currencies import Money
from host.catalogue.offering_terms import PlanTerms
from host.catalogue.subscribing import SubscribeRequest
from host.config import Settings
from host.errors import (
    FareboxError,
    IdempotencyConflict,
    InvalidInput,
    NotAllowed,
    UnknownPlan,
    UnknownReceipt,
)
from host.metering.corrections import (
    ChargeRefunded,
    Corrections,
    RefundRequest,
    credits_entered,
)
from host.metering.revoking import PlanRevoked, RevokeRequest
from storage.accounts import set_state
from storage.books import EndHold, HoldAnswer, HoldOpened
from storage.correctable import LostPlan, standing_grants
from storage.credits import MilliCredits
from storage.database import Database
from storage.entitlement import entitlement
from storage.ids import new_id
from storage.ledger import balances, daily_cap, receipt
from storage.models.accounts import AccountState, AuditLine, Role
from storage.models.money import GrantSource
from storage.moments import DAY, HOUR
from storage.subscriptions import admission_facts
from tests.builders import PlanIds, Shop, add_account, add_offering, hold_of
from tests.databases import Databases, verify_ledger
from tests.fakes.clock import ManualClock


@dataclass(frozen=True)
class Till:
    """A plan of a hundred credits over one offering of five, and a subscriber who got it."""

    database: Database
    clock: ManualClock
    catalogue: Catalogue
    corrections: Corrections
    shop: Shop

    async def get(self, plan: str = "pack", ref: str = "first") -> None:
        """Give the subscriber a plan by hand."""
        await self.catalogue.subscribe(
            None,
            SubscribeRequest(
                account_id=self.shop.subscriber_id,
                plan_slug=plan,
                source=GrantSource.OPERATOR,
                source_ref=f"{plan}:{ref}",
            ),
        )

    async def hold(self, amount: int = 5_000) -> HoldAnswer:
        """Set aside the price of a message."""
        now = self.clock.now()
        return await self.database.run(
            lambda u: u.books.open_hold(hold_of(self.shop, amount, now=now))
        )

    async def capture(self, hold: HoldOpened, used: int) -> None:
        """Charge what was used of it."""
        end = EndHold(
            wallet_id=self.shop.wallet_id,
            hold_id=hold.hold_id,
            plan_ids=(self.shop.plan.plan_id,),
            now=self.clock.now(),
        )
        await self.database.run(lambda u: u.books.capture(end, MilliCredits(used)))

    async def charge(self, amount: int = 5_000) -> str:
        """Charge for a message. Returns the receipt's number."""
        hold = await self.hold(amount)
        assert isinstance(hold, HoldOpened)
        await self.capture(hold, amount)
        return hold.public_id

    async def refund(
        self,
        receipt_id: str,
        credits_: int | None = None,
        *,
        request: str | None = None,
        actor: int | None = None,
    ) -> ChargeRefunded:
        """Refund as the operator at the machine, unless told."""
        wanted = RefundRequest(
            receipt_id=receipt_id,
            request=request or uuid4().hex,
            credits=None if credits_ is None else MilliCredits(credits_),
            note="a wrong answer",
        )
        return await self.corrections.refund(actor, wanted)

    async def revoke(self, plan: str = "pack", *, request: str | None = None) -> PlanRevoked:
        """Take a plan back, as the operator at the machine."""
        wanted = RevokeRequest(
            account_id=self.shop.subscriber_id,
            plan_slug=plan,
            request=request or uuid4().hex,
            note="by mistake",
        )
        return await self.corrections.revoke(None, wanted)

    async def left(self) -> int:
        """What the subscriber can spend."""
        account_id, now = self.shop.subscriber_id, self.clock.now()
        lines = await self.database.read(lambda s: balances(s, account_id, now))
        return sum(line.available for line in lines)

    async def has_plan(self) -> bool:
        """Whether any plan that the subscriber kept covers the offering."""
        shop = self.shop
        facts = await self.database.read(
            lambda s: admission_facts(
                s, account_id=shop.subscriber_id, offering_id=shop.offering_id
            )
        )
        assert facts is not None
        return bool(entitlement(facts.periods, now=self.clock.now()).plan_ids)

    async def audit(self, action: str) -> list[AuditLine]:
        """What the audit has of an action."""
        statement = select(AuditLine).where(AuditLine.action == action)
        return await self.database.read(lambda s: list(s.exec(statement)))

    async def account(self, *roles: Role) -> int:
        """Somebody with these roles."""
        return await self.database.run(lambda u: add_account(u.session, *roles))


@pytest.fixture
async def till(databases: Databases, clock: ManualClock) -> AsyncIterator[Till]:
    with databases.fresh("sqlite") as address:
        database = Database.open(address)
        yield await open_till(database, clock)
        await verify_ledger(database)
        await database.close()


@pytest.fixture
async def each_till(database: Database, clock: ManualClock) -> Till:
    return await open_till(database, clock)


async def open_till(database: Database, clock: ManualClock) -> Till:
    """Everything there, and nothing bought yet."""
    catalogue = Catalogue(database, clock, Settings())
    builder = await database.run(lambda u: add_account(u.session, Role.BUILDER))
    subscriber = await database.run(lambda u: add_account(u.session))
    pack = PlanTerms(
        title="Pack", slug="pack", price=Money(500, "USD"), credits=MilliCredits(100_000)
    )
    week = PlanTerms(title="Week", slug="week", price=Money(900, "USD"), duration_s=7 * 86_400)
    made = await catalogue.create_plan(builder, pack)
    timed = await catalogue.create_plan(builder, week)
    plan = PlanIds(made.id, made.version.id)
    both = (plan, PlanIds(timed.id, timed.version.id))
    offering = await database.run(lambda u: add_offering(u.session, builder, *both))
    wallet = await database.run(lambda u: u.books.open_wallet(subscriber))
    shop = Shop(builder, subscriber, wallet, offering, plan)
    return Till(database, clock, catalogue, Corrections(database, clock), shop)


async def test_a_charge_comes_back_in_part_and_then_all_that_is_left(each_till: Till) -> None:
    till = each_till
    await till.get()
    receipt_id = await till.charge()

    part = await till.refund(receipt_id, 2_000)
    assert (part.amount, part.charged, part.left) == (2_000, 5_000, 3_000)
    assert await till.left() == 97_000
    till.clock.advance(DAY)
    rest = await till.refund(receipt_id)
    assert (rest.amount, rest.left, rest.account_id) == (3_000, 0, till.shop.subscriber_id)
    assert await till.left() == 100_000

    told = await till.database.read(lambda s: receipt(s, receipt_id))
    assert told is not None
    assert (told.captured, told.refunded) == (5_000, 5_000)
    assert [(line.amount, line.at) for line in told.refunds] == [
        (2_000, till.clock.now() - DAY), (3_000, till.clock.now())
    ]  # fmt: skip


async def test_a_request_refunds_once_and_says_the_same_again(each_till: Till) -> None:
    till = each_till
    await till.get()
    receipt_id = await till.charge()
    first = await till.refund(receipt_id, 2_000, request="ticket-1")
    again = await till.refund(receipt_id, 2_000, request="ticket-1")
    unsaid = await till.refund(receipt_id, request="ticket-1")

    assert (first.is_new, again.is_new, unsaid.is_new) == (True, False, False)
    assert {(one.amount, one.left) for one in (first, again, unsaid)} == {(2_000, 3_000)}
    assert await till.left() == 97_000
    (line,) = await till.audit("charge.refunded")
    assert (line.subject, line.actor_id) == (f"receipt:{receipt_id}", None)
    assert (line.detail["request"], line.detail["credits"]) == ("ticket-1", "2")
    assert line.detail["note"] == "a wrong answer"


async def test_twenty_refunds_at_once_give_back_no_more_than_was_charged(each_till: Till) -> None:
    till = each_till
    await till.get()
    receipt_id = await till.charge()
    answers = await asyncio.gather(
        *(till.refund(receipt_id, 1_000) for _ in range(20)), return_exceptions=True
    )
    assert sum(isinstance(answer, ChargeRefunded) for answer in answers) == 5
    assert sum(isinstance(answer, InvalidInput) for answer in answers) == 15
    assert await till.left() == 100_000


async def test_a_request_that_refunded_something_else_is_refused(till: Till) -> None:
    await till.get()
    one, other = await till.charge(), await till.charge()
    await till.refund(one, 2_000, request="ticket-1")
    for receipt_id, amount in ((one, 1_000), (other, 2_000), (other, None)):
        with pytest.raises(IdempotencyConflict, match="something else"):
            await till.refund(receipt_id, amount, request="ticket-1")
    assert await till.left() == 92_000


async def test_what_cannot_be_refunded_says_what_was_charged_and_given_back(till: Till) -> None:
    await till.get()
    receipt_id = await till.charge()
    await till.refund(receipt_id, 2_000)
    with pytest.raises(InvalidInput, match="of 5 credits charged, 2 were refunded, so 3 are left"):
        await till.refund(receipt_id, 3_001)
    with pytest.raises(InvalidInput, match="Nothing is no refund"):
        await till.refund(receipt_id, 0)
    await till.refund(receipt_id)
    with pytest.raises(InvalidInput, match="of 5 credits charged, 5 were refunded"):
        await till.refund(receipt_id)


async def test_what_cost_nothing_yet_or_ever_has_nothing_to_refund(till: Till) -> None:
    await till.get()
    hold = await till.hold()
    assert isinstance(hold, HoldOpened)
    with pytest.raises(InvalidInput, match="still being answered"):
        await till.refund(hold.public_id)
    await till.capture(hold, 0)
    with pytest.raises(InvalidInput, match="Nothing was charged"):
        await till.refund(hold.public_id)


@pytest.mark.parametrize("name", ["nonsense", "", pytest.param(new_id(), id="of nothing")])
async def test_an_unknown_receipt_is_said_to_be_unknown(till: Till, name: str) -> None:
    with pytest.raises(UnknownReceipt):
        await till.refund(name)


async def test_a_request_must_have_a_name_that_can_be_kept(till: Till) -> None:
    for name in ("x" * 256, "two\nlines", ""):
        with pytest.raises(InvalidInput, match="cannot name a request"):
            await till.corrections.refund(None, RefundRequest(receipt_id="x", request=name))


async def test_only_an_operator_corrects(till: Till) -> None:
    await till.get()
    receipt_id = await till.charge()
    former = await till.account(Role.OPERATOR)
    await till.database.run(lambda u: set_state(u.session, former, AccountState.SUSPENDED))
    for actor in (till.shop.subscriber_id, till.shop.builder_id, former, 10**6):
        with pytest.raises(NotAllowed):
            await till.refund(receipt_id, actor=actor)
        with pytest.raises(NotAllowed):
            await till.corrections.set_cap(actor, till.shop.subscriber_id, None)
        wanted = RevokeRequest(
            account_id=till.shop.subscriber_id, plan_slug="pack", request="ticket-1"
        )
        with pytest.raises(NotAllowed):
            await till.corrections.revoke(actor, wanted)
    operator = await till.account(Role.OPERATOR)
    assert (await till.refund(receipt_id, actor=operator)).is_new
    (line,) = await till.audit("charge.refunded")
    assert line.actor_id == operator


async def test_a_plan_taken_back_leaves_only_what_was_spent(each_till: Till) -> None:
    till = each_till
    await till.get()
    await till.get(ref="second")
    await till.charge()
    assert await till.has_plan()

    done = await till.revoke()
    assert (done.plan_title, done.taken, done.held, done.spent) == ("Pack", 195_000, 0, 5_000)
    assert (done.ended, done.is_new) == (2, True)
    assert await till.left() == 0
    assert not await till.has_plan()
    subscriptions = await till.catalogue.subscriptions(till.shop.subscriber_id)
    assert [one.is_cancelled for one in subscriptions] == [True, True]
    (line,) = await till.audit("plan.revoked")
    assert (line.detail["taken"], line.detail["note"]) == ("195", "by mistake")


async def test_what_is_held_is_charged_or_taken_back_when_the_work_ends(each_till: Till) -> None:
    till = each_till
    await till.get()
    hold = await till.hold()
    assert isinstance(hold, HoldOpened)
    done = await till.revoke()
    assert (done.taken, done.held, done.spent) == (95_000, 5_000, 0)
    await till.capture(hold, 2_000)
    assert await till.left() == 0
    told = await till.database.read(lambda s: receipt(s, hold.public_id))
    assert told is not None
    assert told.captured == 2_000


async def test_what_is_frozen_is_taken_back_as_well(till: Till) -> None:
    await till.get()
    shop, now = till.shop, till.clock.now()
    (grant,) = await till.database.read(
        lambda s: standing_grants(s, shop.wallet_id, shop.plan.plan_id, now)
    )
    await till.database.run(
        lambda u: u.books.freeze(wallet_id=shop.wallet_id, grant_id=grant.grant_id, now=now)
    )
    assert (await till.revoke()).taken == 100_000


async def test_what_was_refunded_is_taken_back_too_and_is_not_said_to_be_spent(
    each_till: Till,
) -> None:
    till = each_till
    await till.get()
    await till.refund(await till.charge(), 2_000)
    done = await till.revoke()
    assert (done.taken, done.spent) == (97_000, 3_000)
    assert await till.left() == 0


async def test_a_plan_is_taken_back_once_by_a_request_and_can_be_given_again(
    each_till: Till,
) -> None:
    till = each_till
    await till.get()
    first = await till.revoke(request="ticket-1")
    await till.get(ref="again")
    late = await till.revoke(request="ticket-1")
    assert (late.is_new, late.taken, late.ended) == (False, first.taken, 1)
    assert await till.left() == 100_000
    assert await till.has_plan()

    await till.get("week")
    with pytest.raises(IdempotencyConflict, match="another plan"):
        await till.revoke("week", request="ticket-1")
    nothing_more = [await till.revoke(), await till.revoke()]
    assert [(one.taken, one.ended) for one in nothing_more] == [(100_000, 1), (0, 0)]


async def test_a_time_plan_taken_back_ends_at_once_and_leaves_the_others(till: Till) -> None:
    await till.get("week")
    await till.get("week", ref="extended")
    await till.get()
    done = await till.revoke("week")
    assert (done.taken, done.ended) == (0, 2)
    assert await till.left() == 100_000
    card = await till.catalogue.standing(till.shop.subscriber_id, till.shop.offering_id)
    assert card.entitlement.included_until is None
    # Time bought afterwards begins now, not after the weeks that were taken back.
    await till.get("week", ref="later")
    newest = (await till.catalogue.subscriptions(till.shop.subscriber_id))[0]
    assert newest.starts_at == till.clock.now()


async def test_what_is_over_stays_what_it_was(till: Till) -> None:
    await till.get("week")
    till.clock.advance(8 * DAY)
    done = await till.revoke("week")
    assert done.ended == 0
    (week,) = await till.catalogue.subscriptions(till.shop.subscriber_id)
    assert not week.is_cancelled


async def test_a_plan_that_is_unknown_or_was_never_had_cannot_be_taken_back(till: Till) -> None:
    with pytest.raises(UnknownPlan):
        await till.revoke("nonsense")
    with pytest.raises(InvalidInput, match="never had Pack"):
        await till.revoke()
    stranger = await till.account()
    wanted = RevokeRequest(account_id=stranger, plan_slug="pack", request="ticket-1")
    with pytest.raises(InvalidInput, match="never had Pack"):
        await till.corrections.revoke(None, wanted)


async def test_a_refund_on_a_plan_taken_back_says_that_it_cannot_be_spent(each_till: Till) -> None:
    till = each_till
    await till.get()
    kept, lost = await till.charge(), await till.charge()
    assert (await till.refund(kept)).unusable == ()
    await till.revoke()
    assert (await till.refund(lost)).unusable == (LostPlan("pack", "Pack"),)


async def test_a_cap_is_set_told_and_lifted(each_till: Till) -> None:
    till = each_till
    await till.get()
    account_id, corrections = till.shop.subscriber_id, till.corrections
    await till.charge()
    await till.hold(1_000)
    cap = await corrections.set_cap(None, account_id, MilliCredits(10_000))
    assert cap is not None
    assert (cap.cap, cap.spent) == (10_000, 6_000)

    till.clock.advance(DAY + HOUR)
    now = till.clock.now()
    tomorrow = await till.database.read(lambda s: daily_cap(s, account_id, now))
    assert tomorrow is not None
    assert tomorrow.spent == 1_000  # what is held counts every day
    assert await corrections.set_cap(None, account_id, None) is None
    assert [line.detail["credits"] for line in await till.audit("account.daily_cap_set")] == [
        "10", "none"
    ]  # fmt: skip


async def test_whoever_has_no_wallet_yet_can_have_a_cap(till: Till) -> None:
    stranger = await till.account()
    cap = await till.corrections.set_cap(None, stranger, MilliCredits(0))
    assert cap is not None
    assert (cap.cap, cap.spent) == (0, 0)


@pytest.mark.parametrize("written", ["-5", "NaN", "inf", "1e3", "0.0001", "five", "", "−1"])
def test_what_is_no_amount_of_credits_is_refused(written: str) -> None:
    with pytest.raises(FareboxError, match="not a number of credits"):
        credits_entered(written)
