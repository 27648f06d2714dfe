"""Drafts of the setup bot: kept after every answer, given a key, tried out, published once.

What an answer means is decided in the chat (`chat_ui.setup_bot.interview`); here a draft is
remembered with the version it had, so that of two windows one is told. A key comes in by
`save_key` alone: it is tried once at the upstream, sealed, and from then on only noted. Publishing
is one unit of work with everything it makes, so a second click finds it done.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from host.catalogue import offering_fields
from host.catalogue.catalogue import Catalogue
from host.catalogue.registering import By, find_offering
from host.clock import Clock
from host.config import Settings
from host.drafts.calls import call_to_try
from host.drafts.fields import fields_of, moved_fields, state_of
from host.drafts.keys import KeySaved, checked_key, kept_untried, try_key
from host.drafts.publishing import change_published, publish_draft
from host.drafts.reopening import answers_of
from host.drafts.state import (
    DraftLife,
    DraftState,
    KeyCheckResult,
    KeyNote,
    Kind,
    Place,
    Question,
)
from host.errors import DraftChanged, InvalidInput, UnknownDraft, UnknownOffering
from host.identity.throttle import Throttle
from host.language import N_
from host.providers.base import Credential, Provider
from host.proxy.trying import Tried, read_text, try_call
from host.runs.rehearsal import Rehearsal
from host.runs.runner import Runs
from host.vault.vault import Vault
from storage import drafts as kept
from storage.cards import AssistantConfig, PlanView
from storage.catalogue import find_cards
from storage.database import Database, Unit
from storage.ids import new_id
from storage.models.catalogue import Draft, OfferingState
from storage.models.vault import Secret
from storage.moments import DAY, Micros
from storage.secrets import add_secret, delete_secret, find_secret
from storage.upstreams import move_upstream

PROVIDER: Final = "responses"
MODEL_DEFAULT: Final = "gpt-6-luna"
MODELS_MAX: Final = 4
"""How many models are offered as buttons; any other may be typed."""
PURPOSE: Final = "openai_key"
SERVICE_PURPOSE: Final = "service_credential"
TRIES_MAX: Final = 30
"""Calls of a builder's own, of documents and services, within ten minutes."""
TRIES_WINDOW_S: Final = 600
IDLE_MAX: Final = 30 * DAY
EXPIRED_AT_ONCE: Final = 50
"""Of one unit of work, so that nobody waits long for it."""
TEST_MESSAGE: Final = "Hello! What can you do for me?"


@dataclass(frozen=True, slots=True)
class Offer:
    """What a builder may choose from."""

    models: tuple[str, ...]
    plans: tuple[PlanView, ...]
    allows_private: bool
    """Whether a service may be in this machine's own network."""


