"""What each command of the setup bot does at whichever question is open.

Commands move, explain, ask back or hand over; none of them sets a field.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, TypeAlias

from chat_ui.setup_bot.answers import Choices, shown, summary
from chat_ui.setup_bot.phrases import Command
from chat_ui.setup_bot.prompts import Button, Reply, ask, name_of
from chat_ui.setup_bot.questions import COMMANDS_HELP, wording
from chat_ui.setup_bot.turns import Effect, Turn, again, onward
from host.drafts.state import ASIDE, DraftState, KeyCheckResult, Pending, Question

_Handler: TypeAlias = Callable[[DraftState, Choices], Turn]


def _back(state: DraftState, choices: Choices) -> Turn:
    at, fields = state.place.at, state.answers.fields
    if at is fields[0]:
        return again(state, choices, "This is the first question.")
    if at in ASIDE:
        to = (Question.PLAN, *ASIDE)[ASIDE.index(at)]
    else:
        to = fields[fields.index(at) - 1] if at in fields else fields[-1]
    after = state.moved(to, return_to=state.place.return_to if at in ASIDE else None)
    return Turn(after, ask(after, choices))


def _next(state: DraftState, choices: Choices) -> Turn:
    at = state.place.at
    if at is Question.REVIEW:
        return again(state, choices, "This is the last screen.")
    if at in ASIDE:
        return _next_in_aside(state, choices)
    if at is Question.ENDPOINTS and any(note.is_on for note in state.answers.endpoints):
        agreed = state.answered(replace(state.answers, are_endpoints_agreed=True))
        return onward(agreed, choices)
    if state.answers.has(at):
        return onward(state, choices)
    if state.answers.is_optional(at):
        return _skip(state, choices)
    return again(state, choices, _still_missing(state))


def _next_in_aside(state: DraftState, choices: Choices) -> Turn:
    at = state.place.at
    if shown(state.answers, at, choices) is None:
        return again(state, choices, _still_missing(state))
    if at is ASIDE[-1]:
        return onward(state, choices)
    after = state.moved(ASIDE[ASIDE.index(at) + 1], return_to=state.place.return_to)
    return Turn(after, ask(after, choices))


def _still_missing(state: DraftState) -> str:
    return f"{wording(state.place.at, state.answers).label} is still missing, and needed."


def _skip(state: DraftState, choices: Choices) -> Turn:
    """Leave an optional field out, or as it is if it has been answered."""
    at, answers = state.place.at, state.answers
    said = wording(at, answers)
    if not answers.is_optional(at):
        return again(state, choices, f"{said.label} cannot be skipped: {said.why}")
    if answers.has(at):
        return onward(state, choices, f"{said.label}: left as it is.")
    after = state.answered(replace(answers, skipped=answers.skipped | {at}))
    return onward(after, choices, f"{said.label}: left out.")


def _review(state: DraftState, choices: Choices) -> Turn:
    return again(state, choices, summary(state, choices))


def _help(state: DraftState, choices: Choices) -> Turn:
    said = wording(state.place.at, state.answers)
    return again(state, choices, f"{said.help}\n\n{COMMANDS_HELP}")


def _why(state: DraftState, choices: Choices) -> Turn:
    return again(state, choices, wording(state.place.at, state.answers).why)


def _hang(pending: Pending) -> _Handler:
    def handler(state: DraftState, choices: Choices) -> Turn:
        after = replace(state, place=replace(state.place, pending=pending))
        return Turn(after, ask(after, choices))

    return handler


def leave(state: DraftState, _choices: Choices) -> Turn:
    """Everything is saved already; this only says so."""
    after = replace(state, place=replace(state.place, pending=None))
    said = f"Saved: {name_of(after)}. Come back whenever you like; it waits here for 30 days."
    return Turn(after, Reply(said, (Button("Go on", "show me"),)))


def _save_anyway(state: DraftState, choices: Choices) -> Turn:
    key = state.answers.key
    if key is None or key.verdict is not KeyCheckResult.UNREACHABLE:
        return again(state, choices, "There is no key waiting to be kept.")
    after = state.answered(replace(state.answers, key=replace(key, is_accepted=True)))
    line = f"Key: {shown(after.answers, Question.KEY, choices)}"
    if state.place.at is Question.KEY:
        return onward(after, choices, line)
    return Turn(after, ask(after, choices).after(line))


def try_out(state: DraftState, choices: Choices, message: str) -> Turn:
    """Have the draft answer a message, on the review screen."""
    if not _is_reviewing(state):
        return _not_yet(state, choices, "A test message")
    return Turn(state, ask(state, choices), Effect.TEST, message)


def _publish(state: DraftState, choices: Choices) -> Turn:
    if not _is_reviewing(state):
        return _not_yet(state, choices, "Publishing")
    return Turn(state, ask(state, choices), Effect.PUBLISH)


def edit(state: DraftState, choices: Choices, slug: str) -> Turn:
    """Change something that is on sale; this draft is kept."""
    if slug:
        return Turn(state, Reply(f"Kept: {name_of(state)}."), Effect.REOPEN, slug)
    return again(state, choices, "Say which field, as in `change the title to Algebra Coach`.")


def _look_up(effect: Effect) -> _Handler:
    """What the shell finds out; the draft stays where it is."""
    return lambda state, choices: Turn(state, ask(state, choices), effect)


def _new(state: DraftState, _choices: Choices) -> Turn:
    return Turn(state, Reply(f"Kept: {name_of(state)}. Here is a fresh one."), Effect.NEW)


def _not_on_sale(state: DraftState, choices: Choices) -> Turn:
    return again(state, choices, "This is not on sale yet.")


def _not_yet(state: DraftState, choices: Choices, what: str) -> Turn:
    answers = state.answers
    missing = [wording(question, answers).label.lower() for question in answers.missing]
    until = f"still missing: {', '.join(missing)}" if missing else "say `next` to get there"
    return again(state, choices, f"{what} is for the review screen; {until}.")


def _is_reviewing(state: DraftState) -> bool:
    return state.place.at is Question.REVIEW and not state.answers.missing


COMMANDS: Final[Mapping[Command, _Handler]] = {
    Command.BACK: _back,
    Command.NEXT: _next,
    Command.SKIP: _skip,
    Command.REVIEW: _review,
    Command.HELP: _help,
    Command.WHY: _why,
    Command.CANCEL: _hang(Pending.CANCEL),
    Command.DISCARD: _hang(Pending.CANCEL),
    Command.START_OVER: _hang(Pending.START_OVER),
    Command.LEAVE: leave,
    Command.SAVE_ANYWAY: _save_anyway,
    Command.PUBLISH: _publish,
    Command.NEW: _new,
    Command.MINE: _look_up(Effect.MINE),
    Command.EARNINGS: _look_up(Effect.EARNINGS),
    Command.UNPUBLISH: _not_on_sale,
    Command.REPUBLISH: _not_on_sale,
}
