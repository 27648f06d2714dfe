"""What guards the ledger's tables against stray writes: `BooksRow`, which they all extend.

The guard comes with the class, so nobody can have a table of the ledger without it: whoever writes
a row of it through the ORM, by the row or by a statement, is refused and their unit with it. A
`version_id_col` on `wallet.version` would not do: it refuses only who wrote *late*, and counts the
version up itself for everybody else. `storage.books` passes, because it uses no ORM.
"""

from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState, Session
from sqlmodel import SQLModel


class StrayWrite(Exception):
    """A fault of ours: the ORM was told to write a table that only the books may write."""


class BooksRow(SQLModel):
    """A row that is written by `storage.books` alone; the ORM reads it."""


def _refuse_row(_mapper: object, _connection: object, row: BooksRow) -> None:
    raise StrayWrite(f"{row.__tablename__} is written by storage.books alone")


def _refuse_statement(state: ORMExecuteState) -> None:
    """The same for `update(Wallet)` and its like, which no row's event sees."""
    if not (state.is_insert or state.is_update or state.is_delete):
        return
    table = getattr(getattr(state.statement, "table", None), "name", None)
    if any(table == kind.__tablename__ for kind in BooksRow.__subclasses__()):
        raise StrayWrite(f"{table} is written by storage.books alone")


for _moment in ("before_insert", "before_update", "before_delete"):
    event.listen(BooksRow, _moment, _refuse_row, propagate=True)  # to every table made of it
event.listen(Session, "do_orm_execute", _refuse_statement)