class Drafts:
    """The drafts of all builders."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a draft touches on its way to being published
        self,
        database: Database,
        clock: Clock,
        vault: Vault,
        catalogue: Catalogue,
        providers: Mapping[str, Provider],
        runs: Runs,
        settings: Settings,
    ) -> None:
        self._database = database
        self._clock = clock
        self._vault = vault
        self._catalogue = catalogue
        self._providers = providers
        self._runs = runs
        self._settings = settings
        self._calls = Throttle(
            clock, most=TRIES_MAX, window_s=TRIES_WINDOW_S, sentence=N_("That is a lot to try.")
        )

    async def peek(self, account_id: int, thread_id: str) -> DraftState:
        """The draft of this thread, else the builder's newest open one, else an empty one."""
        found = await self._database.read(
            partial(kept.find_current_draft, account_id=account_id, thread_id=thread_id)
        )
        return DraftState(draft_id="") if found is None else self._state(found)

    async def open_draft(self, account_id: int, thread_id: str) -> DraftState:
        """As `peek`, and remembered: the draft is this thread's from now on."""

        def work(unit: Unit) -> DraftState:
            found = kept.find_current_draft(
                unit.session, account_id=account_id, thread_id=thread_id
            )
            if found is None:
                return self._add(unit, account_id, thread_id)
            if found.row.thread_id != thread_id:
                kept.set_draft_thread(unit.session, found.row.id, thread_id)
            return self._state(found)

        return await self._database.run(work)

    async def open_new(self, account_id: int, thread_id: str) -> DraftState:
        """A fresh draft for this thread; the one it was about is kept."""

        def work(unit: Unit) -> DraftState:
            kept.leave_thread(unit.session, account_id=account_id, thread_id=thread_id)
            return self._add(unit, account_id, thread_id)

        return await self._database.run(work)

    async def load(self, account_id: int, draft_id: str) -> DraftState:
        """The draft as it was last saved.

        Raises:
            UnknownDraft: there is none, or it is somebody else's.
        """
        found = await self._database.read(partial(kept.find_draft, draft_id=draft_id))
        return self._state(_theirs(found, account_id))

    async def save(self, account_id: int, state: DraftState) -> DraftState:
        """Keep a draft that was read at `state.version`; returns it with its new version.

        Raises:
            DraftChanged: somebody saved it in between.
            UnknownDraft: it is no longer open, or somebody else's.
        """

        def work(unit: Unit) -> None:
            row = _open(kept.lock_draft(unit.session, state.draft_id), account_id).row
            self._keep(unit, state)
            if state.answers.key is None and row.secret_id is not None:
                unit.session.refresh(row)
                forgotten, row.secret_id = row.secret_id, None
                unit.session.flush()
                delete_secret(unit.session, forgotten)

        await self._database.run(work)
        return replace(state, version=state.version + 1)

    async def save_key(self, account_id: int, draft_id: str, key: str) -> KeySaved:
        """Seal a key for this draft: an assistant's is tried at the upstream first.

        Raises:
            InvalidInput: it cannot be a key; or it is for a service whose address is missing.
            UnknownDraft: the draft is not open, or somebody else's.
        """
        state = await self.load(account_id, draft_id)
        if state.life is not DraftLife.OPEN:
            raise _no_longer_open()
        if state.answers.kind is Kind.SERVICE:
            purpose, bound_to = SERVICE_PURPOSE, state.answers.upstream_url
            if bound_to is None:
                raise InvalidInput("Say first where the service is.")
            key = offering_fields.credential(key)
            saved = kept_untried(key)
        else:
            purpose, bound_to = PURPOSE, self._settings.openai_base_url
            credential = Credential(key=checked_key(key), base_url=bound_to)
            key, model = credential.key, state.answers.model or MODEL_DEFAULT
            saved = await try_key(self._providers[PROVIDER], credential, model=model)
        if saved.verdict is KeyCheckResult.REJECTED:
            return saved
        secret = self._vault.seal(
            purpose, key, owner_id=account_id, bound_to=bound_to, last4=saved.last4
        )
        put = partial(self._put_key, account_id, draft_id, secret, saved.verdict)
        await self._database.run(put)
        return saved

    async def rehearse(self, state: DraftState, message: str = "") -> Rehearsal:
        """Have the draft answer a test message. Nobody is charged.

        Raises:
            InvalidInput: something it needs is missing.
        """
        answers = state.answers
        if answers.model is None or answers.instructions is None or answers.key is None:
            raise InvalidInput("A test needs a model, instructions and a key.")
        assistant = AssistantConfig(
            provider=PROVIDER,
            base_url=answers.key.base_url,
            model=answers.model,
            instructions=answers.instructions,
            secret_id=answers.key.secret_id,
        )
        return await self._runs.rehearse(assistant, message or TEST_MESSAGE)

    async def read_document(self, account_id: int, address: str) -> tuple[str, str]:
        """The text at an address that a builder gave, and the origin that it came from.

        Raises:
            InvalidInput: it could not be read; the sentence says why.
            RateLimited: that is a lot to read in ten minutes.
        """
        self._calls.spend(str(account_id))
        return await read_text(address, allow_private=self._settings.allow_private_upstreams)

    async def try_service(self, account_id: int, state: DraftState, said: str) -> Tried:
        """Call the draft's service once, as `said` or as it is called most simply.

        What comes back does not name the credential, even if the service does.

        Raises:
            InvalidInput: that is none of its operations, or its address is missing.
            RateLimited: that is a lot to try in ten minutes.
            FareboxError: it was not reached, or did not answer in time.
        """
        key = state.answers.key
        credential = None if key is None else await self._vault.reveal(key.secret_id)
        call = call_to_try(state.answers, said, credential=credential)
        self._calls.spend(str(account_id))
        tried = await try_call(call, allow_private=self._settings.allow_private_upstreams)
        return tried.without(credential)

    async def publish(self, account_id: int, draft_id: str, review_version: str) -> str:
        """Put on sale what the review of that version showed; returns the offering's slug.

        The same draft is published once, however often this is called.

        Raises:
            DraftChanged: the answers are not those of that review.
            InvalidInput, NotAllowed, UnknownPlan: as the catalogue says.
            UnknownDraft: there is no such draft to publish, or it is somebody else's.
        """

        def work(unit: Unit) -> str:
            found = _theirs(kept.lock_draft(unit.session, draft_id), account_id)
            row, state = found.row, self._state(found)
            if state.life is DraftLife.PUBLISHED and state.offering_slug is not None:
                return state.offering_slug
            _open(found, account_id)
            if state.review_version != review_version or state.answers.missing:
                raise DraftChanged("The draft has changed since this review. Look again, please.")
            by = By(account_id, self._clock.now())
            if state.offering_slug is None:
                card = publish_draft(unit, by, state.answers, self._settings)
            else:
                card = change_published(
                    unit, by, state.offering_slug, state.answers, self._settings
                )
            row.state = DraftLife.PUBLISHED.value
            row.offering_id = card.id
            row.secret_id = None  # the key is the assistant's now, and outlives the draft
            row.fields = fields_of(replace(state, offering_slug=card.slug))
            row.version, row.updated_at = row.version + 1, by.now
            return card.slug

        try:
            return await self._database.run(work)
        finally:
            self._catalogue.was_changed()

    async def reopen(self, account_id: int, slug: str, thread_id: str) -> DraftState:
        """A draft of what is on sale, to change it; nothing changes before it is published again.

        One that is being changed already goes on.

        Raises:
            UnknownOffering: there is none, or it is another builder's.
            InvalidInput: it is retired.
        """

        def work(unit: Unit) -> DraftState:
            card = find_offering(unit, slug)
            if card.owner_id != account_id:
                raise UnknownOffering(f"You have no offering “{offering_fields.shown(slug)}”.")
            if card.state is OfferingState.RETIRED:
                raise InvalidInput(f"{card.title} is retired; register it anew.")
            kept.leave_thread(unit.session, account_id=account_id, thread_id=thread_id)
            row = kept.lock_draft_of(unit.session, account_id=account_id, offering_id=card.id)
            if row is None:
                row = _new_row(account_id, thread_id, self._clock.now())
                row.offering_id = card.id
                kept.add_draft(unit.session, row)
            if row.state != DraftLife.OPEN:
                self._put_back(unit, row, DraftLife.OPEN)
            row.thread_id = thread_id
            unit.session.flush()
            found = kept.find_draft(unit.session, row.id)
            assert found is not None, "it has just been read"
            return self._state(found)

        return await self._database.run(work)

    async def discard(self, account_id: int, draft_id: str) -> None:
        """Give a draft up, and delete its key. Doing so twice is doing it once."""

        def work(unit: Unit) -> None:
            row = _theirs(kept.lock_draft(unit.session, draft_id), account_id).row
            if row.state == DraftLife.PUBLISHED:
                raise UnknownDraft("This draft has been published; it cannot be discarded.")
            self._touch_without_key(unit, row)
            self._let_go(unit, row, DraftLife.DISCARDED)

        await self._database.run(work)

    async def expire_idle(self) -> None:
        """Let go of drafts that nobody touched for 30 days: their keys first, then the rest."""
        now = self._clock.now()

        def work(unit: Unit) -> int:
            idle = kept.lock_idle_drafts(
                unit.session, before=Micros(now - IDLE_MAX), most=EXPIRED_AT_ONCE
            )
            for row in idle:
                self._touch_without_key(unit, row)
                self._let_go(unit, row, DraftLife.EXPIRED)
            return len(idle)

        while await self._database.run(work) == EXPIRED_AT_ONCE:
            pass

    async def move_upstream(self, *, before: str, now: str) -> None:
        """The same upstream answers at another address: what is on sale, and drafts, go along."""

        def work(unit: Unit) -> None:
            move_upstream(unit.session, before=before, now=now)
            for row in kept.open_drafts(unit.session):
                row.fields = moved_fields(row.fields, before=before, now=now)

        await self._database.run(work)

    async def start_over(self, account_id: int, state: DraftState) -> DraftState:
        """Keep an emptied draft, and delete the key it had."""

        def work(unit: Unit) -> DraftState:
            row = _open(kept.lock_draft(unit.session, state.draft_id), account_id).row
            if row.version != state.version:
                raise _changed()
            row.fields = fields_of(state)
            self._touch_without_key(unit, row)
            if row.offering_id is not None:
                return self._put_back(unit, row, DraftLife.OPEN)
            return replace(state, version=row.version)

        return await self._database.run(work)

    async def offer(self, account_id: int) -> Offer:
        """What to choose from: the builder's plans on sale, and models, the usual one first."""
        plans = await self._catalogue.plans(owner_id=account_id)
        cards = await self._catalogue.offerings(owner_id=account_id)
        used = [card.assistant.model for card in cards if card.assistant is not None]
        models = tuple(dict.fromkeys((MODEL_DEFAULT, *used)))[:MODELS_MAX]
        return Offer(models, plans, self._settings.allow_private_upstreams)

    def _state(self, found: kept.KeptDraft) -> DraftState:
        return state_of(found, upstreams=self._settings.upstreams)

    def _add(self, unit: Unit, account_id: int, thread_id: str) -> DraftState:
        draft = _new_row(account_id, thread_id, self._clock.now())
        kept.add_draft(unit.session, draft)
        return DraftState(draft_id=draft.id)

    def _let_go(self, unit: Unit, row: Draft, life: DraftLife) -> None:
        """Empty a draft that nobody goes on with; of what is on sale only the changes go."""
        if row.offering_id is None:
            row.state, row.fields = life.value, {}
        else:
            self._put_back(unit, row, DraftLife.PUBLISHED)

    def _put_back(self, unit: Unit, row: Draft, life: DraftLife) -> DraftState:
        """Let a draft say what is on sale."""
        assert row.offering_id is not None
        (card,) = find_cards(unit.session, ids=[row.offering_id])
        secret_id = kept.secret_in_use(unit.session, card.id)
        secret = None if secret_id is None else find_secret(unit.session, secret_id)
        state = DraftState(
            draft_id=row.id,
            version=row.version + 1,
            life=life,
            offering_slug=card.slug,
            answers=answers_of(card, secret),
            place=Place(at=Question.REVIEW),
        )
        row.state, row.fields = life.value, fields_of(state)
        row.version, row.updated_at = state.version, self._clock.now()
        unit.session.flush()
        return state

    def _keep(self, unit: Unit, state: DraftState) -> None:
        is_kept = kept.save_draft(
            unit.session,
            state.draft_id,
            version=state.version,
            fields=fields_of(state),
            now=self._clock.now(),
        )
        if not is_kept:
            raise _changed()

    def _put_key(
        self, account_id: int, draft_id: str, secret: Secret, verdict: KeyCheckResult, unit: Unit
    ) -> None:
        """Note a sealed key on whatever the draft is by now, and forget the one before."""
        found = _open(kept.lock_draft(unit.session, draft_id), account_id)
        row, state = found.row, self._state(found)
        note = KeyNote(
            secret_id=secret.id,
            last4=secret.last4,
            added_at=self._clock.now(),
            base_url=secret.bound_to,
            verdict=verdict,
        )
        add_secret(unit.session, secret)
        row.fields = fields_of(state.answered(replace(state.answers, key=note)))
        self._touch_without_key(unit, row)
        row.secret_id = secret.id

    def _touch_without_key(self, unit: Unit, row: Draft) -> None:
        """Advance the version, and delete the key that the draft had."""
        before, row.secret_id = row.secret_id, None
        row.version, row.updated_at = row.version + 1, self._clock.now()
        unit.session.flush()  # nothing may refer to a secret that is deleted
        if before is not None:
            delete_secret(unit.session, before)


def _new_row(account_id: int, thread_id: str, now: Micros) -> Draft:
    return Draft(
        id=new_id(),
        account_id=account_id,
        thread_id=thread_id,
        version=0,
        created_at=now,
        updated_at=now,
    )


def _theirs(found: kept.KeptDraft | None, account_id: int) -> kept.KeptDraft:
    if found is None or found.row.account_id != account_id:
        raise UnknownDraft("There is no such draft.")
    return found


def _open(found: kept.KeptDraft | None, account_id: int) -> kept.KeptDraft:
    found = _theirs(found, account_id)
    if found.row.state != DraftLife.OPEN:
        raise _no_longer_open()
    return found


def _changed() -> DraftChanged:
    return DraftChanged("This draft changed in another window; reload to see it as it is now.")


def _no_longer_open() -> UnknownDraft:
    return UnknownDraft("This draft is no longer open.")
