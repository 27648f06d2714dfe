"""Chainlit's callbacks, each handing over: assistants to `subscriber`, the setup bot to `builder`.

The one thing decided here is who is speaking and to whom, and it is decided again for every event:
the login session is looked up by the cookie that the socket came with, because what Chainlit knows
of a person was true when the socket opened. Nothing raised below becomes silence: people get a
sentence, the log gets the rest.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Final, ParamSpec

import chainlit as cl
import structlog
from chainlit.config import config
from chainlit.context import context
from chainlit.data.base import BaseDataLayer
from chainlit.session import WebsocketSession
from chainlit.types import ChatProfile, ThreadDict
from starlette.datastructures import Headers

from chat_ui import asides, subscriber, wording
from chat_ui.browse import home, kept
from chat_ui.cards import HOME, SETUP_BOT
from chat_ui.data_layer import DataLayer
from chat_ui.profiles import forget_preference, profiles_of
from chat_ui.setup_bot import builder
from chat_ui.wiring import wiring
from host.errors import FareboxError, NotAllowed, NotSignedIn, PriceChanged
from host.identity.login_sessions import Visitor
from host.language import Language, _, speaking, spoken
from storage.models.accounts import Role

P = ParamSpec("P")
log: Final = structlog.get_logger()


def in_words(callback: Callable[P, Awaitable[Any]]) -> Callable[P, Awaitable[Any]]:
    """Say what went wrong; Chainlit would swallow it, or show the text of an exception."""

    @wraps(callback)
    async def guarded(*args: P.args, **kwargs: P.kwargs) -> Any:
        # The setup bot speaks no other language yet, and so neither do its refusals.
        with speaking(Language.ENGLISH if _profile() == SETUP_BOT else spoken()):
            try:
                return await callback(*args, **kwargs)
            except asyncio.CancelledError:  # Stop was pressed, and nothing had begun
                await subscriber.say(_(wording.STOPPED))
            except FareboxError as refused:
                await subscriber.say(wording.refusal_said(refused))
            except Exception:
                log.exception("chat.callback_failed", callback=callback.__name__)
                await subscriber.say(_(wording.WENT_WRONG))

    return guarded


async def visitor() -> Visitor:
    """Who is speaking, as of now.

    Raises:
        NotSignedIn: the login session of this socket is over.
    """
    session = context.session
    cookie = (session.environ or {}).get("HTTP_COOKIE", "")
    found = await _visitor_of(cookie)
    if found is None or session.user is None or session.user.identifier != str(found.account_id):
        raise NotSignedIn(_(wording.SIGNED_OUT), says_charge=True)
    return found


async def builder_here() -> Visitor:
    """The builder who is speaking to the setup bot.

    Raises:
        NotAllowed: not a builder, or not any more.
    """
    found = await visitor()
    if Role.BUILDER not in found.roles:
        raise NotAllowed(_(wording.BUILDERS_ONLY))
    return found


async def _visitor_of(cookies: str) -> Visitor | None:
    sessions = wiring.host.login_sessions
    return await sessions.find(sessions.read_cookie([(b"cookie", cookies.encode("latin-1"))]))


@cl.data_layer
def data_layer() -> BaseDataLayer:
    """Our tables."""
    return DataLayer(wiring.host)


@cl.header_auth_callback
async def sign_in(headers: Headers) -> cl.User | None:
    """Whoever has one of our login sessions; the door has asked before."""
    found = await _visitor_of(headers.get("cookie", ""))
    return cl.User(identifier=str(found.account_id), display_name=found.name) if found else None


@cl.set_chat_profiles
async def chat_profiles(user: cl.User | None) -> list[ChatProfile]:
    """The picker's entries of whoever opens the page."""
    if user is None:
        return []
    account_id = int(user.identifier)
    return await profiles_of(account_id, await wiring.host.accounts.roles_of(account_id))


@in_words
async def on_chat_start() -> None:
    """An empty conversation: assistants wait to be asked, the setup bot and Browse begin."""
    match _profile():
        case profile if profile == SETUP_BOT:
            await builder.start(wiring.host, await builder_here())
        case profile if profile in {None, HOME}:
            await home.start(wiring.host, await visitor())


@in_words
async def on_message(message: cl.Message) -> None:
    """Hand a message to whoever it is for."""
    await subscriber.tell_address()
    match _profile():
        case profile if profile == SETUP_BOT:
            await builder.hear(wiring.host, await builder_here(), message)
        case profile if profile in {None, HOME}:
            await home.hear(wiring.host, await visitor(), message.content)
        case _:
            found = await visitor()
            forget_preference(found.account_id)
            await kept.answer(found, message)


@in_words
async def on_chat_resume(thread: ThreadDict) -> None:
    """A stored conversation is opened; an answer still being written is joined afterwards."""
    if _profile() == SETUP_BOT:
        await builder.resume(wiring.host, await builder_here(), thread)


@in_words
async def on_draft_action(action: cl.Action) -> Any:
    """A button of the setup bot."""
    if not action.name.startswith(builder.ACTION_PREFIX):
        return None
    return await builder.act(wiring.host, await builder_here(), action)


async def on_kept_action(action: cl.Action) -> Any:
    """A button of the card under a refused message; the card itself says what was wrong."""
    return await kept.act(await visitor(), action)


async def on_ask_again(action: cl.Action) -> dict[str, Any]:
    """The button under the last answer; what became of it is said beside the button."""
    again = asides.pressed(action.payload)
    if again is None:
        return {"said": _(wording.NO_SUCH_THREAD)}
    try:
        return {"said": await subscriber.ask_again(await visitor(), *again)}
    except PriceChanged as refused:
        return {"said": refused.detail, "again": await subscriber.again_button()}
    except FareboxError as refused:
        return {"said": wording.refusal_sentence(refused)}
    except Exception:
        log.exception("chat.callback_failed", callback="on_ask_again")
        return {"said": _(wording.WENT_WRONG)}


def _profile() -> str | None:
    session = context.session
    assert isinstance(session, WebsocketSession)
    return session.chat_profile


def register() -> None:
    """Tell Chainlit about the callbacks that are not told by their decorators.

    Its decorators for these wrap each call in a step of Chainlit's own, which would store every
    message a second time; ours are drawn from the runs.
    """
    config.code.on_chat_start = on_chat_start
    config.code.on_message = on_message
    config.code.on_chat_resume = on_chat_resume
    config.code.action_callbacks[asides.ASK_AGAIN] = on_ask_again
    for name in builder.ACTIONS:
        config.code.action_callbacks[name] = on_draft_action
    for name in kept.ACTIONS:
        config.code.action_callbacks[name] = on_kept_action
