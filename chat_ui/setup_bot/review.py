"""What the setup bot draws: the review card, the key's form, a test's report, a sale's links.

Only what may be seen goes into a card; its props are stored and sent to the browser.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from chat_ui.setup_bot.answers import Choices, PlanChoice, messages_for, show_gives, shown
from chat_ui.setup_bot.endpoints import listed
from chat_ui.setup_bot.prompts import Button, Reply
from chat_ui.setup_bot.questions import wording
from host.api.report_views import EarningsView
from host.catalogue.currencies import format_money
from host.config import Settings
from host.drafts.drafts import Offer
from host.drafts.state import (
    DraftState,
    EndpointNote,
    KeyCheckResult,
    Kind,
    NewPlan,
    Question,
)
from host.proxy.trying import Tried
from host.redaction import redact
from host.runs.rehearsal import Rehearsal
from host.writing import credits_written
from storage.cards import OfferingCard, PlanView
from storage.models.catalogue import OfferingState

ON_TOP: Final = frozenset({Question.KIND, Question.DOCUMENT, Question.TITLE, Question.PRICE})
"""What the card says above its rows, or not at all."""
LONG: Final = frozenset({Question.DESCRIPTION, Question.INSTRUCTIONS, Question.ENDPOINTS})
STATES: Final[Mapping[OfferingState, str]] = {
    OfferingState.DRAFT: "not published",
    OfferingState.PUBLISHED: "on sale",
    OfferingState.PAUSED: "off sale",
    OfferingState.RETIRED: "retired",
}
BUTTONS_MAX: Final = 8
ANSWER_MAX: Final = 600
"""Characters of what a service answered that are shown."""
LONG_MAX: Final = 2000
"""How much of a long text a card carries; it is a look, not an editor."""


def choices_of(offer: Offer) -> Choices:
    """What a builder may choose from, as the dialogue shows it."""
    return Choices(
        models=offer.models,
        plans=tuple(PlanChoice(plan.slug, plan.title, _terms(plan)) for plan in offer.plans),
        allows_private=offer.allows_private,
    )


def key_form(state: DraftState) -> dict[str, Any]:
    """The props of `KeyForm.jsx`."""
    key = state.answers.key
    return {
        "draftId": state.draft_id,
        "isStored": key is not None,
        "last4": "" if key is None else key.last4,
        "unverified": key is not None and key.verdict is KeyCheckResult.UNREACHABLE,
        "isService": state.answers.kind is Kind.SERVICE,
    }


def review_card(state: DraftState, choices: Choices) -> dict[str, Any]:
    """The props of `DraftReview.jsx`."""
    answers = state.answers
    one = "call" if answers.kind is Kind.SERVICE else "message"
    price = "" if answers.price is None else f"{credits_written(answers.price)} per {one}"
    return {
        "draftId": state.draft_id,
        "version": state.version,
        "life": state.life.value,
        "title": answers.title or "",
        "price": price,
        "meaning": messages_for(answers),
        "isTested": state.place.is_tested,
        "isOnSale": state.offering_slug is not None,
        "rows": [
            {
                "label": wording(question, answers).label,
                "value": _whole(state, question) or shown(answers, question, choices) or "–",
                "isLong": question in LONG,
            }
            for question in answers.fields
            if question not in ON_TOP
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


def call_report(state: DraftState, tried: Tried) -> str:
    """What came of trying a service: its raw answer, how long it took, what it would have cost."""
    price = state.answers.price
    cost = credits_written(price) if price and tried.is_success else "nothing"
    verdict = "worked" if tried.is_success else "failed"
    media = f", {tried.media_type}" if tried.media_type else ""
    why = ""
    if tried.status in {401, 403}:
        why = " It wants a credential." if state.answers.key is None else " It refused yours."
    return (
        f"{_answer_shown(tried)}**The test {verdict}:** it answered {tried.status}{media} in"
        f" {tried.seconds:.1f} s.{why} A caller would have been charged {cost}; you were charged"
        " nothing."
    )


def _answer_shown(tried: Tried) -> str:
    text = redact(tried.text.strip())
    if not text:
        return ""
    more = "…" if len(text) > ANSWER_MAX or not tried.is_whole else ""
    return f"````\n{text[:ANSWER_MAX].replace('````', '` ` ` `')}{more}\n````\n\n"


def _service_reply(state: DraftState, slug: str, settings: Settings) -> Reply:
    """Where the service is called now, and how a GPT or a program comes to it."""
    answers, proxy_url = state.answers, f"{settings.public_url}/s/{slug}"
    sold = [note for note in answers.endpoints if note.is_on]
    example = next((note for note in sold if not note.is_open), sold[0])
    manifest = next((note for note in sold if note.is_open), None)
    is_open = f"- Open for everybody: `{proxy_url}{manifest.path}`\n" if manifest else ""
    return Reply(
        f"**{answers.title} is on sale.** Whoever holds the plan can call it now.\n\n"
        f"- Proxy URL: `{proxy_url}`\n"
        f"- Access tokens are made at {settings.public_url}/account/tokens by whoever has the"
        " plan; you may make one too, and your own calls are free\n"
        f"{is_open}"
        "- As a GPT Action: in the GPT choose *Configure → Create new action*, import your OpenAPI"
        " document, make the Proxy URL its only entry under `servers`, and choose *API key,"
        " Bearer* with an access token\n"
        "- To take it off sale, say `unpublish` here; `republish` puts it back.\n\n"
        f"A call:\n\n```\n{_curl(proxy_url, example)}\n```",
        (Button("Start another", "new"),),
    )


def _curl(proxy_url: str, note: EndpointNote) -> str:
    lines = [f"curl -X {note.method} {proxy_url}{note.path}"]
    lines += ['-H "Authorization: Bearer YOUR-TOKEN"'] if not note.is_open else []
    if note.method in {"POST", "PUT", "PATCH"}:
        lines += ['-H "Content-Type: application/json"', "-d '{}'"]
    return " \\\n  ".join(lines)


def offerings_reply(cards: Sequence[OfferingCard], settings: Settings) -> Reply:
    """What a builder has, whatever its state, each with a button to change it."""
    if not cards:
        return Reply("You have nothing on sale yet.", (Button("Start one", "new"),))
    lines = [
        f"- **{card.title}** · {STATES[card.state]} · {_price_of(card)} ·"
        f" {', '.join(plan.title for plan in card.plans) or 'on no plan'} ·"
        f" {settings.public_url}/{'s' if card.service else 'a'}/{card.slug}"
        for card in cards
    ]
    buttons = tuple(
        Button(f"Edit {card.title}", f"/edit {card.slug}")
        for card in cards
        if card.state is not OfferingState.RETIRED
    )
    return Reply("\n".join(lines), (*buttons[:BUTTONS_MAX], Button("Start another", "new")))


def earnings_reply(view: EarningsView, settings: Settings) -> Reply:
    """What one's plans earned in a period, plan by plan."""
    last = view.until - timedelta(days=1)
    period = f"{view.since:%d %b %Y} to {last:%d %b %Y}, UTC"
    if not view.plans:
        return Reply(f"Nothing was earned from {period}.")
    heads = "| plan | earned | credits used | given back |\n|---|--:|--:|--:|"
    rows = [
        f"| {plan.title} | {line.earned or 'free'} | {line.charged:g} | {line.refunded:g} |"
        for plan in view.plans
        for line in plan.totals
    ]
    table = "\n".join((heads, *rows))
    days = f"{settings.public_url}/api/v1/earnings?from={view.since}&to={view.until}"
    return Reply(
        f"**{period}**\n\n{table}\n\n[Day by day, as JSON]({days}); as a table for a payout:"
        " `farebox plan earnings`."
    )


