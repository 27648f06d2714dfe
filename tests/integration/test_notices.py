"""What stands beside an answer because of money: once, in its place, from wherever it is read."""

from collections.abc import AsyncIterator

import pytest

from host.runs.outcomes import Outcome
from storage.credits import MilliCredits
from storage.database import Database, Unit
from storage.models.catalogue import Offering, PlanKind
from storage.moments import DAY, HOUR, Micros
from storage.notices import Beside, Crossing, read_beside
from tests.builders import add_offering, add_plan, grant_of
from tests.conversing import BOUGHT, PRICE, THREAD, Hall, cover, open_hall, subscribe
from tests.fakes.clock import ManualClock


@pytest.fixture
async def hall(database: Database, database_url: str, clock: ManualClock) -> AsyncIterator[Hall]:
    async with open_hall(database, database_url, clock) as opened:
        yield opened


async def beside(hall: Hall, thread_id: str = THREAD, *, run_id: str | None = None) -> Beside:
    now = hall.clock.now()
    return await hall.database.read(lambda s: read_beside(s, thread_id, now=now, run_id=run_id))


async def asked(hall: Hall, thread_id: str = THREAD, *, account_id: int | None = None) -> Outcome:
    hall.clock.advance(1)
    answer = await hall.begin("What is 6 * 7?", thread_id=thread_id, account_id=account_id)
    return await answer.outcome()


async def with_credits_until(hall: Hall, ends_at: int) -> None:
    """Give the subscriber another pack, whose credits end."""

    def work(unit: Unit) -> None:
        plan = add_plan(unit.session, hall.shop.builder_id, title="Day pack")
        cover(unit, plan, hall.shop.offering_id)
        subscribe(unit, hall.shop.subscriber_id, plan, now=hall.clock.now(), ends_at=ends_at)
        unit.session.flush()
        unit.books.grant(grant_of(hall.shop, BOUGHT, plan=plan, expires_at=ends_at))

    await hall.database.run(work)


async def test_a_threshold_is_told_under_the_answer_that_crossed_it_and_no_other(
    hall: Hall,
) -> None:
    """All at one moment, so that only the wallet's version can tell the answers apart."""
    price = 2 * PRICE

    def dearer(unit: Unit) -> None:
        unit.session.get_one(Offering, hall.shop.offering_id).price = price

    await hall.database.run(dearer)
    runs = [(await hall.ask("What is 6 * 7?")).run_id for _ in range(BOUGHT // price)]

    low = Crossing(MilliCredits(price), MilliCredits(price))
    out = Crossing(MilliCredits(0), MilliCredits(price))
    assert (await beside(hall)).crossings == {runs[-2]: low, runs[-1]: out}
    assert (low.is_exhausted, out.is_exhausted) == (False, True)
    assert (await beside(hall, run_id=runs[-2])).crossings == {runs[-2]: low}
    assert (await beside(hall, run_id=runs[0])).crossings == {}


async def test_the_end_of_a_time_plan_is_told_once_a_day_in_its_last_days(hall: Hall) -> None:
    ends_at = hall.clock.now() + 40 * DAY
    account_id = await hall.pass_ending_at(ends_at)
    early = await asked(hall, "a", account_id=account_id)
    hall.clock.advance(37 * DAY + HOUR)
    first = await asked(hall, "a", account_id=account_id)
    second = await asked(hall, "a", account_id=account_id)
    elsewhere = await asked(hall, "b", account_id=account_id)
    hall.clock.advance(DAY)
    next_day = await asked(hall, "b", account_id=account_id)

    here, there = (await beside(hall, "a")).endings, (await beside(hall, "b")).endings
    assert set(here) == {first.run_id}
    assert set(there) == {next_day.run_id}
    assert {early.run_id, second.run_id, elsewhere.run_id}.isdisjoint({*here, *there})
    (ending,) = here[first.run_id]
    assert (ending.is_time, ending.ends_at) == (True, ends_at)


async def test_a_short_plan_says_so_in_its_last_tenth_only(hall: Hall) -> None:
    account_id = await hall.pass_ending_at(hall.clock.now() + 10 * HOUR)
    hall.clock.advance(8 * HOUR)
    await asked(hall, account_id=account_id)
    assert (await beside(hall)).endings == {}
    hall.clock.advance(HOUR)
    last = await asked(hall, account_id=account_id)
    assert set((await beside(hall)).endings) == {last.run_id}


async def test_credits_that_end_are_told_while_some_are_left(hall: Hall) -> None:
    ends_at = Micros(hall.clock.now() + 10 * HOUR)
    await with_credits_until(hall, ends_at)
    hall.clock.advance(9 * HOUR + 1)
    last = await asked(hall)
    (ending,) = (await beside(hall)).endings[last.run_id]
    assert (ending.plan_title, ending.is_time, ending.ends_at) == ("Day pack", False, ends_at)


async def test_the_last_question_can_be_asked_again_on_the_terms_of_now(hall: Hall) -> None:
    await asked(hall)
    last = await asked(hall)
    terms = (await beside(hall)).again
    assert terms is not None
    assert (terms.answer_id, terms.price, terms.is_included) == (last.answer_id, PRICE, False)

    account_id = await hall.pass_ending_at(hall.clock.now() + 20 * DAY)
    await asked(hall, "a", account_id=account_id)
    included = (await beside(hall, "a")).again
    assert included is not None
    assert (included.price, included.is_included) == (0, True)


async def test_an_assistant_of_a_plan_that_does_not_end_says_nothing(hall: Hall) -> None:
    def work(unit: Unit) -> None:
        plan = add_plan(unit.session, hall.shop.builder_id, kind=PlanKind.TIME)
        add_offering(unit.session, hall.shop.builder_id, plan)
        now = hall.clock.now()
        subscribe(unit, hall.shop.subscriber_id, plan, now=now, ends_at=now + 10 * HOUR)

    await hall.database.run(work)
    hall.clock.advance(9 * HOUR + 1)
    await asked(hall)
    assert (await beside(hall)).endings == {}
