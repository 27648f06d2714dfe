"""Answers of the setup bot: what a text means for one field, and how a field is shown again.

The rules of each field are `host.catalogue.offering_fields`, the same for form and command line;
here is only what a chat adds: amounts in words, a plan chosen by its number, and a draft as text.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from chat_ui.setup_bot import amounts
from chat_ui.setup_bot.phrases import without_courtesy
from chat_ui.setup_bot.questions import WORDING
from host.catalogue import offering_fields
from host.catalogue.currencies import format_money
from host.drafts.state import FIELDS, Answers, DraftState, KeyNote, NewPlan, Question
from host.errors import InvalidInput
from host.writing import credits_written
from storage.credits import PER_CREDIT, format_credits
from storage.moments import DAY, HOUR, SECOND, to_datetime

LINE_MAX: Final = 160
"""How much of a long text is repeated in one line."""
EXAMPLE_CREDITS: Final = 100
_CREATES: Final = frozenset(
    {"create one", "create", "new plan", "new one", "create a plan", "create a new plan"}
    | {"create one now", "create new", "make one", "a new one", "a new plan", "make a new plan"}
)
_NUMBERED: Final = re.compile(r"(?:plan |number |no\.? ?|#)?(?P<number>[0-9]{1,3})\.?", re.ASCII)


@dataclass(frozen=True, slots=True)
class PlanChoice:
    """One of the builder's plans, as a choice."""

    slug: str
    title: str
    terms: str


@dataclass(frozen=True, slots=True)
class Choices:
    """What the host has to choose from, when a question offers choices."""

    models: tuple[str, ...] = ()
    plans: tuple[PlanChoice, ...] = ()


def accept(answers: Answers, question: Question, text: str, choices: Choices) -> Answers:
    """The answers with this field set.

    Raises:
        InvalidInput: the text does not follow the field's rule; nothing is changed.
    """
    text = text.strip()
    if not text:
        wording = WORDING[question]
        raise offering_fields.refusal(
            question.value, "That is empty.", f"It takes {wording.rule}", wording.example
        )
    if question is Question.PLAN:
        return replace(answers, plan_slug=_choose_plan(text, choices).slug, new_plan=None)
    if question in _PLAN_PARTS:
        new_plan = _PLAN_PARTS[question](answers.new_plan or NewPlan(), text)
        # Until the new plan is whole, the one chosen before stays.
        slug = None if new_plan.is_complete else answers.plan_slug
        return replace(answers, new_plan=new_plan, plan_slug=slug)
    return _READERS[question](answers, text)


def asks_for_new_plan(text: str) -> bool:
    """Whether this answer to the plan question begins a new plan."""
    return without_courtesy(text.lower()) in _CREATES


def shown(answers: Answers, question: Question, choices: Choices) -> str | None:
    """A field's value on one line; None when it has none."""
    if question is Question.PLAN:
        return _show_plan(answers, choices)
    if question in _PLAN_PARTS:
        return _show_plan_part(answers.new_plan or NewPlan(), question)
    match getattr(answers, question.value, None):
        case KeyNote() as key:
            return show_key(key)
        case int(price):
            return format_credits(price)
        case str(text):
            return _one_line(text)
    return None


def show_key(key: KeyNote) -> str:
    """What may be said about a key: `set · ends …x9Qd · added 14:02 UTC`."""
    ends = f" · ends …{key.last4}" if key.last4 else ""
    added = f" · added {to_datetime(key.added_at):%H:%M} UTC"
    return f"set{ends}{added}{'' if key.verdict == 'valid' else ' · not verified'}"


def show_gives(plan: NewPlan) -> str:
    """What a new plan gives: `100 credits for 30 days`, `7 days`."""
    credits = credits_written(plan.credits) if plan.credits else ""  # noqa: A001
    lasting = "" if plan.duration_s is None else _show_duration(plan.duration_s)
    return " for ".join(part for part in (credits, lasting) if part)


def messages_for(answers: Answers) -> str:
    """What the price means: `100 credits = 20 messages`."""
    if not answers.price:
        return "Messages are free: no credits are spent."
    count = EXAMPLE_CREDITS * PER_CREDIT // answers.price
    return f"{EXAMPLE_CREDITS} credits = {count} message{'' if count == 1 else 's'}"


