"""The ledger's hot verbs for many callers at once, on both databases."""

import asyncio
from collections import Counter
from dataclasses import replace

import psycopg
import pytest
from sqlalchemy.engine import make_url

from storage import door_postgres, leases
from storage.books import (
    EndHold,
    HoldAnswer,
    HoldConflict,
    HoldEnded,
    HoldOpened,
    HoldReplayed,
    Insufficient,
)
from storage.credits import HoldClosedError, HoldState, MilliCredits
from storage.database import Database
from storage.errors import LedgerBusy, LedgerDown
from storage.moments import Micros
from storage.teller_postgres import LANES
from tests.builders import Shop, hold_of, shop_with
from tests.databases import SERVER
from tests.fakes.clock import START

on_postgresql = pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)


def end_of(shop: Shop, hold_id: int) -> EndHold:
    return EndHold(
        wallet_id=shop.wallet_id,
        hold_id=hold_id,
        plan_ids=(shop.plan.plan_id,),
        now=Micros(START),
    )


async def opened(database: Database, shop: Shop, amount: int) -> HoldOpened:
    answer = await database.teller.open_hold(hold_of(shop, amount))
    assert isinstance(answer, HoldOpened)
    return answer


async def test_a_hold_is_captured_or_released_as_in_a_unit_of_work(database: Database) -> None:
    shop = await shop_with(database, 10_000)
    first, second = await opened(database, shop, 6_000), await opened(database, shop, 4_000)

    captured = await database.teller.capture(end_of(shop, first.hold_id), MilliCredits(5_000))
    released = await database.teller.release(end_of(shop, second.hold_id))

    assert captured == HoldEnded(
        public_id=first.public_id,
        state=HoldState.CAPTURED,
        captured=MilliCredits(5_000),
        shortfall=MilliCredits(0),
        version=5,
        available=MilliCredits(1_000),
    )
    assert (released.state, released.version, released.available) == (HoldState.RELEASED, 6, 5_000)


async def test_of_fifty_at_once_exactly_those_are_served_whom_the_credits_cover(
    database: Database,
) -> None:
    shop = await shop_with(database, 17 * 5_000 + 4_999)

    async with asyncio.timeout(60):
        answers = await asyncio.gather(
            *(database.teller.open_hold(hold_of(shop, 5_000)) for _ in range(50))
        )

    assert Counter(map(type, answers)) == {HoldOpened: 17, Insufficient: 33}


async def test_the_same_key_fifty_times_at_once_opens_one_hold(database: Database) -> None:
    shop = await shop_with(database, 100_000)

    async with asyncio.timeout(60):
        answers: list[HoldAnswer] = await asyncio.gather(
            *(database.teller.open_hold(hold_of(shop, 5_000, key="one")) for _ in range(50))
        )
    other = await database.teller.open_hold(hold_of(shop, 5_000, key="one", fingerprint=b"x" * 16))

    assert Counter(map(type, answers)) == {HoldOpened: 1, HoldReplayed: 49}
    assert isinstance(other, HoldConflict)


async def test_a_hold_that_was_released_cannot_be_captured(database: Database) -> None:
    shop = await shop_with(database, 5_000)
    hold = await opened(database, shop, 5_000)
    await database.teller.release(end_of(shop, hold.hold_id))

    with pytest.raises(HoldClosedError):
        await database.teller.capture(end_of(shop, hold.hold_id), MilliCredits(5_000))


async def test_a_poisoned_verb_does_not_touch_its_neighbours(database: Database) -> None:
    shop = await shop_with(database, 100_000)
    bad = replace(hold_of(shop, 5_000), offering_id=10**9)  # of which there is none

    async with asyncio.timeout(60):
        answers = await asyncio.gather(
            *(
                database.teller.open_hold(bad if number == 3 else hold_of(shop, 5_000))
                for number in range(8)
            ),
            database.teller.release(end_of(shop, 10**9)),
            return_exceptions=True,
        )

    assert isinstance(answers.pop(), LookupError)
    assert isinstance(answers.pop(3), Exception)
    assert Counter(map(type, answers)) == {HoldOpened: 7}


async def test_who_leaves_while_waiting_takes_nothing_out_of_the_queue(database: Database) -> None:
    shop = await shop_with(database, 100_000)
    request = hold_of(shop, 5_000)
    leaving = asyncio.ensure_future(database.teller.open_hold(request))
    await asyncio.sleep(0)
    leaving.cancel()

    again = await database.teller.open_hold(request)

    assert isinstance(again, HoldReplayed)
    assert again.state is HoldState.OPEN


@on_postgresql
async def test_a_lost_connection_loses_no_verb_and_does_none_twice(
    database: Database, database_url: str
) -> None:
    shop = await shop_with(database, 100_000)
    hold = await opened(database, shop, 5_000)
    end_connections(database_url)

    again = await opened(database, shop, 5_000)
    ended = await database.teller.capture(end_of(shop, hold.hold_id), MilliCredits(5_000))

    assert (again.available, ended.captured) == (90_000, 5_000)


