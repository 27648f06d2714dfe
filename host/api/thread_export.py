"""A conversation to take away: Markdown for people, JSON for programs, piece by piece. Pure."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from host.api.thread_views import FileView, MessageView, ThreadView
from host.catalogue.offering_fields import slug_from

NAMELESS: Final = "Conversation"
_KB: Final = 1000


def file_name(thread: ThreadView, ending: str) -> str:
    """What the export is saved as: the title in letters every system takes, and the day."""
    return f"{slug_from(thread.title or NAMELESS)}-{thread.created_at:%Y-%m-%d}.{ending}"


def as_markdown(thread: ThreadView, public_url: str) -> Iterator[str]:
    """The conversation as a document."""
    yield f"# {_on_one_line(thread.title or NAMELESS)}\n\n"
    speaker = _on_one_line(thread.assistant or "Farebox")
    yield f"With {speaker}, begun {_moment(thread.created_at)}.\n"
    for message in thread.messages:
        yield from _message(message, public_url)
    yield f"\n---\n\n{_credits(thread.credits)} in all, less what was given back.\n"


def as_json(thread: ThreadView, public_url: str) -> Iterator[str]:
    """The conversation as one object."""
    head = thread.model_dump(mode="json", exclude={"messages"})
    yield json.dumps({**head, "host": public_url}, ensure_ascii=False)[:-1] + ', "messages": ['
    for number, message in enumerate(thread.messages):
        comma = ",\n" if number else "\n"
        yield comma + json.dumps(message.model_dump(mode="json"), ensure_ascii=False)
    yield "\n]}\n"


def _message(message: MessageView, public_url: str) -> Iterator[str]:
    speaker = "You" if message.speaker == "you" else _on_one_line(message.speaker)
    yield f"\n## {speaker}, {_moment(message.at)}\n\n"
    yield f"{message.text.rstrip() or '*(no text)*'}\n"
    for file in message.files:
        yield f"\n- {_file(file, public_url)}\n"
    if message.charge is not None:
        receipt = message.charge.receipt
        link = f" · [receipt]({public_url}/receipts/{receipt})" if receipt else ""
        yield f"\n> {message.charge.sentence}{link}\n"


def _file(file: FileView, public_url: str) -> str:
    name = _on_one_line(file.name).replace("[", "(").replace("]", ")")
    size = f"{max(1, file.bytes // _KB)} KB"
    return f"File: [{name}]({public_url}{file.address}) ({file.media_type}, {size})"


def _on_one_line(written: str) -> str:
    return " ".join(written.split()).lstrip("# ") or NAMELESS


def _credits(number: float) -> str:
    return "1 credit" if number == 1 else f"{number} credits"


def _moment(at: datetime) -> str:
    return f"{at.day} {at:%B %Y, %H:%M} UTC"
