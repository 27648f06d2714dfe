"""What the setup bot draws: the review card, the key's form, a test's report, a sale's links.

Only what may be seen goes into a card; its props are stored and sent to the browser.
"""

from typing import Any, Final

from chat_ui.setup_bot.answers import Choices, PlanChoice, messages_for, show_gives, shown
from chat_ui.setup_bot.prompts import Button, Reply
from chat_ui.setup_bot.questions import WORDING
from host.catalogue.currencies import format_money
from host.config import Settings
from host.drafts.drafts import Offer
from host.drafts.state import FIELDS, DraftState, KeyCheckResult, NewPlan, Question
from host.runs.rehearsal import Rehearsal
from host.writing import credits_written
from storage.cards import PlanView

LONG: Final = frozenset({Question.DESCRIPTION, Question.INSTRUCTIONS})
LONG_MAX: Final = 2000
"""How much of a long text a card carries; it is a look, not an editor."""


def choices_of(offer: Offer) -> Choices:
    """What a builder may choose from, as the dialogue shows it."""
    return Choices(
        models=offer.models,
        plans=tuple(PlanChoice(plan.slug, plan.title, _terms(plan)) for plan in offer.plans),
    )


def key_form(state: DraftState) -> dict[str, Any]:
    """The props of `KeyForm.jsx`."""
    key = state.answers.key
    return {
        "draftId": state.draft_id,
        "last4": "" if key is None else key.last4,
        "unverified": key is not None and key.verdict is not KeyCheckResult.VALID,
    }


def review_card(state: DraftState, choices: Choices) -> dict[str, Any]:
    """The props of `DraftReview.jsx`."""
    answers = state.answers
    price = "" if answers.price is None else f"{credits_written(answers.price)} per message"
    return {
        "draftId": state.draft_id,
        "version": state.version,
        "life": state.life.value,
        "title": answers.title or "",
        "price": price,
        "meaning": messages_for(answers),
        "isTested": state.place.is_tested,
        "rows": [
            {
                "label": WORDING[question].label,
                "value": _whole(state, question) or shown(answers, question, choices) or "–",
                "isLong": question in LONG,
            }
            for question in FIELDS
            if question not in {Question.TITLE, Question.PRICE}
        ],
    }


def test_report(state: DraftState, rehearsal: Rehearsal) -> str:
    """What came of a test message: the answer, how long it took, and what it would have cost."""
    price = state.answers.price
    cost = "nothing" if not price else credits_written(price)
    if not rehearsal.ok:
        return f"**The test failed.** {rehearsal.sentence} Nobody was charged."
    quoted = "\n".join(f"> {line}" for line in rehearsal.text.splitlines())
    return (
        f"{quoted}\n\n**The test worked:** answered in {rehearsal.seconds:.1f} s. A subscriber"
        f" would have been charged {cost}; you were charged nothing."
    )


def published_reply(state: DraftState, slug: str, settings: Settings) -> Reply:
    """Where the assistant is now, and how to take it off sale."""
    return Reply(
        f"**{state.answers.title} is on sale.** Whoever holds the plan can use it now.\n\n"
        f"- Chat: {settings.public_url}/a/{slug}\n"
        f"- Proxy URL: `{settings.public_url}/s/{slug}`; programs `POST` to `/ask` under it, with"
        " an access token\n"
        "- To take it off sale, say `unpublish` here; `republish` puts it back.",
        (Button("Start another", "new"),),
    )


def _whole(state: DraftState, question: Question) -> str | None:
    text: str | None = getattr(state.answers, question.value) if question in LONG else None
    return text and (text if len(text) <= LONG_MAX else f"{text[:LONG_MAX]}…")


def _terms(plan: PlanView) -> str:
    version = plan.version
    price = format_money(version.price_minor, version.currency) if version.price_minor else "free"
    gives = show_gives(NewPlan(credits=version.credits, duration_s=version.duration_s))
    return f"{price} · {gives}"
