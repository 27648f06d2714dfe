"""The conversations this upstream knows, and who is answering in which.

Kept in memory and, if a directory is given, also in one small file each: the demo keeps its data
between starts, and a chat of yesterday must find its conversation today. The lock of a
conversation is not kept: no answer survives the process.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from farebox.demo.upstream.items import new_id
from farebox.demo.upstream.refusals import conversation_locked, conversation_unknown
from farebox.demo.upstream.wire import JsonObject, encoded, integer_or_none, objects, texts
from host.clock import Clock

MICROS_PER_S: Final = 1_000_000
_ID: Final = re.compile(r"conv_[0-9a-f]{32}")  # also what makes an id safe as a file's name


@dataclass(slots=True, kw_only=True)
class Conversation:
    """One conversation: what was said in it, in order."""

    id: str
    created_at: int
    metadata: dict[str, str]
    items: list[JsonObject] = field(default_factory=list)
    is_locked: bool = False

    def lock(self) -> None:
        """Reserve it for one answer.

        Raises:
            Refusal: another answer is being written in it.
        """
        if self.is_locked:
            raise conversation_locked()
        self.is_locked = True

    def as_json(self) -> JsonObject:
        """The object as OpenAI shows it."""
        return {
            "id": self.id,
            "object": "conversation",
            "created_at": self.created_at,
            "metadata": {**self.metadata},
        }


class Memory:
    """Makes, finds and forgets conversations."""

    def __init__(self, clock: Clock, keep_in: Path | None) -> None:
        self._clock = clock
        self._keep_in = keep_in
        self._conversations: dict[str, Conversation] = {}
        if keep_in is not None:
            keep_in.mkdir(parents=True, exist_ok=True)

    def now_s(self) -> int:
        """The time in the unit OpenAI gives it in."""
        return self._clock.now() // MICROS_PER_S

    def open(self, metadata: dict[str, str], items: list[JsonObject]) -> Conversation:
        """A new conversation."""
        made = Conversation(id=new_id("conv"), created_at=self.now_s(), metadata=metadata)
        self._conversations[made.id] = made
        self.append(made, items)
        return made

    def find(self, conversation_id: str) -> Conversation:
        """The conversation of that id.

        Raises:
            Refusal: there is none.
        """
        found = self._conversations.get(conversation_id) or self._read(conversation_id)
        if found is None:
            raise conversation_unknown(conversation_id)
        return self._conversations.setdefault(conversation_id, found)

    def append(self, conversation: Conversation, items: list[JsonObject]) -> None:
        """Add what was said, and keep it."""
        conversation.items.extend(items)
        # One that was deleted while it was answered in must not come back.
        if self._keep_in is not None and conversation.id in self._conversations:
            kept: JsonObject = {**conversation.as_json(), "items": [*conversation.items]}
            path = self._path(self._keep_in, conversation.id)
            half_written = path.with_suffix(".new")
            half_written.write_bytes(encoded(kept))
            half_written.replace(path)

    def forget(self, conversation: Conversation) -> None:
        """Delete it."""
        self._conversations.pop(conversation.id, None)
        if self._keep_in is not None:
            self._path(self._keep_in, conversation.id).unlink(missing_ok=True)

    def _read(self, conversation_id: str) -> Conversation | None:
        if self._keep_in is None or not _ID.fullmatch(conversation_id):
            return None
        try:
            raw = self._path(self._keep_in, conversation_id).read_bytes()
        except FileNotFoundError:
            return None
        kept: JsonObject = json.loads(raw)
        return Conversation(
            id=conversation_id,
            created_at=integer_or_none(kept.get("created_at")) or 0,
            metadata=texts(kept.get("metadata")),
            items=objects(kept.get("items")),
        )

    @staticmethod
    def _path(keep_in: Path, conversation_id: str) -> Path:
        return keep_in / f"{conversation_id}.json"
