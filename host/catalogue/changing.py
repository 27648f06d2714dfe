"""Changing what is on sale: the same fields as when it was registered, checked by the same rules.

Who holds a plan keeps it. What is being answered or called goes on as it began; the next message
or call is by what holds then, also its price, to which the chat's page has to agree first. The
slug, and with it every address, never changes; a plan can be added here and never taken away.
"""

from collections.abc import Iterable, Sequence

from host.catalogue.offering_terms import AssistantFields, EndpointFields, ServiceFields
from host.catalogue.registering import (
    By,
    attach,
    authorise,
    check_secret,
    endpoint_row,
    find_offering,
    note,
)
from host.errors import InvalidInput
from storage import catalogue as kept
from storage.cards import OfferingCard
from storage.database import Unit
from storage.models.catalogue import OfferingState
from storage.secrets import supersede_secret


def change_assistant(unit: Unit, by: By, slug: str, fields: AssistantFields) -> OfferingCard:
    """Give an assistant these fields, which have been checked.

    Raises:
        InvalidInput: it is a service, or retired; or the key is not for its upstream.
        NotAllowed, UnknownOffering: as the catalogue's other verbs.
    """
    card = _to_change(unit, by, slug)
    if card.assistant is None:
        raise InvalidInput(f"{card.title} is a service.")
    check_secret(unit, fields.secret_id, owner_id=card.owner_id, address=fields.base_url)
    _set_offering(unit, card, fields, starters=fields.starters)
    kept.set_assistant(
        unit.session,
        card.id,
        base_url=fields.base_url,
        model=fields.model,
        instructions=fields.instructions,
        accepts=fields.accepts,
        secret_id=fields.secret_id,
    )
    if card.assistant.secret_id != fields.secret_id:
        supersede_secret(unit.session, card.assistant.secret_id, by=fields.secret_id)
    return _changed(unit, by, card, fields.plan_slugs)


def change_service(
    unit: Unit, by: By, slug: str, fields: ServiceFields, endpoints: Iterable[EndpointFields]
) -> OfferingCard:
    """Give a service these fields and endpoints, which have been checked. Raises as above."""
    card = _to_change(unit, by, slug)
    if card.service is None:
        raise InvalidInput(f"{card.title} is an assistant.")
    if fields.secret_id is not None:
        check_secret(unit, fields.secret_id, owner_id=card.owner_id, address=fields.upstream_url)
    _set_offering(unit, card, fields, starters=())
    kept.set_service(
        unit.session, card.id, upstream_url=fields.upstream_url, secret_id=fields.secret_id
    )
    kept.replace_endpoints(
        unit.session, card.id, [endpoint_row(one, default=fields.price) for one in endpoints]
    )
    before = card.service.secret_id
    if before is not None and before != fields.secret_id:
        supersede_secret(unit.session, before, by=fields.secret_id)
    return _changed(unit, by, card, fields.plan_slugs)


def _to_change(unit: Unit, by: By, slug: str) -> OfferingCard:
    kept.lock_offering(unit.session, slug)
    card = find_offering(unit, slug)
    authorise(unit, by, card.owner_id)
    if card.state is OfferingState.RETIRED:
        raise InvalidInput(f"{card.title} is retired; register it anew.")
    return card


def _set_offering(
    unit: Unit,
    card: OfferingCard,
    fields: AssistantFields | ServiceFields,
    *,
    starters: Sequence[str],
) -> None:
    kept.set_offering(
        unit.session,
        card.id,
        title=fields.title,
        description=fields.description,
        tags=fields.tags,
        starters=starters,
        price=fields.price,
    )


def _changed(unit: Unit, by: By, card: OfferingCard, plan_slugs: Iterable[str]) -> OfferingCard:
    for plan_slug in plan_slugs:
        attach(unit, by, plan_slug=plan_slug, offering_slug=card.slug)
    note(unit, by, "offering.changed", f"offering:{card.slug}")
    return find_offering(unit, card.slug)
