"""Reading much from one snapshot: row after row, in the same memory however long the history.

PostgreSQL's driver would fetch a whole result before the first row; a cursor on the server does
not. SQLite computes row by row by itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import text
from sqlmodel import Session

_PAGE: Final = 1000
"""Rows fetched at a time."""

_ENTRIES: Final = """
    SELECT wallet_id, seq, version, kind, amount, balance_after, grant_id, hold_id, reverses,
      idempotency_key, created_at, hash
    FROM entry ORDER BY wallet_id, seq"""


def begin_snapshot(session: Session) -> None:
    """Let everything this session reads be of one moment: call it before anything is read."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))


@contextmanager
def reading_whole_tables(session: Session) -> Iterator[None]:
    """Let PostgreSQL join whole tables, and not look up one row for each row of another.

    It plans badly without statistics, which a restored or quickly grown database does not have.
    """
    is_server = session.get_bind().dialect.name == "postgresql"
    if is_server:
        session.execute(text("SET LOCAL enable_nestloop = off"))
    yield
    if is_server:
        session.execute(text("SET LOCAL enable_nestloop = on"))


def stream(session: Session, query: str, **values: object) -> Iterator[tuple[Any, ...]]:
    """The rows of a query, never all of them at once."""
    statement = text(query).execution_options(stream_results=True, yield_per=_PAGE)
    return iter(session.execute(statement, values))


def stream_entries(session: Session) -> Iterator[tuple[Any, ...]]:
    """Every entry by wallet and number: what `storage.chain.EntryLine` names, then its hash."""
    return stream(session, _ENTRIES)
