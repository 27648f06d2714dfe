"""A draft is remembered, its key sealed, its assistant tried for free and published once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest
from sqlmodel import Session, select, text

from farebox.demo.upstream.app import ScriptedUpstream
from farebox.demo.upstream.pace import INSTANT
from farebox.demo.upstream.server import Address, serve
from host.catalogue.catalogue import Catalogue
from host.config import Settings
from host.drafts.drafts import Drafts
from host.drafts.state import (
    Answers,
    DraftLife,
    DraftState,
    KeyCheckResult,
    Kind,
    NewPlan,
    Place,
    Question,
)
from host.errors import DraftChanged, InvalidInput, UnknownDraft, UnknownOffering
from host.metering.meter import Meter
from host.providers.openai_client import OpenAIClients
from host.providers.openai_responses import ResponsesProvider
from host.runs.drive import Means
from host.runs.naming import Naming
from host.runs.runner import Runs
from host.vault.envelope import MasterKey
from host.vault.vault import Vault
from storage.credits import MilliCredits
from storage.database import Database, Unit
from storage.models.accounts import Role
from storage.models.catalogue import Draft, Offering, OfferingState, Plan
from storage.models.money import Entry
from storage.models.vault import Secret
from storage.moments import DAY, MINUTE, SECOND
from tests.builders import add_account, add_plan
from tests.fakes.clock import ManualClock

KEY = "sk-demo-bea-2222222222222222"
OTHER_KEY = "sk-demo-bea-3333333333333333"
REFUSED_KEY = "sk-demo-nobody-999999999999"
THREAD = "0190f000-0000-7000-8000-000000000001"
OTHER_THREAD = "0190f000-0000-7000-8000-000000000002"
ANSWERS = Answers(
    kind=Kind.ASSISTANT,
    title="Math Tutor",
    description="Explains algebra.",
    model="gpt-6-luna",
    instructions="You are a patient math tutor.",
    price=MilliCredits(5_000),
    plan_slugs=("pack-100",),
)
NEW_PLAN = NewPlan(
    title="Pack 200", price_minor=1000, currency="USD", credits=MilliCredits(200_000)
)


@dataclass(frozen=True)
class People:
    """Who has drafts."""

    bea: int
    bob: int


@pytest.fixture
async def address() -> AsyncIterator[Address]:
    async with serve(ScriptedUpstream([KEY, OTHER_KEY], INSTANT)) as address:
        yield address


@pytest.fixture
def vault(database: Database, clock: ManualClock) -> Vault:
    return Vault(database, clock, MasterKey(bytes(32)))


@pytest.fixture
async def people(database: Database) -> People:
    def work(session: Session) -> People:
        bea = add_account(session, Role.BUILDER)
        add_plan(session, bea, slug="pack-100", title="Pack 100")
        return People(bea=bea, bob=add_account(session, Role.BUILDER))

    return await database.run(lambda unit: work(unit.session))


@pytest.fixture
async def make_drafts(
    database: Database, clock: ManualClock, vault: Vault
) -> AsyncIterator["Maker"]:
    maker = Maker(database, clock, vault)
    yield maker
    await maker.close()


class Maker:
    """Builds `Drafts` as the host does, as often as a test restarts it."""

    def __init__(self, database: Database, clock: ManualClock, vault: Vault) -> None:
        self._database, self._clock, self._vault = database, clock, vault
        self._clients: list[OpenAIClients] = []

    def __call__(self, base_url: str) -> Drafts:
        settings = Settings(openai_base_url=base_url, allow_private_upstreams=True)
        clients = OpenAIClients(settings.upstreams)
        self._clients.append(clients)
        providers = {"responses": ResponsesProvider(clients)}
        means = Means(
            database=self._database,
            clock=self._clock,
            meter=Meter(self._database, self._clock, settings, owner="test"),
            vault=self._vault,
            providers=providers,
            settings=settings,
        )
        return Drafts(
            self._database,
            self._clock,
            self._vault,
            Catalogue(self._database, self._clock, settings),
            providers,
            Runs(means, Naming(bytes(32))),
            settings,
        )

    async def close(self) -> None:
        for clients in self._clients:
            await clients.close()


@pytest.fixture
def drafts(make_drafts: Maker, address: Address) -> Drafts:
    return make_drafts(address.openai_base_url)


async def filled(drafts: Drafts, account_id: int, answers: Answers = ANSWERS) -> DraftState:
    """An open draft with every field, its key included, on the review screen."""
    draft = await drafts.open_draft(account_id, THREAD)
    state = replace(draft, answers=answers, place=Place(at=Question.REVIEW))
    await drafts.save(account_id, state)
    await drafts.save_key(account_id, draft.draft_id, KEY)
    return await drafts.load(account_id, draft.draft_id)


async def count(database: Database, table: type[Offering | Plan | Secret | Entry]) -> int:
    return len(await database.read(lambda session: session.exec(select(table)).all()))


async def test_looking_leaves_no_draft_and_the_first_word_makes_one(
    drafts: Drafts, people: People
) -> None:
    assert (await drafts.peek(people.bea, THREAD)).draft_id == ""

    opened = await drafts.open_draft(people.bea, THREAD)

    assert opened == DraftState(draft_id=opened.draft_id)
    assert await drafts.peek(people.bea, THREAD) == opened


async def test_a_saved_draft_is_the_same_after_a_restart(
    make_drafts: Maker, address: Address, people: People
) -> None:
    before = make_drafts(address.openai_base_url)
    opened = await before.open_draft(people.bea, THREAD)
    answers = replace(ANSWERS, plan_slugs=(), new_plan=NEW_PLAN)
    place = Place(at=Question.PLAN_GIVES, return_to=Question.REVIEW, failures=2)
    saved = await before.save(people.bea, replace(opened, answers=answers, place=place))

    after = make_drafts(address.openai_base_url)

    assert await after.peek(people.bea, THREAD) == saved
    assert await after.peek(people.bea, OTHER_THREAD) == saved


async def test_of_two_windows_the_second_writer_is_told_and_nothing_is_overwritten(
    drafts: Drafts, people: People
) -> None:
    seen = await drafts.open_draft(people.bea, THREAD)
    first = await drafts.save(people.bea, replace(seen, answers=Answers(title="First")))

    with pytest.raises(DraftChanged, match="another window"):
        await drafts.save(people.bea, replace(seen, answers=Answers(title="Second")))

    assert await drafts.load(people.bea, seen.draft_id) == first


async def test_a_new_draft_leaves_the_one_before_alone(drafts: Drafts, people: People) -> None:
    first = await filled(drafts, people.bea)

    fresh = await drafts.open_new(people.bea, THREAD)

    assert fresh.draft_id != first.draft_id
    assert await drafts.load(people.bea, first.draft_id) == first
    assert await drafts.open_draft(people.bea, THREAD) == fresh


async def test_nobody_reaches_a_draft_of_somebody_else(drafts: Drafts, people: People) -> None:
    theirs = await filled(drafts, people.bea)

    with pytest.raises(UnknownDraft):
        await drafts.load(people.bob, theirs.draft_id)
    with pytest.raises(UnknownDraft):
        await drafts.save(people.bob, theirs)
    with pytest.raises(UnknownDraft):
        await drafts.save_key(people.bob, theirs.draft_id, OTHER_KEY)
    with pytest.raises(UnknownDraft):
        await drafts.discard(people.bob, theirs.draft_id)
    with pytest.raises(UnknownDraft):
        await drafts.publish(people.bob, theirs.draft_id, theirs.review_version)
    assert (await drafts.peek(people.bob, THREAD)).draft_id == ""


async def test_a_key_is_checked_sealed_and_only_noted(
    drafts: Drafts, people: People, database: Database, vault: Vault
) -> None:
    draft = await drafts.open_draft(people.bea, THREAD)

    saved = await drafts.save_key(people.bea, draft.draft_id, f"  {KEY}\n")

    assert (saved.last4, saved.verdict) == ("2222", KeyCheckResult.VALID)
    note = (await drafts.load(people.bea, draft.draft_id)).answers.key
    assert note is not None
    assert note.last4 == "2222"
    assert await vault.reveal(note.secret_id) == KEY
    assert await occurrences(database, KEY) == 0


async def occurrences(database: Database, planted: str) -> int:
    """In how many rows of the tables a draft touches the text stands in clear."""

    def look(session: Session) -> int:
        rows = [
            str(tuple(row))
            for table in ("draft", "secret", "audit", "assistant", "offering")
            for row in session.connection().execute(text(f"SELECT * FROM {table}"))  # noqa: S608
        ]
        return sum(planted in row for row in rows)

    return await database.read(look)


async def test_a_rejected_key_is_not_stored_and_the_one_before_stays(
    drafts: Drafts, people: People, database: Database
) -> None:
    before = await filled(drafts, people.bea)

    saved = await drafts.save_key(people.bea, before.draft_id, REFUSED_KEY)

    assert (saved.last4, saved.verdict) == ("", KeyCheckResult.REJECTED)
    assert REFUSED_KEY not in saved.sentence
    assert await drafts.load(people.bea, before.draft_id) == before
    assert await count(database, Secret) == 1


async def test_an_unreachable_upstream_keeps_the_key_but_does_not_accept_it(
    make_drafts: Maker, people: People
) -> None:
    drafts = make_drafts("http://127.0.0.1:9/v1")
    draft = await drafts.open_draft(people.bea, THREAD)

    saved = await drafts.save_key(people.bea, draft.draft_id, KEY)

    assert saved.verdict is KeyCheckResult.UNREACHABLE
    assert Question.KEY in (await drafts.load(people.bea, draft.draft_id)).answers.missing


@pytest.mark.parametrize("entered", ["", "short", "two words and more than enough", "ключ" * 8])
async def test_what_cannot_be_a_key_is_refused_and_not_repeated(
    drafts: Drafts, people: People, entered: str
) -> None:
    draft = await drafts.open_draft(people.bea, THREAD)

    with pytest.raises(InvalidInput) as refused:
        await drafts.save_key(people.bea, draft.draft_id, entered)

    assert not entered or entered not in str(refused.value)


async def test_another_key_replaces_the_sealed_one_and_asks_for_a_fresh_review(
    drafts: Drafts, people: People, database: Database, vault: Vault
) -> None:
    before = await filled(drafts, people.bea)

    await drafts.save_key(people.bea, before.draft_id, OTHER_KEY)

    after = await drafts.load(people.bea, before.draft_id)
    assert after.answers.key is not None
    assert await vault.reveal(after.answers.key.secret_id) == OTHER_KEY
    assert await count(database, Secret) == 1
    assert after.review_version != before.review_version
    with pytest.raises(DraftChanged):
        await drafts.publish(people.bea, before.draft_id, before.review_version)


async def test_a_key_for_an_upstream_that_is_no_longer_allowed_is_asked_for_again(
    drafts: Drafts, make_drafts: Maker, people: People
) -> None:
    before = await filled(drafts, people.bea)

    moved = make_drafts("http://127.0.0.1:9/v1")

    after = await moved.load(people.bea, before.draft_id)
    assert after.answers.key is None
    assert after.place.at is Question.KEY


async def test_a_test_message_is_answered_and_charges_nobody(
    drafts: Drafts, people: People, database: Database
) -> None:
    draft = await filled(drafts, people.bea)

    rehearsal = await drafts.rehearse(draft, "What is 17*23?")

    assert rehearsal.ok
    assert "391" in rehearsal.text
    assert await count(database, Entry) == 0


async def test_a_failed_test_says_why(drafts: Drafts, people: People) -> None:
    draft = await filled(drafts, people.bea)

    rehearsal = await drafts.rehearse(draft, "/error")

    assert not rehearsal.ok
    assert "did not answer" in rehearsal.sentence


async def test_publishing_puts_the_assistant_on_sale_on_the_chosen_plan(
    drafts: Drafts, people: People, database: Database, clock: ManualClock
) -> None:
    draft = await filled(drafts, people.bea)

    slug = await drafts.publish(people.bea, draft.draft_id, draft.review_version)

    card = await Catalogue(database, clock, Settings()).find_offering(slug)
    assert slug == "math-tutor"
    assert card.state is OfferingState.PUBLISHED
    assert card.price == 5_000
    assert [plan.slug for plan in card.plans] == ["pack-100"]
    assert card.assistant is not None
    assert draft.answers.key is not None
    assert card.assistant.secret_id == draft.answers.key.secret_id
    published = await drafts.load(people.bea, draft.draft_id)
    assert (published.life, published.offering_slug) == (DraftLife.PUBLISHED, slug)
    assert published.done == published.steps == 13


async def test_publishing_many_times_at_once_makes_one_offering_and_one_plan(
    drafts: Drafts, people: People, database: Database
) -> None:
    answers = replace(ANSWERS, plan_slugs=(), new_plan=NEW_PLAN)
    draft = await filled(drafts, people.bea, answers)

    async with asyncio.timeout(10):
        slugs = await asyncio.gather(
            *(drafts.publish(people.bea, draft.draft_id, draft.review_version) for _ in range(8))
        )

    assert set(slugs) == {"math-tutor"}
    assert await count(database, Offering) == 1
    assert await count(database, Plan) == 2


async def test_a_review_that_is_no_longer_true_publishes_nothing(
    drafts: Drafts, people: People, database: Database
) -> None:
    reviewed = await filled(drafts, people.bea)
    cheaper = replace(reviewed.answers, price=MilliCredits(1_000))
    await drafts.save(people.bea, reviewed.answered(cheaper))

    with pytest.raises(DraftChanged):
        await drafts.publish(people.bea, reviewed.draft_id, reviewed.review_version)

    assert await count(database, Offering) == 0


async def test_a_draft_with_something_missing_is_never_published(
    drafts: Drafts, people: People, database: Database
) -> None:
    draft = await drafts.open_draft(people.bea, THREAD)

    with pytest.raises(DraftChanged):
        await drafts.publish(people.bea, draft.draft_id, draft.review_version)

    assert await count(database, Offering) == 0


async def test_a_plan_that_cannot_be_used_leaves_nothing_half_made(
    drafts: Drafts, people: People, database: Database
) -> None:
    await drafts.open_new(people.bob, OTHER_THREAD)
    answers = replace(ANSWERS, plan_slugs=(), new_plan=replace(NEW_PLAN, currency="XXX"))
    draft = await filled(drafts, people.bob, answers)
    plans = await count(database, Plan)

    with pytest.raises((InvalidInput, ValueError)):
        await drafts.publish(people.bob, draft.draft_id, draft.review_version)

    assert await count(database, Plan) == plans
    assert await count(database, Offering) == 0
    assert (await drafts.load(people.bob, draft.draft_id)).life is DraftLife.OPEN


async def test_discarding_deletes_the_key_and_leaves_other_drafts(
    drafts: Drafts, people: People, database: Database
) -> None:
    other = await filled(drafts, people.bea)
    draft = await drafts.open_new(people.bea, OTHER_THREAD)
    await drafts.save_key(people.bea, draft.draft_id, OTHER_KEY)

    await drafts.discard(people.bea, draft.draft_id)
    await drafts.discard(people.bea, draft.draft_id)

    gone = await drafts.load(people.bea, draft.draft_id)
    assert (gone.life, gone.answers) == (DraftLife.DISCARDED, Answers())
    assert await drafts.load(people.bea, other.draft_id) == other
    assert await count(database, Secret) == 1
    with pytest.raises(UnknownDraft):
        await drafts.save_key(people.bea, draft.draft_id, OTHER_KEY)


async def test_a_published_draft_cannot_be_discarded_from_under_its_assistant(
    drafts: Drafts, people: People, database: Database
) -> None:
    draft = await filled(drafts, people.bea)
    await drafts.publish(people.bea, draft.draft_id, draft.review_version)

    with pytest.raises(UnknownDraft):
        await drafts.discard(people.bea, draft.draft_id)

    assert await count(database, Secret) == 1


async def test_starting_over_empties_the_draft_and_deletes_its_key(
    drafts: Drafts, people: People, database: Database
) -> None:
    draft = await filled(drafts, people.bea)

    fresh = await drafts.start_over(people.bea, replace(draft, answers=Answers(), place=Place()))

    assert fresh == DraftState(draft_id=draft.draft_id, version=draft.version + 1)
    assert await count(database, Secret) == 0


async def test_a_builder_is_offered_their_own_plans_and_models(
    drafts: Drafts, people: People
) -> None:
    draft = await filled(drafts, people.bea, replace(ANSWERS, model="gpt-4o"))
    await drafts.publish(people.bea, draft.draft_id, draft.review_version)

    theirs, nothing = await drafts.offer(people.bea), await drafts.offer(people.bob)

    assert [plan.slug for plan in theirs.plans] == ["pack-100"]
    assert theirs.models == ("gpt-6-luna", "gpt-4o")
    assert (nothing.plans, nothing.models) == ((), ("gpt-6-luna",))


async def test_a_draft_that_nobody_touches_for_thirty_days_goes_and_its_key_goes_first(
    drafts: Drafts, people: People, database: Database, clock: ManualClock
) -> None:
    idle = await filled(drafts, people.bea)
    clock.advance(29 * DAY)
    other = await drafts.open_new(people.bob, OTHER_THREAD)
    await drafts.expire_idle()
    assert (await drafts.load(people.bea, idle.draft_id)).life is DraftLife.OPEN
    clock.advance(DAY + SECOND)
    await drafts.expire_idle()
    await drafts.expire_idle()
    gone = await drafts.load(people.bea, idle.draft_id)
    assert (gone.life, gone.answers) == (DraftLife.EXPIRED, Answers())
    assert await count(database, Secret) == 0
    assert (await drafts.load(people.bob, other.draft_id)).life is DraftLife.OPEN
    with pytest.raises(UnknownDraft):
        await drafts.save_key(people.bea, idle.draft_id, OTHER_KEY)


async def test_a_draft_from_before_there_were_services_goes_on(
    drafts: Drafts, people: People, database: Database
) -> None:
    draft = await drafts.open_draft(people.bea, THREAD)
    old = {
        "answers": {"title": "Math Tutor", "price": 5_000, "plan_slug": "pack-100"},
        "place": {"at": "description"},
    }

    def put(unit: Unit) -> None:
        unit.session.get_one(Draft, draft.draft_id).fields = old

    await database.run(put)
    again = await drafts.load(people.bea, draft.draft_id)
    assert again.answers == Answers(
        kind=Kind.ASSISTANT,
        title="Math Tutor",
        price=MilliCredits(5_000),
        plan_slugs=("pack-100",),
    )
    assert again.place.at is Question.DESCRIPTION


async def published(drafts: Drafts, people: People) -> str:
    draft = await filled(drafts, people.bea)
    return await drafts.publish(people.bea, draft.draft_id, draft.review_version)


async def test_what_is_on_sale_is_changed_only_when_it_is_published_again(
    drafts: Drafts, people: People, database: Database, clock: ManualClock
) -> None:
    slug = await published(drafts, people)
    catalogue = Catalogue(database, clock, Settings())
    before = await catalogue.find_offering(slug)
    state = await drafts.reopen(people.bea, slug, OTHER_THREAD)
    assert (state.life, state.place.at) == (DraftLife.OPEN, Question.REVIEW)
    assert state.answers.missing == ()
    changed = replace(state.answers, title="Algebra Coach", price=MilliCredits(7_000))
    state = await drafts.save(people.bea, state.answered(changed))
    clock.advance(MINUTE)
    assert await catalogue.find_offering(slug) == before

    assert await drafts.publish(people.bea, state.draft_id, state.review_version) == slug

    clock.advance(MINUTE)
    after = await catalogue.find_offering(slug)
    assert (after.title, after.price, after.state) == ("Algebra Coach", 7_000, before.state)
    assert (after.id, after.plans, after.assistant) == (before.id, before.plans, before.assistant)
    assert await count(database, Offering) == 1
    assert await drafts.publish(people.bea, state.draft_id, "whatever") == slug


async def test_another_key_takes_the_place_of_the_one_in_use_when_it_is_published(
    drafts: Drafts, people: People, database: Database, vault: Vault
) -> None:
    slug = await published(drafts, people)
    state = await drafts.reopen(people.bea, slug, THREAD)
    await drafts.save_key(people.bea, state.draft_id, OTHER_KEY)
    assert await count(database, Secret) == 2
    state = await drafts.load(people.bea, state.draft_id)
    await drafts.publish(people.bea, state.draft_id, state.review_version)
    ((secret_id,),) = await database.read(
        lambda s: s.connection().execute(text("SELECT secret_id FROM assistant")).all()
    )
    assert await vault.reveal(secret_id) == OTHER_KEY
    assert await count(database, Secret) == 1


async def test_changes_that_are_given_up_leave_what_is_on_sale_and_its_key(
    drafts: Drafts, people: People, database: Database, clock: ManualClock
) -> None:
    slug = await published(drafts, people)
    for give_up in (drafts.discard, None):
        state = await drafts.reopen(people.bea, slug, THREAD)
        await drafts.save(
            people.bea, state.answered(replace(state.answers, title="Something else"))
        )
        await drafts.save_key(people.bea, state.draft_id, OTHER_KEY)
        if give_up is None:
            clock.advance(31 * DAY)
            await drafts.expire_idle()
        else:
            await give_up(people.bea, state.draft_id)
        again = await drafts.load(people.bea, state.draft_id)
        assert (again.life, again.answers.title) == (DraftLife.PUBLISHED, "Math Tutor")
        assert await count(database, Secret) == 1


async def test_starting_a_change_over_begins_with_what_is_on_sale(
    drafts: Drafts, people: People, database: Database
) -> None:
    slug = await published(drafts, people)
    state = await drafts.reopen(people.bea, slug, THREAD)
    emptied = replace(state, answers=Answers(), place=Place())
    over = await drafts.start_over(people.bea, emptied)
    assert (over.answers.title, over.life) == ("Math Tutor", DraftLife.OPEN)
    assert await drafts.load(people.bea, state.draft_id) == over
    assert await count(database, Secret) == 1


async def test_nobody_changes_what_somebody_else_sells(drafts: Drafts, people: People) -> None:
    slug = await published(drafts, people)
    with pytest.raises(UnknownOffering):
        await drafts.reopen(people.bob, slug, THREAD)
    with pytest.raises(UnknownOffering):
        await drafts.reopen(people.bea, "no-such", THREAD)
