"""The verbs of a conversation: ask, join, stop, try a draft; and end in good order.

A question is admitted and its hold opened in one unit of work (`host.runs.opening`); a task of
this process, and of no caller, then drives the answer (`host.runs.drive`). Who asked may leave.
"""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Final

import structlog

from host.errors import CallInProgress, LedgerUnavailable, Restarting
from host.runs.again import Again, find_replaced
from host.runs.answers import Answers, LiveAnswer, Question
from host.runs.drive import Drive, Means
from host.runs.elsewhere import LOOK_EVERY_S, Elsewhere
from host.runs.lifecycle import Reason
from host.runs.naming import Naming
from host.runs.opening import (
    AnsweredBefore,
    Asking,
    Opened,
    checked,
    in_progress,
    open_run,
    unknown_thread,
    used_before,
)
from host.runs.outcomes import outcome_of
from host.runs.recovery import Recovered, recover
from host.runs.rehearsal import Rehearsal, rehearse
from storage.cards import AssistantConfig
from storage.credits import MilliCredits
from storage.errors import LedgerDown, StorageError
from storage.ids import new_id

log = structlog.get_logger(__name__)

LAST_WORDS_S: Final = 10.0
"""How long the ends of interrupted answers may take to be written."""
LAST_RECOVERY_S: Final = 5.0


