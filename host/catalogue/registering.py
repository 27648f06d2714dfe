"""How plans are made and offerings registered and published, each inside one unit of work.

`host.catalogue.catalogue` lends the unit and the settings. Who may act is decided here too: a
builder for what is their own, an operator for everybody, and `None` is the operator at the machine
itself.

It is longer than most modules: every verb repeats the same three steps (may they, does it fit,
write it with its audit line), and apart they would drift apart.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from host.catalogue.offering_fields import refusal, shown, slug_from
from host.catalogue.offering_terms import AssistantFields, EndpointFields, PlanTerms, ServiceFields
from host.errors import InvalidInput, NotAllowed, UnknownOffering, UnknownPlan
from host.language import _
from storage import accounts, audit
from storage import catalogue as kept
from storage.cards import OfferingCard, PlanView
from storage.catalogue import SlugTaken
from storage.credits import MilliCredits
from storage.database import Unit
from storage.file_kinds import Accepts
from storage.models.accounts import AccountState, Role
from storage.models.catalogue import (
    Assistant,
    Endpoint,
    Offering,
    OfferingKind,
    OfferingState,
    Plan,
    PlanKind,
    PlanState,
    PlanVersion,
    Service,
)
from storage.moments import Micros
from storage.secrets import find_secret


class OfferingStep(StrEnum):
    """What may be done with an offering."""

    PUBLISH = "publish"
    PAUSE = "pause"
    RESUME = "resume"
    RETIRE = "retire"


OFFERING_STEPS: Final[Mapping[tuple[OfferingState, OfferingStep], OfferingState]] = {
    (OfferingState.DRAFT, OfferingStep.PUBLISH): OfferingState.PUBLISHED,
    (OfferingState.PUBLISHED, OfferingStep.PAUSE): OfferingState.PAUSED,
    (OfferingState.PAUSED, OfferingStep.RESUME): OfferingState.PUBLISHED,
    (OfferingState.PAUSED, OfferingStep.RETIRE): OfferingState.RETIRED,
}
_LEADS_TO: Final = {step: state for (_, step), state in OFFERING_STEPS.items()}
_DONE: Final = {
    OfferingStep.PUBLISH: "offering.published",
    OfferingStep.PAUSE: "offering.paused",
    OfferingStep.RESUME: "offering.resumed",
    OfferingStep.RETIRE: "offering.retired",
}
SLUG_TRIES: Final = 100


@dataclass(frozen=True, slots=True)
class By:
    """Who acts, and when."""

    account_id: int | None
    now: Micros


def create_plan(unit: Unit, by: By, owner_id: int, terms: PlanTerms) -> PlanView:
    """A plan with version 1 of its terms, which have been checked."""
    authorise(unit, by, owner_id)
    slug = terms.slug or free_slug(unit, slug_from(terms.title), of=Plan)
    try:
        plan = kept.add_plan(
            unit.session,
            Plan(
                slug=slug,
                owner_id=owner_id,
                title=terms.title,
                description=terms.description,
                created_at=by.now,
            ),
            PlanVersion(
                plan_id=0,  # known once the plan is saved
                number=1,
                kind=(PlanKind.CREDITS if terms.credits else PlanKind.TIME).value,
                price_minor=terms.price.minor,
                currency=terms.price.currency,
                credits=terms.credits,
                duration_s=terms.duration_s,
                is_trial=terms.is_trial,
                created_at=by.now,
            ),
        )
    except SlugTaken:
        raise _taken(slug) from None
    note(unit, by, "plan.created", f"plan:{slug}")
    return plan


def archive_plan(unit: Unit, by: By, slug: str) -> PlanView:
    """Stop selling a plan; who holds it keeps it."""
    plan = find_plan(unit, slug)
    authorise(unit, by, plan.owner_id)
    if plan.is_sold:
        kept.set_plan_state(unit.session, plan.id, PlanState.ARCHIVED)
        note(unit, by, "plan.archived", f"plan:{slug}")
    return find_plan(unit, slug)


def register_assistant(unit: Unit, by: By, owner_id: int, fields: AssistantFields) -> OfferingCard:
    """A draft of an assistant, on its plans."""
    authorise(unit, by, owner_id)
    check_secret(unit, fields.secret_id, owner_id=owner_id, address=fields.base_url)
    offering = _offering(unit, by, owner_id, OfferingKind.ASSISTANT, fields)
    offering.starters = list(fields.starters)
    _add(
        unit,
        offering,
        Assistant(
            offering_id=0,  # known once the offering is saved
            provider=fields.provider,
            base_url=fields.base_url,
            model=fields.model,
            instructions=fields.instructions,
            secret_id=fields.secret_id,
            accepts=fields.accepts.value,
        ),
    )
    return _registered(unit, by, offering.slug, fields.plan_slugs)


def register_service(
    unit: Unit,
    by: By,
    owner_id: int,
    fields: ServiceFields,
    endpoints: Iterable[EndpointFields],
) -> OfferingCard:
    """A draft of a service with its endpoints, on its plans."""
    authorise(unit, by, owner_id)
    if fields.secret_id is not None:
        check_secret(unit, fields.secret_id, owner_id=owner_id, address=fields.upstream_url)
    offering = _offering(unit, by, owner_id, OfferingKind.SERVICE, fields)
    offering_id = _add(
        unit,
        offering,
        Service(
            offering_id=0,  # known once the offering is saved
            upstream_url=fields.upstream_url,
            secret_id=fields.secret_id,
        ),
    )
    kept.add_endpoints(
        unit.session,
        offering_id,
        [endpoint_row(endpoint, default=fields.price) for endpoint in endpoints],
    )
    return _registered(unit, by, offering.slug, fields.plan_slugs)


def attach(unit: Unit, by: By, *, plan_slug: str, offering_slug: str) -> OfferingCard:
    """Put an offering on a plan of the same owner."""
    plan, card = find_plan(unit, plan_slug), find_offering(unit, offering_slug)
    authorise(unit, by, card.owner_id)
    if plan.owner_id != card.owner_id:
        raise NotAllowed(f"{plan.title} belongs to another builder than {card.title}.")
    if kept.cover(unit.session, plan_id=plan.id, offering_id=card.id):
        note(unit, by, "offering.attached", f"offering:{card.slug}", plan=plan.slug)
    return find_offering(unit, offering_slug)


def accept(unit: Unit, by: By, slug: str, accepts: Accepts) -> OfferingCard:
    """Say which files may be sent to an assistant."""
    card = find_offering(unit, slug)
    authorise(unit, by, card.owner_id)
    if card.assistant is None:
        raise InvalidInput(f"{card.title} is a service; files are sent to assistants only.")
    if card.assistant.accepts is not accepts:
        kept.set_accepts(unit.session, card.id, accepts)
        note(unit, by, "offering.accepts", f"offering:{slug}", files=accepts.value)
    return find_offering(unit, slug)


def move(unit: Unit, by: By, slug: str, step: OfferingStep) -> OfferingCard:
    """Publish, pause, resume or retire; what has been done already is not done twice."""
    row = kept.lock_offering(unit.session, slug)
    card = find_offering(unit, slug)
    assert row is not None, "it was found a line above"
    authorise(unit, by, card.owner_id)
    if card.state is _LEADS_TO[step]:
        return card
    if (card.state, step) not in OFFERING_STEPS:
        raise InvalidInput(_why_not(card, step))
    if step is OfferingStep.PUBLISH:
        if not card.plans:
            raise InvalidInput(f"{card.title} is on no plan yet; put it on one, then publish.")
        row.published_at = by.now
    row.state = OFFERING_STEPS[card.state, step].value
    note(unit, by, _DONE[step], f"offering:{slug}")
    unit.session.flush()
    return find_offering(unit, slug)


def authorise(unit: Unit, by: By, owner_id: int) -> None:
    """Let the owner act if they are a builder, and operators for everybody.

    Raises:
        NotAllowed: anybody else, or an account that is suspended.
    """
    if by.account_id is None:
        return
    account = accounts.find_account(unit.session, by.account_id)
    if account is None or account.state is not AccountState.ACTIVE:
        raise NotAllowed("This account cannot do that.")
    if Role.OPERATOR in account.roles:
        return
    if Role.BUILDER not in account.roles:
        raise NotAllowed("Only builders can do that; ask the operator for the builder's role.")
    if by.account_id != owner_id:
        raise NotAllowed("That belongs to another builder.")


def find_plan(unit: Unit, slug: str) -> PlanView:
    """The plan of that name.

    Raises:
        UnknownPlan: there is none.
    """
    plan = kept.find_plan(unit.session, slug)
    if plan is None:
        raise UnknownPlan(_("There is no plan “{plan}”.", plan=shown(slug)))
    return plan


def find_offering(unit: Unit, slug: str) -> OfferingCard:
    """The offering of that name, whatever its state.

    Raises:
        UnknownOffering: there is none.
    """
    card = kept.find_card(unit.session, slug)
    if card is None:
        raise UnknownOffering(f"There is no offering “{shown(slug)}”.")
    return card


def free_slug(unit: Unit, wanted: str, *, of: type[Plan] | type[Offering]) -> str:
    """The wanted name, or the first free one made of it and a number."""
    names = (wanted, *(f"{wanted}-{number}" for number in range(2, SLUG_TRIES)))
    for name in names:
        if not kept.is_slug_taken(unit.session, name, of=of):
            return name
    raise _taken(wanted)


def note(unit: Unit, by: By, action: str, subject: str, **detail: str) -> None:
    """The audit's line."""
    audit.note(unit.session, action, subject, at=by.now, actor_id=by.account_id, **detail)


