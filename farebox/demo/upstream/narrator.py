"""An answer told as OpenAI's events: numbered, checked against the SDK, encoded as frames.

Every event passes the SDK's own type on its way out. The few frames that are wrong on purpose
(`junk`, `nested_error`, `novelty`) go round that check, and only they do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from farebox.demo.upstream.answer import Answer
from farebox.demo.upstream.contract import fit_event
from farebox.demo.upstream.showpieces import PretendedTool
from farebox.demo.upstream.wire import JsonObject, encoded

WORKING: Final[Mapping[PretendedTool, str]] = {
    PretendedTool.CODE_INTERPRETER: "interpreting",
    PretendedTool.IMAGE_GENERATION: "generating",
}
"""What a tool's progress is called where it is not searching."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One server-sent event, ready to be written."""

    number: int
    data: bytes


class Narrator:
    """Counts the events of one answer and builds each."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._next = 0
        self._kind = "refusal" if answer.is_refusal else "output_text"
        self._index = len(answer.script.tools)  # the message comes after the tools
        self._noted = 0

    def response(self, moment: str) -> Frame:
        """`response.created`, `.queued`, `.in_progress` and the terminal three."""
        return self._frame(f"response.{moment}", {"response": self._answer.as_json()})

    def beginning(self) -> list[Frame]:
        """The message and its one part are there, and empty."""
        self._answer.has_begun = True
        part = self._answer.part("")
        return [
            self._frame(
                "response.output_item.added",
                {"output_index": self._index, "item": self._answer.item()},
            ),
            self._frame("response.content_part.added", {**self._place(), "part": part}),
        ]

    def tool_begins(self, number: int) -> list[Frame]:
        """A tool is being used."""
        item = self._answer.tool(number, "in_progress")
        tool = self._answer.script.tools[number]
        place: JsonObject = {"output_index": number, "item_id": item["id"]}
        return [
            self._frame("response.output_item.added", {"output_index": number, "item": item}),
            self._frame(f"response.{tool.value}.in_progress", place),
            self._frame(f"response.{tool.value}.{WORKING.get(tool, 'searching')}", place),
        ]

    def tool_ends(self, number: int) -> list[Frame]:
        """The tool has done its work."""
        item = self._answer.tool(number, "completed")
        self._answer.tools_done.append(item)
        tool = self._answer.script.tools[number]
        place: JsonObject = {"output_index": number, "item_id": item["id"]}
        return [
            self._frame(f"response.{tool.value}.completed", place),
            self._frame("response.output_item.done", {"output_index": number, "item": item}),
        ]

    def citations(self) -> list[Frame]:
        """The sources of what was said since they were last told."""
        found = self._answer.annotations()
        new = range(self._noted, len(found))
        self._noted = len(found)
        return [
            self._frame(
                "response.output_text.annotation.added",
                {**self._place(), "annotation_index": number, "annotation": found[number]},
            )
            for number in new
        ]

    def delta(self, word: str) -> Frame:
        """One word more."""
        fields: JsonObject = {**self._place(), "delta": word}
        if not self._answer.is_refusal:
            fields["logprobs"] = []
        return self._frame(f"response.{self._kind}.delta", fields)

    def ending(self) -> list[Frame]:
        """The part and the message are whole."""
        text, part = self._answer.text, self._answer.part(self._answer.text)
        done: JsonObject = {**self._place(), "text": text, "logprobs": []}
        if self._answer.is_refusal:
            done = {**self._place(), "refusal": text}
        return [
            self._frame(f"response.{self._kind}.done", done),
            self._frame("response.content_part.done", {**self._place(), "part": part}),
            self._frame(
                "response.output_item.done",
                {"output_index": self._index, "item": self._answer.item()},
            ),
        ]

    def error(self) -> Frame:
        """The `error` event with flat fields, as documented."""
        return self._frame(
            "error",
            {"code": "server_error", "message": "The model failed to answer.", "param": None},
        )

    def nested_error(self) -> Frame:
        """The `error` event as the real API is reported to send it, which no type describes."""
        return self._wrong(
            "error",
            {
                "error": {
                    "type": "server_error",
                    "code": "server_error",
                    "message": "The model failed to answer.",
                    "param": None,
                }
            },
        )

    def novelty(self) -> Frame:
        """An event of a type that a later API might bring."""
        return self._wrong("response.telepathy.delta", {"delta": "…"})

    def junk(self) -> Frame:
        """A line that breaks off inside its JSON."""
        return Frame(
            self._number(), b'event: response.output_text.delta\ndata: {"type": "resp\n\n'
        )

    def _place(self) -> JsonObject:
        return {
            "item_id": self._answer.message_id,
            "output_index": self._index,
            "content_index": 0,
        }

    def _frame(self, name: str, fields: JsonObject) -> Frame:
        number = self._number()
        event: JsonObject = {"type": name, "sequence_number": number, **fields}
        return _framed(number, name, fit_event(event))

    def _wrong(self, name: str, fields: JsonObject) -> Frame:
        number = self._number()
        return _framed(number, name, {"type": name, "sequence_number": number, **fields})

    def _number(self) -> int:
        self._next += 1
        return self._next - 1


def _framed(number: int, name: str, event: JsonObject) -> Frame:
    return Frame(number, b"event: %s\ndata: %s\n\n" % (name.encode(), encoded(event)))