@on_postgresql
@pytest.mark.parametrize(
    "then", [pytest.param([], id="at once"), pytest.param([LedgerBusy()], id="after a wait")]
)
async def test_a_hold_that_landed_unheard_is_opened_when_it_is_sent_again(
    database: Database, then: list[Exception]
) -> None:
    """Its receipt id tells: nobody else could have written it."""
    shop = await shop_with(database, 100_000)
    requests = [hold_of(shop, 5_000), hold_of(shop, 5_000)]
    lose_answers(database, shop, [LedgerDown("the answer was lost"), *then])

    answers = await asyncio.gather(*map(database.teller.open_hold, requests))

    assert [type(answer) for answer in answers] == [HoldOpened, HoldOpened]
    assert {a.public_id for a in answers} == {r.public_id for r in requests}  # type: ignore[union-attr]  # just checked
    left = await database.run(
        lambda unit: unit.books.available(shop.wallet_id, (shop.plan.plan_id,), START)
    )
    assert left == 90_000


@on_postgresql
async def test_what_may_have_landed_unheard_is_never_called_busy(database: Database) -> None:
    """Busy promises that nothing was written."""
    shop = await shop_with(database, 100_000)
    lose_answers(database, shop, [LedgerDown("the answer was lost"), LedgerBusy()])

    with pytest.raises(LedgerDown):
        await database.teller.open_hold(hold_of(shop, 5_000))


def lose_answers(database: Database, shop: Shop, losses: list[Exception]) -> None:
    """Let calls of the wallet's lane land, the first at least, and their answers be lost so."""
    lane = database._door._teller._lanes[shop.wallet_id % LANES]  # type: ignore[attr-defined]  # where the network is
    real, left = lane._call, list(losses)

    def unheard(batch: object) -> object:
        loss = left.pop(0) if left else None
        if isinstance(loss, LedgerBusy):
            raise loss
        done = real(batch)
        if loss is not None:
            raise loss
        return done

    lane._call = unheard


@on_postgresql
async def test_a_wallet_that_somebody_keeps_locked_keeps_nobody_else(
    database: Database, database_url: str
) -> None:
    stuck, other = await shop_with(database, 100_000), await shop_with(database, 100_000)
    third = await shop_with(database, 100_000)
    address = make_url(database_url).render_as_string(hide_password=False)
    with psycopg.connect(address) as somebody:
        somebody.execute("SELECT 1 FROM wallet WHERE id = %s FOR UPDATE", (stuck.wallet_id,))
        async with asyncio.timeout(60):
            answers = await asyncio.gather(
                *(
                    database.teller.open_hold(hold_of(shop, 5_000))
                    for shop in (stuck, other, third)
                ),
                return_exceptions=True,
            )

    assert [type(answer) for answer in answers] == [LedgerBusy, HoldOpened, HoldOpened]


@on_postgresql
async def test_what_shows_that_we_live_waits_for_no_wallet(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And whoever waits for one is told in the end."""
    monkeypatch.setattr(door_postgres, "LOCK_TIMEOUT_S", 2)
    shop = await shop_with(database, 100_000)
    impatient = Database.open(database_url)
    address = make_url(database_url).render_as_string(hide_password=False)
    with psycopg.connect(address) as somebody:
        somebody.execute("SELECT 1 FROM wallet WHERE id = %s FOR UPDATE", (shop.wallet_id,))
        waiting = [
            asyncio.create_task(
                impatient.run(lambda unit: unit.books.open_hold(hold_of(shop, 5_000)))
            )
            for _ in range(door_postgres.WRITERS)
        ]
        await asyncio.sleep(0)  # each has been handed to its thread
        async with asyncio.timeout(60):
            await impatient.run_apart(lambda unit: leases.drop(unit.session, "nobody"))
            assert not any(waiter.done() for waiter in waiting)
            answers = await asyncio.gather(*waiting, return_exceptions=True)
    await impatient.close()

    assert {type(answer) for answer in answers} == {LedgerBusy}


@on_postgresql
async def test_a_server_that_takes_no_writes_is_left_for_another(
    database: Database, database_url: str
) -> None:
    """As after a failover, when the old address still led to the standby."""
    shop = await shop_with(database, 100_000)
    name = make_url(database_url).database
    with psycopg.connect(SERVER, autocommit=True) as administrator:
        administrator.execute(
            f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'.encode()
        )
        end_connections(database_url)
        with pytest.raises(LedgerDown):
            await database.teller.open_hold(hold_of(shop, 5_000))
        for _ in ("over a connection that has ended", "over a new one"):
            with pytest.raises(LedgerDown):
                await database.run(lambda unit: unit.books.open_hold(hold_of(shop, 5_000)))
        administrator.execute(
            f'ALTER DATABASE "{name}" RESET default_transaction_read_only'.encode()
        )

    assert isinstance(await database.teller.open_hold(hold_of(shop, 5_000)), HoldOpened)
    in_a_unit = await database.run(lambda unit: unit.books.open_hold(hold_of(shop, 5_000)))
    assert isinstance(in_a_unit, HoldOpened)


@on_postgresql
async def test_without_a_server_every_verb_is_told_so(database: Database) -> None:
    nowhere = Database.open("postgresql://root@127.0.0.1:1/nowhere")
    shop = await shop_with(database, 5_000)

    with pytest.raises(LedgerDown):
        await nowhere.teller.open_hold(hold_of(shop, 5_000))
    await nowhere.close()
    with pytest.raises(LedgerDown):
        await nowhere.teller.release(end_of(shop, 1))


def end_connections(database_url: str) -> None:
    """As when the server is restarted: whoever was connected is not any more."""
    name = make_url(database_url).database
    with psycopg.connect(SERVER, autocommit=True) as administrator:
        administrator.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
        )
