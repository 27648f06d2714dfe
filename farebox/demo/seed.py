"""What the demo begins with: three people, three plans, a voucher, two assistants and a service.

Seeding is done once for a data directory. At later starts only the addresses of the scripted
servers are moved, should the demo run on another port.
"""

from dataclasses import dataclass
from typing import Final

from host.app import Host
from host.catalogue.currencies import Money
from host.catalogue.offering_terms import AssistantFields, EndpointFields, PlanTerms, ServiceFields
from host.catalogue.subscribing import SubscribeRequest
from host.purchase.vouchers import VoucherBatch
from storage.credits import PER_CREDIT, MilliCredits
from storage.file_kinds import Accepts
from storage.models.accounts import Role
from storage.models.money import GrantSource
from storage.moments import DAY, SECOND

PASSWORD: Final = "farebox-demo"  # noqa: S105 - well known: the demo answers on loopback alone
SEEDED_KEY: Final = "sk-demo-builder-key-0123456789abcd"
PASTED_KEY: Final = "sk-demo-bea-2222222222222222"
"""What README tells a builder to enter."""
UPSTREAM_KEYS: Final = (SEEDED_KEY, PASTED_KEY)
VOUCHER: Final = "DEMO-100"
"""Stands for a Pack 100."""
SONGS_KEY: Final = "songs-demo-credential-7c1f"
MODEL: Final = "gpt-6-luna"


@dataclass(frozen=True, slots=True)
class Sample:
    """Somebody who can sign in to the demo."""

    who: str
    name: str
    email: str
    roles: tuple[Role, ...]


SAM: Final = Sample("subscriber", "Sam", "sam@example.com", (Role.SUBSCRIBER,))
BEA: Final = Sample("builder", "Bea", "bea@example.com", (Role.SUBSCRIBER, Role.BUILDER))
OLGA: Final = Sample("operator", "Olga", "olga@example.com", (Role.SUBSCRIBER, Role.OPERATOR))
PEOPLE: Final = (SAM, BEA, OLGA)


async def seed(host: Host, *, upstream: str, songs: str) -> None:
    """Make what is missing; `upstream` and `songs` are where the scripted servers answer."""
    known = {account.email: account for account in await host.accounts.list()}
    if SAM.email in known:
        await _move(host, upstream=upstream, songs=songs)
        return
    for person in (BEA, OLGA, SAM):  # Sam last: who finds him finds everything
        if person.email not in known:
            account = await host.accounts.create(person.email, person.name, PASSWORD, person.roles)
            if person is BEA:
                await _catalogue(host, account.id, upstream=upstream, songs=songs)
                voucher = VoucherBatch(plan_slug="pack-100", code=VOUCHER, note="of the demo")
                await host.vouchers.issue(None, voucher)
            if person is SAM:
                await _purchase(host, account.id)


async def _move(host: Host, *, upstream: str, songs: str) -> None:
    """The scripted servers answer at other ports than the last time; others' services stay."""
    tutor = await host.catalogue.find_offering("math-tutor")
    summarizer = await host.catalogue.find_offering("elvis-song-summarizer")
    assert tutor.assistant is not None
    assert summarizer.service is not None
    for before, now in (
        (tutor.assistant.base_url, upstream),
        (summarizer.service.upstream_url, songs),
    ):
        await host.drafts.move_upstream(before=before, now=now)
    host.catalogue.was_changed()


async def _catalogue(host: Host, builder: int, *, upstream: str, songs: str) -> None:
    for terms in (
        PlanTerms(
            title="Trial 20",
            slug="trial-20",
            description="Twenty credits to try things out, once for each person.",
            price=Money(0, "USD"),
            credits=_credits(20),
            is_trial=True,
        ),
        PlanTerms(
            title="Pack 100",
            slug="pack-100",
            description="A hundred credits, for messages and for calls.",
            price=Money(500, "USD"),
            credits=_credits(100),
        ),
        PlanTerms(
            title="7-day travel pass",
            slug="travel-pass",
            description="Travel Helper as often as you like, for a week.",
            price=Money(900, "USD"),
            duration_s=7 * DAY // SECOND,
        ),
    ):
        await host.catalogue.create_plan(builder, terms)
    key = await host.vault.store(builder, "openai_key", SEEDED_KEY, upstream)
    await _publish(host, builder, _math_tutor(upstream, key.id))
    await _publish(host, builder, _travel_helper(upstream, key.id))
    credential = await host.vault.store(builder, "service_credential", SONGS_KEY, songs)
    service = await host.catalogue.register_service(
        builder, _songs(songs, credential.id), SONG_ENDPOINTS
    )
    await host.catalogue.publish(builder, service.slug)


async def _publish(host: Host, builder: int, fields: AssistantFields) -> None:
    card = await host.catalogue.register_assistant(builder, fields)
    await host.catalogue.publish(builder, card.slug)


async def _purchase(host: Host, subscriber: int) -> None:
    request = SubscribeRequest(
        account_id=subscriber,
        plan_slug="pack-100",
        source=GrantSource.OPERATOR,
        source_ref="demo:pack-100",
        note="came with the demo",
    )
    await host.purchases.give(None, request)


def _math_tutor(upstream: str, secret_id: str) -> AssistantFields:
    return AssistantFields(
        title="Math Tutor",
        slug="math-tutor",
        description="Works a problem with you, step by step, and checks the result.",
        model=MODEL,
        instructions=(
            "You are a patient math tutor. Work the problem step by step, then check the result."
        ),
        price=_credits(5),
        base_url=upstream,
        secret_id=secret_id,
        plan_slugs=("trial-20", "pack-100"),
        accepts=Accepts.BOTH,
        tags=("maths", "school"),
        starters=("What is 17 × 23?", "What can you do?", "/error on purpose: it is free"),
    )


def _travel_helper(upstream: str, secret_id: str) -> AssistantFields:
    return AssistantFields(
        title="Travel Helper",
        slug="travel-helper",
        description="Plans a few good days in a city, at your pace.",
        model=MODEL,
        instructions="You are a travel helper. Suggest a calm plan for each day of the trip.",
        price=_credits(5),
        base_url=upstream,
        secret_id=secret_id,
        plan_slugs=("travel-pass",),
        tags=("travel",),
        starters=("Three days in Lisbon", "What should I pack?", "/cut it off: it is free"),
    )


def _songs(upstream: str, secret_id: str) -> ServiceFields:
    return ServiceFields(
        title="Elvis Song Summarizer",
        slug="elvis-song-summarizer",
        description="Sums up songs, as a service that programs call.",
        price=_credits(1),
        upstream_url=upstream,
        secret_id=secret_id,
        plan_slugs=("trial-20", "pack-100"),
        tags=("music", "plugin"),
    )


SONG_ENDPOINTS: Final = (
    EndpointFields(method="POST", path="/query"),
    EndpointFields(method="POST", path="/ask"),
    EndpointFields(method="POST", path="/upsert", price=MilliCredits(2 * PER_CREDIT)),
    EndpointFields(method="DELETE", path="/delete/{id}"),
    EndpointFields(method="GET", path="/.well-known/(.*)", is_open=True),
)


def _credits(number: int) -> MilliCredits:
    return MilliCredits(number * PER_CREDIT)
