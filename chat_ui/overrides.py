"""Routes in place of Chainlit's, where it trusts its callers or serves what it should not.

Each asks whose thing it is and only then calls Chainlit's own function. A stranger's request is
answered as if there were nothing: 404. Addresses that Farebox does not offer at all are refused
before, by `chat_ui.door`.
"""

from typing import Annotated, Any, Final

from chainlit import server
from chainlit.auth import get_configuration, get_current_user
from chainlit.config import config
from chainlit.session import WebsocketSession
from chainlit.types import (
    CallActionRequest,
    DeleteFeedbackRequest,
    DeleteThreadRequest,
    ElementRequest,
    UpdateFeedbackRequest,
    UpdateThreadRequest,
)
from chainlit.user import PersistedUser
from fastapi import APIRouter, Depends, HTTPException
from fastapi.responses import RedirectResponse

from chat_ui import cards
from chat_ui.browse import kept
from chat_ui.ownership import is_theirs, owner_of
from chat_ui.profiles import assistants_of, prefer
from chat_ui.wiring import wiring
from host.catalogue.offering_fields import shown
from host.catalogue.showing import shown_to
from host.errors import UnknownOffering
from host.language import _, spoken
from storage import chat_history

NOT_KEPT: Final = {"success": False}
"""Of elements that are drawn and not stored, as in a reopened draft: the page's own copy is all
there is. No error, because the page would show it in a box of its own."""


router = APIRouter()
Member = Annotated[PersistedUser, Depends(get_current_user)]


@router.get("/auth/config")
async def auth_config() -> dict[str, Any]:
    """Chainlit's answer without a theme, so that the page follows the system's."""
    answer: dict[str, Any] = get_configuration()
    answer.pop("default_theme", None)
    return answer


@router.post("/set-session-cookie")
async def set_session_cookie() -> dict[str, str]:
    """Nothing is set: replicas are chosen by the login cookie."""
    return {"message": "ok"}


@router.get("/project/translations")
async def translations() -> dict[str, Any]:
    """What Chainlit's own parts say, in the language that the rest of the page is in."""
    return {"translation": config.load_translation(spoken().of_chainlit)}


@router.get("/a/{slug}")
async def open_offering(slug: str, user: Member) -> RedirectResponse:
    """Open the chat on one's own assistant, or Browse on the card of anything else on offer."""
    account_id, catalogue = int(user.identifier), wiring.host.catalogue
    if any(one.offering.slug == slug for one in await assistants_of(account_id)):
        prefer(account_id, slug)
        return RedirectResponse("/", 303)
    offered = shown_to(
        await catalogue.shelf(), await catalogue.possessions(account_id), account_id
    )
    if all(one.item.slug != slug for one in offered):
        raise UnknownOffering(
            _(
                "There is nothing called “{name}” here that you can have. It may have been"
                " withdrawn, or the link has a mistake in it; in the chat, Browse shows all there"
                " is.",
                name=shown(slug),
            )
        )
    prefer(account_id, cards.HOME)
    return RedirectResponse(f"/?open={slug}", 303)


@router.get("/browse")
async def browse(user: Member) -> RedirectResponse:
    """Open the chat on what there is to be had."""
    prefer(int(user.identifier), cards.HOME)
    return RedirectResponse("/", 303)


@router.put("/feedback")
async def put_feedback(body: UpdateFeedbackRequest, user: Member) -> Any:
    """Thumbs up or down, on an answer in the caller's own conversation."""
    for_id = body.feedback.forId
    thread_id = await wiring.host.database.read(lambda s: chat_history.thread_of_step(s, for_id))
    await _require_own_thread(thread_id, user)
    await require_own_session(body.sessionId, user)
    return await server.update_feedback(_no_request(), body, user)


@router.delete("/feedback")
async def delete_feedback(body: DeleteFeedbackRequest, user: Member) -> Any:
    """Take back the caller's own feedback."""
    thread_id = await wiring.host.database.read(
        lambda s: chat_history.thread_of_feedback(s, body.feedbackId)
    )
    await _require_own_thread(thread_id, user)
    return await server.delete_feedback(_no_request(), body, user)


