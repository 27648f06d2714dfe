"""What the ledger tells: receipts, and holds nobody is working on any more."""

from storage import leases
from storage.books import HoldOpened
from storage.credits import HoldState, MilliCredits
from storage.database import Database, Unit
from storage.ledger import Receipt, open_holds_of_dead_owners, receipt
from storage.models.conversations import Run, Thread
from storage.moments import HOUR, MINUTE, Micros
from tests.builders import Shop, add_plan, add_shop, grant_of, hold_of, shop_with
from tests.fakes.clock import START
from tests.integration.test_books_holds import captured, opened, released


async def read_receipt(database: Database, public_id: str) -> Receipt | None:
    return await database.read(lambda session: receipt(session, public_id))


async def test_a_receipt_tells_what_was_paid_for_what_and_by_which_plan(
    database: Database,
) -> None:
    def work(unit: Unit) -> Shop:
        shop = add_shop(unit)
        other = add_plan(unit.session, shop.builder_id, title="Unused pack")
        unit.books.grant(grant_of(shop, 4_000))
        unit.books.grant(grant_of(shop, 4_000, plan=other))
        both = (shop.plan.plan_id, other.plan_id)
        hold = unit.books.open_hold(hold_of(shop, 8_000, plan_ids=both))
        assert isinstance(hold, HoldOpened)
        holds.append(hold)
        return shop

    holds: list[HoldOpened] = []
    shop = await database.run(work)
    before = await read_receipt(database, holds[0].public_id)
    await captured(database, shop, holds[0], 3_000, START + MINUTE)
    after = await read_receipt(database, holds[0].public_id)

    assert before is not None
    assert (before.state, before.ended_at) == (HoldState.OPEN, None)
    assert before.plan_titles == ("A pack", "Unused pack")
    assert after is not None
    assert (after.state, after.ended_at) == (HoldState.CAPTURED, START + MINUTE)
    assert (after.held, after.captured, after.shortfall) == (8_000, 3_000, 0)
    assert after.plan_titles == ("A pack",)
    assert (after.account_id, after.offering_title) == (shop.subscriber_id, "An assistant")


async def test_the_receipt_of_a_message_knows_its_run(database: Database) -> None:
    shop = await shop_with(database, 5_000)
    hold = await opened(database, hold_of(shop, 5_000, run_id="run-1"))
    await released(database, shop, hold)

    def remember_run(unit: Unit) -> None:
        unit.session.add(Thread(id="thread-1", created_at=START, updated_at=START))
        unit.session.flush()
        unit.session.add(
            Run(
                id="run-1",
                thread_id="thread-1",
                account_id=shop.subscriber_id,
                offering_id=shop.offering_id,
                question_id="question-1",
                answer_id="answer-1",
                provider="responses",
                receipt_id=hold.public_id,
                price=5_000,
                balance_after=5_000,
                included_until=START + HOUR,
                owner="this process",
                created_at=START,
            )
        )

    await database.run(remember_run)
    told = await read_receipt(database, hold.public_id)

    assert told is not None
    assert (told.run_id, told.balance_after, told.included_until) == (
        "run-1",
        5_000,
        START + HOUR,
    )


async def test_there_is_no_receipt_under_an_unknown_id(database: Database) -> None:
    assert await read_receipt(database, "no such receipt") is None


async def test_holds_of_a_process_without_a_living_lease_are_found(database: Database) -> None:
    shop = await shop_with(database, 50_000)
    until = Micros(START + MINUTE)

    def work(unit: Unit) -> None:
        leases.take(unit.session, "living", now=START, expires_at=Micros(START + HOUR))
        leases.take(unit.session, "stalled", now=START, expires_at=until)
        for owner in ("living", "stalled", "long gone"):
            unit.books.open_hold(hold_of(shop, 1_000, owner=owner, expires_at=START + HOUR))
        ended = unit.books.open_hold(hold_of(shop, 1_000, owner="long gone"))
        assert isinstance(ended, HoldOpened)
        ended_holds.append(ended)

    ended_holds: list[HoldOpened] = []
    await database.run(work)
    await captured(database, shop, ended_holds[0], MilliCredits(1_000))

    async def left_by(now: int) -> list[str]:
        lines = await database.read(lambda s: open_holds_of_dead_owners(s, Micros(now)))
        return [line.owner for line in lines]

    assert await left_by(until - 1) == ["long gone"]
    assert await left_by(until) == ["stalled", "long gone"]


async def test_a_lease_lives_as_long_as_it_is_renewed(database: Database) -> None:
    until, later = Micros(START + MINUTE), Micros(START + HOUR)
    await database.run(lambda unit: leases.take(unit.session, "me", now=START, expires_at=until))

    async def dead(now: Micros) -> tuple[str, ...]:
        return await database.read(lambda session: leases.dead_owners(session, now))

    assert (await dead(Micros(until - 1)), await dead(until)) == ((), ("me",))
    assert await database.run(lambda u: leases.renew(u.session, "me", expires_at=later))
    assert await dead(until) == ()
    await database.run(lambda unit: leases.drop(unit.session, "me"))
    assert await dead(later) == ()
    assert not await database.run(lambda u: leases.renew(u.session, "me", expires_at=later))
