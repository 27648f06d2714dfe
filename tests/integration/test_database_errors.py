"""What a statement that fails tells outside: which it was, and never what it was given."""

import traceback
from collections.abc import Callable

import pytest
from sqlalchemy import text
from sqlmodel import Session, select

from storage.database import Database, Unit
from storage.errors import StatementBroke, StorageError, UnfitValue
from storage.migrate import _transaction
from storage.models.accounts import Account
from tests.builders import add_account

SECRET = "words-that-somebody-wrote"


def twice(unit: Unit) -> None:
    for _ in range(2):
        add_account(unit.session, email=SECRET, name=SECRET)


def into_nowhere(session: Session) -> None:
    session.execute(text("SELECT nothing FROM nowhere WHERE it = :it"), {"it": SECRET})


@pytest.mark.parametrize("work", [twice, lambda unit: into_nowhere(unit.session)])
async def test_a_write_that_breaks_does_not_quote_what_was_written(
    database: Database, work: Callable[[Unit], None]
) -> None:
    with pytest.raises(Exception) as broken:  # noqa: PT011 - its text is what is looked at
        await database.run(work)
    told = "".join(traceback.format_exception(broken.value))
    assert "INSERT INTO account" in told or "FROM nowhere" in told
    assert SECRET not in told


async def test_a_read_that_breaks_does_not_quote_what_was_looked_for(database: Database) -> None:
    with pytest.raises((StatementBroke, StorageError)) as broken:
        await database.read(into_nowhere)
    assert SECRET not in "".join(traceback.format_exception(broken.value))


def test_an_upgrade_that_breaks_does_not_quote_values(database_url: str) -> None:
    with pytest.raises(Exception) as broken, _transaction(database_url) as connection:  # noqa: PT011
        connection.execute(text("SELECT nothing FROM nowhere WHERE it = :it"), {"it": SECRET})
    assert SECRET not in "".join(traceback.format_exception(broken.value))


async def test_text_that_postgresql_cannot_hold_is_called_so(
    database: Database, database_kind: str
) -> None:
    def look(session: Session) -> None:
        session.exec(select(Account).where(Account.email == "a\x00b")).first()

    def write(unit: Unit) -> None:
        add_account(unit.session, email="a\x00b")

    if database_kind == "sqlite":  # holds it like any other
        await database.run(write)
        return
    with pytest.raises(UnfitValue):
        await database.read(look)
    with pytest.raises(UnfitValue):
        await database.run(write)
