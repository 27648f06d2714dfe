"""A draft as its row keeps it, and back: the one place that knows the JSON of `draft.fields`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pydantic import TypeAdapter

from host.drafts.state import Answers, DraftLife, DraftState, Kind, Place, Question
from storage.drafts import KeptDraft


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    answers: Answers = field(default_factory=Answers)
    place: Place = field(default_factory=Place)
    offering_slug: str | None = None


_JSON: Final = TypeAdapter(_Kept)


def fields_of(state: DraftState) -> dict[str, Any]:
    """What is kept of a draft beside its identity."""
    kept = _Kept(answers=state.answers, place=state.place, offering_slug=state.offering_slug)
    fields: dict[str, Any] = _JSON.dump_python(kept, mode="json")
    return fields


def state_of(found: KeptDraft, *, upstreams: tuple[str, ...]) -> DraftState:
    """The draft of a row.

    Where its key may be sent is what the sealed secret says now; a key for an upstream that is no
    longer allowed, or not the service's any more, is asked for again.
    """
    row, bound_to = found.row, found.bound_to
    kept = _JSON.validate_python(_as_now(row.fields))
    state = DraftState(
        draft_id=row.id,
        version=row.version,
        life=DraftLife(row.state),
        offering_slug=kept.offering_slug,
        answers=kept.answers,
        place=kept.place,
    )
    key = kept.answers.key
    if state.life is not DraftLife.OPEN or key is None:
        return state
    is_service = kept.answers.kind is Kind.SERVICE
    allowed = (kept.answers.upstream_url,) if is_service else upstreams
    if bound_to is not None and bound_to in allowed:
        moved = replace(state.answers, key=replace(key, base_url=bound_to))
        return replace(state, answers=moved)
    state = state.answered(replace(state.answers, key=None))
    return state.moved(Question.KEY) if state.place.at is Question.REVIEW else state


def moved_fields(fields: Mapping[str, Any], *, before: str, now: str) -> dict[str, Any]:
    """The fields of a draft whose service is at another address now."""
    answers = dict(fields.get("answers") or {})
    if answers.get("upstream_url") == before:
        answers["upstream_url"] = now
    if (key := answers.get("key")) and key["base_url"] == before:
        answers["key"] = {**key, "base_url": now}
    return {**fields, "answers": answers} if answers else dict(fields)


def _as_now(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields as they are kept now, of a draft that was perhaps kept earlier.

    Before there were services what a draft was about went without saying, and it had one plan.
    """
    answers = dict(fields.get("answers") or {})
    if not answers or "kind" in answers:
        return dict(fields)
    chosen = answers.pop("plan_slug", None)
    answers |= {"kind": Kind.ASSISTANT.value, "plan_slugs": [chosen] if chosen else []}
    return {**fields, "answers": answers}
