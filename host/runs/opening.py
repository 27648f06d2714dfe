"""How a run begins: everything that must be true, decided and written in one unit of work.

The question, the run and the hold land together or not at all, before the provider is called; so a
refusal leaves nothing behind, and of two questions at once only one can begin. What drives the run
then is `host.runs.drive`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from sqlmodel import Session

from host.errors import (
    CallInProgress,
    IdempotencyConflict,
    MalformedRequest,
    PriceChanged,
    UnknownOffering,
    UnknownThread,
)
from host.language import _
from host.metering.admission import suspended
from host.metering.meter import Meter
from host.metering.tabs import MeteredWork, ReplayedTab, Tab, fingerprint
from host.providers.base import Turn
from host.redaction import redact
from host.runs.again import Again, require_last, require_price
from host.runs.answers import Question
from host.runs.enclosing import enclosed, enclosed_again, is_enclosed
from host.runs.lifecycle import Reason
from host.writing import credits_written
from storage import attachments
from storage import conversations as saved
from storage.accounts import is_suspended
from storage.cards import AssistantConfig, OfferingCard
from storage.catalogue import find_card
from storage.chat_history import name_thread
from storage.credits import MilliCredits
from storage.database import Unit
from storage.ledger import find_wallet
from storage.models.conversations import Attachment, Run, Thread
from storage.models.money import Operation
from storage.moments import Micros
from storage.subscriptions import lock_wallet

TEXT_MAX: Final = 32_000
"""Characters of one message; long enough to paste an article."""
MISSED_MAX: Final = 5
"""Answers cut off one after the other that are told to the upstream once more."""
MISSED_TEXT_MAX: Final = 100_000
"""Characters of them and of what they were asked."""
NOT_KEPT: Final = frozenset(
    {
        *(Reason.STOPPED, Reason.INTERRUPTED, Reason.HOLD_EXPIRED),
        *(Reason.UPSTREAM_TIMEOUT, Reason.UPSTREAM_TRUNCATED),
        *(Reason.UPSTREAM_BUSY, Reason.UPSTREAM_REFUSES),
    }
)
"""Ends after which the upstream does not know what was said, for no fault of what was said.

From before any other end nothing is told: after a whole answer it is known, and what an upstream
failed on it might fail on again, with every question that follows.
"""
NAME_MAX: Final = 128
"""Characters of a thread's or a message's id; ours have 36."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A question at the door, and the name that its run will have."""

    question: Question
    run_id: str
    only_existing: bool
    """Whether the thread has to be there already."""
    now: Micros
    by_program: bool = False
    again: Again | None = None
    """Set when the question is one that was answered before, asked again."""
    agreed: MilliCredits | None = None
    """The price that whoever asks has seen; None where nobody saw one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The run has begun, and its hold is open."""

    run_id: str
    question: Question
    tab: Tab
    assistant: AssistantConfig
    provider_thread: str | None
    missed: tuple[Turn, ...]
    """Answers that were cut off since the last whole one, and what they were asked."""
    began_at: Micros


@dataclass(frozen=True, slots=True)
class AnsweredBefore:
    """The same message was answered before; this is how."""

    run: Run
    text: str


Opening: TypeAlias = Opened | AnsweredBefore


def checked(question: Question) -> Question:
    """The question, if it can be asked at all.

    Raises:
        MalformedRequest: it is empty, too long, or no text; or one of its names is.
    """
    text = question.text
    names = (
        question.thread_id,
        question.message_id,
        question.answer_id,
        question.offering_slug,
        *question.files,
    )
    if not all(0 < len(name) <= NAME_MAX and is_text(name) for name in names):
        raise _malformed(_("An id of the message or its thread is no id. Nothing was charged."))
    if not text.strip() and not question.files:
        raise _malformed(_("The message is empty. Nothing was charged."))
    if len(text) > TEXT_MAX:
        raise _malformed(
            _(
                "The message has {number} characters; at most {most} can be sent at once. Nothing"
                " was charged.",
                number=len(text),
                most=TEXT_MAX,
            )
        )
    if not is_text(text):
        raise _malformed(_("The message has characters that are no text. Nothing was charged."))
    return question


def is_text(given: str) -> bool:
    """Whether it can be stored and sent anywhere: no NUL, and no half of a surrogate pair."""
    return "\0" not in given and given == given.encode(errors="replace").decode()


def open_run(unit: Unit, asking: Asking, *, meter: Meter) -> Opening:
    """Begin a run, or find the one that this message had before.

    Raises:
        FareboxError: it was refused; nothing is stored or held.
    """
    session, question, now = unit.session, asking.question, asking.now
    before = saved.find_said(session, question.message_id)
    if before is not None:
        return _answered_before(unit, question, before)
    card = find_card(session, question.offering_slug)
    if card is None or card.assistant is None:
        raise UnknownOffering(_("There is no published assistant of that name."))
    thread = _thread(unit, asking, card)
    # Again, now that the thread is ours: a twin in another process may have been answered while
    # this one waited.
    before = saved.find_said(session, question.message_id)
    if before is not None:
        return _answered_before(unit, question, before)
    if saved.has_unfinished_run(session, thread.id):
        raise in_progress()
    files = _files(unit, asking, thread, card)
    if not thread.title:  # nothing was said, so it is called after what was sent
        name_thread(session, thread.id, redact(", ".join(one.name for one in files)))
    tab = _tab(unit, asking, card, meter=meter)
    _require_price(asking, tab)
    missed = _missed(session, thread.id)
    new = _new_run(asking, card, tab, owner=meter.owner)
    try:
        saved.add_run(session, new)
    except saved.MessageExists:
        raise used_before() from None
    attachments.send_with(session, files, question.message_id)
    return Opened(
        run_id=asking.run_id,
        question=question,
        tab=tab,
        assistant=card.assistant,
        provider_thread=thread.provider_thread,
        missed=missed,
        began_at=now,
    )


