"""The ledger's entries as JSON, for whoever wants to check or keep them elsewhere."""

from collections.abc import Iterator
from dataclasses import fields

from sqlmodel import Session

from storage.chain import EntryLine
from storage.snapshots import stream_entries


def export_entries(session: Session) -> Iterator[dict[str, str | int | None]]:
    """Every entry by wallet and number; amounts in milli-credits, times in µs, hashes in hex.

    Take them one at a time while the session is open: together they may not fit in memory.
    """
    names = (*(field.name for field in fields(EntryLine)), "hash")
    for *parts, digest in stream_entries(session):
        yield dict(zip(names, (*parts, bytes(digest).hex()), strict=True))
