"""Find and save what was said: threads, messages and the runs that answer them.

A question, the empty answer to it and its run are saved in one unit of work with the hold; the
answer grows while the run is driven and is sealed together with the hold's end. What Chainlit
draws of it is `storage.chat_history`; when which of this happens is decided by `host.runs`.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from itertools import takewhile
from typing import Any, Final

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased
from sqlmodel import Session, and_, case, col, exists, or_, select, update

from storage.attachments import add_drawn
from storage.chat_history import TITLE_MAX, open_thread
from storage.credits import MilliCredits
from storage.file_kinds import Picture
from storage.models.catalogue import Assistant, Offering
from storage.models.conversations import Message, Run, Speaker, Step, Thread
from storage.models.money import Hold, ProcessLease
from storage.moments import Micros
from storage.run_states import RunState

ASKED_TO_STOP: Final = "stopped"
"""The outcome that an unfinished run is given, so that it comes to it."""

PROGRAM: Final = "program"
"""The tag of a thread that a program began, until somebody names it."""
TOOL: Final = "tool"
"""The type of a step that is one use of a tool; its name says which kind."""


class NotTheirThread(Exception):
    """The thread is somebody else's, or with another assistant."""


class MessageExists(Exception):
    """Something else was said under one of the ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A question that is about to be answered."""

    run_id: str
    thread_id: str
    account_id: int
    offering_id: int
    question_id: str
    answer_id: str
    text: str
    provider: str
    hold_id: int | None
    receipt_id: str
    price: MilliCredits
    included_until: Micros | None
    owner: str
    now: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolDone:
    """One use of a tool on the way to an answer."""

    number: int
    tool: str
    began_at: Micros
    ended_at: Micros
    is_failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """How a run ended, all of it known."""

    run_id: str
    answer_id: str
    state: RunState
    text: str
    charged: MilliCredits
    balance_after: MilliCredits | None
    outcome: str | None
    usage: dict[str, Any] | None
    now: Micros
    tools: Sequence[ToolDone] = ()
    pictures: Sequence[Picture] = ()
    """What was drawn for it."""


@dataclass(frozen=True, slots=True)
class Said:
    """A message, and for a question or an answer the run it belongs to."""

    message: Message
    run: Run | None


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A run that has not ended, and what is being answered."""

    run: Run
    question: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What somebody asked, whom and where."""

    account_id: int
    thread_id: str
    offering_slug: str
    question_id: str
    question: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LostRun:
    """A run that nobody drives any more, and what is needed to ask about and end it."""

    run_id: str
    thread_id: str
    account_id: int
    offering_id: int
    answer_id: str
    is_visible: bool
    """Whether there was anything of the answer to be read."""
    is_asked_to_stop: bool
    provider: str
    provider_run: str | None
    base_url: str | None
    secret_id: str | None
    price: MilliCredits
    wallet_id: int | None
    hold_id: int | None
    expires_at: Micros | None
    """The hold's time, after which its asker may have been told that nothing is charged."""


def thread_of(session: Session, thread_id: str) -> Thread | None:
    """The thread of this id."""
    return session.get(Thread, thread_id)


def messages_with_runs(session: Session, thread_id: str) -> list[Said]:
    """What was said in a thread, oldest first."""
    statement = (
        select(Message, Run)
        .join(Run, col(Run.id) == col(Message.run_id), isouter=True)
        .where(Message.thread_id == thread_id)
        .order_by(col(Message.created_at), col(Message.id))
    )
    return [Said(message, run) for message, run in session.exec(statement)]


def find_said(session: Session, message_id: str) -> Said | None:
    """The message of this id, with its run."""
    message = session.get(Message, message_id)
    if message is None:
        return None
    return Said(message, session.get(Run, message.run_id) if message.run_id else None)


def find_answered(session: Session, answer_id: str) -> Answered | None:
    """What the answer of this id was asked; None when there is no such answer."""
    row = session.exec(
        select(Run, Message, Offering.slug)
        .join(Message, col(Message.id) == col(Run.question_id))
        .join(Offering, col(Offering.id) == col(Run.offering_id))
        .where(Run.id == select(Message.run_id).where(Message.id == answer_id).scalar_subquery())
        .where(Run.answer_id == answer_id)
    ).first()
    if row is None:
        return None
    run, question, slug = row
    return Answered(
        account_id=run.account_id,
        thread_id=run.thread_id,
        offering_slug=slug,
        question_id=question.id,
        question=question.text,
    )


def answer_text(session: Session, answer_id: str) -> str:
    """What an answer says by now; empty when it has been deleted."""
    answer = session.get(Message, answer_id)
    return answer.text if answer else ""


