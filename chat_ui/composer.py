"""What the page shows at its composer, by assistant: prices, what is left, who reads along.

Also how much may be written there. `custom.js` asks for it whenever it may have changed; the words
are the server's. Who gets to read a first message is said here until it stands in a conversation.
"""

from typing import Annotated, Any

from chainlit.auth import get_current_user
from chainlit.user import PersistedUser
from fastapi import APIRouter, Depends, Response

from chat_ui import asides, hearing
from chat_ui.profiles import assistants_of
from chat_ui.wiring import wiring
from host.language import _
from host.runs import opening
from storage.cards import OfferingCard, PurchasedOffering
from storage.credits import LOW_MESSAGES
from storage.ledger import daily_cap
from storage.notices import undisclosed

router = APIRouter()


@router.get("/composer")
async def composer(
    user: Annotated[PersistedUser, Depends(get_current_user)], response: Response
) -> dict[str, Any]:
    """A line for each assistant that the caller has."""
    account_id, now = int(user.identifier), wiring.host.clock.now()
    response.headers["Cache-Control"] = "no-store"
    here = await assistants_of(account_id)
    ids = [one.offering.id for one in here]
    untold, cap = await wiring.host.database.read(
        lambda s: (undisclosed(s, account_id, ids), daily_cap(s, account_id, now))
    )
    return {
        "assistants": [
            {
                "slug": one.offering.slug,
                "title": one.offering.title,
                "line": asides.composer_line(one, cap),
                "can_pay": can_pay(one, account_id, messages=1),
                "is_low": not can_pay(one, account_id, messages=LOW_MESSAGES),
                "stop": asides.stop_lines(one, account_id),
                "price": one.offering.price_for(account_id, one.standing.entitlement),
                "disclosure": _disclosure(one.offering) if one.offering.id in untold else None,
            }
            for one in here
        ],
        "characters": {"assistant": opening.TEXT_MAX, "other": hearing.TEXT_MAX},
    }


def can_pay(purchased: PurchasedOffering, account_id: int, *, messages: int) -> bool:
    """Whether what is left is enough for so many messages."""
    standing = purchased.standing
    price = purchased.offering.price_for(account_id, standing.entitlement)
    return standing.available >= price * messages


def _disclosure(offering: OfferingCard) -> dict[str, str]:
    assert offering.assistant is not None, "only assistants are talked to"
    host = asides.host_name(offering.assistant.base_url)
    return {
        "text": asides.disclosure_text(offering.title, host),
        "link": _(asides.TERMS),
        "href": asides.TERMS_HREF,
    }
