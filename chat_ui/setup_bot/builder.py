"""The setup bot on Chainlit: hears its builder, keeps the draft, does what the interview asks for.

Every decision is `chat_ui.setup_bot.interview`'s and every deed `host.drafts.drafts`'s; here one
is put after the other. Buttons carry the version of the draft they were drawn for, because on a
page they outlive their question: pressed later they answer nothing. What a window has seen is
remembered, so that of two windows the second is told.
"""

from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import uuid4
from weakref import WeakKeyDictionary

import chainlit as cl
from chainlit.context import context
from chainlit.element import ElementDict
from chainlit.session import WebsocketSession
from chainlit.step import StepDict
from chainlit.types import ThreadDict

from chat_ui.setup_bot import interview, review
from chat_ui.setup_bot.answers import Choices
from chat_ui.setup_bot.prompts import Form, Reply, ask, greet
from chat_ui.setup_bot.turns import Effect, Turn
from chat_ui.stamps import iso
from host.api.reports import earnings_of
from host.app import Host
from host.drafts.state import DraftLife, DraftState, Kind
from host.errors import DraftChanged, FareboxError
from host.identity.login_sessions import Visitor
from storage import chat_history
from storage.periods import read_dates

ACTION_PREFIX: Final = "setup_"
SAY: Final = "setup_say"
KEY_SAVED: Final = "setup_key_saved"
ACTIONS: Final = (SAY, KEY_SAVED)
AUTHOR: Final = "Setup bot"
SAID_MAX: Final = 200
"""What a button says is short; a longer payload is none of ours."""

OTHER_WINDOW: Final = (
    "This draft changed in another window, so nothing was changed here. This is how it stands now."
)
CHANGING: Final = (
    "You are changing what is on sale. It stays as it is until you say `publish`; `cancel` gives"
    " the changes up."
)
CHANGED: Final = "Changed: from the next message or call on."
OLD_BUTTON: Final = "That button belongs to an earlier question, so nothing was changed."


@dataclass(slots=True)
class Window:
    """What one page has last seen of a draft."""

    draft_id: str
    version: int
    message: cl.Message | None = None
    """The one whose buttons are still good."""


_windows: WeakKeyDictionary[WebsocketSession, Window] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Scene:
    """One turn's surroundings: whose draft, on which page, with what to choose from."""

    host: Host
    visitor: Visitor
    session: WebsocketSession
    choices: Choices

    @property
    def account_id(self) -> int:
        """Whose drafts these are."""
        return self.visitor.account_id


async def start(host: Host, visitor: Visitor) -> None:
    """Greet in a fresh conversation; nothing is stored before the builder says something."""
    scene = await _scene(host, visitor)
    window = _windows.get(scene.session)
    if window is not None and window.message is not None:
        await window.message.remove_actions()
        await window.message.send()  # under the same id: drawn once, however often it arrives
    else:
        state = await host.drafts.peek(visitor.account_id, scene.session.thread_id)
        await _say(scene, state, greet(state, scene.choices))
    # A page may connect twice within moments, and what was sent to its first socket is lost. Until
    # something was said, Chainlit is to call again when that happens.
    scene.session.chat_started = False


async def hear(host: Host, visitor: Visitor, message: cl.Message) -> None:
    """Take what the builder typed."""
    scene = await _scene(host, visitor)
    state = await host.drafts.open_draft(visitor.account_id, scene.session.thread_id)
    if not _has_seen(scene, state):
        await _say(scene, state, ask(state, scene.choices).after(OTHER_WINDOW))
        return
    await _take(scene, state, message.content)


async def resume(host: Host, visitor: Visitor, thread: ThreadDict) -> None:
    """Say in a reopened conversation where its draft stands.

    What is said is put into what the page is about to draw, and not stored: sent as a message it
    would be drawn over, and stored it would be said again at every visit.
    """
    scene = await _scene(host, visitor)
    state = await host.drafts.peek(visitor.account_id, thread["id"])
    is_open = state.life is DraftLife.OPEN
    reply = greet(state, scene.choices) if is_open else _standing(scene, state)
    step = StepDict(
        id=str(uuid4()),
        threadId=thread["id"],
        parentId=None,
        name=AUTHOR,
        type="assistant_message",
        createdAt=iso(host.clock.now()),
        output=reply.text,
        streaming=False,
        metadata={},
    )
    thread["steps"] = [*thread["steps"], step]
    drawn = [_element_dict(element, step) for element in _elements(state, reply, scene.choices)]
    thread["elements"] = [*(thread.get("elements") or []), *drawn]
    _windows[scene.session] = Window(state.draft_id, state.version)
    for action in _actions(state, reply):
        await action.send(for_id=step["id"])


async def act(host: Host, visitor: Visitor, action: cl.Action) -> dict[str, Any]:
    """Take a pressed button; returns what the card that holds it may show of the draft."""
    scene = await _scene(host, visitor)
    if action.name == KEY_SAVED:
        state = await _after_key(scene, str(action.payload.get("draft", "")))
    else:
        state = await _press(scene, action.payload)
    return {"life": state.life.value, "slug": state.offering_slug}