def _price_of(card: OfferingCard) -> str:
    one = "call" if card.service else "message"
    return f"{credits_written(card.price)} per {one}" if card.price else "free"


def published_reply(state: DraftState, slug: str, settings: Settings) -> Reply:
    """Where it is now, and how to take it off sale."""
    if state.answers.kind is Kind.SERVICE:
        return _service_reply(state, slug, settings)
    return Reply(
        f"**{state.answers.title} is on sale.** Whoever holds the plan can use it now.\n\n"
        f"- Chat: {settings.public_url}/a/{slug}\n"
        f"- Proxy URL: `{settings.public_url}/s/{slug}`; programs `POST` to `/ask` under it, with"
        " an access token\n"
        "- To take it off sale, say `unpublish` here; `republish` puts it back. To change it, say"
        " `edit` or name a field.",
        (Button("Start another", "new"),),
    )


def _whole(state: DraftState, question: Question) -> str | None:
    if question is Question.ENDPOINTS:
        return listed(state.answers.endpoints).replace("**", "").replace("`", "")
    text: str | None = getattr(state.answers, question.value) if question in LONG else None
    return text and (text if len(text) <= LONG_MAX else f"{text[:LONG_MAX]}…")


def _terms(plan: PlanView) -> str:
    version = plan.version
    price = format_money(version.price_minor, version.currency) if version.price_minor else "free"
    gives = show_gives(NewPlan(credits=version.credits, duration_s=version.duration_s))
    return f"{price} · {gives}"
