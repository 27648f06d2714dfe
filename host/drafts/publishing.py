"""Turning a draft's answers into an offering on sale, inside one unit of work."""

from host.catalogue.currencies import Money
from host.catalogue.offering_terms import (
    AssistantFields,
    PlanTerms,
    checked_assistant,
    checked_plan,
)
from host.catalogue.registering import By, OfferingStep, create_plan, move, register_assistant
from host.drafts.state import Answers, NewPlan
from host.errors import InvalidInput
from storage.cards import OfferingCard
from storage.database import Unit


def publish_draft(
    unit: Unit, by: By, answers: Answers, upstreams: tuple[str, ...]
) -> OfferingCard:
    """Make the plan if it is new, register the assistant, publish it: all of it or nothing.

    Raises:
        InvalidInput, NotAllowed, UnknownPlan: as the catalogue's own verbs.
    """
    owner_id = by.account_id
    assert owner_id is not None, "a draft is published by its builder"
    plan_slug = answers.plan_slug
    if plan_slug is None:
        terms = checked_plan(_terms(answers.new_plan))
        plan_slug = create_plan(unit, by, owner_id, terms).slug
    checked = checked_assistant(_fields(answers, plan_slug), upstreams=upstreams)
    card = register_assistant(unit, by, owner_id, checked)
    return move(unit, by, card.slug, OfferingStep.PUBLISH)


def _terms(plan: NewPlan | None) -> PlanTerms:
    if plan is None or plan.title is None or plan.price_minor is None or plan.currency is None:
        raise InvalidInput("The plan is not complete.")
    return PlanTerms(
        title=plan.title,
        price=Money(plan.price_minor, plan.currency),
        credits=plan.credits,
        duration_s=plan.duration_s,
    )


def _fields(answers: Answers, plan_slug: str) -> AssistantFields:
    if answers.key is None or answers.price is None:
        raise InvalidInput("The key or the price is missing.")
    return AssistantFields(
        title=answers.title or "",
        description=answers.description or "",
        model=answers.model or "",
        instructions=answers.instructions or "",
        price=answers.price,
        base_url=answers.key.base_url,
        secret_id=answers.key.secret_id,
        plan_slugs=(plan_slug,),
    )
