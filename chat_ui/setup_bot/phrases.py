"""What a builder's message to the setup bot is: a command, an edit, or an answer.

A small grammar without a model behind it. A command counts only when it is the whole message
("Go Back In Time Tutor" is a title), quotation marks force literal text, and an edit has to name
its field. Reading decides nothing else: what a command does at which question is
`chat_ui.setup_bot.interview`, what numbers and money mean is `chat_ui.setup_bot.amounts`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Final, TypeAlias

from host.drafts.state import Question


class Command(StrEnum):
    """What may be said at any question; the value is how the bot writes it."""

    BACK = "back"
    NEXT = "next"
    SKIP = "skip"
    REVIEW = "review"
    HELP = "help"
    WHY = "why?"
    CANCEL = "cancel"
    LEAVE = "save and exit"
    DISCARD = "discard"
    START_OVER = "start over"
    SAVE_ANYWAY = "save anyway"
    TEST = "test"
    PUBLISH = "publish"
    NEW = "new"
    EDIT = "edit"
    MINE = "my offerings"
    EARNINGS = "earnings"
    UNPUBLISH = "unpublish"
    REPUBLISH = "republish"


@dataclass(frozen=True, slots=True)
class Told:
    """A command, with what followed it: a message to `test` with, the name of what to `edit`."""

    command: Command
    rest: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One field to be set, or to be asked again when there is no value."""

    question: Question
    value: str | None


@dataclass(frozen=True, slots=True)
class Edit:
    """Fields named together with their new values."""

    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class UnknownCommand:
    """A `/word` that is no command, and the commands it may have meant."""

    word: str
    nearest: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """Anything else: an answer to the question that is open."""

    text: str


Said: TypeAlias = Told | Edit | UnknownCommand | Answer

_PHRASES: Final[Mapping[Command, str]] = {
    Command.BACK: "back|go back|previous|go to previous|undo|step back|one back|one step back"
    "|previous question|go to the previous question|the one before|last question|back up"
    "|prevoius|previuos|undo that",
    Command.NEXT: "next|keep|keep it|continue|go on|carry on|leave it|leave it as it is|move on"
    "|next question|leave it so|contineu|proceed",
    Command.SKIP: "skip|skip it|skip this|pass|leave it out|skip this one|skip that|not needed"
    "|skipp|leave empty",
    Command.REVIEW: "review|show me|show|summary|show everything|show the draft|show draft"
    "|what did i enter|what have i entered|what did i enter so far|what do you have"
    "|show me everything|show me what i entered|show all|overview|reveiw|revew"
    "|what do i have so far|show my answers|list everything",
    Command.HELP: "help|?|??|help me|help please|commands|what can i say|what can i do|hlep|hepl"
    "|i need help|i am stuck|i'm stuck|how does this work|what now|what should i enter",
    Command.WHY: "why|why is that|why do you ask|why do you need this|why do you need that"
    "|what for|what is this for|why this|why do i have to|why is this needed",
    Command.CANCEL: "cancel|quit|abort|stop|cancle|cancel it|cancel this|stop it|forget it"
    "|never mind|nevermind",
    Command.LEAVE: "save and exit|save & exit|save|exit|keep draft|keep the draft|finish later"
    "|save it|save and quit|save and close|save for later|later|do it later|come back later"
    "|save the draft",
    Command.DISCARD: "discard|discard it|discard draft|discard the draft|delete the draft"
    "|throw it away|delete this draft|discrad",
    Command.START_OVER: "start over|start again|restart|begin again|yes start over|reset"
    "|start from scratch|from the beginning|strat over",
    Command.SAVE_ANYWAY: "save anyway|keep the key|use it anyway|keep it anyway|save it anyway"
    "|use the key anyway",
    Command.TEST: "test|test it|try it|run a test|send a test message|test message|try it out"
    "|test it first|let me test it|run the test|tets",
    Command.PUBLISH: "publish|publish it|publish now|go live|publish it now|put it on sale"
    "|make it live|pubish|publsih|publish this",
    Command.NEW: "new|new draft|start a new one|another|another one|register another"
    "|new assistant|new service|create another|start another|register a new one",
    Command.EDIT: "edit|edit it|change it|change something|make a change|update it|edit this",
    Command.MINE: "my offerings|my assistants|my services|list my offerings|show my offerings"
    "|what do i sell|what is on sale|what do i have on sale",
    Command.EARNINGS: "earnings|my earnings|my revenue|my sales|what did i earn|what do i earn"
    "|how much did i earn|what have i earned|show my earnings",
    Command.UNPUBLISH: "unpublish|unpublish it|pause|pause it|take it off sale|take it down"
    "|stop selling it",
    Command.REPUBLISH: "republish|republish it|resume|put it back on sale|resume it|sell it again",
}
_COMMANDS: Final = {
    phrase: command for command, phrases in _PHRASES.items() for phrase in phrases.split("|")
}
_FIELD_NAMES: Final[Mapping[str, Question]] = {
    "kind": Question.KIND,
    "document": Question.DOCUMENT,
    "openapi": Question.DOCUMENT,
    "openapi document": Question.DOCUMENT,
    "operations": Question.ENDPOINTS,
    "endpoints": Question.ENDPOINTS,
    "address": Question.UPSTREAM,
    "upstream": Question.UPSTREAM,
    "title": Question.TITLE,
    "name": Question.TITLE,
    "description": Question.DESCRIPTION,
    "tags": Question.TAGS,
    "tag": Question.TAGS,
    "starters": Question.STARTERS,
    "files": Question.FILES,
    "credential": Question.KEY,
    "model": Question.MODEL,
    "instructions": Question.INSTRUCTIONS,
    "instruction": Question.INSTRUCTIONS,
    "system prompt": Question.INSTRUCTIONS,
    "prompt": Question.INSTRUCTIONS,
    "api key": Question.KEY,
    "openai key": Question.KEY,
    "key": Question.KEY,
    "price": Question.PRICE,
    "cost": Question.PRICE,
    "plan": Question.PLAN,
}
_FIELD: Final = "(?P<field>" + "|".join(sorted(_FIELD_NAMES, key=len, reverse=True)) + ")"
_SETTING: Final = "(?:change|set|edit|update|make|correct)"
_SETS: Final = tuple(
    re.compile(pattern, re.IGNORECASE | re.ASCII)
    for pattern in (
        rf"(?:please )?{_SETTING} (?:the |my )?{_FIELD}(?: to| as| into| =|:) ?(?P<value>\S.*)",
        rf"(?:the |my )?{_FIELD} (?:should|must|shall|has to|ought to) be:? (?P<value>\S.*)",
    )
)
_JUMPS: Final = re.compile(
    rf"(?:please )?(?:change|edit|update|correct|fix|replace|go to|redo) (?:the |my )?{_FIELD}"
    r"(?: please)?[.!?]*",
    re.IGNORECASE | re.ASCII,
)
_LABELLED: Final = re.compile(
    rf"\s*(?:the )?{_FIELD}\s*[:=]\s*(?P<value>\S.*?)\s*", re.IGNORECASE | re.ASCII
)
_SLASH: Final = re.compile(
    r"/(?P<word>[a-z?][a-z?_-]*)(?P<rest> [^\n]*)?", re.IGNORECASE | re.ASCII
)
_TEST_WITH: Final = re.compile(r"/?(?:test|try) ?: ?(?P<rest>\S[^\n]*)", re.IGNORECASE | re.ASCII)
_WITH_REST: Final = {"test": Command.TEST, "edit": Command.EDIT}
_QUOTED: Final = re.compile(r"[\"“](?P<inside>[^\"“”]+)[\"”]", re.DOTALL)
_COURTESY: Final = re.compile(
    r"^(?:please|pls|kindly)[ ,]+|[ ,]+(?:please|pls|thanks|thank you|thx)$",
    re.IGNORECASE | re.ASCII,
)
_ASKING: Final = re.compile(
    r"^(?:ok|okay|well|now|can you|could you|would you|can we|could we|i want to|i would like to"
    r"|i'd like to|i need to|let's|lets)[ ,]+",
    re.ASCII,
)
"""What stands before a command without being one; a value keeps it."""
READ_AT_MOST: Final = 400
"""Commands and edits are short; a longer message is somebody's instructions."""


