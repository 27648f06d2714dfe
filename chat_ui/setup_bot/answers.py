"""Answers of the setup bot: what a text means for one field, and how a field is shown again.

The rules of each field are `host.catalogue.offering_fields`, the same for form and command line;
here is only what a chat adds: amounts in words, a plan chosen by its number, and a draft as text.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from chat_ui.setup_bot import amounts
from chat_ui.setup_bot.endpoints import agrees, changed, counted
from chat_ui.setup_bot.phrases import without_courtesy
from chat_ui.setup_bot.questions import wording
from host.catalogue import offering_fields
from host.catalogue.currencies import format_money
from host.catalogue.openapi import WELL_KNOWN, Document, read_document
from host.drafts.state import Answers, DraftState, EndpointNote, KeyNote, Kind, NewPlan, Question
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
_KINDS: Final = {
    **dict.fromkeys(
        ("assistant", "bot", "chatbot", "agent", "chat", "openai assistant", "gpt"), Kind.ASSISTANT
    ),
    **dict.fromkeys(
        (
            "service",
            "api",
            "plugin",
            "http service",
            "http api",
            "web service",
            "openapi",
            "rest api",
        ),
        Kind.SERVICE,
    ),
}
_ARTICLE: Final = re.compile(r"^(?:an|a|the|my)\s+")
_FILES: Final = {
    **dict.fromkeys(("none", "no", "no files", "nothing"), "none"),
    **dict.fromkeys(("images", "pictures", "photos", "images only"), "images"),
    **dict.fromkeys(("documents", "pdf", "pdfs", "documents only"), "documents"),
    **dict.fromkeys(
        ("images and documents", "documents and images", "all", "yes", "everything"), "both"
    ),
}
_TRIALS: Final = frozenset({"trial", "a trial", "free trial", "a free trial"})
_LISTED: Final = re.compile(r"\s*(?:,|;|\band\b|&|\+)\s*", re.IGNORECASE)
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
    allows_private: bool = False
    """Whether a service may be in this machine's own network, as in a demo."""


def accept(answers: Answers, question: Question, text: str, choices: Choices) -> Answers:
    """The answers with this field set.

    Raises:
        InvalidInput: the text does not follow the field's rule; nothing is changed.
    """
    text = text.strip()
    if not text:
        said = wording(question, answers)
        raise offering_fields.refusal(
            question.value, "That is empty.", f"It takes {said.rule}", said.example
        )
    if question is Question.UPSTREAM:
        return _moved_to(
            answers, offering_fields.upstream_url(text, allow_private=choices.allows_private)
        )
    if question is Question.DOCUMENT:
        return accept_document(answers, text, choices)
    if question is Question.PLAN:
        chosen = tuple(plan.slug for plan in _choose_plans(text, choices))
        return replace(answers, plan_slugs=chosen, new_plan=None)
    if question in _PLAN_PARTS:
        new_plan = _PLAN_PARTS[question](answers.new_plan or NewPlan(), text)
        # Until the new plan is whole, the one chosen before stays.
        slugs = () if new_plan.is_complete else answers.plan_slugs
        return replace(answers, new_plan=new_plan, plan_slugs=slugs)
    return _READERS[question](answers, text)


def accept_document(
    answers: Answers, text: str, choices: Choices, *, found_at: str = ""
) -> Answers:
    """The answers with what a service's document says: operations, where it is, how it is called.

    `found_at` is the origin it was read from, where the service is if the document names none.
    What is typed already stays.

    Raises:
        InvalidInput: it is no document that can be used; nothing is changed.
    """
    document = read_document(text)
    kept = replace(answers, endpoints=_operations(document), are_endpoints_agreed=False)
    if origin := document.origin or found_at:
        try:
            url = offering_fields.upstream_url(origin, allow_private=choices.allows_private)
        except InvalidInput:
            url = ""  # asked for then: the document may be a copy from somewhere else
        kept = _moved_to(kept, url) if url else kept
    for question, said in (
        (Question.TITLE, document.title),
        (Question.DESCRIPTION, document.description[: offering_fields.DESCRIPTION_MAX]),
    ):
        if not kept.has(question) and said:
            try:
                kept = _READERS[question](kept, said)
            except InvalidInput:
                continue  # asked for then
    return kept


