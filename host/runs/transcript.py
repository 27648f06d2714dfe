"""A run folded from its events, and what that run costs: values in, values out.

The provider's events come in through `after`; what happens to a run from our side (somebody stops
it, time is up, the process ends) through `ended`, which changes nothing once there was a terminal
event. `is_payable` is the charging table's part for messages. No I/O, no clock.

What an answer cites becomes part of its text, as numbered footnotes: the number where the source
was named, the list when the answer ends (`host.runs.footnotes`). So the text only ever grows, and
whoever reads it, in the chat, through a program or in an export, reads the sources too.

An answer may have pictures. One that is nothing else says what they are called, and is not empty.
They are shown when it has ended, so before that there is nothing of them to be seen, or paid for.

What no table can hold, U+0000 and halves of surrogate pairs, is taken out on the way in: an answer
that cannot be stored could not be charged either.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from host.providers.base import (
    Cited,
    FailureKind,
    RunCompleted,
    RunEvent,
    RunFailed,
    RunIncomplete,
    RunStarted,
    TextDelta,
    ToolBegan,
    ToolEnded,
    Usage,
)
from host.runs.drawings import named, with_picture
from host.runs.footnotes import listed, noted
from host.runs.lifecycle import UNFINISHED, Reason, RunStep, next_state
from storage.file_kinds import Picture
from storage.run_states import RunState

_REASONS: Final[Mapping[FailureKind, Reason]] = {
    FailureKind.KEY_REJECTED: Reason.UPSTREAM_REFUSES,
    FailureKind.KEY_FORBIDDEN: Reason.UPSTREAM_REFUSES,
    FailureKind.MISSING_SCOPES: Reason.UPSTREAM_REFUSES,
    FailureKind.UNKNOWN_MODEL: Reason.UPSTREAM_REFUSES,
    FailureKind.ADDRESS_NOT_ALLOWED: Reason.UPSTREAM_REFUSES,
    FailureKind.OUT_OF_QUOTA: Reason.UPSTREAM_REFUSES,
    FailureKind.RATE_LIMITED: Reason.UPSTREAM_BUSY,
    FailureKind.THREAD_BUSY: Reason.UPSTREAM_BUSY,
    FailureKind.TIMED_OUT: Reason.UPSTREAM_TIMEOUT,
    FailureKind.CONTEXT_TOO_LONG: Reason.CONTEXT_TOO_LONG,
}
"""What a subscriber should know, to do something or to let it be; all else is a plain failure."""

_STEPS: Final[Mapping[Reason, RunStep]] = {
    Reason.STOPPED: RunStep.CANCEL,
    Reason.UPSTREAM_TIMEOUT: RunStep.EXPIRE,
}


TEXT_MAX: Final = 200_000
"""Characters of one answer: far beyond what models write, and few enough to keep and show."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """What is known of a run so far."""

    state: RunState = RunState.QUEUED
    text: str = ""
    provider_run: str | None = None
    usage: Usage | None = None
    reason: Reason | None = None
    failure: FailureKind | None = None
    sources: tuple[Cited, ...] = ()
    """What the text cites, in the order of their numbers."""
    pictures: tuple[Picture, ...] = ()
    """What was drawn for it."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more can happen."""
        return self.state not in UNFINISHED

    @property
    def is_visible(self) -> bool:
        """Whether there is anything to read yet; blanks are nothing."""
        return bool(self.text) and not self.text.isspace()

    def after(self, event: RunEvent) -> "Transcript":
        """The transcript once `event` has happened; nothing happens after the end."""
        if self.is_over:
            return self
        begun = self if self.state is RunState.IN_PROGRESS else _at(self, RunStep.START)
        match event:
            case RunStarted(provider_run):
                return replace(begun, provider_run=provider_run)
            case TextDelta(text):
                return _longer(begun, storable(text))
            case Cited():
                return _cited(begun, event)
            case ToolBegan() | ToolEnded():  # what was used is kept by `host.runs.tool_steps`
                return _drawn(begun, event)
            case RunCompleted() | RunIncomplete() | RunFailed():
                return _finished(begun, event)

    def failed(self, kind: FailureKind) -> "Transcript":
        """The transcript once the upstream has failed."""
        return replace(self.ended(_REASONS.get(kind, Reason.UPSTREAM_FAILED)), failure=kind)

    def ended(self, reason: Reason) -> "Transcript":
        """The transcript once it is over for `reason`, unless it was over before."""
        if self.is_over:
            return self
        return _over(self, _STEPS.get(reason, RunStep.FAIL), reason)

    @property
    def is_payable(self) -> bool:
        """Whether the price is due: the answer was delivered, or stopped once it was visible."""
        is_delivered = self.state is RunState.COMPLETED and self.reason is None
        return is_delivered or (self.reason is Reason.STOPPED and self.is_visible)


def storable(text: str) -> str:
    """The text without what no table can hold."""
    return text.replace("\0", "").encode(errors="replace").decode()


def _longer(before: Transcript, text: str) -> Transcript:
    whole = before.text + text
    if len(whole) <= TEXT_MAX:
        return replace(before, text=whole)
    cut = replace(before, text=whole[:TEXT_MAX])
    return _over(cut, RunStep.CUT_SHORT, Reason.INCOMPLETE)


def _finished(begun: Transcript, event: RunCompleted | RunIncomplete | RunFailed) -> Transcript:
    if isinstance(event, RunFailed):
        return begun.failed(event.kind)
    if isinstance(event, RunIncomplete):
        reason = Reason.INCOMPLETE if begun.is_visible else Reason.EMPTY_ANSWER
        return _over(begun, RunStep.CUT_SHORT, reason, event.usage)
    if not begun.is_visible:
        begun = replace(begun, text=named(begun.pictures))
    reason_if_empty = None if begun.is_visible else Reason.EMPTY_ANSWER
    return _over(begun, RunStep.COMPLETE, reason_if_empty, event.usage)


def _drawn(before: Transcript, event: ToolBegan | ToolEnded) -> Transcript:
    picture = event.picture if isinstance(event, ToolEnded) else None
    if picture is None:
        return before
    return replace(before, pictures=with_picture(before.pictures, picture))


def _cited(before: Transcript, cited: Cited) -> Transcript:
    """Number the source; blanks stay blanks, because a footnote is not an answer."""
    sources, mark = noted(before.sources, cited)
    with_source = replace(before, sources=sources)
    return _longer(with_source, mark) if before.is_visible else with_source


def _at(before: Transcript, step: RunStep) -> Transcript:
    return replace(before, state=next_state(before.state, step))


def _over(
    before: Transcript, step: RunStep, reason: Reason | None, usage: Usage | None = None
) -> Transcript:
    ended = replace(_at(before, step), reason=reason, usage=usage)
    sources = listed(before.sources) if before.is_visible else ""
    has_room = len(ended.text) + len(sources) <= TEXT_MAX
    return replace(ended, text=ended.text + sources) if has_room else ended
