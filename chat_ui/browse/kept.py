"""A refused message, kept until there is something to pay with, then sent with one click, once.

Only what money can mend is kept: no credits, a plan that ended, no plan; and what passes the limit
for a day, which can be raised and ends at midnight. Under the sentence stands a card
(`public/elements/TopUp.jsx`) that names this refusal and nothing else; what was kept, for whom,
and what it costs is looked up at each press. Its files wait with it. It is sent under an id that
follows from the refusal's, and the runs answer and charge one id once: a second press, another
window or a reload change nothing.

The price on the card's button goes along with the press: when it is another by then, nothing is
sent, and the card says the new one. So does what is typed with the price that stands at the
composer: when that has changed a moment ago, the message is kept, to be sent at the new price.
"""

from typing import Any, Final

import chainlit as cl
from chainlit.context import context
from chainlit.data import get_data_layer
from chainlit.session import WebsocketSession
from fastapi import HTTPException

from chat_ui import subscriber, wording
from chat_ui.browse import sentences
from chat_ui.following import follow
from chat_ui.hearing import agreed_price, is_id
from chat_ui.pages import page_of
from chat_ui.wiring import wiring
from host.errors import (
    CreditsExhausted,
    FareboxError,
    NotInPlan,
    PlanEnded,
    PriceChanged,
    SpendCapReached,
)
from host.identity.login_sessions import Visitor
from host.language import _
from storage import attachments, chat_history
from storage.credits import MilliCredits
from storage.database import Unit
from storage.kept_messages import KeptMessage, find_kept, note_of
from storage.ledger import daily_cap

LOOK: Final = "kept_look"
SEND: Final = "kept_send"
ACTIONS: Final = (LOOK, SEND)
CARD: Final = "TopUp"

_sending: set[str] = set()
"""Messages of which this process is just asking whether they may begin."""


async def answer(visitor: Visitor, message: cl.Message) -> None:
    """Have a message answered; if money is all that is missing, keep it.

    Raises:
        FareboxError: it was refused for another reason; nothing was charged.
    """
    try:
        await subscriber.answer(visitor, message)
    except (CreditsExhausted, PlanEnded, NotInPlan, SpendCapReached) as refused:
        await _keep(visitor, message, refused)
    except PriceChanged as refused:
        await subscriber.tell_stale()
        await _keep(visitor, message, refused)


async def act(visitor: Visitor, action: cl.Action) -> dict[str, Any]:
    """Take a button of the card. A stranger's refusal, or none, does not exist."""
    session = context.session
    assert isinstance(session, WebsocketSession)
    refusal_id = action.payload.get("refusal")
    kept = await _find(session.thread_id, refusal_id, visitor.account_id)
    if kept is None:
        raise HTTPException(404, _("There is nothing here."))
    if action.name == SEND:
        return await _send(session, visitor, kept, agreed=agreed_price(action.payload))
    return await _look(visitor, kept)


async def _keep(visitor: Visitor, message: cl.Message, refused: FareboxError) -> None:
    session = context.session
    assert isinstance(session, WebsocketSession)
    slug = session.chat_profile or ""
    refusal = cl.Message(sentences.kept(refused), metadata=note_of(message.id, slug))
    card = cl.CustomElement(name=CARD, props={"refusal": refusal.id})
    thread_id, now = session.thread_id, wiring.host.clock.now()

    def note_message(unit: Unit) -> None:
        # No run has begun, so nothing else would say whom this conversation is with.
        thread = chat_history.open_thread(unit.session, thread_id, visitor.account_id, now)
        if thread.account_id == visitor.account_id:
            chat_history.merge_metadata(unit.session, thread_id, {"chat_profile": slug})
            attachments.keep_with(
                unit.session,
                (message.metadata or {}).get(subscriber.FILES, ()),
                message.id,
                account_id=visitor.account_id,
                thread_id=thread_id,
            )

    await wiring.host.database.run(note_message)
    page_of(session).conversation = thread_id
    await refusal.send()
    layer = get_data_layer()
    assert layer is not None
    await layer.update_step(refusal.to_dict())  # Chainlit does not wait for it; the card needs it
    await card.send(for_id=refusal.id)


async def _find(thread_id: str, refusal_id: object, account_id: int) -> KeptMessage | None:
    if not isinstance(refusal_id, str) or not is_id(refusal_id):
        return None
    return await wiring.host.database.read(
        lambda s: find_kept(s, refusal_id, thread_id=thread_id, account_id=account_id)
    )


async def _look(visitor: Visitor, kept: KeptMessage) -> dict[str, Any]:
    """What the card may say now."""
    if kept.is_sent or kept.sent_as in _sending:
        return {"state": "sent", "sentence": _(sentences.SENT)}
    if kept.text is None:
        return {"state": "gone", "sentence": _(sentences.GONE)}
    catalogue = wiring.host.catalogue
    # What is remembered of it may be older than a price that another process has changed.
    card = await catalogue.get_offering((await catalogue.find_offering(kept.offering_slug)).id)
    standing = await catalogue.standing(visitor.account_id, card.id)
    included_until = standing.entitlement.included_until
    amount = card.price_for(visitor.account_id, standing.entitlement)
    now = wiring.host.clock.now()
    cap = await wiring.host.database.read(lambda s: daily_cap(s, visitor.account_id, now))
    is_over = cap is not None and amount > cap.left
    return {
        "state": "kept",
        "offering": card.slug,
        "text": sentences.preview(kept.text),
        "files": [one.name for one in kept.files],
        "price": sentences.price_to_send(card.price, included_until=included_until),
        "amount": amount,
        "button": sentences.button_to_send(amount, is_included=included_until is not None),
        "can_send": not is_over
        and standing.entitlement.is_running
        and standing.available >= amount,
        "limit": sentences.limit(cap) if cap is not None and is_over else None,
    }


async def _send(
    session: WebsocketSession,
    visitor: Visitor,
    kept: KeptMessage,
    *,
    agreed: MilliCredits | None,
) -> dict[str, Any]:
    """Ask what was kept, as a new message that is paid for like any other."""
    if kept.is_sent or kept.sent_as in _sending:
        return {"sentence": _(sentences.SENT)}
    if kept.text is None:
        return {"sentence": _(sentences.GONE)}
    _sending.add(kept.sent_as)
    try:
        live = await wiring.host.runs.begin(
            account_id=visitor.account_id,
            thread_id=session.thread_id,
            offering_slug=kept.offering_slug,
            text=kept.text,
            message_id=kept.sent_as,
            files=tuple(one.id for one in kept.files),
            agreed=agreed,
        )
    except FareboxError as refused:
        return {"sentence": wording.refusal_sentence(refused)}
    finally:
        _sending.discard(kept.sent_as)
    # Most often it is being drawn here by now, as on every page that has this conversation open.
    follow(session, live, subscriber.show_with_question)
    return {"sentence": ""}
