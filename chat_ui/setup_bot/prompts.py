"""What the setup bot says at a place of its dialogue: the question, its buttons, its form.

Everything here depends on the draft alone, so a reply can be said again after a restart and be the
same. What a message changes is `chat_ui.setup_bot.interview`; the words are
`chat_ui.setup_bot.questions`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from chat_ui.setup_bot.answers import Choices, shown
from chat_ui.setup_bot.endpoints import listed
from chat_ui.setup_bot.questions import COMMANDS_LINE, step_of, wording
from host.drafts.state import DraftState, KeyCheckResult, Pending, Question

FAILURES_BEFORE_HELP: Final = 3


class Form(StrEnum):
    """What is drawn under a reply besides text and buttons."""

    KEY = "key"
    REVIEW = "review"


@dataclass(frozen=True, slots=True)
class Button:
    """Pressing it is saying `says`."""

    label: str
    says: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What the bot says."""

    text: str
    buttons: tuple[Button, ...] = ()
    form: Form | None = None

    def after(self, line: str) -> "Reply":
        """This reply with something said before it."""
        return replace(self, text=f"{line}\n\n{self.text}") if line else self


KEEP_OR_DISCARD: Final = (
    Button("Keep the draft", "save and exit"),
    Button("Discard it", "discard"),
    Button("Go on", "go on"),
)
UNVERIFIED: Final = (
    "This key is sealed but **not verified**: the upstream could not be reached. Enter it again to"
    " have it checked, or save it anyway and test it before you publish."
)
START_OVER_OR_NOT: Final = (Button("Yes, start over", "yes"), Button("No, go on", "go on"))


def greet(state: DraftState, choices: Choices) -> Reply:
    """The first thing said in a window: hello, or welcome back to this draft."""
    if state.version == 0:
        return ask(state, choices).after(
            "Let us put something on sale. I ask, you answer; everything is saved as we go, and"
            " nothing is on sale before you say `publish` at the end."
        )
    reply = ask(state, choices).after(f"Welcome back; {name_of(state)}.")
    return replace(reply, buttons=(*reply.buttons, Button("Start a new one", "new")))


def ask(state: DraftState, choices: Choices) -> Reply:
    """The question that is open."""
    if state.place.pending is not None:
        return _ask_pending(state, state.place.pending)
    question = state.place.at
    said = wording(question, state.answers)
    lines = [f"**{step_of(state)} · {said.label}**\n{said.asks}"]
    if question is Question.PLAN and choices.plans:
        numbered = enumerate(choices.plans, start=1)
        lines.append("\n".join(f"{n}. {plan.title} · {plan.terms}" for n, plan in numbered))
    if question is Question.ENDPOINTS:
        lines.append(listed(state.answers.endpoints))
    elif now := shown(state.answers, question, choices):
        lines.append(f"*Now:* {now} · say `next` to leave it so")
    if question is Question.KEY and _waits_for_consent(state):
        lines.append(UNVERIFIED)
    if state.place.failures >= FAILURES_BEFORE_HELP:
        lines.append("Stuck? Press the example to use it, or save and come back later.")
    small_print = (f"*Example:* `{said.example}`", f"*Rule:* {said.rule}")
    lines.append("\n".join((*small_print, f"*{COMMANDS_LINE}*")))
    return Reply("\n\n".join(lines), _buttons(state, choices), _form(question))


def name_of(state: DraftState) -> str:
    """A draft as its builder knows it: `draft 'Math Tutor', 4 of 13 done`."""
    title = f"'{state.answers.title}'" if state.answers.title else "without a title"
    return f"draft {title}, {state.done} of {state.steps} done"


def _ask_pending(state: DraftState, pending: Pending) -> Reply:
    if pending is Pending.CANCEL:
        return Reply(
            f"Shall I keep the draft or discard it? It is {name_of(state)}. Discarding deletes its"
            " key too; your other drafts stay.",
            KEEP_OR_DISCARD,
        )
    return Reply(
        f"Start over? This empties {name_of(state)}, and deletes its key. Other drafts stay.",
        START_OVER_OR_NOT,
    )


_CHOICES: Final[Mapping[Question, tuple[Button, ...]]] = {
    Question.KIND: (Button("An assistant", "an assistant"), Button("A service", "a service")),
    Question.ENDPOINTS: (Button("These are right", "ok"),),
    Question.FILES: tuple(
        Button(label, label.lower())
        for label in ("None", "Images", "Documents", "Images and documents")
    ),
}


def _buttons(state: DraftState, choices: Choices) -> tuple[Button, ...]:
    question = state.place.at
    buttons = _CHOICES.get(question, ())
    if question is Question.MODEL:
        buttons = tuple(Button(model, model) for model in choices.models)
    elif question is Question.PLAN:
        buttons = (
            *(Button(plan.title, plan.slug) for plan in choices.plans),
            Button("Create one", "create one"),
        )
    elif question is Question.KEY and _waits_for_consent(state):
        buttons = (Button("Save anyway", "save anyway"),)
    if state.answers.is_optional(question) and not state.answers.has(question):
        buttons = (*buttons, Button("Skip", "skip"))
    if state.place.failures >= FAILURES_BEFORE_HELP and question is not Question.KEY:
        example = wording(question, state.answers).example
        buttons = (*buttons, Button(f"Use “{example}”", example))
        buttons = (*buttons, Button("Save and exit", "save and exit"))
    return buttons


def _waits_for_consent(state: DraftState) -> bool:
    key = state.answers.key
    if key is None or key.is_accepted:
        return False
    return key.verdict is KeyCheckResult.UNREACHABLE


def _form(question: Question) -> Form | None:
    return {Question.KEY: Form.KEY, Question.REVIEW: Form.REVIEW}.get(question)
