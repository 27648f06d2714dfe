"""Any order of answers, commands, edits and restarts: the draft keeps what it was told.

Between any two messages the draft goes through its row and back, as a restart has it.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from chat_ui.setup_bot.answers import Choices, PlanChoice
from chat_ui.setup_bot.interview import document_read, hear
from chat_ui.setup_bot.phrases import Command, Told, read
from chat_ui.setup_bot.prompts import ask
from chat_ui.setup_bot.turns import Effect, Turn
from host.catalogue import offering_fields
from host.catalogue.offering_terms import EndpointFields, checked_endpoints
from host.drafts.fields import fields_of, state_of
from host.drafts.state import Answers, DraftState, KeyCheckResult, KeyNote, Kind, Question
from storage.drafts import KeptDraft
from storage.models.catalogue import Draft
from tests.fakes.clock import START
from tests.unit.test_interview import PHRASES, SONGS

UPSTREAM: Final = "https://upstream.example/v1"
CHOICES: Final = Choices(models=("gpt-6-luna",), plans=(PlanChoice("pack", "Pack", "5 USD"),))
ANSWERS: Final = (
    *("an assistant", "a service", "Math Tutor", "Explains algebra.", "maths, school", SONGS),
    *("gpt-6-luna", "Be patient.", "What is a prime?", "images", "5", "pack", "create one"),
    *("Pack 200", "10 USD", "200 credits", "7 days", "ok", "remove 1", "add 2", "open 1"),
    *("yes", "no", "-5", "lots", "sk-proj-abcdefghijklmnop1234567890", "x" * 500),
    *("title: Tea; price: 7", "change the kind to a service", "change the plan"),
    "https://songs.example/openapi.json",
)
MESSAGES: Final = st.one_of(
    st.sampled_from(ANSWERS), st.sampled_from([phrase for phrase, _ in PHRASES])
)
ENTER_KEY: Final = None
"""In place of a message: the form stores a key."""
SETTING: Final = frozenset({Command.SKIP, Command.SAVE_ANYWAY, Command.NEXT})
"""Commands that may say something about a field."""


@given(said=st.lists(st.one_of(st.just(ENTER_KEY), MESSAGES), max_size=25))
@settings(max_examples=600, deadline=None)
def test_no_dialogue_loses_an_answer_keeps_a_wrong_one_or_publishes_unseen(
    said: list[str | None],
) -> None:
    state = DraftState(draft_id="d-1", version=1)
    for text in said:
        before = state
        if text is ENTER_KEY:
            state = _with_key(state)
        else:
            turn = _heard(state, text)
            _check_effect(before, turn, text)
            state = turn.state
            _check_kept(before, state, text)
        _check_valid(state.answers)
        state = _restarted(state)
        assert ask(state, CHOICES).text


def _heard(state: DraftState, text: str) -> Turn:
    turn = hear(state, text, CHOICES)
    if turn.effect is Effect.FETCH:
        return document_read(turn.state, SONGS, "https://songs.example", CHOICES)
    return turn


def _check_effect(before: DraftState, turn: Turn, text: str) -> None:
    if turn.effect is Effect.PUBLISH:
        assert before.place.at is Question.REVIEW
        assert not before.answers.missing
        assert read(text) == Told(Command.PUBLISH)
        assert turn.state.review_version == before.review_version


def _check_kept(before: DraftState, after: DraftState, text: str) -> None:
    """A command takes nothing away; an answer that was refused changes nothing."""
    meant = read(text)
    if before.place.pending is not None:
        return
    if isinstance(meant, Told) and meant.command not in SETTING:
        assert after.answers == before.answers
    if after.place.failures > before.place.failures:
        assert after.answers == before.answers


RULES: Final[Mapping[str, Callable[[Any], object]]] = {
    "title": offering_fields.title,
    "description": offering_fields.description,
    "tags": offering_fields.tags,
    "starters": offering_fields.starters,
    "files": offering_fields.accepts,
    "model": offering_fields.model,
    "instructions": offering_fields.instructions,
    "price": offering_fields.price_in_range,
    "upstream_url": offering_fields.upstream_url,
}


def _check_valid(answers: Answers) -> None:
    """Every value is one that the catalogue would take as it is."""
    for name, rule in RULES.items():
        value = getattr(answers, name)
        assert value is None or rule(value) == value
    if sold := [one for one in answers.endpoints if one.is_on]:
        checked_endpoints(
            EndpointFields(path=one.path, method=one.method, price=one.price, is_open=one.is_open)
            for one in sold
        )
    if answers.key is not None and answers.kind is Kind.SERVICE:
        assert answers.key.base_url == answers.upstream_url


def _with_key(state: DraftState) -> DraftState:
    is_service = state.answers.kind is Kind.SERVICE
    bound_to = state.answers.upstream_url if is_service else UPSTREAM
    if bound_to is None:
        return state
    verdict = KeyCheckResult.UNTRIED if is_service else KeyCheckResult.VALID
    note = KeyNote(
        secret_id="s-1", last4="x9Qd", added_at=START, base_url=bound_to, verdict=verdict
    )
    return state.answered(replace(state.answers, key=note))


def _restarted(state: DraftState) -> DraftState:
    """The draft as another process reads it from its row."""
    row = Draft(
        id=state.draft_id,
        account_id=1,
        thread_id="t",
        version=state.version,
        state=state.life.value,
        fields=fields_of(state),
        created_at=START,
        updated_at=START,
    )
    key = state.answers.key
    again = state_of(
        KeptDraft(row, key.base_url if key is not None else None), upstreams=(UPSTREAM,)
    )
    assert again.answers == state.answers
    assert again.place == state.place
    return again
