"""The addresses under `/v1/conversations`."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from farebox.demo.upstream.contract import (
    check_new_conversation,
    check_new_items,
    fit_conversation,
    fit_deleted,
    fit_items,
)
from farebox.demo.upstream.items import items_from
from farebox.demo.upstream.memory import Conversation, Memory
from farebox.demo.upstream.reading import json_answer, read_body
from farebox.demo.upstream.refusals import Refusal, conversation_locked, parameter_wrong
from farebox.demo.upstream.rules import check_items_rules, check_metadata
from farebox.demo.upstream.wire import JsonObject, texts

PAGE, LARGEST_PAGE = 20, 100
ORDERS: Final = ("asc", "desc")


class ConversationRoutes:
    """What can be done to conversations over HTTP."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def create(self, request: Request) -> Response:
        """POST /v1/conversations."""
        body = await read_body(request)
        check_new_conversation(body)
        check_items_rules(body)
        check_metadata(body)
        made = self._memory.open(texts(body.get("metadata")), items_from(body.get("items")))
        return json_answer(fit_conversation(made.as_json()))

    async def show(self, request: Request) -> Response:
        """GET /v1/conversations/{id}."""
        return json_answer(fit_conversation(self._named(request).as_json()))

    async def delete(self, request: Request) -> Response:
        """DELETE /v1/conversations/{id}."""
        found = self._named(request)
        self._memory.forget(found)
        gone: JsonObject = {"id": found.id, "object": "conversation.deleted", "deleted": True}
        return json_answer(fit_deleted(gone))

    async def add_items(self, request: Request) -> Response:
        """POST /v1/conversations/{id}/items."""
        found = self._named(request)
        body = await read_body(request)
        check_new_items(body)
        check_items_rules(body)
        if found.is_locked:
            raise conversation_locked()
        items = items_from(body.get("items"))
        listed = _listed(items, has_more=False)  # checked before anything is kept
        self._memory.append(found, items)
        return json_answer(listed)

    async def list_items(self, request: Request) -> Response:
        """GET /v1/conversations/{id}/items, the newest first unless told otherwise."""
        found = self._named(request)
        limit, order = _limit(request), request.query_params.get("order", "desc")
        if order not in ORDERS:
            raise parameter_wrong("order", "it is asc or desc")
        items = found.items if order == "asc" else found.items[::-1]
        items = _after(items, request.query_params.get("after"))
        return json_answer(_listed(items[:limit], has_more=len(items) > limit))

    def _named(self, request: Request) -> Conversation:
        return self._memory.find(str(request.path_params["conversation_id"]))


def _limit(request: Request) -> int:
    given = request.query_params.get("limit", str(PAGE))
    if not given.isdecimal() or not 1 <= int(given) <= LARGEST_PAGE:
        raise parameter_wrong("limit", f"it must be between 1 and {LARGEST_PAGE}")
    return int(given)


def _after(items: list[JsonObject], item_id: str | None) -> list[JsonObject]:
    if item_id is None:
        return items
    ids = [item.get("id") for item in items]
    if item_id not in ids:
        raise Refusal(404, f"Item with id '{item_id}' not found in this conversation.")
    return items[ids.index(item_id) + 1 :]


def _listed(items: list[JsonObject], *, has_more: bool) -> JsonObject:
    return fit_items(
        {
            "object": "list",
            "data": [*items],
            "first_id": items[0]["id"] if items else "",
            "last_id": items[-1]["id"] if items else "",
            "has_more": has_more,
        }
    )
