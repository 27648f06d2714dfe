"""A host with a gateway and an API on a real socket, two builders' things and a subscriber.

Everything is as in a server but for the chat: a migrated database, the scripted upstream, the song
service and a service whose every byte can be looked at.
"""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from farebox.demo.songs import song_service
from farebox.demo.upstream.app import ScriptedUpstream
from farebox.demo.upstream.pace import INSTANT
from farebox.demo.upstream.server import Address, serve
from host.api.routes import add_api
from host.app import Host, open_host
from host.catalogue.currencies import Money
from host.catalogue.offering_terms import AssistantFields, EndpointFields, PlanTerms, ServiceFields
from host.catalogue.subscribing import SubscribeRequest
from host.config import Settings
from host.pages.speaking import Speaking
from storage.credits import MilliCredits
from storage.models.accounts import Role
from storage.models.money import GrantSource
from tests.databases import verify_ledger
from tests.fakes.service import Service, running_service

UPSTREAM_KEY = "sk-demo-builder-key-0123456789abcd"
SONGS_KEY = "songs-credential-of-the-builder"
MASTER_KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
CREDIT = 1000
PATIENCE_S = 30.0
"""For an answer, however busy the machine is."""
ENDPOINTS = (
    EndpointFields(method="POST", path="/mirror/(.*)"),
    EndpointFields(method="GET", path="/mirror/(.*)"),
    EndpointFields(method="PUT", path="/mirror/(.*)"),
    EndpointFields(method="GET", path="/status/{code}"),
    EndpointFields(method="GET", path="/bodiless/{code}"),
    EndpointFields(method="GET", path="/cut/{bytes}"),
    EndpointFields(method="GET", path="/garbage"),
    EndpointFields(method="GET", path="/stream"),
    EndpointFields(method="GET", path="/silent"),
    EndpointFields(method="GET", path="/redirect"),
    EndpointFields(method="GET", path="/cookie"),
    EndpointFields(method="POST", path="/hang"),
    EndpointFields(method="GET", path="/open/(.*)", is_open=True),
)


@dataclass(frozen=True)
class World:
    """What a test needs to call and to look at."""

    host: Host
    service: Service
    songs: Address
    client: httpx.AsyncClient
    builder: int
    subscriber: int

    async def buy(self, plan: str, number: int | None = None) -> None:
        """Give the subscriber a plan; with this number of credits, if told."""
        request = SubscribeRequest(
            account_id=self.subscriber,
            plan_slug=plan,
            source=GrantSource.OPERATOR,
            source_ref=f"test:{plan}",
            credits=None if number is None else MilliCredits(number * CREDIT),
        )
        await self.host.catalogue.subscribe(None, request)

    async def cap(self, number: int | None) -> None:
        """Let the subscriber spend so many credits a day; None is no limit."""
        cap = None if number is None else MilliCredits(number * CREDIT)
        await self.host.corrections.set_cap(None, self.subscriber, cap)

    async def token(self, slug: str, account_id: int | None = None) -> str:
        """An access token for an offering, the subscriber's unless told."""
        card = await self.host.catalogue.find_offering(slug)
        return await self.host.access_tokens.issue(account_id or self.subscriber, card.id)

    async def bearer(self, slug: str, account_id: int | None = None) -> dict[str, str]:
        """The headers of a call."""
        return {"Authorization": f"Bearer {await self.token(slug, account_id)}"}

    async def available(self, slug: str = "mirror") -> int:
        """What the subscriber can spend on an offering, in milli-credits."""
        card = await self.host.catalogue.find_offering(slug)
        return (await self.host.catalogue.standing(self.subscriber, card.id)).available

    async def sign_in(self, account_id: int) -> dict[str, str]:
        """The headers of a browser that is signed in, and of a script of ours."""
        sessions = self.host.login_sessions
        cookie = await self.host.database.run(lambda u: sessions.start(u, account_id, "test"))
        return {"Cookie": f"{sessions.cookie_name}={cookie}", "X-Requested-With": "farebox"}