async def _press(scene: Scene, payload: dict[str, Any]) -> DraftState:
    drafts, says = scene.host.drafts, payload.get("say")
    state = await drafts.open_draft(scene.account_id, scene.session.thread_id)
    if not isinstance(says, str) or len(says) > SAID_MAX:
        return state
    was_published = state.life is DraftLife.PUBLISHED
    if says == "publish" and payload.get("draft") == state.draft_id and was_published:
        await _say(scene, state, _standing(scene, state))  # a second click: once is enough
        return state
    if payload.get("draft") not in {"", state.draft_id} or (
        payload.get("version") != state.version
    ):
        await _say(scene, state, _standing(scene, state).after(OLD_BUTTON))
        return state
    return await _take(scene, state, says)


async def _after_key(scene: Scene, draft_id: str) -> DraftState:
    """Go on after the form has stored a key; it changed the draft on behalf of this window."""
    state = await scene.host.drafts.load(scene.account_id, draft_id)
    if state.life is not DraftLife.OPEN:
        await _say(scene, state, _standing(scene, state))
        return state
    turn = interview.key_entered(state, scene.choices)
    return await _keep(scene, state, turn)


async def _take(scene: Scene, state: DraftState, text: str) -> DraftState:
    """One turn of the dialogue, whichever way it came in."""
    turn = interview.hear(state, text, scene.choices)
    try:
        return await _carry_out(scene, state, turn)
    except DraftChanged as changed:
        state = await scene.host.drafts.load(scene.account_id, state.draft_id)
        await _say(scene, state, _standing(scene, state).after(changed.detail))
    except FareboxError as refused:
        await _say(scene, state, _standing(scene, state).after(refused.detail))
    return state


async def _carry_out(scene: Scene, before: DraftState, turn: Turn) -> DraftState:
    drafts, account_id = scene.host.drafts, scene.account_id
    state, reply = turn.state, turn.reply
    match turn.effect:
        case Effect.TEST | Effect.FETCH | Effect.REOPEN | Effect.MINE | Effect.EARNINGS:
            return await _ask_the_world(scene, turn)
        case Effect.PUBLISH:
            was_on_sale = state.offering_slug is not None
            slug = await drafts.publish(account_id, state.draft_id, state.review_version)
            state = await drafts.load(account_id, state.draft_id)
            reply = review.published_reply(state, slug, scene.host.settings)
            reply = reply.after(CHANGED) if was_on_sale else reply
            await _mark_published(scene)
        case Effect.DISCARD:
            await drafts.discard(account_id, state.draft_id)
            state = await drafts.load(account_id, state.draft_id)
            reply = replace(reply, buttons=(interview.START_ANOTHER,))
        case Effect.START_OVER:
            state = await drafts.start_over(account_id, state)
            reply = ask(state, scene.choices).after("Started over.")
        case Effect.NEW:
            state = await drafts.open_new(account_id, scene.session.thread_id)
            reply = ask(state, scene.choices).after(reply.text)
        case Effect.PAUSE | Effect.RESUME as effect:
            await _move(scene, state, effect)
        case None:
            return await _keep(scene, before, turn)
    await _say(scene, state, reply)
    return state


async def _ask_the_world(scene: Scene, turn: Turn) -> DraftState:
    """What takes more than a deed: to try, to read, to look up, to open again."""
    match turn.effect:
        case Effect.TEST:
            return await _test(scene, turn.state, turn.message)
        case Effect.FETCH:
            return await _fetch(scene, turn.state, turn.message)
        case Effect.REOPEN:
            return await _reopen(scene, turn)
        case Effect.EARNINGS:
            return await _tell_earnings(scene, turn.state)
        case _:
            return await _list_mine(scene, turn.state)


async def _reopen(scene: Scene, turn: Turn) -> DraftState:
    """Open what is on sale again, and go on with what was said of it."""
    thread_id = scene.session.thread_id
    state = await scene.host.drafts.reopen(scene.account_id, turn.message, thread_id)
    if turn.then:
        return await _take(scene, state, turn.then)
    reply = ask(state, scene.choices).after(turn.reply.text).after(CHANGING)
    await _say(scene, state, reply)
    return state


async def _list_mine(scene: Scene, state: DraftState) -> DraftState:
    cards = await scene.host.catalogue.offerings(owner_id=scene.account_id)
    await _say(scene, state, review.offerings_reply(cards, scene.host.settings))
    return state


async def _tell_earnings(scene: Scene, state: DraftState) -> DraftState:
    """What this month came to, so far; other periods are the API's and the command line's."""
    now = scene.host.clock.now()
    month = read_dates(None, None, now)
    earned = await scene.host.database.read(
        lambda s: earnings_of(s, now, month, owner_id=scene.account_id)
    )
    await _say(scene, state, review.earnings_reply(earned, scene.host.settings))
    return state


async def _mark_published(scene: Scene) -> None:
    """Say so on the review card; who typed the word has pressed no button of it."""
    window = _windows.get(scene.session)
    if window is None or window.message is None:
        return
    for element in window.message.elements:
        if isinstance(element, cl.CustomElement):
            element.props = {**element.props, "life": DraftLife.PUBLISHED.value}
            await element.update()