def claim_thread(  # noqa: PLR0913 - all but two by name
    session: Session,
    thread_id: str,
    *,
    account_id: int,
    offering_id: int,
    title: str,
    now: Micros,
    by_program: bool = False,
) -> Thread:
    """The thread, locked, made when it is missing; from now on it is theirs, on this offering.

    `by_program` marks one that is made here as begun by a program.

    Raises:
        NotTheirThread: it is somebody else's, or with another assistant; or it was deleted while
            this waited for it.
    """
    is_new = session.get(Thread, thread_id) is None
    open_thread(session, thread_id, account_id, now)
    locked = select(Thread).where(Thread.id == thread_id).with_for_update()
    # Read anew: while this waited, whoever had it locked may have changed it.
    thread = session.exec(locked, execution_options={"populate_existing": True}).first()
    if thread is None or thread.account_id != account_id:
        raise NotTheirThread(thread_id)
    if thread.offering_id not in {None, offering_id}:
        raise NotTheirThread(thread_id)
    thread.offering_id = offering_id
    if is_new and by_program:
        thread.tags = [PROGRAM]
    thread.title = thread.title or title[:TITLE_MAX]
    thread.updated_at = max(thread.updated_at, now)
    return thread


def last_cut_off(
    session: Session, thread_id: str, *, outcomes: Collection[str], most: int
) -> list[tuple[str, str]]:
    """The last questions of a thread and what there is of their answers, newest first.

    As far back as runs ended with one of these outcomes, but `most` of them; what has no word of
    an answer is passed over.
    """
    question, answer = aliased(Message), aliased(Message)
    statement = (
        select(Run.outcome, question.text, answer.text)
        .select_from(Run)
        .join(question, col(question.id) == col(Run.question_id))
        .join(answer, col(answer.id) == col(Run.answer_id))
        .where(Run.thread_id == thread_id, col(Run.ended_at).is_not(None))
        .order_by(col(Run.created_at).desc(), col(Run.id).desc())
        .limit(most)
    )
    ended = takewhile(lambda row: row[0] in outcomes, session.exec(statement))
    return [(asked, said) for _outcome, asked, said in ended if said]


def touch_thread(session: Session, thread_id: str, now: Micros) -> None:
    """Note that something happened in the thread, and lock it.

    A unit that also closes a hold calls this first: thread before wallet, as when a run begins
    (`storage.deletions` says in which order all of it is locked).
    """
    session.exec(
        update(Thread)
        .where(col(Thread.id) == thread_id)
        .values(updated_at=case((col(Thread.updated_at) > now, Thread.updated_at), else_=now))
    )


def has_unfinished_run(session: Session, thread_id: str) -> bool:
    """Whether an answer is being written in the thread, by this process or another."""
    statement = select(Run.id).where(Run.thread_id == thread_id, col(Run.ended_at).is_(None))
    return session.exec(statement.limit(1)).first() is not None


def is_unfinished(session: Session, run_id: str) -> bool:
    """Whether the run has not ended, locking it so that only one unit ends it."""
    statement = select(Run.id).where(Run.id == run_id, col(Run.ended_at).is_(None))
    return session.exec(statement.with_for_update()).first() is not None


def written_elsewhere(session: Session, thread_id: str, *, owner: str) -> UnderWay | None:
    """What another process than `owner` is answering in the thread."""
    statement = (
        select(Run, Message.text)
        .join(Message, col(Message.id) == col(Run.question_id))
        .where(
            Run.thread_id == thread_id,
            col(Run.ended_at).is_(None),
            col(Run.owner) != owner,
        )
    )
    found = session.exec(statement.limit(1)).first()
    return UnderWay(*found) if found else None


def ask_to_stop(session: Session, run_id: str) -> None:
    """Note that somebody wants the answer to end; whoever drives the run looks for it."""
    session.exec(
        update(Run)
        .where(col(Run.id) == run_id, col(Run.ended_at).is_(None))
        .values(outcome=ASKED_TO_STOP)
    )


def is_asked_to_stop(session: Session, run_id: str) -> bool:
    """Whether somebody wants an unfinished answer to end."""
    asked = select(Run.id).where(Run.id == run_id, Run.outcome == ASKED_TO_STOP)
    return session.exec(asked).first() is not None


def add_run(session: Session, new: NewRun) -> None:
    """Save a question, the answer that is still empty, and the run between them.

    Raises:
        MessageExists: one of the ids is taken; the unit of work is lost.
    """
    for number, (message_id, speaker, text) in enumerate(
        (
            (new.question_id, Speaker.SUBSCRIBER, new.text),
            (new.answer_id, Speaker.ASSISTANT, ""),
        )
    ):
        moment = new.now + number  # they are told apart, and sorted, by time
        session.add(
            Message(
                id=message_id,
                thread_id=new.thread_id,
                run_id=new.run_id,
                speaker=speaker.value,
                text=text,
                created_at=moment,
                updated_at=moment,
            )
        )
    row = {k: v for k, v in asdict(new).items() if k not in {"run_id", "text", "now"}}
    session.add(Run(id=new.run_id, created_at=new.now, **row))
    try:
        session.flush()
    except IntegrityError:  # the ids of messages are the only ones that came from outside
        raise MessageExists from None


