"""What every provider speaks: what is asked of it, what it tells us, and how it may fail.

A *provider* carries out runs on somebody else's machines: it takes a `RunRequest` and shows what
happens as `RunEvent`s. The last one it shows is one of `RunCompleted`, `RunIncomplete` and
`RunFailed`; when it returns without one, the answer broke off (`host.runs.transcript` sees to
that). What happens before there are events is raised as `UpstreamError`.

Nothing here knows OpenAI. No text of an upstream passes: it may quote the key it was sent. A
failure is a `FailureKind`; what people read about one is said here to builders, and by
`host.runs.outcomes` to subscribers.
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeAlias


class FailureKind(StrEnum):
    """Why an upstream did not do what was asked."""

    KEY_REJECTED = "key_rejected"
    KEY_FORBIDDEN = "key_forbidden"
    MISSING_SCOPES = "missing_scopes"
    UNKNOWN_MODEL = "unknown_model"
    NOT_FOUND = "not_found"
    ADDRESS_NOT_ALLOWED = "address_not_allowed"
    CONTEXT_TOO_LONG = "context_too_long"
    THREAD_BUSY = "thread_busy"
    RATE_LIMITED = "rate_limited"
    OUT_OF_QUOTA = "out_of_quota"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    CONNECTION_LOST = "connection_lost"
    TIMED_OUT = "timed_out"
    SERVER_ERROR = "server_error"
    GARBLED = "garbled"


FOR_BUILDERS: dict[FailureKind, str] = {
    FailureKind.KEY_REJECTED: "The upstream does not accept the key.",
    FailureKind.KEY_FORBIDDEN: "The upstream does not allow this key to be used from here.",
    FailureKind.MISSING_SCOPES: "The key is restricted and lacks a permission it needs.",
    FailureKind.UNKNOWN_MODEL: "The upstream does not know the model, or the key may not use it.",
    FailureKind.NOT_FOUND: "The upstream does not know something the assistant refers to.",
    FailureKind.ADDRESS_NOT_ALLOWED: (
        "The upstream's address is not among those this installation allows."
    ),
    FailureKind.CONTEXT_TOO_LONG: "The conversation is longer than the model can read.",
    FailureKind.THREAD_BUSY: "The upstream was still busy with this conversation.",
    FailureKind.RATE_LIMITED: "The key has reached the upstream's rate limit. Try again soon.",
    FailureKind.OUT_OF_QUOTA: (
        "The key's organisation has no credit left with the upstream. Add credit there."
    ),
    FailureKind.REFUSED: "The upstream refused the request. Check the model and the instructions.",
    FailureKind.UNREACHABLE: "The upstream cannot be reached.",
    FailureKind.CONNECTION_LOST: "The connection to the upstream was lost.",
    FailureKind.TIMED_OUT: "The upstream took too long.",
    FailureKind.SERVER_ERROR: "The upstream reports an error of its own.",
    FailureKind.GARBLED: "The upstream sent something that cannot be understood.",
}
"""What a builder reads; they can do something about it."""


class UpstreamError(Exception):
    """An upstream failed. Carries no text, no header and no key of it, and chains nothing."""

    def __init__(
        self,
        kind: FailureKind,
        *,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(f"{kind} (status {status}, code {code}, request {request_id})")
        self.kind, self.status, self.code = kind, status, code
        self.request_id, self.retry_after_s = request_id, retry_after_s


@dataclass(frozen=True, slots=True)
class Usage:
    """What the upstream says a run took, in model tokens."""

    input: int
    output: int
    cached_input: int = 0
    reasoning: int = 0


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The upstream has begun; by this name it can be asked later."""

    provider_run: str


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A further piece of the answer."""

    text: str


class Tool(StrEnum):
    """What an upstream may do on the way to an answer."""

    WEB_SEARCH = "web_search"
    FILE_SEARCH = "file_search"
    CODE = "code"
    PICTURE = "picture"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class ToolBegan:
    """The upstream has begun to use a tool; `call` is its name for that."""

    call: str
    tool: Tool


@dataclass(frozen=True, slots=True)
class ToolEnded:
    """The upstream is done with a tool. What it was given and what it found is not told."""

    call: str
    is_failed: bool = False
    picture: bytes | None = field(default=None, repr=False)
    """What it has drawn, which is a part of the answer."""


@dataclass(frozen=True, slots=True)
class Cited:
    """What the answer has just said is taken from here: a page, or a file without an address."""

    title: str
    url: str | None


@dataclass(frozen=True, slots=True)
class RunCompleted:
    """The answer is whole."""

    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class RunIncomplete:
    """The upstream ended the answer early, and said why."""

    reason: str
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class RunFailed:
    """There will be no answer, or no more of it."""

    kind: FailureKind


RunEvent: TypeAlias = (
    RunStarted
    | TextDelta
    | ToolBegan
    | ToolEnded
    | Cited
    | RunCompleted
    | RunIncomplete
    | RunFailed
)
Show: TypeAlias = Callable[[RunEvent], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A builder's key and the one address it may be sent to."""

    key: str = field(repr=False)
    base_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SentFile:
    """A file that goes with a question, whole."""

    name: str
    media_type: str
    is_image: bool
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and what was answered to it."""

    question: str = field(repr=False)
    answer: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """One question to one assistant, with all that the upstream has to know."""

    credential: Credential
    model: str
    instructions: str = field(repr=False)
    provider_thread: str
    text: str = field(repr=False)
    files: tuple[SentFile, ...] = field(default=(), repr=False)
    missed: tuple[Turn, ...] = ()
    """What was said here before and the upstream does not know of, oldest first."""
    run_id: str
    subscriber: str
    """A hash that tells subscribers apart and names none."""


class KeyState(StrEnum):
    """What is known of a key."""

    VALID = "valid"
    REJECTED = "rejected"
    UNVERIFIED = "unverified"


@dataclass(frozen=True, slots=True)
class KeyCheck:
    """What became of trying a key, in a sentence for its builder.

    `kind` says what was wrong: `UNKNOWN_MODEL` concerns the model and not the key.
    """

    state: KeyState
    sentence: str
    kind: FailureKind | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """The upstream confirms that a run was completed, with this answer."""

    text: str
    usage: Usage | None
    cites: tuple[tuple[int, Cited], ...] = ()
    """What it cites, in order, each behind so many characters of the text."""
    pictures: tuple[bytes, ...] = field(default=(), repr=False)
    """What was drawn for it."""

    def events(self) -> Iterator[RunEvent]:
        """What would have been shown of it, so that it is folded like any other answer."""
        yield from (ToolEnded("", picture=picture) for picture in self.pictures)
        told = 0
        for position, cited in self.cites:
            yield TextDelta(self.text[told:position])
            yield cited
            told = position
        yield TextDelta(self.text[told:])
        yield RunCompleted(self.usage)


class Provider(Protocol):
    """Carries out runs."""

    async def check_key(self, credential: Credential, *, model: str) -> KeyCheck:
        """Try the key, and whether it may use `model`, without costing anything."""
        ...

    async def open_thread(self, credential: Credential, *, thread_id: str) -> str:
        """Make the counterpart of our thread; returns its name upstream.

        Raises:
            UpstreamError: it could not be made.
        """
        ...

    async def run(self, request: RunRequest, show: Show) -> None:
        """Answer one question, showing what happens. Cancelling the call stops the upstream.

        Raises:
            UpstreamError: it failed before, or in between, events.
        """
        ...

    async def forget_thread(
        self,
        credential: Credential,
        *,
        provider_thread: str | None,
        provider_runs: tuple[str, ...],
    ) -> None:
        """Delete the thread's counterpart and the runs in it; what is gone already is no error.

        Raises:
            UpstreamError: something of it may still be there.
        """
        ...

    async def ask_outcome(self, credential: Credential, *, provider_run: str) -> Delivered | None:
        """Whether a run that we lost sight of was completed; None unless that is certain.

        Raises:
            UpstreamError: it cannot be asked now.
        """
        ...
