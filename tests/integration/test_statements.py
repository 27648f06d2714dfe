"""A statement adds up whatever happened, and says what each line is about; on both databases."""

from functools import partial
from itertools import accumulate, pairwise

import pytest

from storage.books import RefundCharge
from storage.chain import FIRST_HEAD
from storage.credits import MilliCredits
from storage.database import Database, Unit
from storage.models.money import Entry, EntryKind, GrantSource
from storage.moments import DAY, HOUR, Micros
from storage.statements import Statement, TooManyLines, statement
from tests.builders import Shop, add_account, add_plan, grant_of, hold_of, shop_with
from tests.fakes.clock import START
from tests.histories import DAYS, MIDNIGHT, Played, of_any_history
from tests.integration.test_books_holds import captured, opened


def adds_up(told: Statement) -> None:
    amounts = [line.amount for line in told.lines]
    assert told.opening + sum(amounts) == told.closing
    assert sum(told.totals.values()) == sum(amounts)
    balances = [line.balance_after for line in told.lines]
    assert balances == list(accumulate(amounts, initial=told.opening))[1:]


async def test_a_statement_adds_up_for_any_history_and_period(database: Database) -> None:
    def check(unit: Unit, played: Played) -> None:
        account_id, plans = played.shop.subscriber_id, (None, *played.plan_ids)
        edges = [Micros(MIDNIGHT + day * DAY) for day in range(DAYS + 1)]
        for plan_id in plans:
            told = [
                statement(unit.session, account_id, since=a, until=b, plan_id=plan_id)
                for a, b in pairwise(edges)
            ]
            whole = statement(
                unit.session, account_id, since=edges[0], until=edges[-1], plan_id=plan_id
            )
            for one in (*told, whole):
                adds_up(one)
            assert [line for one in told for line in one.lines] == list(whole.lines)
            assert [one.opening for one in told[1:]] == [one.closing for one in told[:-1]]
            assert (whole.opening, whole.closing) == (0, told[-1].closing)

    await of_any_history(database, check, examples=25)


async def test_the_plans_statements_together_are_the_wallets(database: Database) -> None:
    def check(unit: Unit, played: Played) -> None:
        whole, *of_plans = (
            statement(
                unit.session,
                played.shop.subscriber_id,
                since=MIDNIGHT,
                until=Micros(MIDNIGHT + DAYS * DAY),
                plan_id=plan_id,
            )
            for plan_id in (None, *played.plan_ids)
        )
        assert sum(one.closing for one in of_plans) == whole.closing
        seqs = sorted(line.seq for one in of_plans for line in one.lines)
        assert seqs == [line.seq for line in whole.lines if line.amount]

    await of_any_history(database, check, examples=10)


async def test_each_line_says_what_it_is_about(database: Database) -> None:
    shop = await shop_with(database, 9_000)
    hold = await opened(database, hold_of(shop, 5_000))
    await captured(database, shop, hold, 5_000)
    refund = RefundCharge(
        wallet_id=shop.wallet_id,
        hold_id=hold.hold_id,
        key="asked",
        amount=MilliCredits(2_000),
        now=Micros(START + HOUR),
    )
    await database.run(lambda unit: unit.books.refund(refund))

    told = await told_of(database, shop)

    grant, charge, refunded = told.lines
    assert (grant.kind, grant.amount, grant.source) == (
        EntryKind.GRANT, 9_000, GrantSource.OPERATOR
    )  # fmt: skip
    assert (charge.kind, charge.amount, charge.balance_after) == (EntryKind.CHARGE, -5_000, 4_000)
    assert (charge.receipt_id, charge.offering_title) == (hold.public_id, "An assistant")
    assert (refunded.amount, refunded.source) == (2_000, GrantSource.REFUND)
    assert (refunded.receipt_id, refunded.offering_title) == (hold.public_id, "An assistant")
    assert {line.plan_title for line in told.lines} == {"A pack"}
    assert (refunded.seq, refunded.created_at) == (3, START + HOUR)
    assert told.totals == {
        EntryKind.GRANT: 9_000,
        EntryKind.CHARGE: -5_000,
        EntryKind.REFUND: 2_000,
        EntryKind.EXPIRE: 0,
        EntryKind.REVOKE: 0,
    }
    assert (told.opening, told.closing) == (0, 6_000)


async def test_a_period_begins_with_its_first_moment_and_ends_before_its_last(
    database: Database,
) -> None:
    shop = await shop_with(database)
    edges = (START, Micros(START + DAY))
    moments = (START - 1, START, START + DAY - 1, START + DAY)

    def work(unit: Unit) -> None:
        for number, moment in enumerate(moments):
            unit.books.grant(grant_of(shop, 10**number, now=moment, effective_at=moment))

    await database.run(work)

    told = await told_of(database, shop, since=edges[0], until=edges[1])

    assert [line.amount for line in told.lines] == [10, 100]
    assert (told.opening, told.closing) == (1, 111)


async def test_a_period_is_closed_with_the_hash_of_its_last_entry(database: Database) -> None:
    shop = await shop_with(database, 1_000, 2_000)
    await database.run(lambda unit: unit.books.grant(grant_of(shop, 4_000, now=START + DAY)))

    first = await told_of(database, shop, until=Micros(START + HOUR))
    second = await told_of(database, shop, since=Micros(START + HOUR))
    empty = await told_of(database, shop, since=Micros(START + 2 * DAY))
    before = await told_of(database, shop, since=Micros(0), until=START)

    def hash_of(seq: int) -> bytes:
        return hashes[seq - 1]

    hashes = await database.read(
        lambda session: [
            bytes(session.get_one(Entry, (shop.wallet_id, seq)).hash) for seq in (1, 2, 3)
        ]
    )
    assert (first.head_seq, first.head, first.closing) == (2, hash_of(2), 3_000)
    assert (second.head_seq, second.head, second.opening) == (3, hash_of(3), 3_000)
    assert (empty.head_seq, empty.head, empty.lines) == (3, hash_of(3), ())
    assert (before.head_seq, before.head, before.closing) == (0, FIRST_HEAD, 0)


async def test_an_account_without_a_wallet_has_an_empty_statement(database: Database) -> None:
    def work(unit: Unit) -> tuple[int, int]:
        account_id = add_account(unit.session)
        return account_id, add_plan(unit.session, account_id).plan_id

    account_id, plan_id = await database.run(work)
    for plan in (None, plan_id):
        told = await database.read(
            partial(statement, account_id=account_id, since=START, until=MIDNIGHT, plan_id=plan)
        )
        assert (told.wallet_id, told.opening, told.lines, told.closing) == (None, 0, (), 0)


async def test_too_long_a_statement_is_refused_with_its_length(database: Database) -> None:
    shop = await shop_with(database, 1, 2, 3)

    told = await told_of(database, shop, most=3)
    with pytest.raises(TooManyLines) as refused:
        await told_of(database, shop, most=2)

    assert (len(told.lines), refused.value.lines) == (3, 3)


async def told_of(
    database: Database,
    shop: Shop,
    *,
    since: Micros = START,
    until: Micros = Micros(START + 30 * DAY),
    most: int | None = None,
) -> Statement:
    return await database.read(
        lambda session: statement(session, shop.subscriber_id, since=since, until=until, most=most)
    )
