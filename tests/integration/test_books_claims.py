"""What was held when it was to be taken back is taken as it comes back, on both databases."""

import asyncio

import pytest
from sqlalchemy import text

from storage.books import Granted
from storage.credits import GrantState
from storage.database import Database
from storage.moments import DAY, HOUR, Micros
from tests.builders import TOMORROW, Shop, add_shop, hold_of
from tests.fakes.clock import START
from tests.integration.test_books_corrections import granted, revoked
from tests.integration.test_books_holds import available, captured, opened, released


async def claimed(database: Database, grant: Granted) -> int:
    statement = text("SELECT claimed FROM credit_grant WHERE id = :id")
    return await database.read(
        lambda s: int(s.execute(statement, {"id": grant.grant_id}).scalar_one())
    )


async def entered(database: Database, shop: Shop) -> list[tuple[str, int]]:
    """The wallet's history but for what it was granted."""
    statement = text(
        "SELECT kind, amount FROM entry WHERE wallet_id = :id AND kind <> 'grant' ORDER BY seq"
    )
    return await database.read(
        lambda s: [(kind, amount) for kind, amount in s.execute(statement, {"id": shop.wallet_id})]
    )


@pytest.mark.parametrize(
    ("used", "entries", "left"),
    [
        pytest.param(0, [("revoke", -50), ("revoke", -10)], 40, id="nothing"),
        pytest.param(30, [("revoke", -50), ("charge", -30), ("revoke", -10)], 10, id="a part"),
        pytest.param(45, [("revoke", -50), ("charge", -45), ("revoke", -5)], 0, id="most"),
        pytest.param(50, [("revoke", -50), ("charge", -50)], 0, id="all"),
    ],
)
async def test_what_a_hold_does_not_use_is_taken_up_to_the_target(
    database: Database, used: int, entries: list[tuple[str, int]], left: int
) -> None:
    shop = await database.run(add_shop)
    grant = await granted(database, shop, 100)
    hold = await opened(database, hold_of(shop, 50))

    answer = await revoked(database, shop, grant, 60)
    assert (answer.state, answer.taken, answer.revoked) == (GrantState.ACTIVE, 50, 50)
    assert (await available(database, shop), await claimed(database, grant)) == (0, 10)

    end = await (captured(database, shop, hold, used) if used else released(database, shop, hold))
    assert (end.captured, end.available) == (used, left)
    assert await entered(database, shop) == entries
    assert await claimed(database, grant) == 0


async def test_told_again_or_of_less_the_claim_is_the_same_and_of_more_it_grows(
    database: Database,
) -> None:
    shop = await database.run(add_shop)
    grant = await granted(database, shop, 100)
    hold = await opened(database, hold_of(shop, 100))

    told = [await revoked(database, shop, grant, target) for target in (60, 60, 30, 70)]

    assert [one.version for one in told] == [
        hold.version + 1, hold.version + 1, hold.version + 1, hold.version + 2
    ]  # fmt: skip
    assert {one.taken for one in told} == {0}
    await released(database, shop, hold)
    assert await available(database, shop) == 30
    again = await revoked(database, shop, grant, 70)
    assert (again.taken, again.revoked) == (0, 70)


async def test_what_one_hold_has_used_is_claimed_of_the_others(database: Database) -> None:
    shop = await database.run(add_shop)
    grant = await granted(database, shop, 100)
    first, second, third = [await opened(database, hold_of(shop, 30)) for _ in range(3)]

    await revoked(database, shop, grant, 60)
    assert await claimed(database, grant) == 50
    await captured(database, shop, first, 30)
    assert await claimed(database, grant) == 50
    await captured(database, shop, second, 30)
    assert await claimed(database, grant) == 30
    await released(database, shop, third)

    assert await entered(database, shop) == [
        ("revoke", -10), ("charge", -30), ("charge", -30), ("revoke", -30)
    ]  # fmt: skip


async def test_what_is_claimed_is_revoked_also_when_the_grant_has_expired(
    database: Database,
) -> None:
    shop = await database.run(add_shop)
    grant = await granted(database, shop, 100, expires_at=TOMORROW)
    hold = await opened(database, hold_of(shop, 100, expires_at=START + 2 * DAY))
    await revoked(database, shop, grant, 60)
    await database.run(lambda unit: unit.books.sweep(TOMORROW))

    await released(database, shop, hold, TOMORROW)

    assert await entered(database, shop) == [("revoke", -60), ("expire", -40)]


async def test_of_a_grant_that_has_expired_what_is_still_held_can_be_claimed(
    database: Database,
) -> None:
    shop = await database.run(add_shop)
    grant = await granted(database, shop, 100, expires_at=TOMORROW)
    hold = await opened(database, hold_of(shop, 80, expires_at=START + 2 * DAY))
    await database.run(lambda unit: unit.books.sweep(TOMORROW))

    answer = await revoked(database, shop, grant, 100, TOMORROW)
    await captured(database, shop, hold, 30, TOMORROW)

    assert (answer.state, answer.taken) == (GrantState.EXPIRED, 0)
    assert await entered(database, shop) == [("expire", -20), ("charge", -30), ("revoke", -50)]


async def test_what_a_hold_gives_up_by_time_is_taken_too(database: Database) -> None:
    shop = await database.run(add_shop)
    grant = await granted(database, shop, 100)
    await opened(database, hold_of(shop, 100))
    await revoked(database, shop, grant, 60)

    await database.run(lambda unit: unit.books.sweep(Micros(START + HOUR)))

    assert await entered(database, shop) == [("revoke", -60)]
    assert await available(database, shop, START + HOUR) == 40


async def test_a_revocation_beside_a_release_takes_the_same_whichever_is_first(
    database: Database,
) -> None:
    for _ in range(5):
        shop = await database.run(add_shop)
        grant = await granted(database, shop, 100)
        hold = await opened(database, hold_of(shop, 90))
        async with asyncio.timeout(20):
            await asyncio.gather(
                revoked(database, shop, grant, 60), released(database, shop, hold)
            )
        assert await available(database, shop) == 40
        assert await claimed(database, grant) == 0
