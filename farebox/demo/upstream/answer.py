"""One answer (OpenAI's "response"): what was asked for, how far it is, and how it is shown.

An answer ends once. Only a completed one joins its conversation; whatever the end, the
conversation is free again before the terminal event is sent, so that a caller who reads that
event can ask the next question at once.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from farebox.demo.upstream.items import (
    annotation,
    answer_item,
    new_id,
    refusal_part,
    text_part,
    tool_item,
)
from farebox.demo.upstream.memory import Conversation
from farebox.demo.upstream.script import Script
from farebox.demo.upstream.triggers import Ending
from farebox.demo.upstream.wire import Json, JsonObject, integer_or_none, text_or_none

Status: TypeAlias = Literal[
    "queued", "in_progress", "completed", "incomplete", "failed", "cancelled"
]
# What a response repeats of its request; the tools are left out, since this upstream has none.
ECHOED: Final = (
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "previous_response_id",
    "prompt_cache_key",
    "safety_identifier",
    "service_tier",
    "truncation",
    "user",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request for an answer that was checked and understood."""

    body: JsonObject
    model: str
    instructions: str
    new_items: list[JsonObject]
    history: list[JsonObject]
    conversation: Conversation | None
    streams: bool
    in_background: bool
    is_stored: bool

    @property
    def most_words(self) -> int | None:
        """The limit of output tokens; a word counts as one."""
        return integer_or_none(self.body.get("max_output_tokens"))


@dataclass(slots=True, kw_only=True)
class Answer:
    """An answer on its way."""

    ask: Ask
    script: Script
    created_at: int
    on_end: Callable[["Answer"], None]
    id: str = field(default_factory=lambda: new_id("resp"))
    message_id: str = field(default_factory=lambda: new_id("msg"))
    status: Status = "in_progress"
    text: str = ""
    has_begun: bool = False
    tools_done: list[JsonObject] = field(default_factory=list)
    """The items of the tools used so far; they stand before the message."""

    @property
    def is_over(self) -> bool:
        """Whether it ended, however."""
        return self.status not in {"queued", "in_progress"}

    @property
    def is_refusal(self) -> bool:
        """Whether it declines to answer."""
        return self.script.ending is Ending.REFUSED_TO_ANSWER

    def end(self, status: Status) -> None:
        """End it, unless it has ended."""
        if not self.is_over:
            self.status = status
            self.on_end(self)

    def part(self, text: str) -> JsonObject:
        """The part that holds `text`."""
        return refusal_part(text) if self.is_refusal else text_part(text, self.annotations())

    def annotations(self) -> list[JsonObject]:
        """The sources of what was said so far."""
        return [annotation(q, self.text) for q in self.script.quotes if q.words in self.text]

    def tool(self, number: int, status: str) -> JsonObject:
        """The item of the tool of this number."""
        tool = self.script.tools[number]
        return tool_item(tool, f"{tool.value}_{number}_{self.id}", status)

    def output(self) -> list[JsonObject]:
        """All items: what was done, then what was said."""
        return [*self.tools_done, *([self.item()] if self.has_begun else [])]

    def item(self) -> JsonObject:
        """The assistant's message so far."""
        match self.status:
            case "completed":
                status = "completed"
            case "queued" | "in_progress":
                status = "in_progress"
            case _:
                status = "incomplete"
        parts: list[Json] = [self.part(self.text)] if self.text else []
        return answer_item(self.message_id, parts, status)

    def usage(self) -> JsonObject:
        """The count of words in and out, under OpenAI's names."""
        items = [*self.ask.history, *self.ask.new_items]
        words_in = len(self.ask.instructions.split()) + sum(_words(i) for i in items)
        words_out = len(self.text.split())
        return {
            "input_tokens": words_in,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": words_out,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": words_in + words_out,
        }

    def as_json(self) -> JsonObject:
        """The response object as OpenAI shows it now."""
        body, conversation = self.ask.body, self.ask.conversation
        shown: JsonObject = {
            "id": self.id,
            "object": "response",
            "created_at": self.created_at,
            "status": self.status,
            "background": self.ask.in_background,
            "error": None,
            "incomplete_details": None,
            "model": self.ask.model,
            "output": [*self.output()] if self.is_over else [],
            "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
            "temperature": body.get("temperature", 1.0),
            "tool_choice": "auto",
            "tools": [],
            "top_p": body.get("top_p", 1.0),
            "metadata": body.get("metadata") or {},
            "conversation": None if conversation is None else {"id": conversation.id},
            "usage": None,
        }
        shown |= {name: body[name] for name in ECHOED if name in body}
        if self.status in {"completed", "incomplete"}:
            shown["usage"] = self.usage()
        if self.status == "incomplete":
            shown["incomplete_details"] = {"reason": "max_output_tokens"}
        if self.status == "failed":
            shown["error"] = {"code": "server_error", "message": "The model failed to answer."}
        return shown


def _words(item: JsonObject) -> int:
    content = item.get("content")
    parts = content if isinstance(content, list) else []
    found = (text_or_none(p.get("text")) for p in parts if isinstance(p, dict))
    return sum(len(text.split()) for text in found if text)
