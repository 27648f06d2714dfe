"""A ledger that was in use is carried over: its history stays, and it verifies afterwards."""

from alembic import command
from sqlalchemy import text

from storage.database import Database
from storage.migrate import _config, _transaction, upgrade
from storage.moments import DAY
from tests.databases import Databases
from tests.fakes.clock import START

YESTERDAY = START - DAY
FIRST_HASH = bytes(32)


def insert(table: str, **values: object) -> tuple[str, dict[str, object]]:
    columns = ", ".join(values)
    places = ", ".join(f":{column}" for column in values)
    return f"INSERT INTO {table} ({columns}) VALUES ({places})", values  # noqa: S608 - our own


def charge(seq: int, amount: int, created_at: int) -> tuple[str, dict[str, object]]:
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
        hash=FIRST_HASH,
    )


async def test_what_was_spent_on_the_day_of_the_upgrade_counts_against_a_cap_set_after_it(
    databases: Databases, database_kind: str
) -> None:
    with databases.fresh(database_kind, is_migrated=False) as address:
        with _transaction(address) as connection:
            command.upgrade(_config(connection), "0001")
            if database_kind == "postgresql":  # the entries' grant and holds are not needed
                connection.execute(text("SET LOCAL session_replication_role = replica"))
            for statement, values in (
                *(
                    insert(
                        "account",
                        id=number,
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
                        id=number,
                        subscriber_id=number,
                        credits=100,
                        debits=0,
                        held=0,
                        seq=0,
                        version=0,
                        head=FIRST_HASH,
                        last_at=START,
                    )
                    for number in (1, 2)
                ),
                charge(1, 7, YESTERDAY),
                charge(2, 20, START),
                charge(3, 3, START),
            ):
                connection.execute(text(statement), values)

        upgrade(address)

        database = Database.open(address)
        spent = await database.read(
            lambda session: session.execute(
                text("SELECT id, spent_day, spent FROM wallet ORDER BY id")
            ).all()
        )
        await database.close()

    assert [tuple(line) for line in spent] == [(1, START // DAY, 23), (2, 0, 0)]
