"""How credits come into a wallet and go out of it by time, on both databases."""

from storage.books import HoldOpened
from storage.database import Database, Unit
from storage.ledger import balances
from storage.models.money import GrantSource
from storage.moments import DAY, Micros
from tests.builders import Shop, add_account, add_plan, add_shop, grant_of, hold_of
from tests.fakes.clock import START


async def spendable(database: Database, shop: Shop, now: int) -> int:
    plans = (shop.plan.plan_id,)
    return await database.run(
        lambda unit: unit.books.available(shop.wallet_id, plans, Micros(now))
    )


async def test_a_subscriber_has_one_wallet(database: Database) -> None:
    def work(unit: Unit) -> list[int]:
        one, two = add_account(unit.session), add_account(unit.session)
        return [unit.books.open_wallet(subscriber) for subscriber in (one, two, one)]

    first, other, again = await database.run(work)

    assert first == again
    assert first != other


async def test_the_same_source_grants_its_credits_once(database: Database) -> None:
    shop = await database.run(add_shop)
    gift = grant_of(shop, 100_000, source_ref="42")

    first = await database.run(lambda unit: unit.books.grant(gift))
    again = await database.run(lambda unit: unit.books.grant(gift))
    trial = await database.run(
        lambda unit: unit.books.grant(
            grant_of(shop, 1_000, source=GrantSource.TRIAL, source_ref="42")
        )
    )

    assert (first.is_new, again.is_new, trial.is_new) == (True, False, True)
    assert (again.grant_id, again.version) == (first.grant_id, first.version)
    assert await spendable(database, shop, START) == 101_000


async def test_credits_can_be_spent_from_the_moment_they_take_effect_until_their_end(
    database: Database,
) -> None:
    shop = await database.run(add_shop)
    begin, end = START + DAY, START + 2 * DAY
    await database.run(
        lambda unit: unit.books.grant(grant_of(shop, 5_000, effective_at=begin, expires_at=end))
    )

    moments = (begin - 1, begin, end - 1, end)
    assert [await spendable(database, shop, now) for now in moments] == [0, 5_000, 5_000, 0]


async def test_the_sweeper_takes_what_is_left_of_a_grant_past_its_time(
    database: Database,
) -> None:
    shop = await database.run(add_shop)
    await database.run(
        lambda unit: unit.books.grant(grant_of(shop, 5_000, expires_at=START + DAY))
    )

    swept = [
        await database.run(lambda unit, at=at: unit.books.sweep(Micros(at)))  # type: ignore[misc]
        for at in (START + DAY - 1, START + DAY, START + DAY)
    ]

    assert [once.grants for once in swept] == [0, 1, 0]


async def test_one_sweep_takes_no_more_than_it_was_told(database: Database) -> None:
    def work(unit: Unit) -> None:
        for _ in range(3):
            shop = add_shop(unit)
            unit.books.grant(grant_of(shop, 5_000, expires_at=START + DAY))

    await database.run(work)

    sizes = [
        (await database.run(lambda unit: unit.books.sweep(Micros(START + DAY), most=2))).grants
        for _ in range(3)
    ]
    assert sizes == [2, 1, 0]


async def test_balances_are_told_plan_by_plan(database: Database) -> None:
    def work(unit: Unit) -> tuple[Shop, int]:
        shop = add_shop(unit)
        other = add_plan(unit.session, shop.builder_id)
        unit.books.grant(grant_of(shop, 5_000))
        unit.books.grant(grant_of(shop, 7_000, expires_at=START + DAY))
        unit.books.grant(grant_of(shop, 1_000, plan=other))
        unit.books.grant(grant_of(shop, 9_000, plan=other, effective_at=START + DAY))
        assert isinstance(unit.books.open_hold(hold_of(shop, 2_000)), HoldOpened)
        return shop, other.plan_id

    shop, other_plan = await database.run(work)

    told = await database.read(lambda session: balances(session, shop.subscriber_id, START))
    assert {line.plan_id: (line.available, line.held) for line in told} == {
        shop.plan.plan_id: (10_000, 2_000),
        other_plan: (1_000, 0),
    }
    assert told[0].expires_at == START + DAY
