"""What commands do with services: register what is for sale of a document."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from host.app import Host
from host.catalogue import offering_fields
from host.catalogue.offering_terms import EndpointFields, ServiceFields
from host.catalogue.openapi import Document, offered, read_document
from host.errors import InvalidInput
from storage.cards import OfferingCard

CREDENTIAL: Final = "service_credential"


async def register_service(  # noqa: PLR0913 - what a service is made of
    host: Host,
    *,
    owner: str,
    document: str,
    price: str,
    plans: Sequence[str],
    upstream: str,
    title: str,
    on: Sequence[str],
    off: Sequence[str],
    credential: str,
) -> dict[str, Any]:
    """A draft of a service, with the operations of a document as its endpoints.

    Its upstream is `upstream`, or the document's first server; `credential`, when there is one, is
    sent there as a bearer token. Title and description are the document's where none is given.
    """
    builder = await host.accounts.find(owner)
    described = read_document(document)
    endpoints = offered(described, on=frozenset(on), off=frozenset(off))
    fields = ServiceFields(
        title=title or described.title,
        description=described.description[: offering_fields.DESCRIPTION_MAX],
        price=offering_fields.price(price),
        upstream_url=offering_fields.upstream_url(
            upstream or _server(described),
            allow_private=host.settings.allow_private_upstreams,
        ),
        plan_slugs=tuple(plans),
    )
    card = await _register(host, builder.id, fields, endpoints, credential)
    return {
        "slug": card.slug,
        "endpoints": [
            f"{one.method} {one.path}{' (open)' if one.is_open else ''}" for one in endpoints
        ],
        "left_out": list(described.left_out),
    }


async def _register(
    host: Host,
    owner_id: int,
    fields: ServiceFields,
    endpoints: Sequence[EndpointFields],
    credential: str,
) -> OfferingCard:
    """Seal the credential first; where the service is refused, it is forgotten again."""
    if not credential:
        return await host.catalogue.register_service(None, fields, endpoints, owner_id=owner_id)
    sealed = await host.vault.store(
        owner_id, CREDENTIAL, offering_fields.credential(credential), fields.upstream_url
    )
    with_secret = replace(fields, secret_id=sealed.id)
    try:
        return await host.catalogue.register_service(
            None, with_secret, endpoints, owner_id=owner_id
        )
    except BaseException:
        await host.vault.discard(sealed.id)
        raise


def _server(described: Document) -> str:
    if described.origin is None:
        raise InvalidInput(
            "The document names no server. Say where the service is with --upstream, for example"
            " https://songs.example.com"
        )
    return described.origin
