"""One person's records as rows of words: what the download holds, and the usage as CSV.

Read page by page, each on a snapshot of its own, and handed on row by row: what is kept may be
larger than what a process should remember at once. Credits are decimal numbers of credits
and moments ISO 8601 in UTC, as the API writes them.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol, TypeAlias

from sqlmodel import Session

from host.errors import credits_number
from storage import personal
from storage.concerns import concerns_of
from storage.database import Database
from storage.moments import NEVER, Micros, to_datetime
from storage.tokens import list_access_tokens
from storage.usage import UsageLine, usage_after

Record: TypeAlias = Mapping[str, Any]


class Page(Protocol):
    """Reads so many rows after some place."""

    def __call__(self, session: Session, account_id: int, after: Any) -> list[Record]:
        """The rows; the last one's `cursor` is where the next page begins, if there is one."""
        ...


USAGE: Final = (
    "at", "kind", "offering", "title", "plan", "plan_title", "operation", "credits",
    "balance_after", "receipt",
)  # fmt: skip

FILES: Final = (
    "file", "conversation", "message", "name", "media_type", "size", "uploaded_at", "sent_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Table:
    """One kind of record: its name, its columns, and how it is read."""

    name: str
    columns: tuple[str, ...]
    rows: Callable[[], AsyncIterator[Record]]


def tables_of(database: Database, account_id: int) -> tuple[Table, ...]:
    """Everything that is kept of one person, but for the profile."""

    def paged(name: str, columns: tuple[str, ...], page: Page) -> Table:
        return Table(name, columns, lambda: _paged(database, account_id, page, columns))

    return (
        paged(
            "purchases",
            (
                "order", "plan", "title", "kind", "how", "state", "amount_minor", "currency",
                "refunded_minor", "ordered_at", "starts_at", "ends_at",
            ),
            personal.orders_page,
        ),
        paged(
            "receipts",
            (
                "receipt", "operation", "state", "offering", "title", "charged", "refunded",
                "created_at", "ended_at",
            ),
            personal.receipts_page,
        ),
        usage_table(database, account_id),
        paged(
            "conversations",
            ("conversation", "title", "offering", "assistant", "created_at", "updated_at"),
            personal.conversations_page,
        ),
        paged(
            "messages",
            ("conversation", "message", "created_at", "speaker", "text"),
            personal.messages_page,
        ),
        files_table(database, account_id),
        paged(
            "deletions",
            ("conversation", "provider", "deleted_at", "tries", "tried_again_at"),
            personal.deletions_page,
        ),
        paged(
            "access_tokens",
            ("name", "offering", "created_at", "expires_at", "revoked_at", "last_used_at"),
            _tokens,
        ),
        paged(
            "reports",
            ("kind", "receipt", "state", "text", "note", "created_at", "closed_at"),
            _concerns,
        ),
        paged("drafts", ("draft", "state", "fields", "created_at", "updated_at"), _drafts),
    )  # fmt: skip


def usage_table(database: Database, account_id: int) -> Table:
    """The wallet's whole history, the oldest first."""
    return Table("usage", USAGE, lambda: _paged(database, account_id, _usage, USAGE))


def files_table(database: Database, account_id: int) -> Table:
    """The files that were uploaded, sent or not, without their bytes."""
    return Table("files", FILES, lambda: _paged(database, account_id, personal.files_page, FILES))


async def _paged(
    database: Database, account_id: int, page: Page, columns: tuple[str, ...]
) -> AsyncIterator[Record]:
    after: Any = None
    while True:
        rows = await database.read(partial(page, account_id=account_id, after=after))
        for row in rows:
            yield {name: _written(name, row.get(name)) for name in columns}
        if not rows or rows[-1].get("cursor") is None:
            return
        after = rows[-1]["cursor"]


def _usage(session: Session, account_id: int, after: Any) -> list[Record]:
    lines = usage_after(session, account_id, after=after or 0, most=personal.PAGE)
    return [{"cursor": line.seq, **_usage_row(line)} for line in lines]


def _usage_row(line: UsageLine) -> Record:
    return {
        "at": line.created_at,
        "kind": line.kind.value,
        "offering": line.offering_slug,
        "title": line.offering_title,
        "plan": line.plan_slug,
        "plan_title": line.plan_title,
        "operation": None if line.operation is None else line.operation.value,
        "credits": line.amount,
        "balance_after": line.balance_after,
        "receipt": line.receipt_id,
    }


def _tokens(session: Session, account_id: int, after: Any) -> list[Record]:
    return [
        {
            "name": line.name,
            "offering": line.offering_slug,
            "created_at": line.created_at,
            "expires_at": line.expires_at,
            "revoked_at": line.revoked_at,
            "last_used_at": line.last_used_at,
        }
        for line in list_access_tokens(session, account_id)
    ]


def _concerns(session: Session, account_id: int, after: Any) -> list[Record]:
    return [
        {
            "kind": line.kind.value,
            "receipt": line.receipt_id,
            "state": line.state.value,
            "text": line.text,
            "note": line.note,
            "created_at": line.created_at,
            "closed_at": line.closed_at,
        }
        for line in concerns_of(session, account_id)
    ]


def _drafts(session: Session, account_id: int, after: Any) -> list[Record]:
    return list(personal.drafts_page(session, account_id, after))


_CREDITS: Final = frozenset({"credits", "balance_after", "charged", "refunded"})


def _written(name: str, value: Any) -> Any:
    """Amounts and moments as the API writes them; everything else as it is."""
    if value is None:
        return None
    if name in _CREDITS:
        return credits_number(int(value))
    if name == "at" or name.endswith("_at"):
        return None if value >= NEVER else iso(Micros(value))
    return value


def iso(moment: Micros) -> str:
    """A moment as programs read it."""
    return to_datetime(moment).isoformat(timespec="seconds")