@router.put("/project/element")
async def put_element(body: ElementRequest, user: Member) -> Any:
    """Change the props of an element in the caller's own conversation, and nothing else of it."""
    element = await _own_element(body, user)
    return NOT_KEPT if element is None else await server.update_thread_element(element, user)


@router.delete("/project/element")
async def delete_element(body: ElementRequest, user: Member) -> Any:
    """Remove an element from the caller's own conversation."""
    element = await _own_element(body, user)
    return NOT_KEPT if element is None else await server.delete_thread_element(element, user)


@router.post("/project/action")
async def call_action(body: CallActionRequest, user: Member) -> Any:
    """Press a button in the caller's own conversation."""
    session = await require_own_session(body.sessionId, user)
    if body.action.get("name") in kept.ACTIONS and not session.has_first_interaction:
        raise _nothing()  # nothing is kept where nothing was said; Chainlit would open a thread
    return await server.call_action(body, user)


@router.put("/project/thread/share")
@router.get("/project/thread/share")
async def share() -> None:
    """Conversations are not shared."""
    raise _nothing()


@router.get("/project/thread/{thread_id}")
async def get_thread(thread_id: str, user: Member) -> Any:
    """The caller's own conversation."""
    await _require_own_thread(thread_id, user)
    return await server.get_thread(_no_request(), thread_id, user)


@router.put("/project/thread")
async def rename_thread(body: UpdateThreadRequest, user: Member) -> Any:
    """Give the caller's own conversation another name."""
    await _require_own_thread(body.threadId, user)
    return await server.rename_thread(_no_request(), body, user)


@router.delete("/project/thread")
async def delete_thread(body: DeleteThreadRequest, user: Member) -> Any:
    """Delete the caller's own conversation."""
    await _require_own_thread(body.threadId, user)
    return await server.delete_thread(_no_request(), body, user)


@router.get("/project/thread/{thread_id}/element/{element_id}")
async def get_element(thread_id: str, element_id: str, user: Member) -> Any:
    """An element of the caller's own conversation."""
    await _require_own_thread(thread_id, user)
    return await server.get_thread_element(_no_request(), thread_id, element_id, user)


async def _own_element(body: ElementRequest, user: PersistedUser) -> ElementRequest | None:
    """The request with everything but the props as it is stored; None if it is not."""
    session = await require_own_session(body.sessionId, user)
    element_id, thread_id = str(body.element.get("id")), session.thread_id
    stored = await wiring.host.database.read(
        lambda s: chat_history.find_element(s, thread_id, element_id)
    )
    if stored is None:
        return None
    props = body.element.get("props")
    known = {
        "id": stored.id,
        "threadId": stored.thread_id,
        "forId": stored.for_id,
        "type": stored.type,
        "name": stored.name,
        "display": stored.display,
        "props": props if isinstance(props, dict) else {},
    }
    return ElementRequest(element=known, sessionId=body.sessionId)


async def _require_own_thread(thread_id: str | None, user: PersistedUser) -> None:
    owner = await owner_of(thread_id) if thread_id else None
    if owner is None or str(owner) != user.identifier:
        raise _nothing()


async def require_own_session(session_id: str, user: PersistedUser) -> WebsocketSession:
    """The chat session of this id, if it is the caller's, in a conversation of theirs.

    Raises:
        HTTPException: 404, as if there were none.
    """
    session: WebsocketSession | None = WebsocketSession.get_by_id(session_id)
    if session is None or session.user is None or session.user.identifier != user.identifier:
        raise _nothing()
    if not await is_theirs(session):
        raise _nothing()
    return session


def _nothing() -> HTTPException:
    return HTTPException(404, _("There is nothing here."))


def _no_request() -> Any:
    """Some of Chainlit's functions take a request that they do not look at."""
    return None
