import asyncio
from collections import Counter
from dataclasses import dataclass, replace

import pytest
from structlog.testing import capture_logs

from host.catalogue.catalogue import Catalogue
from host.catalogue.currencies import Money
from host.catalogue.offering_terms import EndpointFields, PlanTerms, ServiceFields
from host.catalogue.subscribing import SubscribeRequest
from host.config import Settings
from host.errors import (
    AccountSuspended,
    CreditsExhausted,
    IdempotencyConflict,
    LedgerUnavailable,
    NotInPlan,
    OfferingPaused,
    PlanEnded,
    UnknownOffering,
)
from host.metering.corrections import Corrections, RefundRequest
from host.metering.meter import Meter
from host.metering.revoking import RevokeRequest
from host.metering.sweeper import LEASE, Sweeper
from host.metering.tabs import MeteredWork, ReplayedTab, Tab, fingerprint
from host.proxy.answers import Charge
from host.proxy.bill import Bill
from storage import leases, ledger
from storage.accounts import set_state
from storage.cards import OfferingCard
from storage.credits import HoldClosedError, HoldState, MilliCredits
from storage.database import Database
from storage.errors import StatementBroke
from storage.models.accounts import AccountState, Role
from storage.models.money import GrantSource, Operation
from storage.moments import DAY, MINUTE, Micros
from tests.builders import add_account
from tests.fakes.clock import START, ManualClock
from tests.fakes.fragile_database import FragileDatabase

PRICE = MilliCredits(5_000)
SETTINGS = Settings(_env_file=None, public_url="https://farebox.example")
PACK = PlanTerms(
    title="Pack", price=Money(500, "USD"), credits=MilliCredits(39_999), duration_s=86_400 * 30
)
PASS = PlanTerms(title="Pass", price=Money(900, "USD"), duration_s=86_400 * 7)


@dataclass(frozen=True, slots=True)
class Shop:
    """A published service on a pack and on a pass, and somebody who may get them."""

    catalogue: Catalogue
    builder: int
    subscriber: int
    offering: OfferingCard

    async def give(self, plan_slug: str = "pack", ref: str = "gift") -> None:
        await self.catalogue.subscribe(
            None,
            SubscribeRequest(
                account_id=self.subscriber,
                plan_slug=plan_slug,
                source=GrantSource.OPERATOR,
                source_ref=ref,
            ),
        )

    def work(self, key: str = "message-1", *, by: int | None = None) -> MeteredWork:
        return MeteredWork(
            account_id=self.subscriber if by is None else by,
            offering=self.offering,
            operation=Operation.MESSAGE,
            key=key,
            fingerprint=fingerprint(self.offering.slug, "thread-1", "What is 2 + 2?"),
            price=PRICE,
        )


@pytest.fixture
async def shop(database: Database, clock: ManualClock) -> Shop:
    catalogue = Catalogue(database, clock, SETTINGS)
    builder = await database.run(lambda unit: add_account(unit.session, Role.BUILDER))
    subscriber = await database.run(lambda unit: add_account(unit.session))
    plans = [await catalogue.create_plan(builder, terms) for terms in (PACK, PASS)]
    fields = ServiceFields(
        title="Songs",
        description="",
        price=PRICE,
        upstream_url="https://songs.example.com",
        plan_slugs=tuple(plan.slug for plan in plans),
    )
    draft = await catalogue.register_service(builder, fields, [EndpointFields(path="/ask")])
    return Shop(catalogue, builder, subscriber, await catalogue.publish(builder, draft.slug))


@pytest.fixture
def meter(database: Database, clock: ManualClock) -> Meter:
    return Meter(database, clock, SETTINGS, owner="this process")


async def opened(meter: Meter, work: MeteredWork) -> Tab:
    tab = await meter.open(work)
    assert isinstance(tab, Tab)
    return tab


async def test_a_tab_holds_the_price_and_is_captured_for_it(shop: Shop, meter: Meter) -> None:
    await shop.give()

    tab = await opened(meter, shop.work())
    assert (tab.amount, tab.available, tab.is_free) == (5_000, 34_999, False)
    ended = await meter.capture(tab, PRICE)

    assert (ended.state, ended.captured, ended.available) == (HoldState.CAPTURED, 5_000, 34_999)
    assert ended.public_id == tab.receipt_id
    assert await meter.capture(tab, PRICE) == ended


