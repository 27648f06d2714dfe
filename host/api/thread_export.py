"""A conversation to take away: Markdown for people, JSON for programs, piece by piece.

What Markdown says is said in the language of who takes it away; a file's name is the same in all.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from host.api.thread_views import FileView, MessageView, ThreadView
from host.catalogue.offering_fields import slug_from
from host.language import N_, _
from host.writing import credits_written, long_moment
from storage.credits import PER_CREDIT
from storage.moments import to_micros

NAMELESS: Final = N_("Conversation")
RECEIPT: Final = N_("receipt")
SPEAKERS: Final = {"you": N_("You"), "assistant": N_("assistant")}
"""What those are called here who have no name in what programs read."""
_KB: Final = 1000


def file_name(thread: ThreadView, ending: str) -> str:
    """What the export is saved as: the title in letters every system takes, and the day."""
    return f"{slug_from(thread.title or NAMELESS)}-{thread.created_at:%Y-%m-%d}.{ending}"


def as_markdown(thread: ThreadView, public_url: str) -> Iterator[str]:
    """The conversation as a document."""
    yield f"# {_on_one_line(thread.title or _(NAMELESS))}\n\n"
    speaker = _on_one_line(thread.assistant or "Farebox")
    begun = _moment(thread.created_at)
    yield _("With {speaker}, begun {moment}.", speaker=speaker, moment=begun) + "\n"
    for message in thread.messages:
        yield from _message(message, public_url)
    cost = credits_written(round(thread.credits * PER_CREDIT))
    has_refunds = any(message.charge and message.charge.refunded for message in thread.messages)
    if has_refunds:
        total = _("{credits} in all, less what was given back.", credits=cost)
    else:
        total = _("{credits} in all.", credits=cost)
    yield f"\n---\n\n{total}\n"


def as_json(thread: ThreadView, public_url: str) -> Iterator[str]:
    """The conversation as one object."""
    head = thread.model_dump(mode="json", exclude={"messages"})
    yield json.dumps({**head, "host": public_url}, ensure_ascii=False)[:-1] + ', "messages": ['
    for number, message in enumerate(thread.messages):
        comma = ",\n" if number else "\n"
        yield comma + json.dumps(message.model_dump(mode="json"), ensure_ascii=False)
    yield "\n]}\n"


def _message(message: MessageView, public_url: str) -> Iterator[str]:
    nameless = SPEAKERS.get(message.speaker)
    speaker = _(nameless) if nameless else _on_one_line(message.speaker)
    yield f"\n## {speaker}, {_moment(message.at)}\n\n"
    yield (message.text.rstrip() or _("*(no text)*")) + "\n"
    for file in message.files:
        yield f"\n- {_file(file, public_url)}\n"
    if message.charge is not None:
        receipt = message.charge.receipt
        link = f" · [{_(RECEIPT)}]({public_url}/receipts/{receipt})" if receipt else ""
        yield f"\n> {message.charge.sentence}{link}\n"


def _file(file: FileView, public_url: str) -> str:
    name = _on_one_line(file.name).replace("[", "(").replace("]", ")")
    size = f"{max(1, file.bytes // _KB)} KB"
    link = f"[{name}]({public_url}{file.address})"
    return _("File: {link} ({type}, {size})", link=link, type=file.media_type, size=size)


def _on_one_line(written: str) -> str:
    return " ".join(written.split()).lstrip("# ") or _(NAMELESS)


def _moment(at: datetime) -> str:
    return long_moment(to_micros(at))
