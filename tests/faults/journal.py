"""What clients asked for and what they were answered, kept where no kill of theirs can reach it.

A client writes one line before it calls (`Ask`: it names what it wants, so a retry is the same
call) and one when it has been answered (`Answer`), each by one write to a file opened for
appending, with the time of the machine's monotonic clock in nanoseconds, which all processes
share. What has no answer may have been applied or not; whoever comes after asks again.
"""

import json
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from storage.books import Granted, HoldAnswer, HoldEnded
from storage.credits import HoldState


class Verb(StrEnum):
    """What a client may ask for."""

    GRANT = "grant"
    HOLD = "hold"
    CAPTURE = "capture"
    RELEASE = "release"
    LOOK = "look"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One operation, complete before it is first sent."""

    key: str
    verb: Verb
    wallet_id: int
    amount: int = 0
    """Milli-credits to grant, to hold or to capture."""
    hold_id: int = 0
    """Which hold to end."""
    priority: int = 0
    """Of a grant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """A wallet as one read saw it."""

    version: int
    available: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the ledger said: the name of its answer and whatever of these it has."""

    kind: str
    version: int
    available: int | None = None
    grant_id: int | None = None
    hold_id: int | None = None
    public_id: str | None = None
    state: str | None = None
    captured: int | None = None
    shortfall: int | None = None
    is_new: bool | None = None

    @classmethod
    def of(cls, said: Granted | HoldAnswer | HoldEnded | Looked) -> "Answer":
        """The answer in the journal's form."""
        known = {name: value for name, value in asdict(said).items() if name in _ANSWERED}
        return cls(kind=type(said).__name__, **known)

    @property
    def is_fresh(self) -> bool:
        """Whether it is certain that no earlier try had any effect."""
        return self.kind in {"HoldOpened", "Insufficient", "Looked"} or self.is_new is True

    @property
    def leaves_open(self) -> bool:
        """Whether there is an open hold now."""
        return self.kind == "HoldOpened" or (
            self.kind == "HoldReplayed" and self.state == HoldState.OPEN
        )


_ANSWERED: Final = frozenset(each.name for each in fields(Answer)) - {"kind"}


@dataclass(slots=True)
class Call:
    """An operation with all its tries, by one client of one process."""

    process: str
    client: int
    ask: Ask
    tries_ns: list[int] = field(default_factory=list)
    answers: list[tuple[int, Answer]] = field(default_factory=list)
    """(when in ns, what): one of them, unless something is wrong."""

    @property
    def answer(self) -> Answer | None:
        """What it was answered, if it was."""
        return self.answers[-1][1] if self.answers else None


class Journal:
    """Appends for the clients of one process."""

    def __init__(self, path: Path, process: str, progress: int) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._process = process
        self._progress = progress

    def ask(self, client: int, ask: Ask) -> None:
        """Before the call."""
        self._write(client, {"ask": asdict(ask)})

    def answer(self, client: int, key: str, answer: Answer) -> None:
        """After the answer."""
        told = {name: value for name, value in asdict(answer).items() if value is not None}
        self._write(client, {"key": key, "answer": told})

    def _write(self, client: int, record: dict[str, Any]) -> None:
        record |= {"ns": time.monotonic_ns(), "process": self._process, "client": client}
        # The line feed comes first: what a kill tears at the edge of a page stands alone.
        os.write(self._file, b"\n" + json.dumps(record).encode())
        os.write(self._progress, b".")


def read_calls(path: Path, process: str | None = None) -> list[Call]:
    """Every call in the journal, or those of one process, in the order of the first tries."""
    if not path.exists():
        return []
    # Others' lines are not even parsed: this is done at each start, and journals grow long.
    own = b"" if process is None else json.dumps({"process": process}).strip("{}").encode()
    return fold(records(line for line in path.read_bytes().splitlines() if own in line))


def records(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The journal's lines without what a kill tore: nobody acted on those."""
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:
            continue


def fold(journal: Iterable[dict[str, Any]]) -> list[Call]:
    """The calls that these records tell of."""
    calls: dict[str, Call] = {}
    for record in journal:
        if "ask" in record:
            ask = Ask(**record["ask"] | {"verb": Verb(record["ask"]["verb"])})
            call = calls.setdefault(ask.key, Call(record["process"], record["client"], ask))
            assert call.ask == ask, "a retry asks for the same"
            call.tries_ns.append(record["ns"])
        else:
            calls[record["key"]].answers.append((record["ns"], Answer(**record["answer"])))
    return list(calls.values())
