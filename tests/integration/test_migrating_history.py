"""A ledger that was in use is carried over: its history stays, and it verifies afterwards.

The history is written by hand as the program of the first revision left it, since that program is
gone: the hashes are the chain's, and every id is the database's own next one.
"""

from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from typing import Final

import pytest
import pytest_asyncio
from alembic import command
from sqlalchemy import TextClause, text
from sqlalchemy.exc import DatabaseError
from sqlmodel import Session

from storage.books import HoldReplayed, RefundCharge, Refunded
from storage.chain import FIRST_HEAD, EntryLine, entry_hash
from storage.credits import HoldState, MilliCredits
from storage.database import Database
from storage.errors import StatementBroke
from storage.ids import new_id
from storage.ledger import receipt
from storage.migrate import _config, _transaction, upgrade
from storage.models.money import GrantSource
from storage.moments import DAY, MINUTE, NEVER
from tests.builders import PlanIds, Shop, grant_of, hold_of
from tests.databases import Databases, verify_ledger
from tests.fakes.clock import START
from tests.integration.test_books_holds import ending, opened

YESTERDAY = START - DAY
ODD: Final = '№ 7: it\'s "odd"; 100% \\ :so \x1f – 日本 🎟'
"""A key as a client may send it."""
SHOP: Final = Shop(
    builder_id=1,
    subscriber_id=2,
    wallet_id=1,
    offering_id=1,
    plan=PlanIds(plan_id=1, version_id=1),
)
RECEIPTS: Final = {name: new_id() for name in ("charged", "open", "released", "included")}
"""What people could quote before the upgrade, in the order of their holds."""
Statement = tuple[str, dict[str, object]]


def insert(table: str, **values: object) -> Statement:
    columns = ", ".join(values)
    places = ", ".join(f":{column}" for column in values)
    return f"INSERT INTO {table} ({columns}) VALUES ({places})", values  # noqa: S608 - our own


def charge(seq: int, amount: int, created_at: int) -> Statement:
    return insert(
        "entry",
        wallet_id=1,
        seq=seq,
        version=seq,
        kind="charge",
        amount=-amount,
        balance_after=100 - amount,
        grant_id=1,
        hold_id=seq,
        created_at=created_at,
        hash=FIRST_HEAD,
    )


def shop() -> Iterator[Statement]:
    """Whom and what a paid message stands on."""
    for name in ("builder", "subscriber"):
        email = f"{name}@example.com"
        yield insert("account", email=email, name=name, state="active", created_at=YESTERDAY)
    sold = {"owner_id": 1, "description": "", "created_at": YESTERDAY}
    yield insert("plan", slug="pack", title="A pack", state="active", **sold)
    yield insert(
        "plan_version",
        plan_id=1,
        number=1,
        kind="credits",
        price_minor=500,
        currency="USD",
        credits=10_000,
        is_trial=False,
        created_at=YESTERDAY,
    )
    yield insert(
        "offering",
        slug="chat",
        kind="assistant",
        title="A chat",
        state="published",
        **{"tags": "[]", "starters": "[]", "price": 5_000, **sold},
    )


def wallet_in_use() -> Iterator[Statement]:
    """Two grants; a charge on both, a hold still open, one released, one that cost nothing."""
    entries = list(chained())
    yield insert(
        "wallet",
        subscriber_id=2,
        credits=14_000,
        debits=5_000,
        held=3_000,
        seq=5,
        version=12,
        head=entries[-1][1]["hash"],
        last_at=START,
    )
    for source, amount, expires_at, remaining, held, cost in (
        (GrantSource.OPERATOR, 10_000, NEVER, 6_000, 3_000, (500, "USD")),
        (GrantSource.TRIAL, 4_000, START + 30 * DAY, 0, 0, (None, None)),
    ):
        yield insert(
            "credit_grant",
            wallet_id=1,
            plan_id=1,
            plan_version_id=1,
            source=source.value,
            source_ref=ODD,
            priority=0,
            effective_at=YESTERDAY,
            expires_at=expires_at,
            amount=amount,
            remaining=remaining,
            held=held,
            revoked=0,
            state="active",
            cost_minor=cost[0],
            currency=cost[1],
        )
    yield from holds()
    for hold_id, grant_id, amount in ((1, 2, 4_000), (1, 1, 2_000), (2, 1, 3_000), (3, 1, 2_000)):
        yield insert("allocation", hold_id=hold_id, grant_id=grant_id, wallet_id=1, amount=amount)
    yield from entries


def holds() -> Iterator[Statement]:
    for name, state, amount, captured, at, versions in (
        ("charged", "captured", 6_000, 5_000, YESTERDAY, (3, 6)),
        ("open", "open", 3_000, 0, START, (7, None)),
        ("released", "released", 2_000, 0, START, (8, 9)),
        ("included", "captured", 0, 0, START, (10, 12)),
    ):
        yield insert(
            "hold",
            public_id=RECEIPTS[name],
            wallet_id=1,
            operation="message",
            idempotency_key=f"{name} {ODD}",
            fingerprint=name.encode().ljust(16),
            offering_id=1,
            run_id=f"run {name}",
            owner="a process",
            amount=amount,
            captured=captured,
            shortfall=0,
            state=state,
            created_at=at,
            expires_at=START + MINUTE,
            ended_at=None if state == "open" else at,
            opened_version=versions[0],
            ended_version=versions[1],
        )


