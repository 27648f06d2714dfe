"""What a driver's error is called outside, in the words of `storage.errors`.

The driver's own text may quote what was written, so it is never kept: the kind of error is, and
the name of the rule that was broken.
"""

import sqlite3
from typing import Final

from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError

from storage.errors import LedgerBusy, LedgerDown, StatementBroke, StorageError, UnfitValue

_READ_ONLY: Final = "25006"
"""What PostgreSQL says after a failover to a standby: the server is at fault, no statement."""
_TRY_AGAIN: Final = frozenset({"40001", "40P01", "55P03", "57014"})
"""PostgreSQL's codes for who waited too long or for each other: nothing of this was written."""


def in_our_words(error: DBAPIError) -> Exception:
    """What a statement that failed through SQLAlchemy is called."""
    match error:
        case OperationalError() | InterfaceError() if not is_our_fault(error.orig):
            return trouble(error.orig)
        case _ if is_read_only(error.orig):
            return LedgerDown(type(error.orig).__name__)
        case DataError():
            return UnfitValue("a value is none that the database can hold")
        case _:
            return StatementBroke(
                f"{type(error.orig).__name__} {_rule_of(error.orig)}: {error.statement}"
            )


def trouble(error: BaseException | None) -> StorageError:
    """What the driver's error means for whoever wanted to write or read."""
    if is_locked(error) or getattr(error, "sqlstate", None) in _TRY_AGAIN:
        return LedgerBusy()
    return LedgerDown(type(error).__name__)


def is_locked(error: BaseException | None) -> bool:
    """Whether another program's lock on the file is all that was wrong."""
    code = getattr(error, "sqlite_errorcode", None)  # extended: the low byte is the kind
    return code is not None and code & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def is_read_only(error: BaseException | None) -> bool:
    """Whether PostgreSQL was asked to write where nobody can: perhaps another server can."""
    return getattr(error, "sqlstate", None) == _READ_ONLY


def is_our_fault(error: BaseException | None) -> bool:
    """Whether SQLite could not understand the statement: it calls that operational too."""
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR


def _rule_of(error: BaseException | None) -> str:
    """The name of the rule that was broken: a name of ours, never a value."""
    if isinstance(error, sqlite3.IntegrityError):
        return str(error)  # SQLite names constraints and columns, and quotes no row
    return getattr(getattr(error, "diag", None), "constraint_name", None) or ""
