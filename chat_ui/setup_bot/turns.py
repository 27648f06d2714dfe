"""What one message comes to: a draft, a reply, and what has to be done in the world.

Also the ways a turn ends that all of the dialogue shares: said again, refused, or onward.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from chat_ui.setup_bot.answers import Choices
from chat_ui.setup_bot.prompts import Reply, ask
from host.drafts.state import DraftState, Question
from host.errors import InvalidInput


class Effect(StrEnum):
    """What the shell has to do in the world."""

    TEST = "test"
    PUBLISH = "publish"
    DISCARD = "discard"
    START_OVER = "start_over"
    NEW = "new"
    PAUSE = "pause"
    RESUME = "resume"
    FETCH = "fetch"
    MINE = "mine"
    EARNINGS = "earnings"
    REOPEN = "reopen"


@dataclass(frozen=True, slots=True)
class Turn:
    """The draft after a message, what is said, and what has to be done."""

    state: DraftState
    reply: Reply
    effect: Effect | None = None
    message: str = ""
    """What the effect is about: a test's message, a document's address, an offering's slug."""
    then: str = ""
    """What is said in a draft that was opened again, once it is."""


def again(state: DraftState, choices: Choices, line: str) -> Turn:
    """Something said, nothing changed, and the question once more."""
    return Turn(state, ask(state, choices).after(line))


def refuse(state: DraftState, choices: Choices, refused: InvalidInput) -> Turn:
    """The old value stays, the place stays, and the failure is counted."""
    place = replace(state.place, failures=state.place.failures + 1)
    line = f"{refused.detail.rstrip('.')}. Nothing was changed."
    return again(replace(state, place=place), choices, line)


def onward(state: DraftState, choices: Choices, line: str = "") -> Turn:
    """To where an edit came from, else to what is missing, else to the review."""
    to_ask = state.answers.to_ask
    to = state.place.return_to or (to_ask[0] if to_ask else Question.REVIEW)
    if to is Question.REVIEW and to_ask:
        to = to_ask[0]
    after = state.moved(to)
    return Turn(after, ask(after, choices).after(line))
