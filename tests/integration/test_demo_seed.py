"""The demo's first data, and what becomes of it when the scripted servers move."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from farebox.demo.seed import BEA, SAM, seed
from host.app import Host, open_host
from host.config import Settings
from storage.credits import format_credits
from storage.export import export_entries
from storage.migrate import upgrade
from tests.databases import verify_ledger

UPSTREAM = "http://127.0.0.1:9001/v1"
SONGS = "http://127.0.0.1:9002"


@pytest_asyncio.fixture
async def host(tmp_path: Path) -> AsyncIterator[Host]:
    """A host on an empty database, whose upstream has the first address."""
    settings = Settings(data_dir=tmp_path, openai_base_url=UPSTREAM, allow_private_upstreams=True)
    upgrade(settings.database)
    opened = await open_host(settings)
    yield opened
    await verify_ledger(opened.database)
    await opened.close()


async def test_the_seed_is_what_readme_promises(host: Host) -> None:
    await seed(host, upstream=UPSTREAM, songs=SONGS)
    sam = await host.accounts.find(SAM.email)
    purchased = await host.catalogue.purchased(sam.id)
    assert {line.offering.slug for line in purchased} == {"math-tutor", "elvis-song-summarizer"}
    assert {format_credits(line.standing.available) for line in purchased} == {"100"}
    assert {plan.slug for plan in await host.catalogue.plans()} == {
        "trial-20",
        "pack-100",
        "travel-pass",
    }
    (order,) = await host.purchases.orders(sam.id)
    assert (order.provider, order.plan_slug) == ("manual", "pack-100")
    await host.vouchers.redeem(sam.id, "demo-100", "127.0.0.1")
    (voucher,) = await host.vouchers.listed()
    assert (voucher.plan_slug, voucher.redeemed_by) == ("pack-100", SAM.email)


async def test_seeding_again_gives_nothing_twice_and_moves_the_upstreams(host: Host) -> None:
    await seed(host, upstream=UPSTREAM, songs=SONGS)
    moved, songs = "http://127.0.0.1:9101/v1", "http://127.0.0.1:9102"
    await seed(host, upstream=moved, songs=songs)
    bea = await host.accounts.find(BEA.email)
    cards = [
        await host.catalogue.get_offering(card.id)
        for card in await host.catalogue.offerings(owner_id=bea.id)
    ]
    assert {card.assistant.base_url for card in cards if card.assistant} == {moved}
    assert {card.service.upstream_url for card in cards if card.service} == {songs}
    entries = await host.database.read(lambda session: list(export_entries(session)))
    assert [(entry["kind"], entry["amount"], entry["seq"]) for entry in entries] == [
        ("grant", 100_000, 1)
    ]
