"""A message that was refused for want of a plan or of credits, and what was noted about it.

There is no table of them. Its text is the step that the chat drew of it, and its files wait with
it (`storage.attachments`); who refused it, a step too, notes which message that was and for whom.
Nobody but the host writes that note: a browser can neither change a step nor choose what is noted
with one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid5

from sqlmodel import Session

from storage.attachments import kept_with
from storage.models.conversations import Attachment, Message, Step, Thread

NOTE: Final = "kept"
"""Where a refusal notes what it kept, in its step's metadata."""
SENDING: Final = UUID("5a2f6f0e-7d3b-5c1e-9a44-0c6f5b1d2e73")
"""Makes of a refusal's id the id of the message that it becomes when it is sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptMessage:
    """What was kept, and the name under which it is sent: always the same one, so only once."""

    text: str | None
    """None when the message has been deleted since."""
    offering_slug: str
    sent_as: str
    is_sent: bool
    files: Sequence[Attachment] = ()


def note_of(message_id: str, offering_slug: str) -> dict[str, dict[str, str]]:
    """What a refusal's step is to note."""
    return {NOTE: {"message": message_id, "offering": offering_slug}}


def find_kept(
    session: Session, refusal_id: str, *, thread_id: str, account_id: int
) -> KeptMessage | None:
    """What this refusal kept; None if it kept nothing, or is not in this thread of theirs."""
    thread, refusal = session.get(Thread, thread_id), session.get(Step, refusal_id)
    if thread is None or thread.account_id != account_id:
        return None
    if refusal is None or refusal.thread_id != thread_id:
        return None
    note = (refusal.extra.get("metadata") or {}).get(NOTE)
    if note is None:
        return None
    asked = session.get(Step, note["message"])
    sent_as = str(uuid5(SENDING, refusal_id))
    return KeptMessage(
        text=asked.output if asked is not None and asked.thread_id == thread_id else None,
        offering_slug=note["offering"],
        sent_as=sent_as,
        is_sent=session.get(Message, sent_as) is not None,
        files=kept_with(session, thread_id, note["message"]),
    )
