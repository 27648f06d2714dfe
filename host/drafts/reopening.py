"""An offering on sale as the answers that would register it, so that it can be changed."""

from typing import Final

from host.drafts.state import Answers, EndpointNote, KeyCheckResult, KeyNote, Kind
from storage.cards import EndpointCard, OfferingCard
from storage.models.vault import Secret
from storage.moments import Micros

IN_USE: Final = "in use"
"""In place of a risk, which only a document tells."""


def answers_of(card: OfferingCard, secret: Secret | None) -> Answers:
    """What its builder has said, or would have; `secret` is the one it is run with."""
    plan_slugs = tuple(plan.slug for plan in card.plans)
    if card.service is not None:
        return Answers(
            kind=Kind.SERVICE,
            endpoints=tuple(_note(one, card) for one in card.service.endpoints),
            are_endpoints_agreed=True,
            upstream_url=card.service.upstream_url,
            title=card.title,
            description=card.description,
            tags=card.tags,
            key=_key(secret, KeyCheckResult.UNTRIED),
            price=card.price,
            plan_slugs=plan_slugs,
        )
    assert card.assistant is not None, "what is no service is an assistant"
    return Answers(
        kind=Kind.ASSISTANT,
        title=card.title,
        description=card.description,
        tags=card.tags,
        model=card.assistant.model,
        instructions=card.assistant.instructions,
        key=_key(secret, KeyCheckResult.VALID),
        starters=card.starters,
        files=card.assistant.accepts.value,
        price=card.price,
        plan_slugs=plan_slugs,
    )


def _note(one: EndpointCard, card: OfferingCard) -> EndpointNote:
    has_own_price = not one.is_open and one.price != card.price
    return EndpointNote(
        method=one.method,
        path=one.path,
        summary="",
        risk=IN_USE,
        is_on=True,
        is_open=one.is_open,
        price=one.price if has_own_price else None,
    )


def _key(secret: Secret | None, verdict: KeyCheckResult) -> KeyNote | None:
    if secret is None:
        return None
    return KeyNote(
        secret_id=secret.id,
        last4=secret.last4,
        added_at=Micros(secret.created_at),
        base_url=secret.bound_to,
        verdict=verdict,
    )