def _operations(document: Document) -> tuple[EndpointNote, ...]:
    """Every operation, those that change something off; and the folder of its manifest, open."""
    notes = tuple(
        EndpointNote(
            method=one.method,
            path=one.path,
            summary=one.summary,
            risk=one.risk.value,
            is_on=one.is_on,
        )
        for one in document.operations
    )
    manifest = EndpointNote(
        method=WELL_KNOWN.method,
        path=WELL_KNOWN.path,
        summary="its manifest, for whoever wants to use it",
        risk="reads",
        is_on=True,
        is_open=True,
    )
    is_named = any(note.name == manifest.name for note in notes)
    return notes if is_named else (*notes, manifest)


def _moved_to(answers: Answers, url: str) -> Answers:
    """A service at this address; a credential for another one is none for this."""
    key = answers.key if answers.key is not None and answers.key.base_url == url else None
    return replace(answers, upstream_url=url, key=key)


def asks_for_new_plan(text: str) -> bool:
    """Whether this answer to the plan question begins a new plan."""
    return without_courtesy(text.lower()) in _CREATES


def shown(answers: Answers, question: Question, choices: Choices) -> str | None:
    """A field's value on one line; None when it has none."""
    if question is Question.PLAN:
        return _show_plan(answers, choices)
    if question in _PLAN_PARTS:
        return _show_plan_part(answers.new_plan or NewPlan(), question)
    if question in _SHOWN_ALONE:
        return _SHOWN_ALONE[question](answers)
    return _show_value(getattr(answers, question.value, None))


def _show_value(value: object) -> str | None:
    match value:
        case KeyNote() as key:
            return show_key(key)
        case Kind() as kind:
            return f"{kind.article} {kind}"
        case tuple(parts):
            return _one_line(", ".join(parts))
        case int(price):
            return format_credits(price)
        case str(text):
            return _one_line(text)
    return None


def show_key(key: KeyNote) -> str:
    """What may be said about a key: `set · ends …x9Qd · added 14:02 UTC`."""
    ends = f" · ends …{key.last4}" if key.last4 else ""
    added = f" · added {to_datetime(key.added_at):%H:%M} UTC"
    return f"set{ends}{added}{'' if key.verdict in {'valid', 'untried'} else ' · not verified'}"


def show_gives(plan: NewPlan) -> str:
    """What a new plan gives: `100 credits for 30 days`, `7 days`."""
    credits = credits_written(plan.credits) if plan.credits else ""  # noqa: A001
    lasting = "" if plan.duration_s is None else _show_duration(plan.duration_s)
    return " for ".join(part for part in (credits, lasting) if part)


def messages_for(answers: Answers) -> str:
    """What the price means: `100 credits = 20 messages`."""
    one = "call" if answers.kind is Kind.SERVICE else "message"
    if not answers.price:
        return f"{one.capitalize()}s are free: no credits are spent."
    count = EXAMPLE_CREDITS * PER_CREDIT // answers.price
    return f"{EXAMPLE_CREDITS} credits = {count} {one}{'' if count == 1 else 's'}"


def summary(state: DraftState, choices: Choices) -> str:
    """All fields, the missing ones marked; of the key only what may be known."""
    lines = []
    answers = state.answers
    for question in answers.fields:
        value = shown(answers, question, choices)
        is_done = answers.has(question)
        mark = "" if is_done or value is None else " · *unfinished*"
        without = "*left out*" if answers.is_optional(question) else "*missing*"
        lines.append(f"- **{wording(question, answers).label}:** {value or without}{mark}")
    return "\n".join(lines)