def in_progress() -> CallInProgress:
    """The refusal of a second question while the first is being answered."""
    return CallInProgress(
        _(
            "The last message of this conversation is still being answered. Nothing was charged;"
            " wait for the answer, or stop it."
        ),
        says_charge=True,
        headers={"Retry-After": "5"},
    )


def used_before() -> IdempotencyConflict:
    """The refusal of a message whose id stands for another one."""
    return IdempotencyConflict(
        _("Another message was sent under this id before. Nothing was charged."),
        says_charge=True,
    )


def unknown_thread() -> UnknownThread:
    """The refusal that does not say whether there is such a conversation."""
    return UnknownThread(_("There is no such conversation with this assistant."))


def _malformed(detail: str) -> MalformedRequest:
    """The refusal of a question that says itself that it cost nothing."""
    return MalformedRequest(detail, says_charge=True)


def _answered_before(unit: Unit, question: Question, before: saved.Said) -> AnsweredBefore:
    if is_suspended(unit.session, question.account_id):
        raise suspended()
    run, message = before.run, before.message
    card = find_card(unit.session, question.offering_slug)
    is_same = (
        run is not None
        and card is not None
        and (run.account_id, run.offering_id) == (question.account_id, card.id)
        and run.question_id == question.message_id
        and (message.thread_id, message.text) == (question.thread_id, question.text)
        and is_enclosed(unit, question)
    )
    if run is None or not is_same:
        raise used_before()
    if run.ended_at is None:  # another process is answering it
        raise in_progress()
    return AnsweredBefore(run, saved.answer_text(unit.session, run.answer_id))


def _thread(unit: Unit, asking: Asking, card: OfferingCard) -> Thread:
    session, question = unit.session, asking.question
    if saved.thread_of(session, question.thread_id) is None:
        if asking.only_existing:
            raise unknown_thread()
        _lock_wallet(session, question.account_id)  # which a new thread comes after
    try:
        return saved.claim_thread(
            session,
            question.thread_id,
            account_id=question.account_id,
            offering_id=card.id,
            title=redact(" ".join(question.text.split())),
            now=asking.now,
            by_program=asking.by_program,
        )
    except saved.NotTheirThread:
        raise unknown_thread() from None


def _lock_wallet(session: Session, account_id: int) -> None:
    wallet_id = find_wallet(session, account_id)
    if wallet_id is not None:
        lock_wallet(session, wallet_id)


def _files(unit: Unit, asking: Asking, thread: Thread, card: OfferingCard) -> Sequence[Attachment]:
    """What goes with the question, once its thread is locked."""
    question, again = asking.question, asking.again
    if again is None:
        return enclosed(unit, question, card)
    require_last(unit.session, thread.id, again)
    return enclosed_again(unit, question, card, again, asking.now)


def _missed(session: Session, thread_id: str) -> tuple[Turn, ...]:
    """What of the thread the upstream does not know, oldest first; of too much, the newest."""
    turns: list[Turn] = []
    room = MISSED_TEXT_MAX
    for asked, said in saved.last_cut_off(session, thread_id, outcomes=NOT_KEPT, most=MISSED_MAX):
        room -= len(asked) + len(said)
        if room < 0:
            break
        turns.append(Turn(asked, said))
    return tuple(reversed(turns))


def _tab(unit: Unit, asking: Asking, card: OfferingCard, *, meter: Meter) -> Tab:
    question = asking.question
    tab = meter.open_in(
        unit,
        MeteredWork(
            account_id=question.account_id,
            offering=card,
            operation=Operation.MESSAGE,
            key=question.message_id,
            fingerprint=fingerprint(
                question.thread_id, question.offering_slug, question.text, *question.files
            ),
            price=card.price,
            run_id=asking.run_id,
        ),
    )
    if isinstance(tab, ReplayedTab):  # it was answered, and the conversation deleted since
        raise used_before()
    return tab


def _require_price(asking: Asking, tab: Tab) -> None:
    """Refuse at another price than the one that was agreed to: the hold goes with the unit."""
    if asking.again is not None:
        require_price(asking.again, tab)
    elif asking.agreed is not None and tab.amount != asking.agreed:
        raise PriceChanged(_price_now(tab.amount), price=tab.amount, says_charge=True)


def _price_now(price: MilliCredits) -> str:
    if not price:
        return _(
            "The price has changed: this message costs nothing now. Nothing was charged; press"
            " again if that is fine."
        )
    return _(
        "The price has changed: this message costs {price} now. Nothing was charged; press again"
        " if that is fine.",
        price=credits_written(price),
    )


def _new_run(asking: Asking, card: OfferingCard, tab: Tab, *, owner: str) -> saved.NewRun:
    assert card.assistant is not None, "only assistants have runs"
    question = asking.question
    return saved.NewRun(
        run_id=asking.run_id,
        thread_id=question.thread_id,
        account_id=question.account_id,
        offering_id=card.id,
        question_id=question.message_id,
        answer_id=question.answer_id,
        text=question.text,
        provider=card.assistant.provider,
        hold_id=tab.hold_id,
        receipt_id=tab.receipt_id,
        price=tab.amount,
        included_until=tab.included_until,
        owner=owner,
        now=asking.now,
    )
