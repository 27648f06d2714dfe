"""What can go wrong with the memory itself, in words that do not name a driver.

StorageError
├── LedgerBusy      too much is waiting to be written; nothing was written; try again soon
├── LedgerDown      the database cannot be written to (disk full, connection lost): fail closed
└── NotMigrated     the tables are older or newer than this program
"""


class StorageError(Exception):
    """The memory could not do what was asked."""


class LedgerBusy(StorageError):
    """The queue of writes is full. Nothing of this request was written."""


class LedgerDown(StorageError):
    """The database refuses writes. Whether the last ones landed is unknown to their callers."""


class NotMigrated(StorageError):
    """The tables are not at the revision this program was written for."""
