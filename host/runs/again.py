"""Asking a question again, at the price on the button: what must be true for that.

Only the last answer of one's own conversation can be asked for again, and only at the price that
the person saw. Both are checked in the unit of work that opens the new run, so that no other
message slips in between and a refusal holds nothing. The new message's name follows from the
answer it replaces (`Naming.again`), so pressing twice is asking once. Files that went with the
question go along as copies, named likewise: each message has files of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session

from host.errors import AnswerNotLast, PriceChanged, UnknownThread
from host.language import _
from host.metering.tabs import Tab
from host.writing import credits_written
from storage import attachments
from storage.conversations import Answered, find_answered
from storage.credits import MilliCredits
from storage.models.conversations import Attachment
from storage.notices import last_run


@dataclass(frozen=True, slots=True)
class Again:
    """The answer that is not good enough, and what another one may cost."""

    answer_id: str
    price: MilliCredits


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """What was asked and answered, and what had been sent with it."""

    asked: Answered
    files: Sequence[Attachment]


def find_replaced(session: Session, account_id: int, thread_id: str, answer_id: str) -> Replaced:
    """What was asked and answered there.

    Raises:
        UnknownThread: there is no such answer in this person's conversation.
    """
    found = find_answered(session, answer_id)
    if found is None or (found.account_id, found.thread_id) != (account_id, thread_id):
        raise UnknownThread(
            _("There is no such answer in this conversation. Nothing was charged."),
            says_charge=True,
        )
    return Replaced(asked=found, files=attachments.sent_with(session, found.question_id))


def require_last(session: Session, thread_id: str, again: Again) -> None:
    """Refuse unless nothing has been said since; the thread must be locked.

    Raises:
        AnswerNotLast: something has.
    """
    last = last_run(session, thread_id)
    if last is None or last.answer_id != again.answer_id:
        raise AnswerNotLast(
            _(
                "Something was said after this answer, so it cannot be asked for again. Nothing"
                " was charged; use the button under the last answer, or write."
            ),
            says_charge=True,
        )


def require_price(again: Again, tab: Tab) -> None:
    """Refuse unless it costs what the person agreed to; the unit must be lost with the hold.

    Raises:
        PriceChanged: it costs something else now.
    """
    if tab.amount != again.price:
        now = credits_written(tab.amount) if tab.amount else _("nothing")
        raise PriceChanged(
            _(
                "The price has changed: asking again costs {price} now. Nothing was charged;"
                " press again if that is fine.",
                price=now,
            ),
            price=tab.amount,
            says_charge=True,
        )
