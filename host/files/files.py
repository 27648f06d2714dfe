"""Keeps what people upload, lends it to who owns it, and removes what was never sent.

The bytes are in the database, so that backups and every replica have them, and a deleted
conversation takes them along. A file is checked before anything of it is kept; what is sent with
a message, and whether its assistant takes it, is checked again when the message is.
"""

from dataclasses import dataclass, field
from typing import Final

from host.clock import Clock
from host.errors import PayloadTooLarge, UnknownFile
from host.files.limits import (
    UNSENT_BYTES_MAX,
    UNSENT_MAX,
    check_content,
    check_kind,
    check_size,
)
from host.files.names import safe_name
from host.files.sniffing import sniff
from storage import attachments
from storage.cards import OfferingCard
from storage.database import Database, Snapshot, Unit
from storage.file_kinds import Accepts
from storage.ids import new_id
from storage.models.conversations import Attachment
from storage.moments import HOUR, Micros

UNSENT_LIFE: Final = HOUR


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file with its bytes."""

    attachment: Attachment
    content: bytes = field(repr=False)


class Files:
    """The files of this installation."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def keep(
        self, account_id: int, thread_id: str, card: OfferingCard, *, name: str, content: bytes
    ) -> str:
        """Keep a file that is to be sent in this thread to this assistant. Returns its id.

        Raises:
            UnsupportedFile: it is empty, nothing we know, or nothing the assistant takes.
            PayloadTooLarge: it is too large, or too much waits to be sent already.
        """
        name = safe_name(name)
        check_size(len(content), name)
        accepts = card.assistant.accepts if card.assistant else Accepts.NONE
        sniffed = check_content(sniff(content), name)
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
            raise UnknownFile("There is no such file.")
        return kept

    async def sweep(self) -> int:
        """Remove what was uploaded an hour ago, not sent and not kept; how many it was."""
        before = Micros(self._clock.now() - UNSENT_LIFE)
        return await self._database.run(
            lambda unit: attachments.forget_unsent(unit.session, before=before)
        )


def _add(unit: Unit, attachment: Attachment, content: bytes) -> None:
    waiting = attachments.waiting_of(unit.session, attachment.account_id)
    if waiting.count >= UNSENT_MAX or waiting.size + attachment.size > UNSENT_BYTES_MAX:
        raise PayloadTooLarge(
            "You have uploaded much that you have not sent. Send it, or wait an hour: what is not"
            " sent by then is removed, unless it is kept with a message; that goes with its"
            " conversation. Nothing was kept."
        )
    attachments.add_attachment(unit.session, attachment, content)