@asynccontextmanager
async def open_world(database_url: str, directory: Path) -> AsyncIterator[World]:
    """Everything up; afterwards the ledger must add up."""
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(
            serve(ScriptedUpstream([UPSTREAM_KEY], INSTANT))
        )
        songs = await stack.enter_async_context(serve(song_service(SONGS_KEY)))
        service = await stack.enter_async_context(running_service())
        settings = Settings(
            database_url=database_url,
            data_dir=directory,
            master_key=MASTER_KEY,
            openai_base_url=upstream.openai_base_url,
            allow_private_upstreams=True,
            payments="demo",
        )
        host = await open_host(settings)
        stack.push_async_callback(host.close)
        await host.start()
        address = await stack.enter_async_context(serve(_application(host)))
        client = await stack.enter_async_context(
            httpx.AsyncClient(base_url=address.url, timeout=PATIENCE_S)
        )
        builder = await host.accounts.create("bea@example.com", "Bea", None, [Role.BUILDER])
        subscriber = await host.accounts.create("sam@example.com", "Sam", None, [Role.SUBSCRIBER])
        world = World(host, service, songs, client, builder.id, subscriber.id)
        await _furnish(world, upstream)
        yield world
        await verify_ledger(host.database)


def problem_of(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem that the answer must be."""
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    found: dict[str, Any] = json.loads(answer.content)
    return found


def _application(host: Host) -> ASGIApp:
    web = FastAPI(openapi_url=None)
    add_api(web, host)
    application = Speaking(web)

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        is_call = scope["type"] == "http" and scope["path"].startswith("/s/")
        await (host.gateway if is_call else application)(scope, receive, send)

    return front


async def _furnish(world: World, upstream: Address) -> None:
    catalogue, builder = world.host.catalogue, world.builder
    pack = PlanTerms(title="Pack", slug="pack", price=Money(500, "USD"), credits=_credits(100))
    week = PlanTerms(title="Week", slug="week", price=Money(900, "USD"), duration_s=7 * 24 * 3600)
    await catalogue.create_plan(builder, pack)
    await catalogue.create_plan(builder, week)
    base_url = upstream.openai_base_url
    vault = world.host.vault
    key = await vault.store(builder, "openai_key", UPSTREAM_KEY, base_url)
    await catalogue.register_assistant(
        builder,
        AssistantFields(
            title="Math Tutor",
            slug="tutor",
            description="Works a problem with you.",
            model="gpt-6-luna",
            instructions="You are a patient math tutor.",
            price=_credits(5),
            base_url=base_url,
            secret_id=key.id,
            plan_slugs=("pack", "week"),
        ),
    )
    for slug, url in (("mirror", world.service.url), ("songs", world.songs.url)):
        secret = await vault.store(builder, "service_credential", SONGS_KEY, url)
        await catalogue.register_service(
            builder,
            ServiceFields(
                title=f"The {slug}",
                slug=slug,
                description="A service to be called.",
                price=_credits(1),
                upstream_url=url,
                secret_id=secret.id,
                plan_slugs=("pack", "week"),
            ),
            ENDPOINTS if slug == "mirror" else SONG_ENDPOINTS,
        )
    for slug in ("tutor", "mirror", "songs"):
        await catalogue.publish(builder, slug)


async def add_draft(world: World) -> None:
    """A service that its builder has not published."""
    url = world.service.url
    secret = await world.host.vault.store(world.builder, "service_credential", SONGS_KEY, url)
    fields = ServiceFields(
        title="Secret plans",
        slug="secret-plans",
        description="A service nobody knows of yet.",
        price=_credits(1),
        upstream_url=url,
        secret_id=secret.id,
        plan_slugs=("pack",),
    )
    await world.host.catalogue.register_service(world.builder, fields, ENDPOINTS)


SONG_ENDPOINTS = (
    EndpointFields(method="POST", path="/query"),
    EndpointFields(method="POST", path="/upsert", price=MilliCredits(2_500)),
    EndpointFields(method="GET", path="/.well-known/(.*)", is_open=True),
)


def _credits(number: int) -> MilliCredits:
    return MilliCredits(number * CREDIT)
