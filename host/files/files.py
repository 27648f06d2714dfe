"""Keeps what people upload, lends it to who owns it, and removes what was never sent.

The bytes are in the database, so that backups and every replica have them, and a deleted
conversation takes them along. A file is checked before anything of it is kept; what is sent with
a message, and whether its assistant takes it, is checked again when the message is.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from host.clock import Clock
from host.errors import UnknownFile
from host.files.limits import check_content, check_kind, check_room, check_size
from host.files.names import safe_name
from host.files.sniffing import sniff
from host.identity.throttle import Throttle
from host.language import N_, _
from storage import attachments
from storage.cards import OfferingCard
from storage.database import Database, Snapshot, Unit
from storage.file_kinds import Accepts
from storage.ids import new_id
from storage.models.conversations import Attachment
from storage.moments import HOUR, Micros
from storage.subscriptions import lock_wallet

UNSENT_LIFE: Final = HOUR
REFUSED_MAX: Final = 30
"""Files that one account may have refused within a quarter of an hour."""
QUARTER_S: Final = 15 * 60


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file with its bytes."""

    attachment: Attachment
    content: bytes = field(repr=False)


class Files:
    """The files of this installation."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._refused = Throttle(
            clock,
            most=REFUSED_MAX,
            window_s=QUARTER_S,
            sentence=N_("Too many of your files could not be taken. Nothing was kept."),
        )

    async def keep(
        self, account_id: int, thread_id: str, card: OfferingCard, *, name: str, content: bytes
    ) -> str:
        """Keep a file that is to be sent in this thread to this assistant. Returns its id.

        Raises:
            UnsupportedFile: it is empty, nothing we know, or nothing the assistant takes.
            PayloadTooLarge: it is too large, or too much waits to be sent or is kept already.
            RateLimited: too many files of this account were refused just now.
        """
        key = str(account_id)
        self._refused.spend(key)
        file_id = await self._keep(account_id, thread_id, card, name=name, content=content)
        self._refused.give_back(key)
        return file_id

    async def _keep(
        self, account_id: int, thread_id: str, card: OfferingCard, *, name: str, content: bytes
    ) -> str:
        name = safe_name(name)
        check_size(len(content), name)
        accepts = card.assistant.accepts if card.assistant else Accepts.NONE
        sniffed = check_content(await asyncio.to_thread(sniff, content), name)
        check_kind(sniffed.kind, accepts, title=card.title)
        attachment = Attachment(
            id=new_id(),
            account_id=account_id,
            thread_id=thread_id,
            name=name,
            kind=sniffed.kind.value,
            media_type=sniffed.media_type,
            size=len(content),
            width=sniffed.width,
            height=sniffed.height,
            created_at=self._clock.now(),
        )
        await self._database.run(lambda unit: _add(unit, attachment, content))
        return attachment.id

    async def find(self, file_id: str, *, account_id: int) -> KeptFile:
        """A file of this account.

        Raises:
            UnknownFile: there is none of that id, or it is somebody else's.
        """

        def look(session: Snapshot) -> KeptFile | None:
            found = attachments.find_attachments(session, [file_id])
            if not found or found[0].account_id != account_id:
                return None
            content = attachments.find_content(session, file_id)
            return None if content is None else KeptFile(found[0], content)

        kept = await self._database.read(look)
        if kept is None:
            raise UnknownFile(_("There is no such file."))
        return kept

    async def sweep(self) -> int:
        """Remove what was uploaded an hour ago, not sent and not kept; how many it was."""
        before = Micros(self._clock.now() - UNSENT_LIFE)
        return await self._database.run(
            lambda unit: attachments.forget_unsent(unit.session, before=before)
        )


def _add(unit: Unit, attachment: Attachment, content: bytes) -> None:
    # Of files uploaded at once, each has to see the ones before it.
    lock_wallet(unit.session, unit.books.open_wallet(attachment.account_id))
    waiting = attachments.waiting_of(unit.session, attachment.account_id)
    sent = attachments.bytes_sent_by(unit.session, attachment.account_id)
    check_room(
        kept=waiting.size + sent,
        unsent=waiting.size,
        unsent_count=waiting.count,
        size=attachment.size,
    )
    attachments.add_attachment(unit.session, attachment, content)
