"""Which operations of a service are sold, as a builder says it: `remove upsert, open 2`.

The list is numbered, and an operation is named by its number, its path, a word that only its path
has, or method and path. What is said of one changes that one alone; what is not understood changes
nothing.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from chat_ui.setup_bot.amounts import read_price
from chat_ui.setup_bot.phrases import without_courtesy
from host.catalogue import offering_fields
from host.drafts.state import EndpointNote
from host.errors import InvalidInput
from storage.credits import format_credits

RULE: Final = (
    "`ok` when it is right; or `remove 2`, `add 3`, `open 1` (free, without a token), `close 1`,"
    " `1 costs 2`"
)
_AGREES: Final = frozenset(
    "ok okay yes fine good right correct these sure"
    " looks_good looks_right all_good that_is_right thats_right that's_right they_are_right"
    " these_are_fine go_on as_they_are leave_them keep_them".replace("_", "\0").split()
)
_DOING: Final[Mapping[str, Callable[[EndpointNote], EndpointNote]]] = {
    "remove": lambda note: replace(note, is_on=False, is_open=False),
    "add": lambda note: replace(note, is_on=True),
    "open": lambda note: replace(note, is_on=True, is_open=True, price=None),
    "close": lambda note: replace(note, is_open=False),
}
_VERBS: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("remove", "drop", "delete", "exclude", "without", "no", "hide", "turn off", "switch off"),
        "remove",
    ),
    **dict.fromkeys(
        ("add", "include", "allow", "with", "turn on", "switch on", "keep", "sell"), "add"
    ),
    **dict.fromkeys(("open", "make free", "free"), "open"),
    **dict.fromkeys(("close", "protect", "charge for"), "close"),
}
_SAID: Final = re.compile(
    rf"(?P<verb>{'|'.join(sorted(_VERBS, key=len, reverse=True))}) (?:the )?(?P<which>\S.*)",
    re.IGNORECASE | re.ASCII,
)
_COSTS: Final = re.compile(
    r"(?:the )?(?P<which>\S.*?)(?: costs?| is| =|:) (?P<price>[0-9a-z][0-9a-z. ]*)",
    re.IGNORECASE | re.ASCII,
)
_BETWEEN: Final = re.compile(
    r"\s*(?:;|,? and then |, (?=[a-z ]*\b(?:remove|add|open|close)\b))\s*"
)
_LISTED: Final = re.compile(r"\s*(?:,| and | & )\s*", re.ASCII)


def agrees(text: str) -> bool:
    """Whether the list is said to be right."""
    plain = without_courtesy(text.lower()).rstrip(".!")
    return plain.replace(" ", "\0") in _AGREES


def changed(notes: Sequence[EndpointNote], text: str) -> tuple[EndpointNote, ...]:
    """The operations after what was said of some of them.

    Raises:
        InvalidInput: it was not understood; nothing is changed.
    """
    kept = tuple(notes)
    for part in _BETWEEN.split(without_courtesy(text)):
        kept = _one(kept, part)
    return kept


def listed(notes: Sequence[EndpointNote]) -> str:
    """Every operation with its number, what it may do, and whether it is sold."""
    return "\n".join(
        " · ".join(filter(None, (f"{number}. `{note.name}`", _standing(note), note.summary)))
        for number, note in enumerate(notes, start=1)
    )


def counted(notes: Sequence[EndpointNote]) -> str:
    """How many there are of which kind: `2 sold, 1 open, 3 left out`."""
    is_open = sum(note.is_on and note.is_open for note in notes)
    sold = sum(note.is_on for note in notes) - is_open
    parts = [f"{sold} sold"]
    parts += [f"{is_open} open"] if is_open else []
    left_out = len(notes) - sold - is_open
    return ", ".join([*parts, f"{left_out} left out"] if left_out else parts)


def _standing(note: EndpointNote) -> str:
    if not note.is_on:
        return f"**off** ({note.risk})"
    if note.is_open:
        return "open, free"
    price = "" if note.price is None else f", {format_credits(note.price)} a call"
    return f"on ({note.risk}{price})"


def _one(notes: tuple[EndpointNote, ...], text: str) -> tuple[EndpointNote, ...]:
    if said := _SAID.fullmatch(text):
        do = _DOING[_VERBS[said["verb"].lower()]]
        which = set(_named(notes, said["which"]))
        return tuple(do(note) if note in which else note for note in notes)
    if said := _COSTS.fullmatch(text):
        price, which = read_price(said["price"]), set(_named(notes, said["which"]))
        return tuple(
            replace(note, price=price, is_on=True, is_open=False) if note in which else note
            for note in notes
        )
    raise _refused(text, notes)


def _named(notes: tuple[EndpointNote, ...], text: str) -> Iterator[EndpointNote]:
    if text.strip().lower() in {"all", "everything", "all of them"}:
        yield from notes
        return
    for name in filter(None, _LISTED.split(text)):
        found = [
            note for number, note in enumerate(notes, start=1) if _is_called(note, number, name)
        ]
        if not found:
            raise _refused(name, notes)
        yield from found


def _is_called(note: EndpointNote, number: int, name: str) -> bool:
    plain = name.strip('`"“” ').lower()
    if plain.lstrip("#").isdecimal():
        return plain.lstrip("#") == str(number)
    if plain in {note.name.lower(), note.path.lower()}:
        return True
    segments = [part for part in re.split(r"[/{}()*._-]+", note.path.lower()) if part]
    return plain in segments or plain == f"{note.method.lower()} {' '.join(segments)}"


def _refused(text: str, notes: Sequence[EndpointNote]) -> InvalidInput:
    return offering_fields.refusal(
        "endpoints",
        f"“{offering_fields.shown(text)}” names none of the operations.",
        "Say what to do and with which of them",
        f"remove {len(notes)}",
    )