async def test_a_released_tab_costs_nothing_and_cannot_be_captured(
    shop: Shop, meter: Meter
) -> None:
    await shop.give()
    tab = await opened(meter, shop.work())
    ended = await meter.release(tab)
    assert (ended.state, ended.captured, ended.available) == (HoldState.RELEASED, 0, 39_999)
    with pytest.raises(HoldClosedError):
        await meter.capture(tab, PRICE)


async def test_twenty_at_once_on_a_wallet_that_affords_seven_open_exactly_seven(
    shop: Shop, meter: Meter
) -> None:
    await shop.give()

    async with asyncio.timeout(20):
        answers = await asyncio.gather(
            *(meter.open(shop.work(f"message-{n}")) for n in range(20)), return_exceptions=True
        )

    assert Counter(type(answer) for answer in answers) == {Tab: 7, CreditsExhausted: 13}


async def test_too_few_credits_are_refused_with_balance_price_and_where_to_top_up(
    shop: Shop, meter: Meter
) -> None:
    await shop.give()
    for n in range(7):
        await meter.open(shop.work(f"message-{n}"))
    with pytest.raises(CreditsExhausted) as refused:
        await meter.open(shop.work("one too many"))
    assert refused.value.facts == {
        "balance": 4.999,
        "required": 5,
        "topup_url": "https://farebox.example/buy/pack",
    }


async def test_who_never_had_a_plan_is_refused(shop: Shop, meter: Meter) -> None:
    with pytest.raises(NotInPlan, match=r"https://farebox\.example/buy/pack"):
        await meter.open(shop.work())


async def test_who_does_not_exist_is_refused(shop: Shop, meter: Meter) -> None:
    with pytest.raises(UnknownOffering):
        await meter.open(shop.work(by=999_999))


async def test_whose_plan_ended_is_refused(shop: Shop, meter: Meter, clock: ManualClock) -> None:
    await shop.give()
    clock.advance(30 * DAY)
    with pytest.raises(PlanEnded):
        await meter.open(shop.work())


async def test_whose_plan_was_taken_back_is_refused_as_one_that_had_it_and_pays_with_nothing(
    shop: Shop, meter: Meter, database: Database, clock: ManualClock
) -> None:
    corrections, someone = Corrections(database, clock), shop.subscriber
    await shop.give()
    tab = await opened(meter, shop.work())
    await meter.capture(tab, PRICE)
    clock.advance(DAY)
    revoked = RevokeRequest(account_id=someone, plan_slug="pack", request="1", note="a mistake")
    await corrections.revoke(None, revoked)
    await corrections.refund(None, RefundRequest(receipt_id=tab.receipt_id, request="2"))

    clock.advance(DAY)
    with pytest.raises(PlanEnded, match="Pack was taken back by the operator on 19 November 2026"):
        await meter.open(shop.work("message-2"))
    await shop.give("pass", "another plan")
    clock.advance(7 * DAY)  # which ran out, so that credits are asked for again
    with pytest.raises(PlanEnded, match="ended on 27 November 2026"):
        await meter.open(shop.work("message-2"))
    await shop.give("pack", "given again")
    assert (await opened(meter, shop.work("message-2"))).available == 39_999


async def test_a_fault_of_ours_in_ending_a_call_takes_the_place_of_no_answer(
    shop: Shop, database: Database, clock: ManualClock
) -> None:
    await shop.give()
    fragile = FragileDatabase(database)
    meter = Meter(fragile, clock, SETTINGS, owner="this process")
    bill = Bill(meter, await opened(meter, shop.work()), set())
    fragile.is_down, fragile.fault = True, StatementBroke("DataError")
    with capture_logs() as logs:
        await bill.end()
    assert bill.charge() == Charge(charged=0)
    assert [(line["event"], line["log_level"]) for line in logs] == [("call.hold_left", "error")]


