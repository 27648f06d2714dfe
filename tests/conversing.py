"""A conversation as tests have it: real tables, a real upstream over a socket, one subscriber.

`Hall` holds what the host would: the runs with their meter, vault and provider. The upstream is
the scripted one, so a message may begin with a trigger, and a gate holds answers in mid-flight.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final
from uuid import uuid4

from sqlmodel import select

from farebox.demo.upstream.app import ScriptedUpstream
from farebox.demo.upstream.pace import INSTANT
from farebox.demo.upstream.server import serve
from host.config import Settings
from host.metering.meter import Meter
from host.providers.openai_client import OpenAIClients
from host.providers.openai_responses import ResponsesProvider
from host.runs.answers import LiveAnswer
from host.runs.drive import Means
from host.runs.naming import Naming
from host.runs.outcomes import Outcome
from host.runs.runner import Runs
from host.vault.envelope import MasterKey
from host.vault.vault import Vault
from storage import leases
from storage.cards import AssistantConfig
from storage.conversations import Said, messages_with_runs
from storage.credits import MilliCredits
from storage.database import Database, Unit
from storage.models.catalogue import (
    Assistant,
    Offering,
    PlanKind,
    PlanOffering,
    Subscription,
)
from storage.models.conversations import Run
from storage.models.money import Entry, EntryKind, GrantSource, Hold
from storage.moments import MINUTE, NEVER, Micros
from tests.builders import PlanIds, Shop, add_account, add_plan, add_shop, grant_of
from tests.fakes.clock import ManualClock
from tests.fakes.fragile_database import FragileDatabase

PLANTED_KEY: Final = "sk-demo-planted-0123456789abcdef"
MODEL: Final = "gpt-6-luna"
SLUG: Final = "math-tutor"
THREAD: Final = "a-thread"
PRICE: Final = 5_000
BOUGHT: Final = 100_000
NAMING: Final = Naming(bytes(32))
FIVE_MINUTES: Final = 5 * MINUTE


@dataclass(frozen=True, slots=True)
class Hall:
    """Where a subscriber and an assistant meet."""

    database: Database
    clock: ManualClock
    upstream: ScriptedUpstream
    means: Means
    runs: Runs
    shop: Shop
    assistant: AssistantConfig

    async def begin(
        self,
        text: str,
        *,
        message_id: str | None = None,
        thread_id: str = THREAD,
        account_id: int | None = None,
        patience_s: float = 0.0,
    ) -> LiveAnswer:
        """Ask, as the shop's subscriber unless told."""
        return await self.runs.begin(
            account_id=account_id or self.shop.subscriber_id,
            thread_id=thread_id,
            offering_slug=SLUG,
            text=text,
            message_id=message_id or uuid4().hex,
            patience_s=patience_s,
        )

    async def ask(self, text: str, *, thread_id: str = THREAD) -> Outcome:
        """Ask, and wait for how it ends."""
        return await (await self.begin(text, thread_id=thread_id)).outcome()

    async def said(self, thread_id: str = THREAD) -> list[Said]:
        """What the thread remembers."""
        return await self.database.read(lambda s: messages_with_runs(s, thread_id))

    async def run(self, run_id: str) -> Run:
        """The run as it is stored."""
        return await self.database.read(lambda s: s.get_one(Run, run_id))

    async def holds(self) -> list[Hold]:
        """Every hold there ever was."""
        return await self.database.read(lambda s: list(s.exec(select(Hold).order_by(Hold.id))))  # type: ignore[arg-type]

    async def charges(self) -> list[int]:
        """Every charge, as it stands in the ledger."""
        statement = select(Entry.amount).where(Entry.kind == EntryKind.CHARGE)
        return await self.database.read(lambda s: list(s.exec(statement)))

    async def available(self) -> MilliCredits:
        """What the subscriber can spend on the assistant."""
        wallet_id, plans = self.shop.wallet_id, (self.shop.plan.plan_id,)
        now = self.clock.now()
        return await self.database.run(lambda u: u.books.available(wallet_id, plans, now))

    async def subscriber_with(self, *plans: PlanIds, ends_at: int = NEVER) -> int:
        """Another subscriber, with these plans and no credits. Returns the account's id."""

        def work(unit: Unit) -> int:
            account_id = add_account(unit.session)
            unit.books.open_wallet(account_id)
            for plan in plans:
                subscribe(unit, account_id, plan, now=self.clock.now(), ends_at=ends_at)
            return account_id

        return await self.database.run(work)

    async def pass_ending_at(self, ends_at: int) -> int:
        """A subscriber with a time plan on the assistant. Returns the account's id."""
        shop = self.shop

        def add(unit: Unit) -> PlanIds:
            plan = add_plan(unit.session, shop.builder_id, kind=PlanKind.TIME)
            cover(unit, plan, shop.offering_id)
            return plan

        return await self.subscriber_with(await self.database.run(add), ends_at=ends_at)

    def fragile(self) -> "Fragile":
        """The same hall, on a connection to its database that the test may cut."""
        database, means = FragileDatabase(self.database), self.means
        meter = Meter(database, self.clock, means.settings, owner=means.meter.owner)
        runs = Runs(replace(means, database=database, meter=meter), NAMING)
        return Fragile(replace(self, runs=runs), database)

    def reborn(self, *, owner: str = "the next process") -> Runs:
        """The runs of a process that starts after this one has died."""
        settings, clock = self.means.settings, self.clock
        meter = Meter(self.database, clock, settings, owner=owner)
        return Runs(replace(self.means, meter=meter), NAMING)


