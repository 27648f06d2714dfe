"""Code that writes a balance past the books is stopped, and nothing of its unit lands."""

from collections.abc import Callable

import pytest
from sqlmodel import Session, col, delete, insert, select, update

from storage.books import HoldOpened
from storage.database import Database, Unit
from storage.models.accounts import Account
from storage.models.books_rows import BooksRow, StrayWrite
from storage.models.money import Allocation, CreditGrant, Entry, Hold, Wallet
from tests.architecture.ledger_writes import TABLES
from tests.builders import Shop, add_account, add_shop, grant_of, hold_of

Stray = Callable[[Session], object]
EMAIL = "with-it@example.com"


def spend_twice(session: Session) -> None:
    session.exec(select(Wallet)).one().held -= 1_000


def count_the_version_up_as_well(session: Session) -> None:
    wallet = session.exec(select(Wallet)).one()
    wallet.credits, wallet.version = wallet.credits + 1_000, wallet.version + 1


def give_back(session: Session) -> None:
    session.exec(select(CreditGrant)).one().remaining += 1_000


def forget_a_hold(session: Session) -> None:
    session.delete(session.exec(select(Hold)).one())


def bear_more(session: Session) -> None:
    session.exec(select(Allocation)).one().amount += 1


def open_a_second_wallet(session: Session) -> None:
    session.add(Wallet(subscriber_id=add_account(session)))


def rewrite_history(session: Session) -> None:
    session.exec(select(Entry)).one().amount = 1


STRAYS: list[Stray] = [
    spend_twice,
    count_the_version_up_as_well,
    give_back,
    forget_a_hold,
    bear_more,
    open_a_second_wallet,
    rewrite_history,
]
STATEMENTS = {
    "an update": update(Wallet).values(held=0),
    # SQLModel does not declare that its classes have a table.
    "an update of the table": Wallet.__table__.update().values(held=0),  # type: ignore[attr-defined]
    "a deletion": delete(Allocation).where(col(Allocation.amount) > 0),
    "an insertion": insert(Wallet).values(subscriber_id=1),
}


def opened(unit: Unit) -> Shop:
    shop = add_shop(unit)
    unit.books.grant(grant_of(shop, 10_000))
    assert isinstance(unit.books.open_hold(hold_of(shop, 1_000)), HoldOpened)
    return shop


@pytest.mark.parametrize("stray", STRAYS, ids=lambda stray: str(stray.__name__))
async def test_a_stray_write_of_a_row_fails_and_takes_its_unit_along(
    database: Database, stray: Stray
) -> None:
    await refused_with_its_unit(database, stray)


@pytest.mark.parametrize("kind", STATEMENTS)
async def test_a_stray_statement_fails_and_takes_its_unit_along(
    database: Database, kind: str
) -> None:
    await refused_with_its_unit(database, lambda session: session.execute(STATEMENTS[kind]))


def test_every_table_of_the_ledger_is_guarded() -> None:
    assert {kind.__tablename__ for kind in BooksRow.__subclasses__()} == set(TABLES)


async def refused_with_its_unit(database: Database, stray: Stray) -> None:
    shop = await database.run(opened)

    def work(unit: Unit) -> None:
        add_account(unit.session, email=EMAIL)
        stray(unit.session)

    with pytest.raises(StrayWrite):
        await database.run(work)
    with_it = select(Account).where(Account.email == EMAIL)
    assert await database.read(lambda session: session.exec(with_it).first()) is None
    again = await database.run(lambda unit: unit.books.open_hold(hold_of(shop, 9_000)))
    assert isinstance(again, HoldOpened)
    assert again.available == 0