async def test_a_time_plan_includes_the_message_and_records_it_at_zero(
    shop: Shop, meter: Meter, database: Database, clock: ManualClock
) -> None:
    await shop.give()
    await shop.give("pass", "second gift")

    tab = await opened(meter, shop.work())
    clock.advance(7 * DAY)  # it began in time, and may finish
    ended = await meter.capture(tab, MilliCredits(0))

    assert (tab.amount, tab.included_until) == (0, START + 7 * DAY)
    assert (ended.captured, ended.available) == (0, 39_999)
    receipt = await database.read(lambda s: ledger.receipt(s, tab.receipt_id))
    assert receipt is not None
    assert (receipt.state, receipt.captured) == (HoldState.CAPTURED, 0)


async def test_the_owners_own_message_holds_nothing_even_on_a_draft(
    shop: Shop, meter: Meter, database: Database
) -> None:
    tab = await opened(meter, shop.work(by=shop.builder))
    assert (tab.is_free, tab.amount) == (True, 0)
    assert await meter.renew(tab)
    assert (await meter.capture(tab, MilliCredits(0))).captured == 0
    assert (await meter.release(tab)).state is HoldState.RELEASED
    assert await database.read(lambda s: ledger.receipt(s, tab.receipt_id)) is None


async def test_a_paused_offering_is_refused_though_the_card_in_hand_is_older(
    shop: Shop, meter: Meter
) -> None:
    await shop.give()
    await shop.catalogue.pause(shop.builder, shop.offering.slug)
    with pytest.raises(OfferingPaused):
        await meter.open(shop.work())


async def test_a_suspended_account_is_refused(
    shop: Shop, meter: Meter, database: Database
) -> None:
    await shop.give()
    await database.run(
        lambda unit: set_state(unit.session, shop.subscriber, AccountState.SUSPENDED)
    )
    with pytest.raises(AccountSuspended):
        await meter.open(shop.work())


async def test_the_same_key_for_the_same_thing_is_a_replay_and_takes_nothing_more(
    shop: Shop, meter: Meter
) -> None:
    await shop.give()
    tab = await opened(meter, shop.work())
    again = await meter.open(shop.work())
    assert isinstance(again, ReplayedTab)
    assert (again.receipt_id, again.state, again.captured) == (tab.receipt_id, HoldState.OPEN, 0)

    await meter.capture(tab, PRICE)
    after = await meter.open(replace(shop.work(), price=MilliCredits(6_000)))

    assert isinstance(after, ReplayedTab)
    assert (after.state, after.captured, after.available) == (HoldState.CAPTURED, 5_000, 34_999)


async def test_the_same_key_for_something_else_is_refused(shop: Shop, meter: Meter) -> None:
    await shop.give()
    await meter.open(shop.work())
    with pytest.raises(IdempotencyConflict):
        await meter.open(replace(shop.work(), fingerprint=fingerprint("something else")))


async def test_a_replay_is_answered_even_when_nothing_new_would_be_admitted(
    shop: Shop, meter: Meter, clock: ManualClock
) -> None:
    await shop.give()
    tab = await opened(meter, shop.work())
    await meter.capture(tab, PRICE)
    clock.advance(31 * DAY)

    again = await meter.open(shop.work())

    assert isinstance(again, ReplayedTab)
    assert (again.receipt_id, again.captured) == (tab.receipt_id, 5_000)
    with pytest.raises(IdempotencyConflict):
        await meter.open(replace(shop.work(), fingerprint=fingerprint("something else")))
    with pytest.raises(PlanEnded):
        await meter.open(shop.work("another message"))


async def test_a_refusal_is_not_remembered(shop: Shop, meter: Meter) -> None:
    with pytest.raises(NotInPlan):
        await meter.open(shop.work())
    await shop.give()
    await opened(meter, shop.work())


async def test_long_work_renews_its_hold_and_is_not_swept(
    shop: Shop, meter: Meter, database: Database, clock: ManualClock
) -> None:
    await shop.give()
    renewed = await opened(meter, shop.work("long"))
    left = await opened(meter, shop.work("left"))
    clock.advance(9 * MINUTE)
    assert await meter.renew(renewed)
    clock.advance(2 * MINUTE)

    swept = await sweeper(database, clock).sweep()

    assert swept.holds == 1
    assert (await meter.capture(renewed, PRICE)).captured == 5_000
    late = await meter.capture(left, PRICE)
    assert (late.state, late.captured, late.shortfall) == (HoldState.EXPIRED, 0, 5_000)
    assert not await meter.renew(left)


