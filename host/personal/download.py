"""All that is kept of one person, in one archive: JSON for programs, CSV for spreadsheets.

The archive is made while it is sent: at no time is more of it in memory than a page of rows, or
one file that was uploaded. It holds no secret: neither passwords nor cookies are kept in a form
that could be read, and sealed keys stay sealed.
"""

import io
import json
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from typing_extensions import override

from host.clock import Clock
from host.files.names import safe_name
from host.language import N_, _
from host.personal.csv_text import csv_line
from host.personal.records import Table, files_table, iso, tables_of, usage_table
from storage.accounts import AccountRecord, find_account
from storage.attachments import find_content
from storage.credits import format_credits
from storage.database import Database
from storage.ledger import balances, daily_cap, find_wallet
from storage.moments import Micros, to_datetime

CHUNK: Final = 64 * 1024
"""Characters or bytes of a file written at a time."""

ABOUT: Final = N_(
    """\
This archive holds what {public_url} keeps about the account {email}, as of {now}.

profile.json         name, address, roles, balance by plan, daily limit
purchases            every order: the plan, how you got it, its price, what was refunded
receipts             every message and call, what it cost and what came back
usage                every line of your wallet's history, numbered without a gap
conversations        your conversations, by number
messages             what was said in them, by you and by the assistants
files                files you sent and pictures drawn for you; they themselves are in files/
deletions            conversations you deleted that their provider has not deleted yet
access_tokens        the names and dates of your access tokens (the tokens themselves are not kept)
reports              what you reported or asked back, and what was answered
drafts               assistants and services you were describing

Each of these but the profile is there twice: as .json for programs and as .csv for spreadsheets.
Credits are decimal numbers, money is in the smallest unit of its currency, moments are in UTC.
Passwords, cookies and keys are not in it: of passwords and cookies only a fingerprint is kept, and
keys are sealed.
"""
)


class Download:
    """Makes the archive of one person's data."""

    def __init__(self, database: Database, clock: Clock, *, public_url: str) -> None:
        self._database = database
        self._clock = clock
        self._public_url = public_url

    async def usage_csv(self, account_id: int) -> AsyncIterator[bytes]:
        """The wallet's whole history as CSV."""
        table = usage_table(self._database, account_id)
        async for text in _in_chunks(_csv(table)):
            yield text.encode()

    async def archive(self, account_id: int) -> AsyncIterator[bytes]:
        """The ZIP archive, piece by piece."""
        account = await self._database.read(lambda s: find_account(s, account_id))
        assert account is not None, "whose data it is has been checked"
        sink = _Sink()
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in self._files(account):
                with self._entry(archive, name) as entry:
                    async for part in _in_chunks(text):
                        entry.write(part.encode("utf-8", "replace"))
                        if piece := sink.taken():
                            yield piece
            async for name, content in self._uploads(account_id):
                # As it is: pictures and documents are compressed already.
                with self._entry(archive, name, zipfile.ZIP_STORED) as entry:
                    for start in range(0, len(content), CHUNK):
                        entry.write(content[start : start + CHUNK])
                        yield sink.taken()
        yield sink.taken()

    async def _uploads(self, account_id: int) -> AsyncIterator[tuple[str, bytes]]:
        """The files that were uploaded, one at a time."""
        async for row in files_table(self._database, account_id).rows():
            file_id, name = str(row["file"]), safe_name(str(row["name"]))
            content = await self._database.read(partial(find_content, attachment_id=file_id))
            if content is not None:  # it was not deleted meanwhile
                yield f"files/{file_id}-{name}", content

    def _files(self, account: AccountRecord) -> Iterator[tuple[str, AsyncIterator[str]]]:
        yield "about.txt", self._about(account)
        yield "profile.json", self._profile(account)
        for table in tables_of(self._database, account.id):
            yield f"{table.name}.json", _json(table)
            yield f"{table.name}.csv", _csv(table)

    @contextmanager
    def _entry(
        self, archive: zipfile.ZipFile, name: str, kind: int = zipfile.ZIP_DEFLATED
    ) -> Iterator[Any]:
        made = to_datetime(self._clock.now())
        info = zipfile.ZipInfo(f"farebox/{name}", made.timetuple()[:6])
        info.compress_type = kind
        with archive.open(info, "w", force_zip64=True) as entry:  # its size is not known before
            yield entry

    async def _about(self, account: AccountRecord) -> AsyncIterator[str]:
        now = iso(self._clock.now())
        yield _(ABOUT, public_url=self._public_url, email=account.email, now=now)

    async def _profile(self, account: AccountRecord) -> AsyncIterator[str]:
        now = self._clock.now()
        left, cap, wallet = await self._database.read(
            lambda s: (
                balances(s, account.id, now),
                daily_cap(s, account.id, now),
                find_wallet(s, account.id),
            )
        )
        told = {
            "email": account.email,
            "name": account.name,
            "roles": sorted(account.roles),
            "created_at": iso(Micros(account.created_at)),
            "wallet": wallet,
            "available": format_credits(sum(line.available for line in left)),
            "daily_limit": None if cap is None else format_credits(cap.cap),
        }
        yield json.dumps(told, indent=2, ensure_ascii=False) + "\n"


class _Sink(io.RawIOBase):
    """Takes what the archive writes, until somebody takes it away."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    @override
    def writable(self) -> bool:
        return True

    @override
    def write(self, piece: Any) -> int:
        self._pieces.append(bytes(piece))
        return len(piece)

    def taken(self) -> bytes:
        """All that was written since the last time."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


async def _json(table: Table) -> AsyncIterator[str]:
    mark = "[\n"
    async for row in table.rows():
        yield mark + json.dumps(row, ensure_ascii=False)
        mark = ",\n"
    yield "[]\n" if mark == "[\n" else "\n]\n"


async def _csv(table: Table) -> AsyncIterator[str]:
    yield csv_line(table.columns)
    async for row in table.rows():
        yield csv_line(_cell(row[name]) for name in table.columns)


def _cell(value: Any) -> str | int | float | None:
    if value is None or isinstance(value, str | int | float):
        return value
    return json.dumps(value, ensure_ascii=False)


async def _in_chunks(parts: AsyncIterator[str]) -> AsyncIterator[str]:
    """The same text in fewer, larger pieces."""
    waiting: list[str] = []
    length = 0
    async for part in parts:
        waiting.append(part)
        length += len(part)
        if length >= CHUNK:
            yield "".join(waiting)
            waiting, length = [], 0
    yield "".join(waiting)