def _choose_plans(text: str, choices: Choices) -> tuple[PlanChoice, ...]:
    """One plan, or several that are listed: `1 and 3`. A title may have an "and" of its own."""
    try:
        return (_choose_plan(text, choices),)
    except InvalidInput:
        parts = [part for part in _LISTED.split(without_courtesy(text)) if part.strip()]
        if len(parts) < 2:  # noqa: PLR2004 - it was one, and is none of them
            raise
    return tuple(dict.fromkeys(_choose_plan(part, choices) for part in parts))


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
    if answers.plan_slugs:
        known = {plan.slug: f"{plan.title} · {plan.terms}" for plan in choices.plans}
        return "; ".join(known.get(slug, slug) for slug in answers.plan_slugs)
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
    if plan.is_trial:
        return "a free trial"
    return format_money(plan.price_minor, plan.currency) if plan.price_minor else "free"


def _show_duration(seconds: int) -> str:
    unit, name = (DAY, "day") if seconds % (DAY // SECOND) == 0 else (HOUR, "hour")
    count = seconds // (unit // SECOND)
    return f"{count} {name}{'' if count == 1 else 's'}"


def _one_line(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= LINE_MAX else f"{plain[: LINE_MAX - 1]}…"


def _plan_price(plan: NewPlan, text: str) -> NewPlan:
    if without_courtesy(text.lower()) in _TRIALS:
        return replace(plan, price_minor=0, currency="USD", is_trial=True)
    money = amounts.read_money(text)
    return replace(plan, price_minor=money.minor, currency=money.currency, is_trial=False)


def _plan_gives(plan: NewPlan, text: str) -> NewPlan:
    gives = amounts.read_gives(text)
    return replace(plan, credits=gives.credits, duration_s=gives.duration_s)


def _kind(answers: Answers, text: str) -> Answers:
    said = without_courtesy(text.lower()).strip(" .!")
    kind = _KINDS.get(_ARTICLE.sub("", said))
    if kind is None:
        raise offering_fields.refusal(
            "kind",
            f"“{offering_fields.shown(text)}” is neither.",
            "Say an assistant, or a service",
            "an assistant",
        )
    # A key was for the other's upstream.
    return answers if kind is answers.kind else replace(answers, kind=kind, key=None)


def _endpoints(answers: Answers, text: str) -> Answers:
    if agrees(text):
        if any(note.is_on for note in answers.endpoints):
            return replace(answers, are_endpoints_agreed=True)
        raise offering_fields.refusal(
            "endpoints", "None of them is on.", "A service sells at least one", "add 1"
        )
    notes = changed(answers.endpoints, text)
    return replace(answers, endpoints=notes, are_endpoints_agreed=False)


def _files(answers: Answers, text: str) -> Answers:
    said = without_courtesy(text.lower()).strip(" .!")
    kept = offering_fields.accepts(_FILES.get(said, said))
    return replace(answers, files=kept.value)


def _refuse_key(_answers: Answers, _text: str) -> Answers:
    raise InvalidInput("A key goes into the form, never into the chat.")


_SHOWN_ALONE: Final[Mapping[Question, Callable[[Answers], str | None]]] = {
    Question.DOCUMENT: lambda answers: (
        f"{len(answers.endpoints)} operations" if answers.endpoints else None
    ),
    Question.ENDPOINTS: lambda answers: counted(answers.endpoints) if answers.endpoints else None,
    Question.UPSTREAM: lambda answers: answers.upstream_url,
}
_READERS: Final[Mapping[Question, Callable[[Answers, str], Answers]]] = {
    Question.KIND: _kind,
    Question.ENDPOINTS: _endpoints,
    Question.TAGS: lambda answers, text: replace(answers, tags=offering_fields.tags(text)),
    Question.STARTERS: lambda answers, text: replace(
        answers, starters=offering_fields.starters(text)
    ),
    Question.FILES: _files,
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
