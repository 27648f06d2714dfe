"""Browse itself: greets with the catalogue, answers words with cards, tells what somebody has.

Nothing of the catalogue is stored with the conversation. The element that draws it holds at most
the names of what was found and asks for the rest each time, so a reopened conversation shows what
holds now.
"""

from collections.abc import Sequence
from typing import Any, Final
from uuid import uuid4
from weakref import WeakKeyDictionary

import chainlit as cl
from chainlit.context import context
from chainlit.session import WebsocketSession

from chat_ui.browse import sentences
from chat_ui.browse.searching import is_about_balance, matches
from host.app import Host
from host.catalogue.showing import Shown, shown_to
from host.identity.login_sessions import Visitor
from host.language import _

CATALOGUE: Final = "Catalogue"
"""`public/elements/Catalogue.jsx`"""
BEST: Final = 12
"""Cards that words bring at most; the catalogue itself can be searched on."""

_greetings: WeakKeyDictionary[WebsocketSession, cl.Message] = WeakKeyDictionary()


async def start(host: Host, visitor: Visitor) -> None:
    """Greet in a fresh conversation; nothing is stored before something is said."""
    session = context.session
    assert isinstance(session, WebsocketSession)
    greeting = _greetings.get(session)
    if greeting is None:
        greeting = _message(await _greeting(host, visitor.account_id))
        _greetings[session] = greeting
    await greeting.send()  # under the same id: drawn once, however often it arrives
    # A page may connect twice within moments, and what was sent to its first socket is lost. Until
    # something was said, Chainlit is to call again when that happens.
    session.chat_started = False


async def hear(host: Host, visitor: Visitor, text: str) -> None:
    """Answer what somebody typed: with their account, or with what it may mean."""
    account_id = visitor.account_id
    if is_about_balance(text):
        await _tell_account(host, account_id)
        return
    shown = shown_to(
        await host.catalogue.shelf(), await host.catalogue.possessions(account_id), account_id
    )
    found = matches(shown, text)
    if found:
        best = found[:BEST]
        await _message(sentences.found(text, len(found), shown=len(best)), best).send()
    else:
        await _message(sentences.found_nothing(text)).send()


async def _greeting(host: Host, account_id: int) -> str:
    mine = await host.catalogue.possessions(account_id)
    has_some = any(standing.entitlement.is_running for standing in mine.standings.values())
    got = [] if has_some else await host.catalogue.subscriptions(account_id)
    lost = [one for one in got if one.is_cancelled]
    return sentences.greeting(
        has_some=has_some, taken_back=max(lost, key=lambda one: one.ends_at, default=None)
    )


async def _tell_account(host: Host, account_id: int) -> None:
    mine = await host.catalogue.possessions(account_id)
    got = await host.catalogue.subscriptions(account_id)
    told = sentences.account(got, mine.balances, mine.runs_until)
    if told:
        await cl.Message(told, author=_(sentences.AUTHOR)).send()
    else:
        await _message(_(sentences.NOTHING_HAD)).send()


def _message(text: str, found: Sequence[Shown] | None = None) -> cl.Message:
    """Words with cards under them: of what was found, or of everything."""
    props: dict[str, Any] = {"view": str(uuid4())}
    if found is not None:
        props["slugs"] = [one.item.slug for one in found]
    element = cl.CustomElement(name=CATALOGUE, props=props)
    return cl.Message(text, author=_(sentences.AUTHOR), elements=[element])