def _offering(
    unit: Unit,
    by: By,
    owner_id: int,
    kind: OfferingKind,
    fields: AssistantFields | ServiceFields,
) -> Offering:
    return Offering(
        slug=fields.slug or free_slug(unit, slug_from(fields.title), of=Offering),
        owner_id=owner_id,
        kind=kind.value,
        title=fields.title,
        description=fields.description,
        tags=list(fields.tags),
        price=fields.price,
        created_at=by.now,
    )


def _add(unit: Unit, offering: Offering, carried_out_by: Assistant | Service) -> int:
    try:
        return kept.add_offering(unit.session, offering, carried_out_by)
    except SlugTaken:
        raise _taken(offering.slug) from None


def _registered(unit: Unit, by: By, slug: str, plan_slugs: Iterable[str]) -> OfferingCard:
    note(unit, by, "offering.registered", f"offering:{slug}")
    for plan_slug in plan_slugs:
        attach(unit, by, plan_slug=plan_slug, offering_slug=slug)
    return find_offering(unit, slug)


def endpoint_row(fields: EndpointFields, *, default: MilliCredits) -> Endpoint:
    """An endpoint as it is kept; without a price of its own at the service's."""
    own = default if fields.price is None else fields.price
    return Endpoint(
        offering_id=0,  # known once the offering is saved
        method=fields.method,
        path=fields.path,
        is_open=fields.is_open,
        price=0 if fields.is_open else own,
    )


def check_secret(unit: Unit, secret_id: str, *, owner_id: int, address: str) -> None:
    """Make sure that a key goes to no address but the one it was checked against.

    Raises:
        InvalidInput: it was entered for another, is somebody else's, or is not there.
    """
    secret = find_secret(unit.session, secret_id)
    if secret is None or secret.owner_id != owner_id:
        raise refusal(
            "secret_id", "That key is not there.", "A key is entered before it is used", "add key"
        )
    if secret.bound_to not in {"", address}:
        raise InvalidInput(
            f"That key was entered for {secret.bound_to}; enter it again for {address}.",
            facts={"field": "secret_id"},
        )


def _taken(slug: str) -> InvalidInput:
    return refusal("slug", f"The name “{slug}” is taken.", "Choose another", f"{slug}-2")


def _why_not(card: OfferingCard, step: OfferingStep) -> str:
    if step is OfferingStep.RETIRE:
        return f"{card.title} is {card.state}; pause it first, then retire it."
    return f"{card.title} is {card.state}, so it cannot be {_LEADS_TO[step]}."
