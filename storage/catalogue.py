"""Find and save what is for sale: plans with their versions, offerings and what carries them out.

Every function works inside the unit or the read that lends its `Session`. Who may do what, and
what a field may hold, has been decided by `host.catalogue.catalogue` before.
"""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, delete, func, select
from sqlmodel.sql.expression import SelectOfScalar

from storage.cards import (
    AssistantConfig,
    EndpointCard,
    OfferingCard,
    PlanVersionView,
    PlanView,
    ServiceConfig,
)
from storage.credits import MilliCredits
from storage.file_kinds import Accepts
from storage.models.catalogue import (
    Assistant,
    Endpoint,
    Offering,
    OfferingKind,
    OfferingState,
    Plan,
    PlanKind,
    PlanOffering,
    PlanState,
    PlanVersion,
    Service,
)
from storage.moments import Micros


class SlugTaken(Exception):
    """A plan, or an offering, of that name came first."""


def add_plan(session: Session, plan: Plan, first: PlanVersion) -> PlanView:
    """Save a new plan with its first version.

    Raises:
        SlugTaken: there is one of that name.
    """
    session.add(plan)
    _flush_slug(session, plan.slug)
    first.plan_id = stored(plan.id)
    session.add(first)
    session.flush()
    return _plan_view(plan, first)


def find_plan(session: Session, slug: str) -> PlanView | None:
    """The plan of that name, on the terms it is sold on now."""
    found = _plans(session, select(Plan).where(Plan.slug == slug))
    return found[0] if found else None


def find_plan_as_sold(session: Session, version_id: int) -> PlanView | None:
    """The plan on the terms of one of its versions, whatever it is sold on now."""
    found = session.exec(
        select(Plan, PlanVersion)
        .join(PlanVersion, col(PlanVersion.plan_id) == col(Plan.id))
        .where(PlanVersion.id == version_id)
    ).first()
    return None if found is None else _plan_view(*found)


def find_plans(
    session: Session, *, owner_id: int | None = None, with_archived: bool = False
) -> tuple[PlanView, ...]:
    """Plans by title: of one owner or of all, those for sale or all."""
    query = select(Plan).order_by(Plan.title, Plan.slug)
    if owner_id is not None:
        query = query.where(Plan.owner_id == owner_id)
    if not with_archived:
        query = query.where(Plan.state == PlanState.PUBLISHED)
    return _plans(session, query)


def set_plan_state(session: Session, plan_id: int, state: PlanState) -> None:
    """Archive a plan, or put it back on sale."""
    session.get_one(Plan, plan_id).state = state


def is_slug_taken(session: Session, slug: str, *, of: type[Plan] | type[Offering]) -> bool:
    """Whether a plan, or an offering, has that name."""
    return session.exec(select(of.id).where(of.slug == slug)).first() is not None


def add_offering(session: Session, offering: Offering, carried_out_by: Assistant | Service) -> int:
    """Save a new offering with what carries it out. Returns its id.

    Raises:
        SlugTaken: there is one of that name.
    """
    session.add(offering)
    _flush_slug(session, offering.slug)
    carried_out_by.offering_id = stored(offering.id)
    session.add(carried_out_by)
    session.flush()
    return carried_out_by.offering_id


def add_endpoints(session: Session, offering_id: int, endpoints: Iterable[Endpoint]) -> None:
    """Save the endpoints of a service."""
    for endpoint in endpoints:
        endpoint.offering_id = offering_id
        session.add(endpoint)
    session.flush()


def replace_endpoints(session: Session, offering_id: int, endpoints: Iterable[Endpoint]) -> None:
    """Save these in place of a service's endpoints."""
    session.exec(delete(Endpoint).where(col(Endpoint.offering_id) == offering_id))
    add_endpoints(session, offering_id, endpoints)


def cover(session: Session, *, plan_id: int, offering_id: int) -> bool:
    """Put the offering on the plan. False when it was there already."""
    if session.get(PlanOffering, (plan_id, offering_id)) is not None:
        return False
    session.add(PlanOffering(plan_id=plan_id, offering_id=offering_id))
    session.flush()
    return True


def lock_offering(session: Session, slug: str) -> Offering | None:
    """The row of an offering, for this unit alone to change."""
    return session.exec(
        select(Offering).where(Offering.slug == slug).with_for_update(key_share=True)
    ).first()


def find_card(session: Session, slug: str) -> OfferingCard | None:
    """The offering of that name."""
    found = find_cards(session, slugs=[slug])
    return found[0] if found else None


def find_cards(
    session: Session,
    *,
    slugs: Sequence[str] | None = None,
    ids: Iterable[int] | None = None,
    owner_id: int | None = None,
    state: OfferingState | None = None,
) -> tuple[OfferingCard, ...]:
    """Offerings by title, narrowed by what is given."""
    query = select(Offering).order_by(Offering.title, Offering.slug)
    if slugs is not None:
        query = query.where(col(Offering.slug).in_(slugs))
    if ids is not None:
        query = query.where(col(Offering.id).in_(list(ids)))
    if owner_id is not None:
        query = query.where(Offering.owner_id == owner_id)
    if state is not None:
        query = query.where(Offering.state == state)
    offerings = session.exec(query).all()
    wanted = [stored(offering.id) for offering in offerings]
    assistants = session.exec(select(Assistant).where(col(Assistant.offering_id).in_(wanted)))
    carried_out: dict[int, AssistantConfig | ServiceConfig] = {
        row.offering_id: AssistantConfig(
            provider=row.provider,
            base_url=row.base_url,
            model=row.model,
            instructions=row.instructions,
            secret_id=row.secret_id,
            accepts=Accepts(row.accepts),
        )
        for row in assistants
    }
    carried_out |= _services(session, wanted)
    covering = _covering_plans(session, wanted)
    return tuple(
        _card(row, carried_out.get(stored(row.id)), covering.get(stored(row.id), ()))
        for row in offerings
    )