# On one kind of database only: what happens when the server is gone is the writer's own test.
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_a_ledger_that_cannot_write_refuses_with_words(
    shop: Shop, database: Database, clock: ManualClock, database_kind: str
) -> None:
    await shop.give()
    closed = Database.open("sqlite:///" + "nowhere/at/all.db")
    meter = Meter(closed, clock, SETTINGS, owner="this process")
    with pytest.raises(LedgerUnavailable, match="Nothing was charged"):
        await meter.open(shop.work())


def sweeper(database: Database, clock: ManualClock, owner: str = "this process") -> Sweeper:
    return Sweeper(database, clock, owner=owner)


async def test_calls_that_a_dead_process_left_open_are_released_and_its_runs_are_not(
    shop: Shop, database: Database, clock: ManualClock
) -> None:
    await shop.give()
    dead = Meter(database, clock, SETTINGS, owner="dead process")
    await database.run(
        lambda unit: leases.take(unit.session, "dead process", now=START, expires_at=START)
    )
    call = await opened(dead, shop.work("call"))
    run = await opened(dead, replace(shop.work("run"), run_id="run-1"))
    alive = sweeper(database, clock)
    await alive.start()
    own = await opened(Meter(database, clock, SETTINGS, owner="this process"), shop.work("own"))

    await alive.sweep()

    states = [
        receipt.state
        for tab in (call, run, own)
        if (receipt := await database.read(lambda s, t=tab: ledger.receipt(s, t.receipt_id)))  # type: ignore[misc]
    ]
    assert states == [HoldState.RELEASED, HoldState.OPEN, HoldState.OPEN]
    await alive.stop()


async def test_the_sweeper_keeps_its_lease_and_gives_it_back(
    database: Database, clock: ManualClock
) -> None:
    sweeping = sweeper(database, clock)
    await sweeping.start()
    clock.advance(LEASE)
    await sweeping.sweep()
    assert await database.read(lambda s: leases.dead_owners(s, clock.now())) == ()
    await sweeping.stop()
    clock.advance(LEASE)
    assert await database.read(lambda s: leases.dead_owners(s, clock.now())) == ()


async def test_after_the_database_was_away_nobody_is_judged_until_everybody_could_renew(
    shop: Shop, database: Database, clock: ManualClock
) -> None:
    await shop.give()
    other = Meter(database, clock, SETTINGS, owner="other process")
    await database.run(
        lambda unit: leases.take(
            unit.session, "other process", now=START, expires_at=Micros(START + LEASE)
        )
    )
    call = await opened(other, shop.work("call"))
    first_back = sweeper(database, clock)
    await first_back.start()
    await first_back.sweep()

    async def state_after(time: int) -> HoldState:
        clock.advance(time)
        await first_back.sweep()
        receipt = await database.read(lambda s: ledger.receipt(s, call.receipt_id))
        assert receipt is not None
        return receipt.state

    assert await state_after(2 * LEASE) is HoldState.OPEN
    assert await state_after(LEASE // 2) is HoldState.OPEN
    assert await state_after(LEASE // 2) is HoldState.RELEASED
    await first_back.stop()


async def test_a_lost_lease_is_taken_again(database: Database, clock: ManualClock) -> None:
    sweeping = sweeper(database, clock)
    await sweeping.start()
    await database.run(lambda unit: leases.drop(unit.session, "this process"))
    await sweeping.sweep()
    clock.advance(LEASE)
    assert await database.read(lambda s: leases.dead_owners(s, clock.now())) == ("this process",)
    await sweeping.stop()


def test_a_fingerprint_knows_where_one_part_ends() -> None:
    assert fingerprint("ab", "c") != fingerprint("a", "bc")
    assert fingerprint("ab", b"c") == fingerprint(b"ab", "c")
    assert len(fingerprint()) == 16
