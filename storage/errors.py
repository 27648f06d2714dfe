"""What can go wrong with the memory itself, in words that do not name a driver.

StorageError
├── LedgerBusy      too much is waiting to be written; nothing was written; try again soon
├── LedgerDown      the database cannot be used (file or connection lost): fail closed
│   ├── Unreachable   it never was: its text says where and why, in whole sentences
│   └── LedgerBroken  the writer has stopped for good (disk full, failed fsync): restart
├── UnfitValue      a value that no row can hold, such as U+0000 on PostgreSQL; nothing was written
└── NotMigrated     the tables are older or newer than this program
    └── NoTables      there are none at all: a new installation, or a mistyped place

StatementBroke stands apart: a fault of ours, for the log.
"""


class StorageError(Exception):
    """The memory could not do what was asked."""


class LedgerBusy(StorageError):
    """The queue of writes is full. Nothing of this request was written."""


class LedgerDown(StorageError):
    """The database refuses writes. Whether the last ones landed is unknown to their callers."""


class Unreachable(LedgerDown):
    """There is no database to connect to; the text is for the operator, and without passwords."""


class LedgerBroken(LedgerDown):
    """A commit failed, and what the disk kept of it is unknown until the file is opened again.

    This process writes nothing more, however long it is asked to; only a restart helps. What was
    answered before is there; what is answered with this is there whole, or not at all.
    """


class UnfitValue(StorageError):
    """Something that was sent cannot be kept or looked for: whoever sent it has to change it."""


class NotMigrated(StorageError):
    """The tables are not at the revision this program was written for."""


class NoTables(NotMigrated):
    """There is no database of Farebox where it was looked for; the text says where."""


class StatementBroke(Exception):
    """A statement was refused by a rule of the tables; says which, and never with what values.

    PostgreSQL's own text quotes the row, which may hold anything that people wrote.
    """