def read(text: str) -> Said:
    """What this message is, whichever question is open."""
    text = text.strip()
    if quoted := _QUOTED.fullmatch(text):
        return Answer(quoted["inside"].strip())
    if not text or "\n" in text or len(text) > READ_AT_MOST:
        return Answer(text)
    if command := as_command(text):
        return Told(command)
    if with_text := _TEST_WITH.fullmatch(text):
        return Told(Command.TEST, with_text["rest"])
    if slash := _SLASH.fullmatch(text):
        return _read_slash(slash["word"], slash["rest"] or "")
    changes = _read_changes(text)
    return Edit(changes) if changes else Answer(text)


def as_command(text: str) -> Command | None:
    """The command that the whole text is, if it is one."""
    plain = " ".join(text.lower().replace(",", " ").split())
    plain = without_courtesy(plain).rstrip(".!").strip()
    bare = without_courtesy(_ASKING.sub("", without_courtesy(_ASKING.sub("", plain))))
    forms = (plain, plain.rstrip("?").strip(), bare, bare.rstrip("?").strip())
    return next((_COMMANDS[form] for form in forms if form in _COMMANDS), None)


def nearest(text: str) -> tuple[Command, ...]:
    """The commands that somebody may have meant who said something else: three at most."""
    plain = without_courtesy(text.lower())
    close = get_close_matches(plain, _COMMANDS, n=3, cutoff=0.5)
    return tuple(dict.fromkeys(_COMMANDS[phrase] for phrase in close))


def without_courtesy(text: str) -> str:
    """The text without "please" and "thanks" at its ends."""
    stripped = _COURTESY.sub("", text.strip().rstrip(".!"))
    return _COURTESY.sub("", stripped).strip()


def _read_slash(word: str, rest: str) -> Said:
    spoken = f"{word.replace('-', ' ').replace('_', ' ')}{rest}"
    if command := as_command(spoken):
        return Told(command)
    if (taking := _WITH_REST.get(word.lower())) and rest.strip():
        return Told(taking, rest.strip())
    nearest = get_close_matches(word.lower(), [command.value for command in Command], n=3)
    return UnknownCommand(word, tuple(nearest))


def _read_changes(text: str) -> tuple[Change, ...]:
    for pattern in _SETS:
        if match := pattern.fullmatch(text):
            return (_change(match, without_courtesy(match["value"]) or match["value"]),)
    if match := _JUMPS.fullmatch(text):
        return (_change(match, None),)
    labelled = [_LABELLED.fullmatch(part) for part in text.split(";") if part.strip()]
    # All or nothing: a single unlabelled part means that this is a sentence with semicolons.
    matches = [match for match in labelled if match is not None]
    if len(matches) != len(labelled):
        return ()
    return tuple(_change(match, match["value"]) for match in matches)


def _change(match: re.Match[str], value: str | None) -> Change:
    if value is not None and (quoted := _QUOTED.fullmatch(value)):
        value = quoted["inside"].strip()
    return Change(_FIELD_NAMES[match["field"].lower()], value)
