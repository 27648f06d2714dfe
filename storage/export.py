"""The ledger's entries as JSON, for whoever wants to check or keep them elsewhere."""

from collections.abc import Iterator

from sqlmodel import Session, col, select

from storage.models.money import Entry


def export_entries(session: Session) -> Iterator[dict[str, str | int | None]]:
    """Every entry by wallet and number; amounts in milli-credits, times in µs, hashes in hex."""
    ordered = select(Entry).order_by(col(Entry.wallet_id), col(Entry.seq))
    for entry in session.exec(ordered.execution_options(yield_per=1000)):
        yield entry.model_dump(exclude={"hash"}) | {"hash": entry.hash.hex()}