def summary(state: DraftState, choices: Choices) -> str:
    """All fields, the missing ones marked; of the key only what may be known."""
    lines = []
    for question in FIELDS:
        value = shown(state.answers, question, choices)
        is_done = state.answers.has(question)
        mark = "" if is_done or value is None else " · *unfinished*"
        lines.append(f"- **{WORDING[question].label}:** {value or '*missing*'}{mark}")
    return "\n".join(lines)


def _choose_plan(text: str, choices: Choices) -> PlanChoice:
    plain = without_courtesy(text).casefold()
    numbered = _NUMBERED.fullmatch(plain)
    for number, plan in enumerate(choices.plans, start=1):
        if plain in {plan.title.casefold(), plan.slug}:
            return plan
        if numbered and int(numbered["number"]) == number:
            return plan
    offered = ", ".join(plan.title for plan in choices.plans) or "none yet"
    raise offering_fields.refusal(
        "plan",
        f"“{offering_fields.shown(text)}” is not one of your plans ({offered}).",
        "A plan is chosen by its number or title",
        "create one",
    )


def _show_plan(answers: Answers, choices: Choices) -> str | None:
    if answers.plan_slug is not None:
        chosen = [plan for plan in choices.plans if plan.slug == answers.plan_slug]
        return f"{chosen[0].title} · {chosen[0].terms}" if chosen else answers.plan_slug
    if answers.new_plan is None:
        return None
    plan = answers.new_plan
    parts = (plan.title, _show_money(plan), show_gives(plan))
    return f"{' · '.join(part for part in parts if part)} (new)"


def _show_plan_part(plan: NewPlan, question: Question) -> str | None:
    if question is Question.PLAN_TITLE:
        return plan.title
    if question is Question.PLAN_PRICE:
        return _show_money(plan)
    return show_gives(plan) if plan.gives_something else None


def _show_money(plan: NewPlan) -> str | None:
    if plan.price_minor is None or plan.currency is None:
        return None
    return format_money(plan.price_minor, plan.currency) if plan.price_minor else "free"


def _show_duration(seconds: int) -> str:
    unit, name = (DAY, "day") if seconds % (DAY // SECOND) == 0 else (HOUR, "hour")
    count = seconds // (unit // SECOND)
    return f"{count} {name}{'' if count == 1 else 's'}"


def _one_line(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= LINE_MAX else f"{plain[: LINE_MAX - 1]}…"


def _plan_price(plan: NewPlan, text: str) -> NewPlan:
    money = amounts.read_money(text)
    return replace(plan, price_minor=money.minor, currency=money.currency)


def _plan_gives(plan: NewPlan, text: str) -> NewPlan:
    gives = amounts.read_gives(text)
    return replace(plan, credits=gives.credits, duration_s=gives.duration_s)


def _refuse_key(_answers: Answers, _text: str) -> Answers:
    raise InvalidInput("A key goes into the form, never into the chat.")


_READERS: Final[Mapping[Question, Callable[[Answers, str], Answers]]] = {
    Question.TITLE: lambda answers, text: replace(answers, title=offering_fields.title(text)),
    Question.DESCRIPTION: lambda answers, text: replace(
        answers, description=offering_fields.description(text)
    ),
    Question.MODEL: lambda answers, text: replace(
        answers, model=offering_fields.model(without_courtesy(text))
    ),
    Question.INSTRUCTIONS: lambda answers, text: replace(
        answers, instructions=offering_fields.instructions(text)
    ),
    Question.PRICE: lambda answers, text: replace(answers, price=amounts.read_price(text)),
    Question.KEY: _refuse_key,
}
_PLAN_PARTS: Final[Mapping[Question, Callable[[NewPlan, str], NewPlan]]] = {
    Question.PLAN_TITLE: lambda plan, text: replace(plan, title=offering_fields.title(text)),
    Question.PLAN_PRICE: _plan_price,
    Question.PLAN_GIVES: _plan_gives,
}
