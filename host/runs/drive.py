"""Drives one run from its hold to its end, whatever happens on the way.

The provider's events are folded into the transcript, shown to who listens, and saved about once a
second (`host.runs.saving`). Then there is one end: the text, the run's last state and the hold's
capture or release are written in one unit of work. Neither a browser that leaves nor a task that
is cancelled comes between the work and that end.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import structlog

from host.clock import Clock
from host.config import Settings
from host.errors import LedgerUnavailable
from host.metering.meter import Meter
from host.providers.base import (
    Cited,
    Credential,
    Provider,
    RunEvent,
    RunRequest,
    RunStarted,
    SentFile,
    TextDelta,
    ToolBegan,
    ToolEnded,
    UpstreamError,
)
from host.runs.answers import LiveAnswer
from host.runs.enclosing import files_of
from host.runs.lifecycle import Reason
from host.runs.opening import Opened
from host.runs.outcomes import Outcome
from host.runs.saving import Saving, log_fault
from host.runs.tool_steps import Steps, after, closed
from host.runs.transcript import Transcript
from host.vault.vault import Vault
from storage import conversations as saved
from storage.books import HoldEnded
from storage.cards import AssistantConfig
from storage.credits import HoldClosedError, HoldState, MilliCredits
from storage.database import Database, Unit
from storage.errors import StorageError
from storage.moments import SECOND, Micros

log = structlog.get_logger(__name__)

RUN_MAX_S: Final = 900.0
"""After a quarter of an hour nobody waits any more, and the upstream has gone wrong."""
SAVE_EVERY_S: Final = 1.0
HANG_UP_S: Final = 5.0
"""How long closing the upstream's connection may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What it takes to drive runs, the same for all of them."""

    database: Database
    clock: Clock
    meter: Meter
    vault: Vault
    providers: Mapping[str, Provider]
    settings: Settings
    run_max_s: float = RUN_MAX_S
    save_every_s: float = SAVE_EVERY_S

    async def credential(self, assistant: AssistantConfig) -> Credential:
        """The assistant's key, opened for one call.

        Raises:
            SecretUnreadable: it is gone, or does not open.
        """
        return Credential(
            key=await self.vault.reveal(assistant.secret_id), base_url=assistant.base_url
        )


