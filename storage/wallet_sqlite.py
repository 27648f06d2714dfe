"""One wallet's row and history on SQLite, as the ledger's verbs read and write them.

A verb reads the wallet first, changes that copy, appends entries to it and saves it once, last.
The statements are constants and therefore prepared once. Nothing here decides anything:
`storage.books_sqlite` and `storage.corrections_sqlite` do, inside a transaction that
`storage.writer` began.
"""

import sqlite3
from dataclasses import dataclass
from typing import Any, Final

from storage.chain import EntryLine, entry_hash
from storage.models.money import EntryKind, WalletChangeKind
from storage.moments import Micros

_WALLET: Final = (
    "SELECT id, credits, debits, held, seq, version, head, last_at, spent_day, spent, daily_cap,"
    " operator_cap FROM wallet WHERE id = ?"
)
_SAVE_WALLET: Final = (
    "UPDATE wallet SET credits = ?, debits = ?, held = ?, seq = ?, version = ?, head = ?,"
    " last_at = ?, spent_day = ?, spent = ?, daily_cap = ?, operator_cap = ? WHERE id = ?"
)
_APPEND: Final = (
    "INSERT INTO entry (wallet_id, seq, version, kind, amount, balance_after, grant_id, hold_id,"
    " reverses, idempotency_key, created_at, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_CHANGE: Final = (
    "INSERT INTO wallet_change (wallet_id, version, kind, grant_id, amount, created_at)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)


@dataclass(slots=True)
class WalletRow:
    """A wallet's row while a verb changes it."""

    id: int
    credits: int
    debits: int
    held: int
    seq: int
    version: int
    head: bytes
    last_at: int
    spent_day: int
    spent: int
    daily_cap: int | None
    operator_cap: int | None

    @property
    def cap(self) -> int | None:
        """The most that may be spent in a day: of its owner's and the operator's, the smaller."""
        caps = [cap for cap in (self.daily_cap, self.operator_cap) if cap is not None]
        return min(caps, default=None)

    def spent_on(self, day: int) -> int:
        """What the charges of that day come to: nothing, when the last charge was before it."""
        return self.spent if self.spent_day == day else 0


class SqliteWallets:
    """Wallets on one SQLite connection, in a transaction somebody else began."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def wallet(self, wallet_id: int, now: Micros) -> WalletRow:
        """The wallet, at `now` or at its last change: a clock set back reorders no history."""
        for row in self.rows(_WALLET, wallet_id):
            wallet = WalletRow(*row)
            wallet.last_at = max(wallet.last_at, now)
            return wallet
        raise LookupError(f"there is no wallet {wallet_id}")

    def append(  # noqa: PLR0913 - an entry has that many parts
        self,
        wallet: WalletRow,
        kind: EntryKind,
        amount: int,
        *,
        grant_id: int | None = None,
        hold_id: int | None = None,
        reverses: int | None = None,
        key: str | None = None,
    ) -> None:
        """Write the wallet's next entry."""
        wallet.seq += 1
        wallet.version += 1
        wallet.credits += max(amount, 0)
        wallet.debits -= min(amount, 0)
        line = EntryLine(
            wallet.id,
            wallet.seq,
            wallet.version,
            kind,
            amount,
            wallet.credits - wallet.debits,
            grant_id,
            hold_id,
            reverses,
            key,
            wallet.last_at,
        )
        wallet.head = entry_hash(wallet.head, line)
        self.do(
            _APPEND,
            *(line.wallet_id, line.seq, line.version, line.kind, line.amount, line.balance_after),
            *(grant_id, hold_id, reverses, key, line.created_at, wallet.head),
        )

    def change(
        self,
        wallet: WalletRow,
        kind: WalletChangeKind,
        *,
        grant_id: int | None = None,
        amount: int | None = None,
    ) -> None:
        """Number a change that moves no credits."""
        wallet.version += 1
        self.do(_CHANGE, wallet.id, wallet.version, kind, grant_id, amount, wallet.last_at)

    def save(self, wallet: WalletRow) -> None:
        """Write the wallet's row back."""
        self.do(
            _SAVE_WALLET,
            *(wallet.credits, wallet.debits, wallet.held, wallet.seq, wallet.version),
            *(wallet.head, wallet.last_at, wallet.spent_day, wallet.spent),
            *(wallet.daily_cap, wallet.operator_cap, wallet.id),
        )

    def do(self, statement: str, *values: object) -> int:
        """Run a statement that writes. Returns the id of the row it inserted, if it did."""
        return self._connection.execute(statement, values).lastrowid or 0

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a statement that reads."""
        return self._connection.execute(statement, values).fetchall()
