"""The setup bot as a pure state machine: a draft and a message in, a draft and a reply out.

Nothing here waits, stores or calls anybody: what has to be done in the world comes back as an
`Effect`, and only an open review screen ever asks for `PUBLISH`. Because the whole dialogue is in
the draft, it goes on after a restart, in another window, weeks later. What a message *is* decides
`chat_ui.setup_bot.phrases`, what a value means `chat_ui.setup_bot.answers`, what is said
`chat_ui.setup_bot.prompts`.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from chat_ui.setup_bot.amounts import read_price
from chat_ui.setup_bot.answers import Choices, accept, accept_document, asks_for_new_plan, shown
from chat_ui.setup_bot.commands import COMMANDS, edit, leave, try_out
from chat_ui.setup_bot.phrases import (
    Answer,
    Change,
    Command,
    Edit,
    Said,
    Told,
    UnknownCommand,
    nearest,
    read,
)
from chat_ui.setup_bot.prompts import Button, Reply, ask
from chat_ui.setup_bot.questions import COMMANDS_HELP, wording
from chat_ui.setup_bot.turns import Effect, Turn, again, onward, refuse
from host.drafts.state import (
    ASIDE,
    Answers,
    DraftLife,
    DraftState,
    Kind,
    NewPlan,
    Pending,
    Place,
    Question,
)
from host.errors import InvalidInput
from host.redaction import STAND_IN, has_secret

WAS_A_KEY: Final = (
    "That looked like a key, so it was taken out before it was stored, and nothing was changed. If"
    " it was real, replace it at the upstream now. A key goes into the form only: say `edit the"
    " key`."
)
PUBLISHED: Final = (
    "This is on sale, so nothing was changed.\n\n"
    "You can say `edit` or name a field to change it, `unpublish` to take it off sale, `republish`"
    " to put it back, `my offerings`, or `new` to start another."
)
STAYS: Final = "It is on sale as {kind}, and stays one. Say `new` to register something else."
GONE: Final = "This draft is gone. Say `new` to describe another."
START_ANOTHER: Final = Button("Start another", "new")
_WHEN_PUBLISHED: Final[Mapping[Command | None, tuple[Effect, str]]] = {
    Command.UNPUBLISH: (
        Effect.PAUSE,
        "Off sale: new messages are refused, nothing is lost. Say `republish` to put it back.",
    ),
    Command.REPUBLISH: (Effect.RESUME, "Back on sale. Say `unpublish` to take it off again."),
}
_ASKED_ALONE: Final = frozenset({Question.KEY, Question.DOCUMENT})
"""What is never set in passing: a key has its form, and a document brings much along."""
_ADDRESS: Final = re.compile(r"https?://\S+", re.IGNORECASE)
_LOOKS_UP: Final[Mapping[Command | None, Effect]] = {
    Command.MINE: Effect.MINE,
    Command.EARNINGS: Effect.EARNINGS,
}
_YES: Final = frozenset({"yes", "yes, start over", "yes start over", "yes please", "y"})
_NO: Final = frozenset({"no", "no, go on", "no thanks", "n"})


def hear(state: DraftState, text: str, choices: Choices) -> Turn:
    """What becomes of the draft when its builder says `text`."""
    if state.life is not DraftLife.OPEN:
        return _hear_closed(state, text)
    if has_secret(text) or STAND_IN in text:
        return again(state, choices, WAS_A_KEY)
    said = read(text)
    if state.place.pending is not None:
        return _settle(state, state.place.pending, said, choices)
    return _react(state, said, choices)


def key_entered(state: DraftState, choices: Choices) -> Turn:
    """The turn after the form has stored a key: on, unless it could not be checked."""
    if state.place.at is Question.KEY and state.answers.has(Question.KEY):
        return onward(state, choices, f"Key: {shown(state.answers, Question.KEY, choices)}")
    return Turn(state, ask(state, choices))


def document_read(state: DraftState, text: str, found_at: str, choices: Choices) -> Turn:
    """The turn after the document at an address was read: what it says is in the draft."""
    try:
        answers = accept_document(state.answers, text, choices, found_at=found_at)
    except InvalidInput as refused:
        return refuse(state, choices, refused)
    return _set(state, answers, Question.DOCUMENT, choices)


def not_read(state: DraftState, why: str, choices: Choices) -> Turn:
    """The turn after an address gave no document."""
    return refuse(state, choices, InvalidInput(why))


def after_test(state: DraftState) -> DraftState:
    """The draft after its answers have answered a test message."""
    return replace(state, place=replace(state.place, is_tested=True))


def _react(state: DraftState, said: Said, choices: Choices) -> Turn:
    match said:
        case Told(Command.TEST, rest):
            return try_out(state, choices, rest)
        case Told(Command.EDIT, rest):
            return edit(state, choices, rest)
        case Told(command):
            return COMMANDS[command](state, choices)
        case Edit(changes):
            return _edit(state, changes, choices)
        case UnknownCommand(word, nearest):
            return _unknown(state, choices, word, nearest)
        case Answer(answer):
            return _answer(state, answer, choices)


# Answers


def _answer(state: DraftState, text: str, choices: Choices) -> Turn:
    question = state.place.at
    if why := _not_typed(state):
        return again(state, choices, why)
    if question is Question.REVIEW:
        return _answer_review(state, text, choices)
    if question is Question.PLAN and asks_for_new_plan(text):
        return _begin_plan(state, choices)
    if question is Question.DOCUMENT and (address := _ADDRESS.fullmatch(text.strip())):
        return Turn(state, ask(state, choices), Effect.FETCH, address[0])
    try:
        answers = accept(state.answers, question, text, choices)
    except InvalidInput as refused:
        return refuse(state, choices, refused)
    return _set(state, answers, question, choices)


def _set(state: DraftState, answers: Answers, question: Question, choices: Choices) -> Turn:
    """The draft with these answers, what changed by name, and the question that follows."""
    after = state.answered(answers)
    line = _changed(state.answers, answers, question, choices)
    if question is Question.ENDPOINTS and not answers.are_endpoints_agreed:
        after = after.moved(question, return_to=state.place.return_to)
        return Turn(after, ask(after, choices).after(line))
    if question in ASIDE and question is not ASIDE[-1]:
        following = ASIDE[ASIDE.index(question) + 1]
        after = after.moved(following, return_to=state.place.return_to)
        return Turn(after, ask(after, choices).after(line))
    return onward(after, choices, line)


def _answer_review(state: DraftState, text: str, choices: Choices) -> Turn:
    """At the review nothing is asked, so only a price that calls itself one is an answer."""
    if "credit" in text.lower():
        try:
            read_price(text)
        except InvalidInput as refused:
            return refuse(state, choices, refused)
        return _edit(state, (Change(Question.PRICE, text),), choices)
    turn = again(
        state, choices, "I did not understand that. Say `test`, `publish`, or name a field."
    )
    meant = nearest(text) or (Command.TEST, Command.HELP)
    buttons = tuple(Button(f"Did you mean “{one}”?", one) for one in meant)
    return replace(turn, reply=replace(turn.reply, buttons=buttons))


def _edit(state: DraftState, changes: tuple[Change, ...], choices: Choices) -> Turn:
    """Named fields: all are set or none, and the dialogue stays where it was."""
    first = changes[0]
    if why := _not_here(state, changes):
        return again(state, choices, why)
    if len(changes) == 1 and (first.question in _ASKED_ALONE or first.value is None):
        return _jump(state, first.question, choices)
    if first.question is Question.PLAN and asks_for_new_plan(first.value or ""):
        return _begin_plan(state, choices)
    answers = state.answers
    try:
        for change in changes:
            answers = accept(answers, change.question, change.value or "", choices)
    except InvalidInput as refused:
        return refuse(state, choices, refused)
    after = state.answered(answers)
    named = [change.question for change in changes]
    line = "\n\n".join(_changed(state.answers, answers, question, choices) for question in named)
    if state.place.at in named or not _can_stay(state.place.at, answers):
        return onward(after, choices, line)
    after = after.moved(state.place.at, return_to=state.place.return_to)
    return Turn(after, ask(after, choices).after(line))


def _not_typed(state: DraftState) -> str | None:
    """Why the open question takes no text, if it takes none."""
    if state.place.at is Question.KEY:
        return "The key goes into the form, never into the chat."
    return _stays(state) if state.place.at is Question.KIND else None


def _not_here(state: DraftState, changes: tuple[Change, ...]) -> str | None:
    """Why these fields cannot be set in this draft, if they cannot."""
    answers, named = state.answers, [change.question for change in changes]
    if Question.KIND in named and (why := _stays(state)):
        return why
    strange = [question for question in named if question not in answers.fields]
    if not strange:
        return None
    kind = answers.kind or Kind.ASSISTANT
    label = wording(strange[0], answers).label.lower()
    return f"There is no {label} in a draft of {kind.article} {kind}."


def _stays(state: DraftState) -> str | None:
    """What is on sale stays what it is."""
    if state.offering_slug is None:
        return None
    kind = state.answers.kind or Kind.ASSISTANT
    return STAYS.format(kind=f"{kind.article} {kind}")


def _can_stay(at: Question, answers: Answers) -> bool:
    """Whether the dialogue can stay where it is: another kind has other fields."""
    if at is Question.REVIEW:
        return not answers.to_ask
    return at in answers.fields or at in ASIDE


def _jump(state: DraftState, question: Question, choices: Choices) -> Turn:
    """Ask one field again, and come back here afterwards."""
    if question is state.place.at:
        return Turn(state, ask(state, choices))
    at = state.place.at
    return_to = at if at in ASIDE else state.place.return_to or at
    after = state.moved(question, return_to=None if return_to is question else return_to)
    return Turn(after, ask(after, choices))


def _begin_plan(state: DraftState, choices: Choices) -> Turn:
    """The aside that describes a new plan; what was said about it before is kept."""
    answers = replace(state.answers, new_plan=state.answers.new_plan or NewPlan())
    return_to = state.place.return_to
    if return_to is None and state.place.at not in (Question.PLAN, *ASIDE):
        return_to = state.place.at
    after = state.answered(answers).moved(ASIDE[0], return_to=return_to)
    return Turn(after, ask(after, choices))


# A question about the draft itself


def _settle(state: DraftState, pending: Pending, said: Said, choices: Choices) -> Turn:
    """Only a plain answer counts here: nothing is discarded because somebody said something."""
    plain = said.text.strip().lower().rstrip(".!") if isinstance(said, Answer) else ""
    command = said.command if isinstance(said, Told) else None
    if plain in _NO or command in {Command.BACK, Command.NEXT}:
        after = replace(state, place=replace(state.place, pending=None))
        return Turn(after, ask(after, choices))
    if command is Command.LEAVE:
        return leave(state, choices)
    if pending is Pending.CANCEL and command is Command.DISCARD:
        return Turn(state, Reply("Discarded, and its key deleted."), Effect.DISCARD)
    if pending is Pending.START_OVER and plain in _YES:
        after = replace(state, answers=Answers(), place=Place())
        return Turn(after, ask(after, choices).after("Started over."), Effect.START_OVER)
    return Turn(state, ask(state, choices))


def _hear_closed(state: DraftState, text: str) -> Turn:
    """A draft that is published or gone hears little."""
    said = read(text)
    command = said.command if isinstance(said, Told) else None
    if command is Command.NEW:
        return Turn(state, Reply("Here is a fresh one."), Effect.NEW)
    if command in _LOOKS_UP:
        return Turn(state, Reply(""), _LOOKS_UP[command])
    if isinstance(said, Told) and command is Command.EDIT and said.rest:
        return Turn(state, Reply(""), Effect.REOPEN, said.rest)
    if state.offering_slug is not None and (command is Command.EDIT or isinstance(said, Edit)):
        then = text if isinstance(said, Edit) else ""
        return Turn(state, Reply(""), Effect.REOPEN, state.offering_slug, then)
    if state.life is DraftLife.PUBLISHED and command in _WHEN_PUBLISHED:
        effect, reply = _WHEN_PUBLISHED[command]
        return Turn(state, Reply(reply), effect)
    said_to = PUBLISHED if state.life is DraftLife.PUBLISHED else GONE
    return Turn(state, Reply(said_to, (START_ANOTHER,)))


# Words


def _unknown(state: DraftState, choices: Choices, word: str, nearest: tuple[str, ...]) -> Turn:
    turn = again(state, choices, f"I know no `/{word}`, so nothing was changed. {COMMANDS_HELP}")
    buttons = (*turn.reply.buttons, *(Button(command, command) for command in nearest))
    return replace(turn, reply=replace(turn.reply, buttons=buttons))


def _changed(before: Answers, after: Answers, question: Question, choices: Choices) -> str:
    """What changed, by name: `Price: 3 → 5`."""
    old, new = shown(before, question, choices), shown(after, question, choices)
    label = wording(question, after).label
    if question is Question.DOCUMENT:
        return _document_line(before, after)
    return f"{label}: {old} → {new}" if old and old != new else f"{label}: {new}"


def _document_line(before: Answers, after: Answers) -> str:
    """What a document brought, all of it by name."""
    lines = [f"Document: {len(after.endpoints)} operations"]
    if after.upstream_url and after.upstream_url != before.upstream_url:
        lines.append(f"Address: {after.upstream_url}")
    if after.title != before.title:
        lines.append(f"Title: {after.title}")
    if after.description != before.description:
        lines.append(f"Description: {after.description}")
    return "\n\n".join(lines)