def set_provider_thread(session: Session, thread_id: str, provider_thread: str) -> None:
    """Remember the thread's counterpart upstream."""
    session.exec(
        update(Thread).where(col(Thread.id) == thread_id).values(provider_thread=provider_thread)
    )


def set_provider_run(session: Session, run_id: str, provider_run: str) -> None:
    """Remember by which name the upstream can be asked about the run."""
    session.exec(
        update(Run)
        .where(col(Run.id) == run_id, col(Run.ended_at).is_(None))
        .values(state=RunState.IN_PROGRESS.value, provider_run=provider_run)
    )


def save_text(session: Session, run_id: str, *, answer_id: str, text: str, now: Micros) -> bool:
    """Keep what the answer says so far. False when the run has ended meanwhile."""
    if not is_unfinished(session, run_id):  # a subquery would still see it unfinished
        return False
    saved = session.exec(
        update(Message).where(col(Message.id) == answer_id).values(text=text, updated_at=now)
    )
    return saved.rowcount > 0


def note_first_text(session: Session, run_id: str, now: Micros) -> None:
    """Remember when the answer became visible: from then on, stopping it costs its price.

    A run that somebody else has ended meanwhile stays as it ended.
    """
    session.exec(
        update(Run)
        .where(
            col(Run.id) == run_id,
            col(Run.first_text_at).is_(None),
            col(Run.ended_at).is_(None),
        )
        .values(state=RunState.IN_PROGRESS.value, first_text_at=now)
    )


def end_run(session: Session, end: RunEnd) -> bool:
    """Seal a run and its answer. False when it has ended before, or was deleted."""
    statement = (
        update(Run)
        .where(col(Run.id) == end.run_id, col(Run.ended_at).is_(None))
        .values(
            state=end.state.value,
            charged=end.charged,
            balance_after=end.balance_after,
            outcome=end.outcome,
            usage=end.usage,
            ended_at=end.now,
        )
    )
    if session.exec(statement).rowcount == 0:
        return False
    session.exec(
        update(Message)
        .where(col(Message.id) == end.answer_id)
        .values(text=end.text, updated_at=end.now)
    )
    if end.tools or end.pictures:
        run = session.exec(select(Run).where(Run.id == end.run_id)).one()
        _save_tools(session, run, end)
        add_drawn(
            session,
            end.pictures,
            end.answer_id,
            account_id=run.account_id,
            thread_id=run.thread_id,
            now=end.now,
        )
    return True


def lost_runs(
    session: Session, *, owner: str, undriven: Collection[str], now: Micros
) -> list[LostRun]:
    """Runs that have not ended and that nobody drives.

    Their process is not `owner` and has no living lease; or they are named in `undriven`.
    """
    is_alive = exists().where(
        col(ProcessLease.owner) == col(Run.owner), col(ProcessLease.expires_at) > now
    )
    statement = (
        select(Run, Assistant, Hold, Message)
        .join(Assistant, col(Assistant.offering_id) == col(Run.offering_id), isouter=True)
        .join(Hold, col(Hold.id) == col(Run.hold_id), isouter=True)
        .join(Message, col(Message.id) == col(Run.answer_id), isouter=True)
        .where(
            col(Run.ended_at).is_(None),
            or_(and_(~is_alive, col(Run.owner) != owner), col(Run.id).in_(undriven)),
        )
        .order_by(col(Run.created_at))
    )
    return [_lost(*row) for row in session.exec(statement)]


def unfinished_runs(session: Session) -> set[str]:
    """The ids of all runs that have not ended, whoever drives them."""
    return set(session.exec(select(Run.id).where(col(Run.ended_at).is_(None))))


def tool_step_id(run_id: str, number: int) -> str:
    """Under which id a run's use of a tool is drawn and kept."""
    return f"{run_id}.{number}"


def _save_tools(session: Session, run: Run, end: RunEnd) -> None:
    session.add_all(
        Step(
            id=tool_step_id(run.id, done.number),
            thread_id=run.thread_id,
            parent_id=run.id,
            type=TOOL,
            name=done.tool,
            is_error=done.is_failed,
            created_at=done.began_at,
            start_at=done.began_at,
            end_at=done.ended_at,
        )
        for done in end.tools
    )


def _lost(
    run: Run, assistant: Assistant | None, hold: Hold | None, answer: Message | None
) -> LostRun:
    return LostRun(
        run_id=run.id,
        thread_id=run.thread_id,
        account_id=run.account_id,
        offering_id=run.offering_id,
        answer_id=run.answer_id,
        is_visible=answer is not None and bool(answer.text.strip()),
        is_asked_to_stop=run.outcome == ASKED_TO_STOP,
        provider=run.provider,
        provider_run=run.provider_run,
        base_url=assistant.base_url if assistant else None,
        secret_id=assistant.secret_id if assistant else None,
        price=MilliCredits(run.price),
        wallet_id=hold.wallet_id if hold else None,
        hold_id=hold.id if hold else None,
        expires_at=Micros(hold.expires_at) if hold else None,
    )
