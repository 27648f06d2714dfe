"""What makes up a plan, an assistant and a service, and the checks of the whole.

`host.catalogue.offering_fields` knows what each single field may hold; here they are put together.
The catalogue checks again what it is given, so no door can forget to.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from host.catalogue import offering_fields
from host.catalogue.currencies import Money
from host.catalogue.endpoint_paths import endpoint_method, endpoint_path, shape
from host.catalogue.offering_fields import refusal, shown
from storage.credits import MilliCredits
from storage.file_kinds import Accepts

ENDPOINTS_MAX: Final = 200
PROVIDERS: Final = ("responses",)
NO_CREDITS: Final = MilliCredits(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTerms:
    """What a new plan costs and gives: `credits`, or, when they are zero, time."""

    title: str
    price: Money
    credits: MilliCredits = NO_CREDITS
    duration_s: int | None = None
    """How long credits or the pass last; None never ends."""
    is_trial: bool = False
    description: str = ""
    slug: str | None = None
    """Derived from the title when not given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistantFields:
    """All that is entered about an assistant. The key is in the vault already."""

    title: str
    description: str
    model: str
    instructions: str
    price: MilliCredits
    base_url: str
    secret_id: str
    plan_slugs: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    starters: tuple[str, ...] = ()
    provider: str = "responses"
    accepts: Accepts = Accepts.NONE
    """Which files may be sent to it."""
    slug: str | None = None
    """Derived from the title when not given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointFields:
    """One method and path. Without a price of its own it costs the service's."""

    path: str
    method: str = "GET"
    price: MilliCredits | None = None
    is_open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFields:
    """All that is entered about a service but its endpoints."""

    title: str
    description: str
    price: MilliCredits
    """Per call, of every endpoint that names no other."""
    upstream_url: str
    secret_id: str | None = None
    plan_slugs: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    slug: str | None = None
    """Derived from the title when not given."""


def checked_plan(terms: PlanTerms) -> PlanTerms:
    """The terms as they are kept."""
    if terms.credits:
        offering_fields.credits_in_range(terms.credits)
    elif terms.duration_s is None:
        raise refusal(
            "credits",
            "That plan gives neither credits nor time.",
            "A plan gives credits, or lasts for some time",
            "100 credits, or 7 days",
        )
    if terms.duration_s is not None:
        offering_fields.duration_in_range(terms.duration_s)
    if terms.price.minor < 0:
        raise refusal("price", "A price is never negative.", "Enter 0 or more", "5.00 USD")
    offering_fields.money(f"0 {terms.price.currency}")
    return replace(
        terms,
        title=offering_fields.title(terms.title),
        description=offering_fields.description(terms.description),
        slug=_slug(terms.slug),
    )


def checked_assistant(fields: AssistantFields, *, upstreams: tuple[str, ...]) -> AssistantFields:
    """The fields as they are kept; `upstreams` are the addresses allowed here."""
    if fields.provider not in PROVIDERS:
        raise refusal(
            "provider",
            f"“{shown(fields.provider)}” is not a provider.",
            f"A provider is one of {', '.join(PROVIDERS)}",
            PROVIDERS[0],
        )
    return replace(
        fields,
        title=offering_fields.title(fields.title),
        description=offering_fields.description(fields.description),
        model=offering_fields.model(fields.model),
        instructions=offering_fields.instructions(fields.instructions),
        price=offering_fields.price_in_range(fields.price),
        base_url=offering_fields.base_url(fields.base_url, upstreams),
        tags=offering_fields.tags(fields.tags),
        starters=offering_fields.starters(fields.starters),
        accepts=offering_fields.accepts(fields.accepts),
        slug=_slug(fields.slug),
    )


def checked_service(fields: ServiceFields, *, allow_private: bool) -> ServiceFields:
    """The fields as they are kept."""
    return replace(
        fields,
        title=offering_fields.title(fields.title),
        description=offering_fields.description(fields.description),
        price=offering_fields.price_in_range(fields.price),
        upstream_url=offering_fields.upstream_url(
            fields.upstream_url, allow_private=allow_private
        ),
        tags=offering_fields.tags(fields.tags),
        slug=_slug(fields.slug),
    )


def checked_endpoints(endpoints: Iterable[EndpointFields]) -> tuple[EndpointFields, ...]:
    """All endpoints of a service; no two of them may mean the same calls."""
    kept = tuple(endpoint(fields) for fields in endpoints)
    if not 1 <= len(kept) <= ENDPOINTS_MAX:
        raise refusal(
            "endpoint",
            f"That service has {len(kept)} endpoints.",
            f"A service has 1 to {ENDPOINTS_MAX}",
            "POST /ask 1",
        )
    seen: set[tuple[str, str]] = set()
    for fields in kept:
        calls = (fields.method, shape(fields.path))
        if calls in seen:
            raise refusal(
                "endpoint",
                f"{fields.method} {fields.path} is there twice.",
                "Each method and path is registered once",
                "POST /ask 1",
            )
        seen.add(calls)
    return kept


def endpoint(fields: EndpointFields) -> EndpointFields:
    """A method, a path and what a call of it costs."""
    if fields.is_open and fields.price:
        raise refusal(
            "endpoint",
            f"{fields.path} is open and has a price.",
            "An open endpoint is free",
            "GET /.well-known/(.*) open",
        )
    try:
        method, path = endpoint_method(fields.method), endpoint_path(fields.path)
    except ValueError as error:
        raise refusal(
            "endpoint",
            f"“{shown(fields.path)}” cannot be an endpoint: {error}.",
            "An endpoint is a method and a path; {name} is one segment, (.*) at the end the rest",
            "POST /user/{id} 2",
        ) from None
    amount = None if fields.price is None else offering_fields.price_in_range(fields.price)
    return EndpointFields(path=path, method=method, price=amount, is_open=fields.is_open)


def parse_endpoint(written: str) -> EndpointFields:
    """An endpoint on one line: `POST /ask 1`, `GET /.well-known/(.*) open`, `/status`."""
    words = written.split()
    if words and words[0].startswith("/"):
        words.insert(0, "GET")
    if len(words) not in {2, 3}:
        raise refusal(
            "endpoint",
            f"“{shown(written)}” is not an endpoint.",
            "An endpoint is a method, a path, and a price or the word open",
            "POST /ask 1",
        )
    method, path, *cost = words
    is_open = cost[:1] == ["open"]
    amount = offering_fields.price(cost[0]) if cost and not is_open else None
    return endpoint(EndpointFields(path=path, method=method, price=amount, is_open=is_open))


def _slug(written: str | None) -> str | None:
    return None if written is None else offering_fields.slug(written)
