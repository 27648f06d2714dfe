"""What people are told when the end of their work cannot be written, and what comes true of it.

"Not charged" is said only of what surely is not, now and after a restart.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from sqlalchemy import text

from host.api.health import health_router
from host.config import Settings
from host.errors import LedgerUnavailable
from host.metering.meter import Meter
from host.metering.tabs import Tab
from host.runs.lifecycle import Reason
from host.runs.outcomes import Outcome
from host.vault.envelope import MasterKey
from host.vault.vault import Vault
from storage import ledger
from storage.books import EndHold, HoldOpened
from storage.credits import HoldState, MilliCredits
from storage.database import Database, Unit
from storage.errors import LedgerBroken, LedgerDown, StatementBroke
from storage.moments import HOUR, MINUTE, Micros
from storage.run_states import RunState
from tests.builders import Shop, add_shop, grant_of, hold_of
from tests.conversing import BOUGHT, PRICE, Hall, open_hall
from tests.databases import Databases, verify_ledger
from tests.fakes.clock import ManualClock

AT_ONCE_S = 5
"""Far less than the 600 s for which an end is otherwise tried."""
FAULTS = (LedgerBroken("OperationalError"), StatementBroke("a rule"), LookupError("a hold"))


@pytest.fixture
async def hall(database: Database, database_url: str, clock: ManualClock) -> AsyncIterator[Hall]:
    async with open_hall(database, database_url, clock) as opened:
        yield opened


@pytest.fixture
def file_url(databases: Databases) -> Iterator[str]:
    """A migrated SQLite file: only its writer can break."""
    with databases.fresh("sqlite") as address:
        yield address


async def break_ledger(database: Database) -> None:
    """Let a commit fail, as on a disk that does not keep what it is given."""

    def lose_the_transaction(unit: Unit) -> None:
        unit.session.execute(text("ROLLBACK"))

    with pytest.raises(LedgerBroken):
        await database.run(lose_the_transaction)
    assert database.is_broken


async def answered_while(hall: Hall, fault: Exception) -> Outcome:
    """A whole answer whose end meets this fault."""
    fragile = hall.fragile()
    fragile.database.fault = fault
    gate = hall.upstream.hold_answers(after_words=1)
    answer = await fragile.hall.begin("What is 6 * 7?")
    await gate.reached()
    while (await hall.run(answer.run_id)).provider_run is None:
        pass
    fragile.database.is_down = True
    gate.open()
    async with asyncio.timeout(AT_ONCE_S):
        outcome = await answer.outcome()
    fragile.database.is_down = False
    assert [hold.state for hold in await hall.holds()] == [HoldState.OPEN]
    return outcome


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
async def test_an_end_that_cannot_be_written_is_told_at_once_and_not_told_to_be_free(
    hall: Hall, fault: Exception
) -> None:
    outcome = await answered_while(hall, fault)
    assert (outcome.reason, "42" in outcome.text) == (Reason.UNDECIDED, True)
    assert "not charged" not in outcome.sentence.lower()

    hall.clock.advance(6 * MINUTE)  # its lease is over, its hold is not
    # The next process asks the provider, which has delivered it.
    assert (await hall.reborn().recover()).captured == 1
    run = await hall.run(outcome.run_id)
    assert (run.state, run.charged) == (RunState.COMPLETED, PRICE)
    assert await hall.charges() == [-PRICE]


async def test_what_is_not_settled_before_its_hold_ends_is_never_charged(hall: Hall) -> None:
    await answered_while(hall, FAULTS[0])
    hall.clock.advance(HOUR)
    assert (await hall.reborn().recover()).released == 1
    assert await hall.charges() == []
    assert await hall.available() == BOUGHT


async def test_what_another_process_has_charged_is_not_told_to_be_free(hall: Hall) -> None:
    gate = hall.upstream.hold_answers(after_words=0)
    answer = await hall.begin("What is 6 * 7?")
    await gate.reached()
    hold = (await hall.holds())[0]
    assert hold.id is not None
    end = EndHold(wallet_id=hold.wallet_id, hold_id=hold.id, plan_ids=(), now=hall.clock.now())
    await hall.database.run(lambda unit: unit.books.capture(end, MilliCredits(PRICE)))
    answer.halt(Reason.STOPPED)
    outcome = await answer.outcome()
    gate.open()
    assert outcome.reason is Reason.UNDECIDED
    assert await hall.charges() == [-PRICE]


async def test_an_answer_without_a_price_is_told_to_be_free_whatever_happens(hall: Hall) -> None:
    fragile = hall.fragile()
    fragile.database.fault = FAULTS[0]
    gate = hall.upstream.hold_answers(after_words=1)
    answer = await fragile.hall.begin("What is 6 * 7?", account_id=hall.shop.builder_id)
    await gate.reached()
    fragile.database.is_down = True
    gate.open()
    async with asyncio.timeout(AT_ONCE_S):
        outcome = await answer.outcome()
    fragile.database.is_down = False
    assert (outcome.reason, outcome.sentence) == (Reason.INTERRUPTED, "Not charged: interrupted")


async def test_on_a_broken_ledger_no_tab_is_opened_and_none_is_waited_for(
    file_url: str, clock: ManualClock
) -> None:
    database = Database.open(file_url)
    shop, tab = await database.run(_open_tab)
    meter = Meter(database, clock, Settings(_env_file=None), owner="this process")
    await break_ledger(database)
    async with asyncio.timeout(AT_ONCE_S):
        for end in (meter.capture(tab, tab.amount), meter.release(tab)):
            with pytest.raises(LedgerUnavailable):
                await end
        with pytest.raises(LedgerBroken):
            await meter.insist(lambda unit: unit.books.open_wallet(shop.subscriber_id))
    await database.close()

    again = Database.open(file_url)
    receipt = await again.read(lambda s: ledger.receipt(s, tab.receipt_id))
    assert receipt is not None
    assert receipt.state is HoldState.OPEN
    await again.run(lambda unit: unit.books.sweep(Micros(clock.now() + HOUR)))
    await verify_ledger(again)
    await again.close()


async def test_a_host_whose_ledger_is_broken_is_not_ready_although_it_reads(
    file_url: str, clock: ManualClock
) -> None:
    database = Database.open(file_url)
    web = FastAPI()
    vault = Vault(database, clock, MasterKey(bytes(32)))
    web.include_router(health_router(Settings(database_url=file_url), database, vault))
    await break_ledger(database)
    async with AsyncClient(transport=ASGITransport(web), base_url="http://host") as client:
        ready = await client.get("/readyz")
        alive = await client.get("/healthz")
    assert (ready.status_code, ready.json()["database"]) == (503, "failed")
    assert alive.status_code == 200
    assert (await verify_ledger(database)).ok
    await database.close()


async def test_a_closed_ledger_was_not_broken_and_a_broken_one_stays_so(file_url: str) -> None:
    for is_to_break in (False, True):
        database = Database.open(file_url)
        await database.run(lambda _unit: None)
        if is_to_break:
            await break_ledger(database)
        await database.close()
        assert database.is_broken is is_to_break
        with pytest.raises(LedgerBroken if is_to_break else LedgerDown):
            await database.run(lambda _unit: None)


def _open_tab(unit: Unit) -> tuple[Shop, Tab]:
    shop = add_shop(unit)
    unit.books.grant(grant_of(shop, PRICE))
    opened = unit.books.open_hold(hold_of(shop, PRICE))
    assert isinstance(opened, HoldOpened)
    tab = Tab(
        receipt_id=opened.public_id,
        wallet_id=shop.wallet_id,
        hold_id=opened.hold_id,
        amount=MilliCredits(PRICE),
        available=opened.available,
        plan_ids=(shop.plan.plan_id,),
        included_until=None,
    )
    return shop, tab