class Drive:
    """One run under way."""

    def __init__(
        self, means: Means, opened: Opened, answer: LiveAnswer, *, subscriber: str
    ) -> None:
        self._means, self._opened, self._answer = means, opened, answer
        self._subscriber = subscriber
        self.is_settled = False
        """Whether the end is written down."""
        self._transcript = Transcript()
        self._steps: Steps = ()
        self._saving = Saving(means.database, means.clock, opened)

    async def to_the_end(self) -> Outcome:
        """Answer the question and settle it. Never raises, but for being cancelled."""
        try:
            await self._follow()
        finally:
            # Whatever cancels us here must not leave the hold open.
            outcome = await asyncio.shield(asyncio.create_task(self._settle()))
        return outcome

    async def _follow(self) -> None:
        """Until the provider is done, somebody halts the answer, or its time is up."""
        work = asyncio.create_task(self._ask())
        keeper = asyncio.create_task(self._keep())
        halted = self._answer.halted
        either: set[asyncio.Future[Any]] = {work, halted}
        try:
            await asyncio.wait(
                either, timeout=self._means.run_max_s, return_when=asyncio.FIRST_COMPLETED
            )
            if not work.done():
                reason = halted.result() if halted.done() else Reason.UPSTREAM_TIMEOUT
                self._transcript = self._transcript.ended(reason)
        finally:
            work.cancel()
            keeper.cancel()
            await asyncio.wait({work, keeper}, timeout=HANG_UP_S)

    async def _ask(self) -> None:
        """Have the provider answer, and fold in however that ends."""
        try:
            await self._run_provider()
        except UpstreamError as error:
            self._transcript = self._transcript.failed(error.kind)
            log.warning(
                "run.upstream_failed",
                run_id=self._opened.run_id,
                kind=error.kind,
                status=error.status,
                code=error.code,
                request_id=error.request_id,
            )
        except Exception as error:  # noqa: BLE001 - ours, or the key's: somebody still waits
            self._transcript = self._transcript.ended(Reason.UPSTREAM_FAILED)
            log_fault("run.broke", self._opened.run_id, error)
        else:
            # Without its terminal event an answer is not whole, however good it looks.
            self._transcript = self._transcript.ended(Reason.UPSTREAM_TRUNCATED)

    async def _run_provider(self) -> None:
        opened = self._opened
        question, assistant = opened.question, opened.assistant
        provider = self._means.providers[assistant.provider]
        credential = await self._means.credential(assistant)
        thread = opened.provider_thread
        if thread is None:
            thread = await provider.open_thread(credential, thread_id=question.thread_id)
            await self._saving.provider_thread(thread)
        request = RunRequest(
            credential=credential,
            model=assistant.model,
            instructions=assistant.instructions,
            provider_thread=thread,
            text=question.text,
            files=await self._files(),
            missed=opened.missed,
            run_id=opened.run_id,
            subscriber=self._subscriber,
        )
        await provider.run(request, self._show)

    async def _files(self) -> tuple[SentFile, ...]:
        question = self._opened.question
        if not question.files:
            return ()
        return await self._means.database.read(lambda s: files_of(s, question.message_id))

    async def _show(self, event: RunEvent) -> None:
        was_visible = self._transcript.is_visible
        self._transcript = self._transcript.after(event)
        if isinstance(event, ToolBegan | ToolEnded):
            self._steps = after(self._steps, event, self._means.clock.now())
            self._answer.note(self._steps)
        elif isinstance(event, TextDelta | Cited):
            self._answer.write(self._transcript.text)
            if self._transcript.is_over:  # longer than any answer may be: hang up
                self._answer.halt(Reason.INCOMPLETE)
            if self._transcript.is_visible and not was_visible:
                await self._saving.first_text(self._transcript.text)
        elif isinstance(event, RunStarted):
            self._saving.provider_run(event.provider_run)

    async def _keep(self) -> None:
        """Save what has been written, and move the hold's deadline, as long as it takes."""
        renew_every = self._means.settings.hold_ttl_s * SECOND // 3
        renewed_at, kept = self._means.clock.now(), ""
        while True:
            await asyncio.sleep(self._means.save_every_s)
            if self._transcript.text != kept:
                kept = self._transcript.text
                await self._saving.text(kept)
            now = self._means.clock.now()
            if now - renewed_at >= renew_every and await self._renew():
                renewed_at = now
            if not self._means.settings.is_sqlite and await self._is_asked_to_stop():
                self._answer.halt(Reason.STOPPED)

    async def _is_asked_to_stop(self) -> bool:
        """Whether somebody pressed Stop at another process."""
        run_id = self._opened.run_id
        try:
            return await self._means.database.read(lambda s: saved.is_asked_to_stop(s, run_id))
        except StorageError as error:  # asked again in a moment
            log_fault("run.unheard", self._opened.run_id, error)
            return False

    async def _renew(self) -> bool:
        """Move the hold's deadline; False when it has to be tried again."""
        run_id = self._opened.run_id
        try:
            is_open = await self._means.meter.renew(self._opened.tab)
        except LedgerUnavailable:
            return False
        except Exception as error:  # noqa: BLE001 - saving the text must not end with it
            log_fault("run.not_renewed", self._opened.run_id, error)
            return False
        if not is_open:  # the answer goes on, and will not be charged
            log.warning("run.hold_gone", run_id=run_id)
        return True

    async def _settle(self) -> Outcome:
        """Write the end, once, for as long as it takes while the hold may be open.

        Until then nobody is told whether it cost anything; nor when it could not be written,
        because it may have landed unheard, or may yet be charged by the next process, which asks
        the provider (`host.runs.recovery`). Surely free is only what has no price, and what
        somebody else has released.
        """
        self._transcript = self._transcript.ended(Reason.INTERRUPTED)
        # A save still under way must not land after the end and put half of the text back.
        await self._saving.landed()
        now = self._means.clock.now()
        self._steps = closed(self._steps, now)
        self._answer.note(self._steps)
        try:
            outcome = await self._means.meter.insist(lambda unit: self._end(unit, now))
        except Exception as error:  # noqa: BLE001 - who waits must be told
            log_fault("run.undecided", self._opened.run_id, error)
            is_free = self._opened.tab.amount == 0 or _is_released(error)
            return self._outcome(Reason.INTERRUPTED if is_free else Reason.UNDECIDED, None, now)
        self.is_settled = True
        self._log_end(outcome)
        return outcome

    def _end(self, unit: Unit, now: Micros) -> Outcome:
        transcript, opened, meter = self._transcript, self._opened, self._means.meter
        saved.touch_thread(unit.session, opened.question.thread_id, now)
        if transcript.is_payable:
            ended = meter.capture_in(unit, opened.tab, opened.tab.amount)
        else:
            ended = meter.release_in(unit, opened.tab)
        is_late = transcript.is_payable and ended.state is HoldState.EXPIRED
        reason = Reason.HOLD_EXPIRED if is_late else transcript.reason
        outcome = self._outcome(reason, ended, now)
        saved.end_run(
            unit.session,
            saved.RunEnd(
                run_id=opened.run_id,
                answer_id=outcome.answer_id,
                state=outcome.state,
                text=outcome.text,
                charged=outcome.charged,
                balance_after=outcome.available,
                outcome=outcome.reason.value if outcome.reason else None,
                usage=asdict(transcript.usage) if transcript.usage else None,
                tools=_done(self._steps),
                pictures=transcript.pictures if transcript.is_payable else (),
                now=now,
            ),
        )
        return outcome

    def _outcome(self, reason: Reason | None, ended: HoldEnded | None, now: Micros) -> Outcome:
        opened, tab = self._opened, self._opened.tab
        return Outcome(
            run_id=opened.run_id,
            answer_id=opened.question.answer_id,
            state=self._transcript.state,
            text=self._transcript.text,
            price=tab.amount,
            charged=ended.captured if ended else MilliCredits(0),
            available=None if ended is None or tab.is_free else ended.available,
            receipt_id=tab.receipt_id,
            included_until=tab.included_until,
            reason=reason,
            seconds=(now - opened.began_at) / SECOND,
        )

    def _log_end(self, outcome: Outcome) -> None:
        log.info(
            "run.ended",
            run_id=outcome.run_id,
            receipt_id=outcome.receipt_id,
            state=outcome.state.value,
            reason=outcome.reason,
            failure=self._transcript.failure,
            charged=outcome.charged,
        )


def _done(steps: Steps) -> tuple[saved.ToolDone, ...]:
    return tuple(
        saved.ToolDone(
            number=step.number,
            tool=step.tool.value,
            began_at=step.began_at,
            ended_at=step.ended_at or step.began_at,
            is_failed=step.is_failed,
        )
        for step in steps
    )


def _is_released(error: Exception) -> bool:
    """Whether the hold has been closed for good, and not by a charge."""
    return isinstance(error, HoldClosedError) and error.state is not HoldState.CAPTURED