def set_offering(  # noqa: PLR0913 - all that is said of one
    session: Session,
    offering_id: int,
    *,
    title: str,
    description: str,
    tags: Sequence[str],
    starters: Sequence[str],
    price: MilliCredits,
) -> None:
    """Write down what is said of an offering, and what it costs."""
    row = session.get_one(Offering, offering_id)
    row.title, row.description, row.price = title, description, price
    row.tags, row.starters = list(tags), list(starters)
    session.flush()


def set_assistant(  # noqa: PLR0913 - all that it is run with
    session: Session,
    offering_id: int,
    *,
    base_url: str,
    model: str,
    instructions: str,
    accepts: Accepts,
    secret_id: str,
) -> None:
    """Write down how an assistant is run from now on."""
    row = session.get_one(Assistant, offering_id)
    row.base_url, row.secret_id = base_url, secret_id
    row.model, row.instructions, row.accepts = model, instructions, accepts.value
    session.flush()


def set_service(
    session: Session, offering_id: int, *, upstream_url: str, secret_id: str | None
) -> None:
    """Write down where a service is from now on, and what it is sent."""
    row = session.get_one(Service, offering_id)
    row.upstream_url, row.secret_id = upstream_url, secret_id
    session.flush()


def set_accepts(session: Session, offering_id: int, accepts: Accepts) -> None:
    """Write down which files an assistant takes."""
    session.get_one(Assistant, offering_id).accepts = accepts.value
    session.flush()


def stored(row_id: int | None) -> int:
    """The id of a row that is in its table."""
    assert row_id is not None, "a stored row has an id"
    return row_id


def _flush_slug(session: Session, slug: str) -> None:
    try:
        session.flush()
    except IntegrityError:  # the slug is all in these rows that must be unique
        raise SlugTaken(slug) from None


def _services(session: Session, offering_ids: Sequence[int]) -> dict[int, ServiceConfig]:
    endpoints: dict[int, list[EndpointCard]] = {}
    rows = session.exec(
        select(Endpoint)
        .where(col(Endpoint.offering_id).in_(offering_ids))
        .order_by(col(Endpoint.id))
    )
    for row in rows:
        endpoints.setdefault(row.offering_id, []).append(
            EndpointCard(
                id=stored(row.id),
                method=row.method,
                path=row.path,
                price=MilliCredits(row.price),
                is_open=row.is_open,
            )
        )
    services = session.exec(select(Service).where(col(Service.offering_id).in_(offering_ids)))
    return {
        row.offering_id: ServiceConfig(
            upstream_url=row.upstream_url,
            secret_id=row.secret_id,
            endpoints=tuple(endpoints.get(row.offering_id, ())),
        )
        for row in services
    }


def _covering_plans(
    session: Session, offering_ids: Sequence[int]
) -> Mapping[int, tuple[PlanView, ...]]:
    links = session.exec(
        select(PlanOffering).where(col(PlanOffering.offering_id).in_(offering_ids))
    ).all()
    plan_ids = {link.plan_id for link in links}
    plans = _plans(session, select(Plan).where(col(Plan.id).in_(plan_ids)).order_by(Plan.title))
    return {
        offering_id: tuple(
            plan
            for plan in plans
            if any(ln.plan_id == plan.id and ln.offering_id == offering_id for ln in links)
        )
        for offering_id in offering_ids
    }


def _plans(session: Session, query: SelectOfScalar[Plan]) -> tuple[PlanView, ...]:
    plans = session.exec(query).all()
    newest = (
        select(PlanVersion.plan_id, func.max(PlanVersion.number).label("number"))
        .where(col(PlanVersion.plan_id).in_([plan.id for plan in plans]))
        .group_by(col(PlanVersion.plan_id))
        .subquery()
    )
    versions = session.exec(
        select(PlanVersion).join(
            newest,
            (newest.c.plan_id == PlanVersion.plan_id) & (newest.c.number == PlanVersion.number),
        )
    )
    by_plan = {version.plan_id: version for version in versions}
    return tuple(_plan_view(plan, by_plan[stored(plan.id)]) for plan in plans)


def _plan_view(plan: Plan, version: PlanVersion) -> PlanView:
    return PlanView(
        id=stored(plan.id),
        slug=plan.slug,
        owner_id=plan.owner_id,
        title=plan.title,
        description=plan.description,
        state=PlanState(plan.state),
        version=PlanVersionView(
            id=stored(version.id),
            number=version.number,
            kind=PlanKind(version.kind),
            price_minor=version.price_minor,
            currency=version.currency,
            credits=MilliCredits(version.credits),
            duration_s=version.duration_s,
            is_trial=version.is_trial,
        ),
    )


def _card(
    row: Offering,
    carried_out: AssistantConfig | ServiceConfig | None,
    plans: tuple[PlanView, ...],
) -> OfferingCard:
    return OfferingCard(
        id=stored(row.id),
        slug=row.slug,
        owner_id=row.owner_id,
        kind=OfferingKind(row.kind),
        title=row.title,
        description=row.description,
        tags=tuple(row.tags),
        starters=tuple(row.starters),
        price=MilliCredits(row.price),
        state=OfferingState(row.state),
        published_at=None if row.published_at is None else Micros(row.published_at),
        assistant=carried_out if isinstance(carried_out, AssistantConfig) else None,
        service=carried_out if isinstance(carried_out, ServiceConfig) else None,
        plans=plans,
    )
