"""A service is described by its document, tried with its own credential, and put on sale."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlmodel import select

from chat_ui.setup_bot.answers import Choices, accept_document
from farebox.demo.songs import SongCall, song_service
from farebox.demo.upstream.server import Address, serve
from host.catalogue.catalogue import Catalogue
from host.config import Settings
from host.drafts.drafts import TRIES_MAX, Drafts
from host.drafts.state import Answers, DraftState, KeyCheckResult, Kind, Place, Question
from host.errors import InvalidInput, RateLimited, UpstreamFailed
from host.proxy.trying import Call, read_text, try_call
from host.vault.vault import Vault
from storage.credits import MilliCredits
from storage.database import Database
from storage.models.vault import Secret
from storage.moments import MINUTE
from tests.databases import SQLITE_ALONE
from tests.fakes.clock import ManualClock
from tests.fakes.service import Service, running_service
from tests.integration.test_drafts import (
    THREAD,
    People,
    address,
    drafts,
    make_drafts,
    people,
    vault,
)

__all__ = ["address", "drafts", "make_drafts", "people", "vault"]

CREDENTIAL = "songs-credential-of-the-builder"
LOCAL = Choices(allows_private=True)


@pytest.fixture
def calls() -> list[SongCall]:
    """Every call that reached the service."""
    return []


@pytest.fixture
async def songs(calls: list[SongCall]) -> AsyncIterator[Address]:
    async with serve(song_service(CREDENTIAL, calls=calls)) as serving:
        yield serving


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async with running_service() as running:
        yield running


async def described(drafts: Drafts, account_id: int, songs: Address) -> DraftState:
    """A draft of the song service, filled from its document; on the review screen."""
    draft = await drafts.open_draft(account_id, THREAD)
    text, found_at = await drafts.read_document(
        account_id, f"{songs.url}/.well-known/openapi.json"
    )
    answers = accept_document(Answers(kind=Kind.SERVICE), text, LOCAL, found_at=found_at)
    answers = replace(
        answers, are_endpoints_agreed=True, price=MilliCredits(2_000), plan_slugs=("pack-100",)
    )
    state = replace(draft, answers=answers, place=Place(at=Question.REVIEW))
    await drafts.save(account_id, state)
    await drafts.save_key(account_id, draft.draft_id, CREDENTIAL)
    return await drafts.load(account_id, draft.draft_id)


async def test_a_service_is_published_with_the_operations_that_are_on(
    drafts: Drafts,
    people: People,
    songs: Address,
    database: Database,
    vault: Vault,
    clock: ManualClock,
) -> None:
    draft = await described(drafts, people.bea, songs)
    note = draft.answers.key
    assert note is not None
    assert (note.verdict, note.base_url) == (KeyCheckResult.UNTRIED, songs.url)

    slug = await drafts.publish(people.bea, draft.draft_id, draft.review_version)

    card = await Catalogue(database, clock, Settings()).find_offering(slug)
    assert card.service is not None
    assert {(e.method, e.path, e.price, e.is_open) for e in card.service.endpoints} == {
        ("POST", "/query", 2_000, False),
        ("POST", "/ask", 2_000, False),
        ("GET", "/.well-known/(.*)", 0, True),
    }
    assert card.service.upstream_url == songs.url
    assert card.service.secret_id == note.secret_id
    assert await vault.reveal(note.secret_id) == CREDENTIAL
    assert [plan.slug for plan in card.plans] == ["pack-100"]


@SQLITE_ALONE
async def test_a_call_is_tried_with_the_credential_and_told_as_it_came(
    drafts: Drafts, people: People, songs: Address, calls: list[SongCall]
) -> None:
    draft = await described(drafts, people.bea, songs)
    tried = await drafts.try_service(people.bea, draft, 'POST /query {"query": "rain"}')
    assert (tried.status, tried.media_type, tried.is_whole) == (200, "application/json", True)
    assert "results" in tried.text
    failed = await drafts.try_service(people.bea, draft, 'POST /query {"query": "/error"}')
    assert (failed.status, failed.is_success) == (500, False)
    without = await drafts.try_service(people.bea, draft, "")
    assert without.status in {400, 422}, "an empty body is not what it wants"
    assert [(one.method, one.path, one.status) for one in calls][:2] == [
        ("POST", "/query", 200),
        ("POST", "/query", 500),
    ]


@SQLITE_ALONE
async def test_an_open_operation_is_tried_as_a_stranger_calls_it(
    drafts: Drafts, people: People, service: Service
) -> None:
    draft = await drafts.open_draft(people.bea, THREAD)
    text = (
        '{"openapi": "3.1.0", "paths": {"/mirror/x": {"get": {}}, "/open/y": {"get": {}}},'
        f' "servers": [{{"url": "{service.url}"}}]}}'
    )
    answers = accept_document(Answers(kind=Kind.SERVICE), text, LOCAL)
    opened = tuple(replace(note, is_open=note.path == "/open/y") for note in answers.endpoints)
    state = replace(draft, answers=replace(answers, endpoints=opened))
    await drafts.save(people.bea, state)
    await drafts.save_key(people.bea, draft.draft_id, CREDENTIAL)
    state = await drafts.load(people.bea, draft.draft_id)
    await drafts.try_service(people.bea, state, "GET /open/y")
    await drafts.try_service(people.bea, state, "/mirror/x?a=b%20c")
    open_call, closed_call = service.heard[-2:]
    assert open_call.header("authorization") is None
    assert closed_call.header("authorization") == f"Bearer {CREDENTIAL}"
    assert closed_call.target == b"/mirror/x?a=b%20c"
    told = await drafts.try_service(people.bea, state, f'GET /mirror/x {{"k": "{CREDENTIAL}"}}')
    assert told.text == '{"k": "…"}', "a service that tells it is not passed on"


@SQLITE_ALONE
async def test_nobody_tries_for_ever(
    drafts: Drafts, people: People, songs: Address, clock: ManualClock
) -> None:
    draft = await described(drafts, people.bea, songs)
    for _ in range(TRIES_MAX - 1):  # one was for its document
        await drafts.try_service(people.bea, draft, "GET /.well-known/ai-plugin.json")
    with pytest.raises(RateLimited):
        await drafts.try_service(people.bea, draft, "GET /.well-known/ai-plugin.json")
    with pytest.raises(RateLimited):
        await drafts.read_document(people.bea, songs.url)
    await drafts.try_service(people.bob, draft, "GET /.well-known/ai-plugin.json")
    clock.advance(10 * MINUTE)
    await drafts.try_service(people.bea, draft, "GET /.well-known/ai-plugin.json")


@SQLITE_ALONE
@pytest.mark.parametrize(
    "said", ["POST /upsert", "DELETE /delete/1", "GET /query", "nothing", "/a//b", "GET /%2e%2e/x"]
)
async def test_what_is_not_on_is_not_tried(
    drafts: Drafts, people: People, songs: Address, calls: list[SongCall], said: str
) -> None:
    draft = await described(drafts, people.bea, songs)
    with pytest.raises(InvalidInput):
        await drafts.try_service(people.bea, draft, said)
    assert calls == []


@SQLITE_ALONE
async def test_another_address_forgets_the_sealed_credential(
    drafts: Drafts, people: People, songs: Address, database: Database
) -> None:
    draft = await described(drafts, people.bea, songs)
    moved = replace(draft.answers, upstream_url="http://127.0.0.1:9", key=None)
    await drafts.save(people.bea, draft.answered(moved))
    assert await database.read(lambda s: s.exec(select(Secret)).all()) == []
    assert (await drafts.load(people.bea, draft.draft_id)).answers.key is None


@SQLITE_ALONE
async def test_a_credential_needs_an_address_that_it_is_for(
    drafts: Drafts, people: People
) -> None:
    draft = await drafts.open_draft(people.bea, THREAD)
    await drafts.save(people.bea, replace(draft, answers=Answers(kind=Kind.SERVICE)))
    with pytest.raises(InvalidInput, match="where the service is"):
        await drafts.save_key(people.bea, draft.draft_id, CREDENTIAL)


async def test_an_address_in_this_machines_own_network_is_not_read(songs: Address) -> None:
    with pytest.raises(InvalidInput, match="does not use https"):
        await read_text(f"{songs.url}/.well-known/openapi.json", allow_private=False)
    inside = songs.url.replace("http://", "https://")
    with pytest.raises(UpstreamFailed):
        await try_call(Call(base_url=inside, method="GET", path="/"), allow_private=False)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/status/404", "its address answered 404"),
        ("/redirect", "its address answered 30"),
        ("/garbage", "no usable answer"),
    ],
)
async def test_what_is_no_document_at_an_address_is_said(
    service: Service, path: str, words: str
) -> None:
    with pytest.raises(InvalidInput, match=words):
        await read_text(f"{service.url}{path}", allow_private=True)
