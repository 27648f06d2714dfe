"""`/api/v1/catalogue`: everything on offer, drawn for one person each time it is looked at.

A card must not show yesterday's price or a plan as missing that was just bought, so nothing of it
is stored with a conversation. Whoever has seen an answer names it in `If-None-Match` and is told
when it is still true.
"""

import hashlib
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Response

from host.api.edge import signed_in
from host.api.parts import ApiHost
from host.api.shelf_views import CatalogueView, Place, catalogue_view
from host.identity.login_sessions import Visitor


def shelf_routes(host: ApiHost) -> APIRouter:
    """The route of the catalogue."""
    router = APIRouter()
    signed = Depends(signed_in(host.login_sessions, may_change=False))

    place = Place(
        public_url=host.settings.public_url, takes_payments=host.purchases.takes_payments
    )

    @router.get("/catalogue", response_model=CatalogueView)
    async def catalogue(
        visitor: Annotated[Visitor, signed],
        if_none_match: Annotated[str | None, Header()] = None,
    ) -> Response:
        """All that is on offer, what it costs, and what of it one has."""
        account_id = visitor.account_id
        shelf = await host.catalogue.shelf()
        mine = await host.catalogue.possessions(account_id)
        mine = replace(mine, had=mine.had | await host.purchases.had_before(account_id))
        view = catalogue_view(shelf, mine, account_id, place)
        body = view.model_dump_json().encode()
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        if if_none_match == etag:
            return Response(status_code=304, headers={"ETag": etag})
        return Response(body, media_type="application/json", headers={"ETag": etag})

    return router