class Runs:
    """The conversations of this process."""

    def __init__(self, means: Means, naming: Naming) -> None:
        self._means = means
        self.naming = naming
        """The names that follow from programs' idempotency keys."""
        self._answers = Answers()
        self._entering: set[asyncio.Task[LiveAnswer]] = set()
        self._driving: set[asyncio.Task[None]] = set()
        self._undriven: set[str] = set()
        """Runs that may stand in the tables as unfinished, with nobody left to end them."""
        self._is_closing = False
        self._elsewhere = Elsewhere(means, self.recover)
        self._told: list[Callable[[LiveAnswer], None]] = []

    def tell(self, listener: Callable[[LiveAnswer], None]) -> None:
        """Call `listener` with each answer that begins here, as it begins."""
        self._told.append(listener)

    async def begin(  # noqa: PLR0913 - all by name, and each from another place
        self,
        *,
        account_id: int,
        thread_id: str,
        offering_slug: str,
        text: str,
        message_id: str,
        answer_id: str | None = None,
        files: tuple[str, ...] = (),
        only_existing: bool = False,
        agreed: MilliCredits | None = None,
        patience_s: float = 0.0,
        by_program: bool = False,
    ) -> LiveAnswer:
        """Ask an assistant. The same message again joins its answer, or finds it.

        Once begun the answer goes on, whatever becomes of the caller. A thread that is missing is
        made, unless `only_existing`; for one that is busy, at this process or another,
        `patience_s` is waited. Where a price was seen, `agreed`, it is asked at that price or not
        at all.

        Raises:
            FareboxError: it was refused; nothing is stored and nothing charged.
        """
        question = checked(
            Question(
                account_id=account_id,
                thread_id=thread_id,
                offering_slug=offering_slug,
                text=text,
                message_id=message_id,
                answer_id=answer_id or new_id(),
                files=files,
            )
        )
        asking = self._asking(
            question, only_existing=only_existing, agreed=agreed, by_program=by_program
        )
        return await self._begin(asking, patience_s=patience_s)

    async def ask_again(
        self, *, account_id: int, thread_id: str, again: Again
    ) -> tuple[LiveAnswer, bool]:
        """Ask the question of the thread's last answer again, at the price that was agreed to.

        The upstream gets the same text and files once more, as the next message of the
        conversation: it keeps what it answered before, as it would if the person had sent them
        again. Pressed twice it is asked once: False when the answer was there before.

        Raises:
            FareboxError: it was refused; nothing is stored and nothing charged.
        """
        replaced = await self._means.database.read(
            lambda s: find_replaced(s, account_id, thread_id, again.answer_id)
        )
        message_id = self.naming.again(again.answer_id)
        question = Question(
            account_id=account_id,
            thread_id=thread_id,
            offering_slug=replaced.asked.offering_slug,
            text=replaced.asked.question,
            message_id=message_id,
            answer_id=new_id(),
            files=tuple(self.naming.copy(one.id, message_id) for one in replaced.files),
        )
        answer = await self._begin(self._asking(question, only_existing=True, again=again))
        return answer, answer.answer_id == question.answer_id

    def _asking(
        self,
        question: Question,
        *,
        only_existing: bool,
        again: Again | None = None,
        agreed: MilliCredits | None = None,
        by_program: bool = False,
    ) -> Asking:
        return Asking(
            question=question,
            run_id=new_id(),
            only_existing=only_existing,
            now=self._means.clock.now(),
            again=again,
            agreed=agreed,
            by_program=by_program,
        )

    async def _begin(self, asking: Asking, *, patience_s: float = 0.0) -> LiveAnswer:
        question, loop = asking.question, asyncio.get_running_loop()
        until = loop.time() + patience_s
        while True:
            try:
                answer = await self._enter(asking)
            except CallInProgress:
                if loop.time() >= until:
                    raise
                await self._wait_elsewhere(question, until)
                continue
            if answer.question.is_same(question):
                return answer
            _refuse_unless_theirs(answer, question)
            await answer.over_within(until - loop.time())
            if loop.time() >= until:
                raise in_progress()

    async def _wait_elsewhere(self, question: Question, until: float) -> None:
        """Wait for the answer with which another process keeps the thread busy.

        Where there is none it has just ended, or waits for its recovery: then a moment will do.
        """
        other = await self.join(question.thread_id, account_id=question.account_id)
        if other is not None:
            await other.over_within(until - asyncio.get_running_loop().time())
        else:
            await asyncio.sleep(LOOK_EVERY_S)

    def live(self, thread_id: str, *, account_id: int | None) -> LiveAnswer | None:
        """The answer being written in the thread by this process, to listen to or stop.

        Only for whoever asked for it: a thread's name alone opens nothing, and nobody has none.
        """
        answer = self._answers.of(thread_id)
        return answer if answer and answer.question.account_id == account_id else None

    async def join(self, thread_id: str, *, account_id: int | None) -> LiveAnswer | None:
        """The answer being written in the thread, by this process or by another.

        As with `live`, only for whoever asked for it.
        """
        here = self.live(thread_id, account_id=account_id)
        if here is not None or self._means.settings.is_sqlite:
            return here
        return await self._elsewhere.join(thread_id, account_id=account_id)

    async def rehearse(self, assistant: AssistantConfig, text: str) -> Rehearsal:
        """Have an assistant answer once, outside of any thread, for nothing."""
        return await rehearse(self._means, assistant, text)

    async def recover(self) -> Recovered:
        """End what dead processes left unfinished. May be called again and again."""
        return await recover(self._means, undriven=self._undriven)

    async def drain(self, timeout_s: float) -> bool:
        """Begin nothing more; let answers finish, and interrupt those that take longer.

        Asked a second time, it waits no longer. Returns whether there was anything to wait for.
        """
        if self._is_closing:
            timeout_s = 0
        self._is_closing = True
        was_busy = bool(self._entering or self._driving)
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_s
        await _wait_for(self._entering, timeout_s)
        await _wait_for(self._driving, max(0.0, until - loop.time()))
        for answer in self._answers.all():
            answer.halt(Reason.INTERRUPTED)
        await _wait_for(self._driving, LAST_WORDS_S)
        if self._undriven:
            await self._recover_last()
        await self._elsewhere.close()
        return was_busy

    async def _recover_last(self) -> None:
        """Once more, and not for long: the next process would take our runs for any dead one's."""
        try:
            async with asyncio.timeout(LAST_RECOVERY_S):
                await self.recover()
        except Exception as error:  # noqa: BLE001 - the next process recovers them as well
            log.warning("runs.unrecovered", kind=type(error).__name__)

    async def _enter(self, asking: Asking) -> LiveAnswer:
        """The answer to this question; or another that its thread is busy with."""
        if self._is_closing:
            raise Restarting
        entering = asyncio.create_task(self._through_the_door(asking))
        self._entering.add(entering)
        entering.add_done_callback(self._entered)
        # A caller who leaves just now must not leave a hold behind that nobody works for.
        return await asyncio.shield(entering)

    def _entered(self, entering: "asyncio.Task[LiveAnswer]") -> None:
        self._entering.discard(entering)
        if not entering.cancelled():
            entering.exception()  # heard, even when the caller who would be told is gone

    async def _through_the_door(self, asking: Asking) -> LiveAnswer:
        question, means = asking.question, self._means
        async with self._answers.door(question.thread_id):
            busy_with = self._answers.of(question.thread_id)
            if busy_with is not None:
                return busy_with
            at_the_door = replace(asking, now=means.clock.now())
            try:
                opening = await means.database.run(
                    lambda unit: open_run(unit, at_the_door, meter=means.meter)
                )
            except StorageError as error:
                if isinstance(error, LedgerDown):  # perhaps it landed, and the answer got lost
                    self._undriven.add(asking.run_id)
                log.warning("ledger.unavailable", kind=type(error).__name__)
                raise LedgerUnavailable from None
            if isinstance(opening, AnsweredBefore):
                return _over(question, opening)
            return self._drive(opening)

    def _drive(self, opened: Opened) -> LiveAnswer:
        answer = LiveAnswer(opened.question, opened.run_id)
        self._answers.add(answer)
        for tell in self._told:
            tell(answer)
        task = asyncio.create_task(self._to_the_end(opened, answer))
        self._driving.add(task)
        task.add_done_callback(self._driving.discard)
        return answer

    async def _to_the_end(self, opened: Opened, answer: LiveAnswer) -> None:
        subscriber = self.naming.subscriber(opened.question.account_id)
        drive = Drive(self._means, opened, answer, subscriber=subscriber)
        try:
            outcome = await drive.to_the_end()
        finally:
            if not drive.is_settled:
                self._undriven.add(opened.run_id)
            self._answers.forget(answer)
        answer.close(outcome)


async def _wait_for(tasks: Collection["asyncio.Task[object]"], timeout_s: float) -> None:
    if tasks:
        await asyncio.wait(list(tasks), timeout=timeout_s)


def _over(question: Question, before: AnsweredBefore) -> LiveAnswer:
    """An answer that was given before, as if it had just ended."""
    answer = LiveAnswer(replace(question, answer_id=before.run.answer_id), before.run.id)
    answer.close(outcome_of(before.run, before.text))
    return answer


def _refuse_unless_theirs(busy_with: LiveAnswer, question: Question) -> None:
    other = busy_with.question
    if other.account_id != question.account_id or other.offering_slug != question.offering_slug:
        raise unknown_thread()
    if other.message_id == question.message_id:
        raise used_before()