def chained() -> Iterator[Statement]:
    """The entries, each hashed with the one before."""
    head, balance = FIRST_HEAD, 0
    for seq, (version, kind, amount, grant_id, hold_id, key, at) in enumerate(
        (
            (1, "grant", 10_000, 1, None, f"operator:{ODD}", YESTERDAY),
            (2, "grant", 4_000, 2, None, f"trial:{ODD}", YESTERDAY),
            (4, "charge", -4_000, 2, 1, None, YESTERDAY),
            (5, "charge", -1_000, 1, 1, None, YESTERDAY),
            (11, "charge", 0, None, 4, None, START),
        ),
        start=1,
    ):
        balance += amount
        line = EntryLine(
            wallet_id=1,
            seq=seq,
            version=version,
            kind=kind,
            amount=amount,
            balance_after=balance,
            grant_id=grant_id,
            hold_id=hold_id,
            reverses=None,
            idempotency_key=key,
            created_at=at,
        )
        head = entry_hash(head, line)
        yield insert("entry", **asdict(line), hash=head)


def made_by_the_first_program(address: str, *statements: Statement, is_whole: bool = True) -> None:
    """The tables of the first revision, and these rows in them."""
    with _transaction(address) as connection:
        command.upgrade(_config(connection), "0001")
        if not is_whole and connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        for statement, values in statements:
            connection.execute(text(statement), values)


@pytest_asyncio.fixture
async def carried_over(databases: Databases, database_kind: str) -> AsyncIterator[Database]:
    """A ledger in use, after the upgrade. What the test adds must add up with what was there."""
    with databases.fresh(database_kind, is_migrated=False) as address:
        made_by_the_first_program(address, *shop(), *wallet_in_use())
        upgrade(address)
        database = Database.open(address)
        try:
            yield database
            await verify_ledger(database)
        finally:
            await database.close()


async def test_a_receipt_from_before_the_upgrade_is_found_and_the_history_verifies(
    carried_over: Database,
) -> None:
    def told(session: Session) -> dict[str, object]:
        receipts = {name: receipt(session, public_id) for name, public_id in RECEIPTS.items()}
        return {
            name: found
            and (found.state, found.held, found.captured, found.run_id, found.created_at)
            for name, found in receipts.items()
        }

    report = await verify_ledger(carried_over)

    assert (report.wallets, report.entries) == (1, 5)
    assert await carried_over.read(told) == {
        "charged": (HoldState.CAPTURED, 6_000, 5_000, "run charged", YESTERDAY),
        "open": (HoldState.OPEN, 3_000, 0, "run open", START),
        "released": (HoldState.RELEASED, 2_000, 0, "run released", START),
        "included": (HoldState.CAPTURED, 0, 0, "run included", START),
    }


async def test_what_the_upgrade_found_goes_on_after_it(carried_over: Database) -> None:
    """The open hold is replayed and captured, the charge refunded; new ids follow the old."""
    again = hold_of(SHOP, 3_000, key=f"open {ODD}", fingerprint=b"open".ljust(16))
    replayed = await carried_over.run(lambda unit: unit.books.open_hold(again))
    assert isinstance(replayed, HoldReplayed)
    assert (replayed.hold_id, replayed.public_id) == (2, RECEIPTS["open"])

    end = ending(SHOP, replayed.hold_id)
    ended = await carried_over.run(lambda unit: unit.books.capture(end, MilliCredits(3_000)))
    assert (ended.state, ended.captured, ended.available) == (HoldState.CAPTURED, 3_000, 6_000)

    granted = await carried_over.run(lambda unit: unit.books.grant(grant_of(SHOP, 1_000)))
    assert (granted.grant_id, granted.version) == (3, 15)
    assert (await opened(carried_over, hold_of(SHOP, 7_000))).hold_id == 5
    refund = RefundCharge(wallet_id=1, hold_id=1, key=ODD, amount=MilliCredits(5_000), now=START)
    assert isinstance(await carried_over.run(lambda unit: unit.books.refund(refund)), Refunded)


async def test_what_refers_to_a_hold_still_does_after_the_upgrade(
    carried_over: Database, database_kind: str
) -> None:
    if database_kind == "sqlite":  # nobody was looking while the hold's table was made anew
        check = text("PRAGMA foreign_key_check")
        assert not await carried_over.read(lambda session: session.execute(check).all())
    for hold_id in (3, 4):  # an allocation refers to the one, an entry to the other
        await refused(carried_over, text(f"DELETE FROM hold WHERE id = {hold_id}"))  # noqa: S608 - our own number


async def refused(database: Database, statement: TextClause) -> None:
    with pytest.raises((DatabaseError, StatementBroke), match=r"(?i)foreign ?key"):
        await database.run(lambda unit: unit.session.execute(statement))


async def test_what_was_spent_on_the_day_of_the_upgrade_counts_against_a_cap_set_after_it(
    databases: Databases, database_kind: str
) -> None:
    with databases.fresh(database_kind, is_migrated=False) as address:
        made_by_the_first_program(
            address,
            *(
                insert(
                    "account",
                    email=f"{number}@example.com",
                    name="",
                    state="active",
                    created_at=START,
                )
                for number in (1, 2)
            ),
            *(
                insert(
                    "wallet",
                    subscriber_id=number,
                    credits=100,
                    debits=0,
                    held=0,
                    seq=0,
                    version=0,
                    head=FIRST_HEAD,
                    last_at=START,
                )
                for number in (1, 2)
            ),
            *(charge(1, 7, YESTERDAY), charge(2, 20, START), charge(3, 3, START)),
            is_whole=False,  # the entries' grant and holds are not needed
        )
        upgrade(address)

        database = Database.open(address)
        spent = await database.read(
            lambda session: session.execute(
                text("SELECT id, spent_day, spent FROM wallet ORDER BY id")
            ).all()
        )
        await database.close()

    assert [tuple(line) for line in spent] == [(1, START // DAY, 23), (2, 0, 0)]