async def _keep(scene: Scene, before: DraftState, turn: Turn) -> DraftState:
    """Save what has changed, then say what follows."""
    state = turn.state
    if state != before:
        state = await scene.host.drafts.save(scene.account_id, state)
    if state.answers.title and state.answers.title != before.answers.title:
        await _name(scene, state.answers.title)
    await _say(scene, state, turn.reply)
    return state


async def _name(scene: Scene, title: str) -> None:
    """Call the conversation what is described in it, also in the list on the page.

    The page asks for its list when it is told that a conversation begins, however often.
    """
    thread_id = scene.session.thread_id
    await scene.host.database.run(
        lambda unit: chat_history.name_thread(unit.session, thread_id, title)
    )
    begun = {"interaction": title, "thread_id": thread_id}
    await scene.session.emit("first_interaction", begun)  # type: ignore[misc]


async def _test(scene: Scene, state: DraftState, message: str) -> DraftState:
    is_service = state.answers.kind is Kind.SERVICE
    what = "Calling it once…" if is_service else "Sending it a test message…"
    waiting = cl.Message(what, author=AUTHOR)
    await waiting.send()
    try:
        is_ok, waiting.content = await _tried(scene, state, message)
    except FareboxError as refused:
        is_ok, waiting.content = False, f"**The test failed.** {refused.detail}"
    await waiting.update()
    if is_ok and not state.place.is_tested:
        after = interview.after_test(state)
        state = await scene.host.drafts.save(scene.account_id, after)
    await _say(scene, state, ask(state, scene.choices))
    return state


async def _tried(scene: Scene, state: DraftState, message: str) -> tuple[bool, str]:
    """Whether the draft works, and what came of trying it."""
    drafts = scene.host.drafts
    if state.answers.kind is Kind.SERVICE:
        tried = await drafts.try_service(scene.account_id, state, message)
        return tried.is_success, review.call_report(state, tried)
    rehearsal = await drafts.rehearse(state, message)
    return rehearsal.ok, review.test_report(state, rehearsal)


async def _fetch(scene: Scene, state: DraftState, address: str) -> DraftState:
    """Read a service's document from its address, and go on with what it says."""
    try:
        text, found_at = await scene.host.drafts.read_document(scene.account_id, address)
    except FareboxError as refused:
        turn = interview.not_read(state, refused.detail, scene.choices)
    else:
        turn = interview.document_read(state, text, found_at, scene.choices)
    return await _keep(scene, state, turn)


async def _move(scene: Scene, state: DraftState, effect: Effect) -> None:
    catalogue, slug = scene.host.catalogue, state.offering_slug or ""
    if effect is Effect.PAUSE:
        await catalogue.pause(scene.account_id, slug)
    else:
        await catalogue.resume(scene.account_id, slug)


async def _scene(host: Host, visitor: Visitor) -> Scene:
    session = context.session
    assert isinstance(session, WebsocketSession)
    choices = review.choices_of(await host.drafts.offer(visitor.account_id))
    return Scene(host, visitor, session, choices)


def _has_seen(scene: Scene, state: DraftState) -> bool:
    """Whether this page shows the draft as it is; a page that we know nothing of is believed."""
    window = _windows.get(scene.session)
    if window is None:
        return True
    return window.version == state.version and window.draft_id in {"", state.draft_id}


def _standing(scene: Scene, state: DraftState) -> Reply:
    """Where a draft is, whatever its life."""
    if state.life is DraftLife.OPEN:
        return ask(state, scene.choices)
    if state.offering_slug is not None:
        return review.published_reply(state, state.offering_slug, scene.host.settings)
    return Reply("This draft was discarded.", (interview.START_ANOTHER,))


async def _say(scene: Scene, state: DraftState, reply: Reply) -> None:
    """Send a reply; the buttons of the one before it are gone."""
    window = _windows.get(scene.session)
    if window is not None and window.message is not None:
        await window.message.remove_actions()
    message = cl.Message(
        reply.text,
        author=AUTHOR,
        actions=_actions(state, reply),
        elements=_elements(state, reply, scene.choices),
    )
    _windows[scene.session] = Window(state.draft_id, state.version, message)
    await message.send()


def _actions(state: DraftState, reply: Reply) -> list[cl.Action]:
    return [
        cl.Action(
            name=SAY,
            label=button.label,
            payload={"say": button.says, "draft": state.draft_id, "version": state.version},
        )
        for button in reply.buttons
    ]


def _elements(state: DraftState, reply: Reply, choices: Choices) -> list[cl.CustomElement]:
    match reply.form:
        case Form.KEY:
            return [cl.CustomElement(name="KeyForm", props=review.key_form(state))]
        case Form.REVIEW:
            props = review.review_card(state, choices)
            return [cl.CustomElement(name="DraftReview", props=props)]
        case None:
            return []


def _element_dict(element: cl.CustomElement, step: StepDict) -> ElementDict:
    drawn = element.to_dict()
    drawn["threadId"], drawn["forId"], drawn["props"] = step["threadId"], step["id"], element.props
    return drawn
