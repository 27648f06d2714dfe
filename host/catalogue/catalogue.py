"""The builder's and the subscriber's verbs: make plans, register and publish offerings, subscribe.

Every verb names its actor: an account, or None for the operator at the machine's command line.
What a verb changes, and the audit's line about it, are one unit of work, carried out by
`host.catalogue.registering` and `host.catalogue.subscribing`. Offerings are kept in memory for
runs and the proxy: what is changed here is forgotten at once, what another process changed after
half a second.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, TypeVar

from host.catalogue import offering_fields
from host.catalogue.changing import change_assistant, change_service
from host.catalogue.offering_fields import shown
from host.catalogue.offering_terms import (
    AssistantFields,
    EndpointFields,
    PlanTerms,
    ServiceFields,
    checked_assistant,
    checked_endpoints,
    checked_plan,
    checked_service,
)
from host.catalogue.registering import (
    By,
    OfferingStep,
    accept,
    archive_plan,
    attach,
    create_plan,
    move,
    register_assistant,
    register_service,
)
from host.catalogue.subscribing import Subscribed, SubscribeRequest, subscribe
from host.clock import Clock
from host.config import Settings
from host.errors import NotAllowed, UnknownOffering, UnknownPlan
from host.language import _
from storage import catalogue as kept
from storage import standings
from storage.cards import (
    OfferingCard,
    PlanView,
    PurchasedOffering,
    Standing,
    SubscriptionView,
)
from storage.database import Database, Unit
from storage.models.catalogue import OfferingState
from storage.moments import SECOND, Micros
from storage.shelf import Possessions, Shelf, read_possessions, read_shelf
from storage.subscriptions import subscriptions_of

T = TypeVar("T")

REMEMBERED: Final = SECOND // 2
"""How long an offering is taken from memory: other processes may change it."""


class Catalogue:
    """What is for sale, and who has what of it."""

    def __init__(self, database: Database, clock: Clock, settings: Settings) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._cards: dict[str, tuple[Micros, OfferingCard]] = {}
        self._shelf: tuple[Micros, Shelf] | None = None
        self._changes = 0

    async def create_plan(
        self, actor: int | None, terms: PlanTerms, *, owner_id: int | None = None
    ) -> PlanView:
        """Make a plan, for sale at once; `owner_id` when the actor acts for a builder.

        Raises:
            InvalidInput: a field does not follow its rule.
            NotAllowed: the actor is no builder, or the owner is somebody else.
        """
        checked, owner = checked_plan(terms), _owner(actor, owner_id)
        return await self._change(lambda unit: create_plan(unit, self._by(actor), owner, checked))

    async def archive_plan(self, actor: int | None, slug: str) -> PlanView:
        """Stop selling a plan; who holds it keeps it."""
        return await self._change(lambda unit: archive_plan(unit, self._by(actor), slug))

    async def register_assistant(
        self, actor: int | None, fields: AssistantFields, *, owner_id: int | None = None
    ) -> OfferingCard:
        """Make a draft of an assistant, on its plans.

        Raises:
            InvalidInput: a field does not follow its rule, or the key belongs elsewhere.
            NotAllowed: the actor is no builder, or something is somebody else's.
            UnknownPlan: there is no such plan.
        """
        checked = checked_assistant(fields, upstreams=self._settings.upstreams)
        owner = _owner(actor, owner_id)
        return await self._change(
            lambda unit: register_assistant(unit, self._by(actor), owner, checked)
        )

    async def register_service(
        self,
        actor: int | None,
        fields: ServiceFields,
        endpoints: Iterable[EndpointFields],
        *,
        owner_id: int | None = None,
    ) -> OfferingCard:
        """Make a draft of a service with its endpoints, on its plans. Raises as an assistant."""
        checked = checked_service(fields, allow_private=self._settings.allow_private_upstreams)
        paths, owner = checked_endpoints(endpoints), _owner(actor, owner_id)
        return await self._change(
            lambda unit: register_service(unit, self._by(actor), owner, checked, paths)
        )

    async def change_assistant(
        self, actor: int | None, slug: str, fields: AssistantFields
    ) -> OfferingCard:
        """Give an assistant other fields; its slug and its plans stay. Raises as registering."""
        checked = checked_assistant(fields, upstreams=self._settings.upstreams)
        return await self._change(
            lambda unit: change_assistant(unit, self._by(actor), slug, checked)
        )

    async def change_service(
        self,
        actor: int | None,
        slug: str,
        fields: ServiceFields,
        endpoints: Iterable[EndpointFields],
    ) -> OfferingCard:
        """Give a service other fields and endpoints. Raises as an assistant."""
        checked = checked_service(fields, allow_private=self._settings.allow_private_upstreams)
        paths = checked_endpoints(endpoints)
        return await self._change(
            lambda unit: change_service(unit, self._by(actor), slug, checked, paths)
        )

    def was_changed(self) -> None:
        """Take note that somebody else's unit of work changed an offering or a plan."""
        self._changes += 1
        self._cards.clear()
        self._shelf = None

    async def attach(
        self, actor: int | None, *, plan_slug: str, offering_slug: str
    ) -> OfferingCard:
        """Put an offering on a plan of the same owner."""
        return await self._change(
            lambda unit: attach(
                unit, self._by(actor), plan_slug=plan_slug, offering_slug=offering_slug
            )
        )

    async def publish(self, actor: int | None, slug: str) -> OfferingCard:
        """Let subscribers use a draft; publishing twice is publishing once.

        Raises:
            InvalidInput: it is on no plan, or is neither a draft nor published.
        """
        return await self._move(actor, slug, OfferingStep.PUBLISH)

    async def accept(self, actor: int | None, slug: str, written: str) -> OfferingCard:
        """Say which files may be sent to an assistant, from its next message on.

        Raises:
            InvalidInput: it is no assistant, or that says nothing about files.
        """
        accepts = offering_fields.accepts(written)
        return await self._change(lambda unit: accept(unit, self._by(actor), slug, accepts))

    async def pause(self, actor: int | None, slug: str) -> OfferingCard:
        """Refuse new messages and calls until it is resumed."""
        return await self._move(actor, slug, OfferingStep.PAUSE)

    async def resume(self, actor: int | None, slug: str) -> OfferingCard:
        """Let a paused offering be used again."""
        return await self._move(actor, slug, OfferingStep.RESUME)

    async def retire(self, actor: int | None, slug: str) -> OfferingCard:
        """Withdraw a paused offering for good; its history stays."""
        return await self._move(actor, slug, OfferingStep.RETIRE)

    async def subscribe(self, actor: int | None, request: SubscribeRequest) -> Subscribed:
        """Give somebody what a plan gives, once for each source.

        Raises:
            NotAllowed: only a trial is taken by oneself, and only an operator gives.
            UnknownPlan, InvalidInput, IdempotencyConflict: as `host.catalogue.subscribing` says.
        """
        return await self._database.run(lambda unit: subscribe(unit, self._by(actor), request))

    async def find_offering(self, slug: str) -> OfferingCard:
        """The offering of that name, whatever its state; from memory when it can.

        Raises:
            UnknownOffering: there is none.
        """
        known = self._cards.get(slug)
        now = self._clock.now()
        if known is not None and known[0] <= now < known[0] + REMEMBERED:
            return known[1]
        changes = self._changes
        card = await self._database.read(partial(kept.find_card, slug=slug))
        if card is None:
            raise _unknown(slug)
        if changes == self._changes:  # else it may be from before the change
            self._cards[slug] = (now, card)
        return card

    async def find_visible(self, slug: str, account_id: int) -> OfferingCard:
        """The offering of that name, if this account may know of it: a draft is its owner's.

        Raises:
            UnknownOffering: there is none, or that is how it has to look.
        """
        card = await self.find_offering(slug)
        if card.state is OfferingState.DRAFT and card.owner_id != account_id:
            raise _unknown(slug)
        return card

    async def get_offering(self, offering_id: int) -> OfferingCard:
        """The offering of this id, which must exist."""
        (card,) = await self._database.read(partial(kept.find_cards, ids=[offering_id]))
        return card

    async def offerings(
        self, *, owner_id: int | None = None, state: OfferingState | None = None
    ) -> tuple[OfferingCard, ...]:
        """Offerings by title: of one builder or of all, in one state or in any."""
        return await self._database.read(partial(kept.find_cards, owner_id=owner_id, state=state))

    async def shelf(self) -> Shelf:
        """Everything on offer, for everybody the same; from memory when it can."""
        known, now = self._shelf, self._clock.now()
        if known is not None and known[0] <= now < known[0] + REMEMBERED:
            return known[1]
        changes = self._changes
        shelf = await self._database.read(read_shelf)
        if changes == self._changes:  # else it may be from before the change
            self._shelf = (now, shelf)
        return shelf

    async def possessions(self, account_id: int) -> Possessions:
        """What the account has of what is on offer, as of now."""
        now = self._clock.now()
        return await self._database.read(partial(read_possessions, account_id=account_id, now=now))

    async def find_plan(self, slug: str) -> PlanView:
        """The plan of that name, on the terms it is sold on now.

        Raises:
            UnknownPlan: there is none.
        """
        plan = await self._database.read(partial(kept.find_plan, slug=slug))
        if plan is None:
            raise UnknownPlan(_("There is no plan “{plan}”.", plan=shown(slug)))
        return plan

    async def plans(
        self, *, owner_id: int | None = None, with_archived: bool = False
    ) -> tuple[PlanView, ...]:
        """Plans by title: of one builder or of all."""
        return await self._database.read(
            partial(kept.find_plans, owner_id=owner_id, with_archived=with_archived)
        )

    async def subscriptions(self, account_id: int) -> tuple[SubscriptionView, ...]:
        """All that the account ever got, the newest first."""
        return await self._database.read(partial(subscriptions_of, account_id=account_id))

    async def purchased(self, account_id: int) -> tuple[PurchasedOffering, ...]:
        """What the account's plans cover or covered, and how it stands with each."""
        now = self._clock.now()
        return await self._database.read(
            partial(standings.purchased, account_id=account_id, now=now)
        )

    async def standing(self, account_id: int, offering_id: int) -> Standing:
        """How the account stands with one offering: entitlement and spendable credits."""
        now = self._clock.now()
        return await self._database.read(
            partial(standings.standing, account_id=account_id, offering_id=offering_id, now=now)
        )

    async def _move(self, actor: int | None, slug: str, step: OfferingStep) -> OfferingCard:
        return await self._change(lambda unit: move(unit, self._by(actor), slug, step))

    async def _change(self, work: Callable[[Unit], T]) -> T:
        """Run a unit that may change offerings or plans, and forget what was remembered."""
        try:
            return await self._database.run(work)
        finally:
            self.was_changed()

    def _by(self, actor: int | None) -> By:
        return By(actor, self._clock.now())


def _unknown(slug: str) -> UnknownOffering:
    return UnknownOffering(_("There is no offering “{offering}”.", offering=shown(slug)))


def _owner(actor: int | None, owner_id: int | None) -> int:
    owner = actor if owner_id is None else owner_id
    if owner is None:
        raise NotAllowed("Say which builder this is for.")
    return owner
