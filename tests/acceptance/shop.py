"""A shop with two doors for programs: replicas of Farebox on one PostgreSQL database.

Behind them are the scripted upstream, a program of its own too, and the song service, which counts
here what it is asked. One builder sells an assistant and a service; one subscriber has credits.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from farebox.demo.songs import SongCall, song_service
from farebox.demo.upstream.server import serve
from host.app import Host, open_host
from host.catalogue.currencies import Money
from host.catalogue.offering_terms import AssistantFields, EndpointFields, PlanTerms, ServiceFields
from host.catalogue.subscribing import SubscribeRequest
from host.config import Settings
from storage.credits import MilliCredits
from storage.models.accounts import Role
from storage.models.money import GrantSource
from tests.acceptance.servers import ServerProcess, free_port

KEY: Final = "sk-demo-twenty-7777777777777777"
SONGS_KEY: Final = "songs-credential-of-the-builder"
MASTER_KEY: Final = "NDJkZTM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTA="
EMAIL: Final = "sam@example.com"
WORDS: Final = "correct-horse-battery"
PRICE: Final = MilliCredits(1_500)
"""The same at every door, so that what is left never buys anything anywhere."""


@dataclass(frozen=True, slots=True)
class Shop:
    """The servers, and what twenty clients need to call them."""

    settings: dict[str, str]
    data_dir: Path
    chat: str
    proxy: str
    bearers: dict[str, str]
    """By offering: the header of whoever calls it."""
    song_calls: list[SongCall]
    conversations: Path
    """Where the upstream keeps what it was asked."""


@asynccontextmanager
async def open_shop(
    database_url: str, folder: Path, *, credits_: MilliCredits
) -> AsyncIterator[Shop]:
    """Two servers on one database, one of them for the proxy alone, and what is behind them."""
    ports = free_port(), free_port()
    conversations, song_calls = folder / "conversations", list[SongCall]()
    pace = ["--words-per-s", "400", "--keep-in", str(conversations)]
    upstream = ServerProcess(
        ["farebox.demo.upstream", "--port", "0", "--key", KEY, *pace], log=folder / "upstream.log"
    )
    async with AsyncExitStack() as stack:
        songs = await stack.enter_async_context(serve(song_service(SONGS_KEY, calls=song_calls)))
        stack.enter_context(_running(upstream))
        settings = {
            "FAREBOX_DATABASE_URL": database_url,
            "FAREBOX_MASTER_KEY": MASTER_KEY,
            "FAREBOX_OPENAI_BASE_URL": upstream.address,
            "FAREBOX_ALLOW_PRIVATE_UPSTREAMS": "true",
            "FAREBOX_PUBLIC_URL": f"http://localhost:{ports[0]}",
        }
        bearers = await furnish(
            settings, folder, credits_, upstream=upstream.address, songs=songs.url
        )
        for role, port in zip(("all", "proxy"), ports, strict=True):
            stack.enter_context(_running(_server(role, port, folder, settings)))
        yield Shop(
            settings=settings,
            data_dir=folder / "all",
            chat=f"http://127.0.0.1:{ports[0]}",
            proxy=f"http://127.0.0.1:{ports[1]}",
            bearers=bearers,
            song_calls=song_calls,
            conversations=conversations,
        )


def _server(role: str, port: int, folder: Path, settings: dict[str, str]) -> ServerProcess:
    arguments = ["farebox", "serve", "--role", role, "--port", str(port)]
    return ServerProcess(
        [*arguments, "--data-dir", str(folder / role)],
        log=folder / f"{role}.log",
        settings=settings,
    )


@contextmanager
def _running(server: ServerProcess) -> Iterator[None]:
    server.start()
    try:
        yield
    finally:
        server.stop()


async def furnish(
    settings: dict[str, str], folder: Path, credits_: MilliCredits, *, upstream: str, songs: str
) -> dict[str, str]:
    """A builder's assistant and service, and a subscriber with credits; returns their bearers."""
    fields = {name.removeprefix("FAREBOX_").lower(): value for name, value in settings.items()}
    host = await open_host(Settings(data_dir=folder / "furnishing", **fields))  # type: ignore[arg-type]  # pydantic parses strings
    try:
        builder = await host.accounts.create("bea@example.com", "Bea", None, [Role.BUILDER])
        subscriber = await host.accounts.create(EMAIL, "Sam", WORDS, [Role.SUBSCRIBER])
        await _put_on_sale(host, builder.id, upstream=upstream, songs=songs)
        request = SubscribeRequest(
            account_id=subscriber.id,
            plan_slug="pack",
            source=GrantSource.OPERATOR,
            source_ref="the test",
            credits=credits_,
        )
        await host.catalogue.subscribe(None, request)
        bearers = {}
        for slug in ("tutor", "songs"):
            card = await host.catalogue.find_offering(slug)
            bearers[slug] = f"Bearer {await host.access_tokens.issue(subscriber.id, card.id)}"
        return bearers
    finally:
        await host.close()


async def _put_on_sale(host: Host, builder: int, *, upstream: str, songs: str) -> None:
    pack = PlanTerms(
        title="Pack", slug="pack", price=Money(500, "USD"), credits=MilliCredits(100_000)
    )
    await host.catalogue.create_plan(builder, pack)
    key = await host.vault.store(builder, "openai_key", KEY, upstream)
    await host.catalogue.register_assistant(
        builder,
        AssistantFields(
            title="Tutor",
            slug="tutor",
            description="Works a problem with you.",
            model="gpt-6-luna",
            instructions="You are a patient tutor.",
            price=PRICE,
            base_url=upstream,
            secret_id=key.id,
            plan_slugs=("pack",),
        ),
    )
    credential = await host.vault.store(builder, "service_credential", SONGS_KEY, songs)
    await host.catalogue.register_service(
        builder,
        ServiceFields(
            title="Songs",
            slug="songs",
            description="A service to be called.",
            price=PRICE,
            upstream_url=songs,
            secret_id=credential.id,
            plan_slugs=("pack",),
        ),
        (EndpointFields(method="POST", path="/query"),),
    )
    for slug in ("tutor", "songs"):
        await host.catalogue.publish(builder, slug)
