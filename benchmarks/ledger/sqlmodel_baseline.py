"""What one would write with SQLModel: a session for each request, read, check, subtract, commit.

This is the pattern of tutorials, with the library's own defaults: its pool, its transactions. On
SQLite it reads outside the transaction that writes, so two callers may subtract from the same
balance; `PlainBooks` says how often. On PostgreSQL it locks the wallet's row, and is right.
`DefaultPattern` does for each message what ours does, a hold and its capture, each durable before
the next step; `DefaultDebit` only subtracts. Neither has grants, versions or a chain.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

from sqlalchemy import BigInteger, event, func
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from typing_extensions import override

from benchmarks.ledger.contestants import GIVEN, PRICE


class _Base(SQLModel, registry=registry()):
    """Apart from Farebox's own tables."""


class PlainWallet(_Base, table=True):
    """A balance."""

    __tablename__ = "plain_wallet"

    id: int | None = Field(default=None, primary_key=True)
    balance: int = Field(sa_type=BigInteger)
    held: int = Field(default=0, sa_type=BigInteger)


class PlainHold(_Base, table=True):
    """What a message may cost, until it is captured."""

    __tablename__ = "plain_hold"

    id: int | None = Field(default=None, primary_key=True)
    wallet_id: int = Field(foreign_key="plain_wallet.id")
    amount: int = Field(sa_type=BigInteger)
    state: str = "open"
    idempotency_key: str = Field(unique=True)


class PlainEntry(_Base, table=True):
    """A charge."""

    __tablename__ = "plain_entry"

    id: int | None = Field(default=None, primary_key=True)
    wallet_id: int = Field(foreign_key="plain_wallet.id", index=True)
    amount: int = Field(sa_type=BigInteger)
    idempotency_key: str = Field(unique=True)


@dataclass(frozen=True, slots=True)
class PlainBooks:
    """What was written down, and what left the balances: amounts in milli-credits."""

    recorded: int
    taken: int

    @property
    def charges(self) -> int:
        """How many messages are recorded as charged."""
        return self.recorded // PRICE

    @property
    def lost(self) -> int:
        """How many of them never left a balance."""
        return (self.recorded - self.taken) // PRICE


class PlainLedger:
    """A database of plain wallets, each with the same balance to begin with."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine

    @classmethod
    async def open(cls, address: str, wallets: int) -> "PlainLedger":
        """Make the tables in the database at this address, and the wallets, numbered from 1."""
        url = make_url(address)
        if url.get_backend_name() == "sqlite":
            engine = create_async_engine(url.set(drivername="sqlite+aiosqlite"))
            event.listen(engine.sync_engine, "connect", _as_durable_as_ours)
        else:
            engine = create_async_engine(url.set(drivername="postgresql+psycopg"))
        async with engine.begin() as connection:
            await connection.run_sync(_Base.metadata.create_all)
        async with AsyncSession(engine) as session:
            for number in range(1, wallets + 1):
                session.add(PlainWallet(id=number, balance=GIVEN))
            await session.commit()
        return cls(engine)

    async def books(self, wallet_ids: Sequence[int]) -> PlainBooks:
        """What became of these wallets."""
        async with AsyncSession(self.engine) as session:
            recorded = await session.exec(
                select(func.coalesce(func.sum(PlainEntry.amount), 0)).where(
                    col(PlainEntry.wallet_id).in_(wallet_ids)
                )
            )
            left = await session.exec(
                select(func.sum(PlainWallet.balance)).where(col(PlainWallet.id).in_(wallet_ids))
            )
            taken = len(wallet_ids) * GIVEN - int(left.one())
            return PlainBooks(recorded=int(recorded.one()), taken=taken)

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


class DefaultDebit:
    """Read the wallet, check, subtract, add an entry, commit."""

    def __init__(self, ledger: PlainLedger, wallet_ids: Sequence[int]) -> None:
        self._engine = ledger.engine
        self._wallet_ids = wallet_ids
        self._is_locking = ledger.engine.dialect.name == "postgresql"
        self.errors: Counter[str] = Counter()

    async def message(self, number: int) -> bool:
        """Charge a message; whatever the database refuses is counted, as a server would log it."""
        try:
            await self._charge(self._wallet_ids[number % len(self._wallet_ids)])
        except SQLAlchemyError as error:  # a lock that was not to be had, a pool that is empty
            self.errors[str(getattr(error, "orig", None) or type(error).__name__)] += 1
            return False
        return True

    async def _charge(self, wallet_id: int) -> None:
        async with AsyncSession(self._engine) as session:
            wallet = await self._wallet(session, wallet_id)
            if wallet.balance < PRICE:
                raise LookupError("the benchmark gave too little")
            wallet.balance -= PRICE
            session.add(_entry(wallet_id))
            await session.commit()

    async def _wallet(self, session: AsyncSession, wallet_id: int) -> PlainWallet:
        asked = select(PlainWallet).where(PlainWallet.id == wallet_id)
        if self._is_locking:
            asked = asked.with_for_update()
        return (await session.exec(asked)).one()


class DefaultPattern(DefaultDebit):
    """Read, check, add to what is held, commit; read, subtract, add an entry, commit."""

    @override
    async def _charge(self, wallet_id: int) -> None:
        await self._capture(wallet_id, await self._hold(wallet_id))

    async def _hold(self, wallet_id: int) -> int:
        async with AsyncSession(self._engine) as session:
            wallet = await self._wallet(session, wallet_id)
            if wallet.balance - wallet.held < PRICE:
                raise LookupError("the benchmark gave too little")
            wallet.held += PRICE
            hold = PlainHold(wallet_id=wallet_id, amount=PRICE, idempotency_key=str(uuid4()))
            session.add(hold)
            await session.flush()
            assert hold.id is not None, "it has been sent"
            hold_id = hold.id
            await session.commit()
            return hold_id

    async def _capture(self, wallet_id: int, hold_id: int) -> None:
        async with AsyncSession(self._engine) as session:
            wallet = await self._wallet(session, wallet_id)
            hold = await session.get_one(PlainHold, hold_id)
            hold.state = "captured"
            wallet.held -= hold.amount
            wallet.balance -= hold.amount
            session.add(_entry(wallet_id))
            await session.commit()


def _entry(wallet_id: int) -> PlainEntry:
    return PlainEntry(wallet_id=wallet_id, amount=PRICE, idempotency_key=str(uuid4()))


def _as_durable_as_ours(connection: DBAPIConnection, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()