@dataclass(frozen=True, slots=True)
class Fragile:
    """A hall, and the connection to cut."""

    hall: Hall
    database: FragileDatabase


def subscribe(unit: Unit, account_id: int, plan: PlanIds, *, now: int, ends_at: int) -> None:
    """Give somebody a plan."""
    unit.session.add(
        Subscription(
            account_id=account_id,
            plan_id=plan.plan_id,
            plan_version_id=plan.version_id,
            source=GrantSource.OPERATOR,
            source_ref=uuid4().hex,
            starts_at=now,
            ends_at=ends_at,
            created_at=now,
        )
    )


def cover(unit: Unit, plan: PlanIds, offering_id: int) -> None:
    """Put the offering on the plan."""
    unit.session.add(PlanOffering(plan_id=plan.plan_id, offering_id=offering_id))


@asynccontextmanager
async def open_hall(
    database: Database, database_url: str, clock: ManualClock, *, run_max_s: float = 30.0
) -> AsyncIterator[Hall]:
    """One assistant for sale, and a subscriber who bought a hundred credits for it."""
    upstream = ScriptedUpstream([PLANTED_KEY], INSTANT)
    async with serve(upstream) as address, asyncio.timeout(30):
        settings = Settings(
            database_url=database_url, openai_base_url=address.openai_base_url, hold_ttl_s=600
        )
        clients = OpenAIClients(settings.upstreams)
        means = Means(
            database=database,
            clock=clock,
            meter=Meter(database, clock, settings, owner="this process"),
            vault=Vault(database, clock, MasterKey(bytes(32))),
            providers={"responses": ResponsesProvider(clients, retry_after_s=0)},
            settings=settings,
            run_max_s=run_max_s,
            save_every_s=0.01,
        )
        secret = await means.vault.store(None, "openai_key", PLANTED_KEY, address.openai_base_url)
        assistant = AssistantConfig(
            provider="responses",
            base_url=address.openai_base_url,
            model=MODEL,
            instructions="You are a patient math tutor.",
            secret_id=secret.id,
        )
        shop = await database.run(lambda unit: _furnish(unit, assistant, clock.now()))
        hall = Hall(database, clock, upstream, means, Runs(means, NAMING), shop, assistant)
        try:
            yield hall
        finally:
            await hall.runs.drain(0)
            await clients.close()


def _furnish(unit: Unit, assistant: AssistantConfig, now: Micros) -> Shop:
    shop = add_shop(unit)
    offering = unit.session.get_one(Offering, shop.offering_id)
    offering.slug, offering.price = SLUG, PRICE
    unit.session.add(
        Assistant(
            offering_id=shop.offering_id,
            provider=assistant.provider,
            base_url=assistant.base_url,
            model=assistant.model,
            instructions=assistant.instructions,
            secret_id=assistant.secret_id,
        )
    )
    subscribe(unit, shop.subscriber_id, shop.plan, now=now, ends_at=NEVER)
    leases.take(unit.session, "this process", now=now, expires_at=Micros(now + FIVE_MINUTES))
    unit.session.flush()
    unit.books.grant(grant_of(shop, BOUGHT))
    return shop
