"""Turning a draft's answers into an offering on sale, inside one unit of work."""

from host.catalogue.changing import change_assistant, change_service
from host.catalogue.currencies import Money
from host.catalogue.offering_terms import (
    AssistantFields,
    EndpointFields,
    PlanTerms,
    ServiceFields,
    checked_assistant,
    checked_endpoints,
    checked_plan,
    checked_service,
)
from host.catalogue.registering import (
    By,
    OfferingStep,
    create_plan,
    move,
    register_assistant,
    register_service,
)
from host.config import Settings
from host.drafts.state import Answers, Kind, NewPlan
from host.errors import InvalidInput
from storage.cards import OfferingCard
from storage.database import Unit
from storage.file_kinds import Accepts


def publish_draft(unit: Unit, by: By, answers: Answers, settings: Settings) -> OfferingCard:
    """Make the plan if it is new, register what is sold on it, publish it: all of it or nothing.

    Raises:
        InvalidInput, NotAllowed, UnknownPlan: as the catalogue's own verbs.
    """
    owner_id = by.account_id
    assert owner_id is not None, "a draft is published by its builder"
    plan_slugs = _plan_slugs(unit, by, owner_id, answers)
    if answers.kind is Kind.SERVICE:
        card = _service(unit, by, owner_id, answers, plan_slugs, settings)
    else:
        checked = checked_assistant(_fields(answers, plan_slugs), upstreams=settings.upstreams)
        card = register_assistant(unit, by, owner_id, checked)
    return move(unit, by, card.slug, OfferingStep.PUBLISH)


def change_published(
    unit: Unit, by: By, slug: str, answers: Answers, settings: Settings
) -> OfferingCard:
    """Give what is on sale the draft's fields; a plan that is new is made for it.

    Raises:
        InvalidInput, NotAllowed, UnknownPlan: as the catalogue's own verbs.
    """
    owner_id = by.account_id
    assert owner_id is not None, "a draft is published by its builder"
    plan_slugs = _plan_slugs(unit, by, owner_id, answers)
    if answers.kind is Kind.SERVICE:
        fields = _service_fields(answers, plan_slugs)
        checked = checked_service(fields, allow_private=settings.allow_private_upstreams)
        return change_service(unit, by, slug, checked, checked_endpoints(endpoints_of(answers)))
    assistant = checked_assistant(_fields(answers, plan_slugs), upstreams=settings.upstreams)
    return change_assistant(unit, by, slug, assistant)


def _plan_slugs(unit: Unit, by: By, owner_id: int, answers: Answers) -> tuple[str, ...]:
    if answers.plan_slugs:
        return answers.plan_slugs
    return (create_plan(unit, by, owner_id, checked_plan(_terms(answers.new_plan))).slug,)


def _service(
    unit: Unit,
    by: By,
    owner_id: int,
    answers: Answers,
    plan_slugs: tuple[str, ...],
    settings: Settings,
) -> OfferingCard:
    fields = _service_fields(answers, plan_slugs)
    checked = checked_service(fields, allow_private=settings.allow_private_upstreams)
    return register_service(unit, by, owner_id, checked, checked_endpoints(endpoints_of(answers)))


def _service_fields(answers: Answers, plan_slugs: tuple[str, ...]) -> ServiceFields:
    if answers.price is None or answers.upstream_url is None:
        raise InvalidInput("The address or the price is missing.")
    return ServiceFields(
        title=answers.title or "",
        description=answers.description or "",
        price=answers.price,
        upstream_url=answers.upstream_url,
        secret_id=None if answers.key is None else answers.key.secret_id,
        plan_slugs=plan_slugs,
        tags=answers.tags or (),
    )


def endpoints_of(answers: Answers) -> list[EndpointFields]:
    """What of a service may be called, as the catalogue takes it."""
    return [
        EndpointFields(path=one.path, method=one.method, price=one.price, is_open=one.is_open)
        for one in answers.endpoints
        if one.is_on
    ]


def _terms(plan: NewPlan | None) -> PlanTerms:
    if plan is None or plan.title is None or plan.price_minor is None or plan.currency is None:
        raise InvalidInput("The plan is not complete.")
    return PlanTerms(
        title=plan.title,
        price=Money(plan.price_minor, plan.currency),
        credits=plan.credits,
        duration_s=plan.duration_s,
        is_trial=plan.is_trial,
    )


def _fields(answers: Answers, plan_slugs: tuple[str, ...]) -> AssistantFields:
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
        plan_slugs=plan_slugs,
        tags=answers.tags or (),
        starters=answers.starters or (),
        accepts=Accepts(answers.files) if answers.files else Accepts.NONE,
    )
