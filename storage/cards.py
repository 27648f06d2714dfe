"""What the catalogue looks like to everyone else: frozen values, safe to keep and to share.

Runs, the proxy and the pages work from these; the rows they were read from stay in
`storage.catalogue` and `storage.subscriptions`.
"""

from collections.abc import Collection
from dataclasses import dataclass

from storage.credits import MilliCredits
from storage.entitlement import Entitlement
from storage.file_kinds import Accepts
from storage.models.catalogue import OfferingKind, OfferingState, PlanKind, PlanState
from storage.models.money import GrantSource
from storage.moments import Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanVersionView:
    """Terms that somebody can buy, or bought."""

    id: int
    number: int
    kind: PlanKind
    price_minor: int
    currency: str
    credits: MilliCredits
    duration_s: int | None
    is_trial: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanView:
    """A plan with the terms it is sold on now."""

    id: int
    slug: str
    owner_id: int
    title: str
    description: str
    state: PlanState
    version: PlanVersionView

    @property
    def is_sold(self) -> bool:
        """Whether it can still be bought."""
        return self.state is PlanState.PUBLISHED

    @property
    def is_free(self) -> bool:
        """Whether one takes it by oneself, once: a trial, and whatever else costs nothing."""
        return self.version.is_trial or not self.version.price_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistantConfig:
    """All that a provider needs to run an assistant, but for the key itself."""

    provider: str
    base_url: str
    model: str
    instructions: str
    secret_id: str
    accepts: Accepts = Accepts.NONE
    """Which files may be sent to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointCard:
    """One method and path of a service; `price` is zero when it is open."""

    id: int
    method: str
    path: str
    price: MilliCredits
    is_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceConfig:
    """Where a service lives, which secret it is sent, and what of it may be called."""

    upstream_url: str
    secret_id: str | None
    endpoints: tuple[EndpointCard, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferingCard:
    """An offering, how it is carried out, and the plans that cover it."""

    id: int
    slug: str
    owner_id: int
    kind: OfferingKind
    title: str
    description: str
    tags: tuple[str, ...]
    starters: tuple[str, ...]
    price: MilliCredits
    state: OfferingState
    published_at: Micros | None
    assistant: AssistantConfig | None
    service: ServiceConfig | None
    plans: tuple[PlanView, ...]

    def price_for(self, account_id: int, entitled: Entitlement) -> MilliCredits:
        """What a message costs this account: nothing for the owner, and under a time plan."""
        is_free = self.owner_id == account_id or entitled.included_until is not None
        return MilliCredits(0) if is_free else self.price

    def plan_to_buy(self, *, had: Collection[int] = ()) -> PlanView | None:
        """The plan to send somebody to who needs one: for sale, no trial, the cheapest first.

        `had`: plans they ever had, by id, whose trials are not for them any more.
        """
        sold = [p for p in self.plans if p.is_sold and not (p.version.is_trial and p.id in had)]
        return min(sold, key=lambda p: (p.version.is_trial, p.version.price_minor), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a subscriber stands with one offering: the entitlement, and what can be spent here."""

    entitlement: Entitlement
    available: MilliCredits


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchasedOffering:
    """An offering covered by a plan that the subscriber has or had, and how they stand with it."""

    offering: OfferingCard
    standing: Standing
    plan_titles: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionView:
    """What somebody got of a plan, once."""

    id: int
    account_id: int
    plan_id: int
    plan_slug: str
    plan_title: str
    version_id: int
    kind: PlanKind
    source: GrantSource
    is_cancelled: bool
    """Whether it was taken back before its end."""
    starts_at: Micros
    ends_at: Micros
