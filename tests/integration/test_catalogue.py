import asyncio

import pytest
from sqlmodel import select

from host.catalogue.catalogue import REMEMBERED, Catalogue
from host.catalogue.currencies import Money
from host.catalogue.offering_terms import AssistantFields, EndpointFields, PlanTerms, ServiceFields
from host.catalogue.subscribing import SubscribeRequest
from host.config import Settings
from host.errors import (
    FareboxError,
    IdempotencyConflict,
    InvalidInput,
    NotAllowed,
    UnknownOffering,
    UnknownPlan,
)
from host.purchase.ordering import WantedOrder
from host.purchase.purchases import Purchases
from host.purchase.vouchers import VoucherBatch, Vouchers
from storage.accounts import set_state
from storage.cards import PlanView
from storage.credits import MilliCredits
from storage.database import Database, Unit
from storage.file_kinds import Accepts
from storage.models.accounts import AccountState, AuditLine, Role
from storage.models.catalogue import OfferingKind, OfferingState, PlanKind
from storage.models.money import CreditGrant, GrantSource
from storage.models.vault import Secret
from storage.moments import DAY, NEVER, Micros
from storage.subscriptions import cancel
from tests.builders import add_account, former_people
from tests.fakes.clock import START, ManualClock

UPSTREAM = "https://api.openai.com/v1"
PACK = PlanTerms(title="Pack 100", price=Money(500, "USD"), credits=MilliCredits(100_000))
TRIAL = PlanTerms(
    title="Trial 20", price=Money(0, "USD"), credits=MilliCredits(20_000), is_trial=True
)
PASS = PlanTerms(title="Travel Pass", price=Money(900, "USD"), duration_s=7 * 24 * 3600)


@pytest.fixture
def catalogue(database: Database, clock: ManualClock) -> Catalogue:
    return Catalogue(database, clock, Settings(_env_file=None))


@pytest.fixture
async def builder(database: Database) -> int:
    return await person(database, Role.BUILDER)


@pytest.fixture
async def operator(database: Database) -> int:
    return await person(database, Role.OPERATOR)


@pytest.fixture
async def subscriber(database: Database) -> int:
    return await person(database, Role.SUBSCRIBER)


async def person(database: Database, role: Role) -> int:
    return await database.run(lambda unit: add_account(unit.session, role))


async def add_key(database: Database, owner_id: int, *, bound_to: str = UPSTREAM) -> str:
    def work(unit: Unit) -> str:
        secret = Secret(
            id=f"secret-{owner_id}-{bound_to}",
            owner_id=owner_id,
            purpose="openai_key",
            ciphertext=b"",
            nonce=b"",
            wrapped_key=b"",
            wrap_nonce=b"",
            master_key_id="",
            last4="9999",
            bound_to=bound_to,
            created_at=START,
        )
        unit.session.add(secret)
        unit.session.flush()
        return secret.id

    return await database.run(work)


def tutor(secret_id: str, *plan_slugs: str, title: str = "Math Tutor") -> AssistantFields:
    return AssistantFields(
        title=title,
        description="Explains algebra.",
        model="gpt-5-mini",
        instructions="Be patient.",
        price=MilliCredits(5_000),
        base_url=UPSTREAM,
        secret_id=secret_id,
        plan_slugs=plan_slugs,
        starters=("What is 2 + 2?",),
    )


def songs(**changes: str) -> ServiceFields:
    upstream = changes.get("upstream_url", "https://songs.example.com")
    return ServiceFields(
        title="Songs",
        description="",
        price=MilliCredits(1_000),
        upstream_url=upstream,
        secret_id=changes.get("secret_id"),
    )


def request(
    account_id: int,
    plan_slug: str,
    ref: str = "request-1",
    *,
    source: GrantSource = GrantSource.OPERATOR,
    amount: int | None = None,
) -> SubscribeRequest:
    return SubscribeRequest(
        account_id=account_id,
        plan_slug=plan_slug,
        source=source,
        source_ref=ref,
        credits=None if amount is None else MilliCredits(amount),
    )


async def audited(database: Database) -> list[tuple[str, str]]:
    lines = await database.read(lambda s: s.exec(select(AuditLine).order_by(AuditLine.id)).all())  # type: ignore[arg-type]
    return [(line.action, line.subject) for line in lines]


async def grants(database: Database) -> list[CreditGrant]:
    return await database.read(
        lambda s: list(s.exec(select(CreditGrant).order_by(CreditGrant.id)))  # type: ignore[arg-type]
    )


async def published(
    catalogue: Catalogue, database: Database, builder: int, *plans: PlanView
) -> str:
    key = await add_key(database, builder)
    draft = await catalogue.register_assistant(builder, tutor(key, *(p.slug for p in plans)))
    return (await catalogue.publish(builder, draft.slug)).slug


async def test_a_builder_makes_a_plan_and_publishes_an_assistant_on_it(
    catalogue: Catalogue, database: Database, builder: int, clock: ManualClock
) -> None:
    plan = await catalogue.create_plan(builder, PACK)
    key = await add_key(database, builder)
    draft = await catalogue.register_assistant(builder, tutor(key, plan.slug))
    assert (draft.slug, draft.state, draft.published_at) == (
        "math-tutor",
        OfferingState.DRAFT,
        None,
    )

    clock.advance(DAY)
    card = await catalogue.publish(builder, "math-tutor")

    assert (card.state, card.published_at) == (OfferingState.PUBLISHED, START + DAY)
    assert (card.kind, card.price, card.owner_id) == (OfferingKind.ASSISTANT, 5_000, builder)
    assert card.assistant is not None
    assert (card.assistant.base_url, card.assistant.secret_id) == (UPSTREAM, key)
    assert card.starters == ("What is 2 + 2?",)
    assert card.plans == (plan,)
    assert (plan.slug, plan.version.number, plan.version.kind) == ("pack-100", 1, PlanKind.CREDITS)
    assert await audited(database) == [
        ("plan.created", "plan:pack-100"),
        ("offering.registered", "offering:math-tutor"),
        ("offering.attached", "offering:math-tutor"),
        ("offering.published", "offering:math-tutor"),
    ]


async def test_a_service_keeps_its_endpoints_with_their_own_or_the_services_price(
    catalogue: Catalogue, builder: int
) -> None:
    card = await catalogue.register_service(
        builder,
        songs(),
        [
            EndpointFields(method="POST", path="/query"),
            EndpointFields(method="POST", path="/upsert", price=MilliCredits(2_000)),
            EndpointFields(path="/.well-known/(.*)", is_open=True),
        ],
    )
    assert card.service is not None
    assert card.service.upstream_url == "https://songs.example.com"
    assert [(e.method, e.path, e.price, e.is_open) for e in card.service.endpoints] == [
        ("POST", "/query", 1_000, False),
        ("POST", "/upsert", 2_000, False),
        ("GET", "/.well-known/(.*)", 0, True),
    ]


async def test_a_title_used_twice_gets_a_slug_of_its_own(
    catalogue: Catalogue, database: Database, builder: int
) -> None:
    slugs = [(await catalogue.create_plan(builder, PACK)).slug for _ in range(3)]
    assert slugs == ["pack-100", "pack-100-2", "pack-100-3"]


async def test_a_slug_that_was_asked_for_and_is_taken_is_refused(
    catalogue: Catalogue, builder: int
) -> None:
    terms = PlanTerms(
        title="Pack", price=Money(500, "USD"), credits=MilliCredits(1_000), slug="pack"
    )
    await catalogue.create_plan(builder, terms)
    with pytest.raises(InvalidInput, match="“pack” is taken"):
        await catalogue.create_plan(builder, terms)


@pytest.mark.parametrize("role", [Role.SUBSCRIBER, None])
async def test_who_is_no_builder_makes_nothing(
    catalogue: Catalogue, database: Database, role: Role | None
) -> None:
    actor = await person(database, role or Role.BUILDER)
    if role is None:  # a builder, but suspended
        await database.run(lambda unit: set_state(unit.session, actor, AccountState.SUSPENDED))
    with pytest.raises(NotAllowed):
        await catalogue.create_plan(actor, PACK)
    assert await catalogue.plans() == ()
    assert await audited(database) == []


async def test_a_builder_cannot_touch_what_is_anothers(
    catalogue: Catalogue, database: Database, builder: int
) -> None:
    other = await person(database, Role.BUILDER)
    plan = await catalogue.create_plan(builder, PACK)
    slug = await published(catalogue, database, builder, plan)
    others_plan = await catalogue.create_plan(other, PASS)
    key = await add_key(database, other)
    attempts = (
        catalogue.create_plan(other, PACK, owner_id=builder),
        catalogue.pause(other, slug),
        catalogue.archive_plan(other, plan.slug),
        catalogue.attach(other, plan_slug=others_plan.slug, offering_slug=slug),
        catalogue.attach(builder, plan_slug=others_plan.slug, offering_slug=slug),
        catalogue.register_assistant(other, tutor(key, plan.slug)),
    )
    for attempt in attempts:
        with pytest.raises(NotAllowed):
            await attempt
    assert (await catalogue.find_offering(slug)).plans == (plan,)
    assert await catalogue.offerings(owner_id=other) == ()


async def test_an_operator_acts_for_a_builder_and_so_does_the_command_line(
    catalogue: Catalogue, operator: int, builder: int
) -> None:
    by_operator = await catalogue.create_plan(operator, PACK, owner_id=builder)
    by_machine = await catalogue.create_plan(None, PASS, owner_id=builder)
    assert (by_operator.owner_id, by_machine.owner_id) == (builder, builder)
    with pytest.raises(NotAllowed, match="which builder"):
        await catalogue.create_plan(None, PASS)


async def test_a_key_of_another_builder_or_for_another_address_is_refused(
    catalogue: Catalogue, database: Database, builder: int
) -> None:
    other = await person(database, Role.BUILDER)
    others = await add_key(database, other)
    elsewhere = await add_key(database, builder, bound_to="https://other.example/v1")
    for secret_id, words in (
        (others, "not there"),
        ("nothing", "not there"),
        (elsewhere, "enter it again"),
    ):
        with pytest.raises(InvalidInput, match=words):
            await catalogue.register_assistant(builder, tutor(secret_id))
    with pytest.raises(InvalidInput, match="enter it again"):
        await catalogue.register_service(
            builder, songs(secret_id=elsewhere), [EndpointFields(path="/a")]
        )
    assert await catalogue.offerings() == ()


async def test_an_offering_on_no_plan_is_not_published(
    catalogue: Catalogue, database: Database, builder: int
) -> None:
    draft = await catalogue.register_assistant(builder, tutor(await add_key(database, builder)))
    with pytest.raises(InvalidInput, match="on no plan yet"):
        await catalogue.publish(builder, draft.slug)
    plan = await catalogue.create_plan(builder, PACK)
    await catalogue.attach(builder, plan_slug=plan.slug, offering_slug=draft.slug)
    assert (await catalogue.publish(builder, draft.slug)).state is OfferingState.PUBLISHED


async def test_publishing_twice_is_publishing_once(
    catalogue: Catalogue, database: Database, builder: int
) -> None:
    slug = await published(
        catalogue, database, builder, await catalogue.create_plan(builder, PACK)
    )
    async with asyncio.timeout(10):
        await asyncio.gather(*(catalogue.publish(builder, slug) for _ in range(5)))
    lines = [action for action, _ in await audited(database)]
    assert lines.count("offering.published") == 1


async def test_an_offering_lives_draft_published_paused_retired_and_no_other_way(
    catalogue: Catalogue, database: Database, builder: int
) -> None:
    plan = await catalogue.create_plan(builder, PACK)
    key = await add_key(database, builder)
    slug = (await catalogue.register_assistant(builder, tutor(key, plan.slug))).slug
    for impossible in (catalogue.pause, catalogue.resume, catalogue.retire):
        with pytest.raises(InvalidInput):
            await impossible(builder, slug)
    await catalogue.publish(builder, slug)
    with pytest.raises(InvalidInput, match="pause it first"):
        await catalogue.retire(builder, slug)
    assert (await catalogue.pause(builder, slug)).state is OfferingState.PAUSED
    assert (await catalogue.resume(builder, slug)).state is OfferingState.PUBLISHED
    await catalogue.pause(builder, slug)
    assert (await catalogue.retire(builder, slug)).state is OfferingState.RETIRED
    for final in (catalogue.publish, catalogue.pause, catalogue.resume):
        with pytest.raises(InvalidInput, match="is retired"):
            await final(builder, slug)


async def test_an_archived_plan_is_listed_no_more_and_sends_nobody_to_buy_it(
    catalogue: Catalogue, database: Database, builder: int
) -> None:
    plan = await catalogue.create_plan(builder, PACK)
    slug = await published(catalogue, database, builder, plan)
    assert (await catalogue.find_offering(slug)).plan_to_buy() == plan

    archived = await catalogue.archive_plan(builder, plan.slug)

    assert not archived.is_sold
    assert (await catalogue.find_offering(slug)).plan_to_buy() is None
    assert await catalogue.plans() == ()
    assert await catalogue.plans(with_archived=True) == (archived,)


async def test_people_are_sent_to_a_plan_that_is_no_trial_and_to_the_cheapest(
    catalogue: Catalogue, database: Database, builder: int
) -> None:
    plans = [await catalogue.create_plan(builder, terms) for terms in (PASS, TRIAL, PACK)]
    slug = await published(catalogue, database, builder, *plans)
    chosen = (await catalogue.find_offering(slug)).plan_to_buy()
    assert chosen is not None
    assert chosen.slug == "pack-100"


async def test_nobody_is_sent_to_a_trial_they_have_had(
    catalogue: Catalogue, database: Database, builder: int
) -> None:
    plan = await catalogue.create_plan(builder, TRIAL)
    card = await catalogue.find_offering(await published(catalogue, database, builder, plan))
    assert card.plan_to_buy() == plan
    assert card.plan_to_buy(had={plan.id}) is None


async def test_what_another_process_changed_is_seen_after_half_a_second(
    catalogue: Catalogue, database: Database, builder: int, clock: ManualClock
) -> None:
    plan = await catalogue.create_plan(builder, PACK)
    slug = await published(catalogue, database, builder, plan)
    assert (await catalogue.find_offering(slug)).state is OfferingState.PUBLISHED

    elsewhere = Catalogue(database, clock, Settings(_env_file=None))
    await elsewhere.pause(builder, slug)
    clock.advance(REMEMBERED)

    assert (await catalogue.find_offering(slug)).state is OfferingState.PAUSED


async def test_an_offering_is_found_by_its_name_and_by_its_id(
    catalogue: Catalogue, database: Database, builder: int
) -> None:
    plan = await catalogue.create_plan(builder, PACK)
    slug = await published(catalogue, database, builder, plan)
    card = await catalogue.find_offering(slug)
    assert await catalogue.find_offering(slug) is card
    assert await catalogue.get_offering(card.id) == card
    assert await catalogue.offerings(state=OfferingState.PUBLISHED) == (card,)
    assert await catalogue.offerings(state=OfferingState.DRAFT) == ()
    assert await catalogue.find_plan(plan.slug) == plan


async def test_names_that_nobody_has_are_unknown(catalogue: Catalogue, builder: int) -> None:
    with pytest.raises(UnknownOffering):
        await catalogue.find_offering("nothing")
    with pytest.raises(UnknownOffering):
        await catalogue.publish(builder, "nothing")
    with pytest.raises(UnknownPlan):
        await catalogue.find_plan("nothing")


async def test_a_credit_plan_gives_its_credits_and_they_can_be_spent_on_what_it_covers(
    catalogue: Catalogue, database: Database, builder: int, operator: int, subscriber: int
) -> None:
    plan = await catalogue.create_plan(builder, PACK)
    slug = await published(catalogue, database, builder, plan)
    offering = await catalogue.find_offering(slug)
    before = await catalogue.standing(subscriber, offering.id)
    assert (before.available, before.entitlement.had_plan) == (0, False)

    got = await catalogue.subscribe(operator, request(subscriber, plan.slug))

    assert got.is_new
    assert (got.subscription.starts_at, got.subscription.ends_at) == (START, NEVER)
    assert (await catalogue.standing(subscriber, offering.id)).available == 100_000
    (bought,) = await catalogue.purchased(subscriber)
    assert (bought.offering, bought.plan_titles) == (offering, ("Pack 100",))
    assert bought.standing.available == 100_000
    assert [s.plan_slug for s in await catalogue.subscriptions(subscriber)] == ["pack-100"]


async def test_drafts_and_retired_offerings_are_not_among_what_was_purchased(
    catalogue: Catalogue, database: Database, builder: int, operator: int, subscriber: int
) -> None:
    plan = await catalogue.create_plan(builder, PACK)
    slug = await published(catalogue, database, builder, plan)
    key = await add_key(database, builder, bound_to="")
    await catalogue.register_assistant(builder, tutor(key, plan.slug, title="A draft"))
    await catalogue.subscribe(operator, request(subscriber, plan.slug))
    await catalogue.pause(builder, slug)
    assert [p.offering.slug for p in await catalogue.purchased(subscriber)] == [slug]
    await catalogue.retire(builder, slug)
    assert await catalogue.purchased(subscriber) == ()


async def test_the_same_request_gives_once_even_when_it_comes_at_once(
    catalogue: Catalogue, database: Database, builder: int, operator: int, subscriber: int
) -> None:
    plan = await catalogue.create_plan(builder, PACK)
    async with asyncio.timeout(20):
        answers = await asyncio.gather(
            *(catalogue.subscribe(operator, request(subscriber, plan.slug)) for _ in range(8))
        )
    assert [answer.is_new for answer in answers].count(True) == 1
    assert len({answer.subscription.id for answer in answers}) == 1
    assert [grant.amount for grant in await grants(database)] == [100_000]


async def test_the_same_request_for_another_plan_is_refused(
    catalogue: Catalogue, database: Database, builder: int, operator: int, subscriber: int
) -> None:
    pack = await catalogue.create_plan(builder, PACK)
    travel = await catalogue.create_plan(builder, PASS)
    await catalogue.subscribe(operator, request(subscriber, pack.slug))
    with pytest.raises(IdempotencyConflict):
        await catalogue.subscribe(operator, request(subscriber, travel.slug))


async def test_a_trial_is_taken_once_by_oneself_whatever_it_is_called(
    catalogue: Catalogue, database: Database, builder: int, subscriber: int
) -> None:
    plan = await catalogue.create_plan(builder, TRIAL)
    first, second = [
        await catalogue.subscribe(
            subscriber, request(subscriber, plan.slug, ref, source=GrantSource.TRIAL)
        )
        for ref in ("one", "two")
    ]
    assert (first.is_new, second.is_new) == (True, False)
    assert [grant.amount for grant in await grants(database)] == [20_000]


async def bought(
    database: Database, clock: ManualClock, plan: PlanView, account_id: int, name: str
) -> None:
    """Order the plan and pay."""
    settings = Settings(_env_file=None, payments="demo")
    purchases = Purchases(database, clock, settings, former_people(database, clock))
    wanted = WantedOrder(account_id=account_id, plan_slug=plan.slug, key=name)
    made = await purchases.order(wanted)
    await purchases.fulfil(made.order.id, f"payment {name}")


async def redeemed(database: Database, plan: PlanView, account_id: int) -> None:
    """Get the plan by a voucher."""
    vouchers = Vouchers(database, ManualClock())
    (issued,) = await vouchers.issue(None, VoucherBatch(plan_slug=plan.slug))
    await vouchers.redeem(account_id, issued.code, "192.0.2.1")


@pytest.mark.parametrize("source", [GrantSource.OPERATOR, GrantSource.VOUCHER, GrantSource.TRIAL])
@pytest.mark.parametrize("is_kept", [True, False], ids=["kept", "taken back"])
async def test_who_ever_had_a_trial_plan_cannot_take_it(
    catalogue: Catalogue,
    database: Database,
    builder: int,
    subscriber: int,
    source: GrantSource,
    is_kept: bool,
) -> None:
    plan = await catalogue.create_plan(builder, TRIAL)
    if source is GrantSource.VOUCHER:
        await redeemed(database, plan, subscriber)
    else:
        await catalogue.subscribe(None, request(subscriber, plan.slug, source=source))
    (had,) = await catalogue.subscriptions(subscriber)
    if not is_kept:
        await database.run(
            lambda unit: cancel(
                unit.session, account_id=subscriber, plan_id=plan.id, now=Micros(START + 1)
            )
        )
    own = request(subscriber, plan.slug, "another", source=GrantSource.TRIAL)
    taken = await catalogue.subscribe(subscriber, own)
    assert (taken.is_new, taken.subscription.id) == (False, had.id)
    assert len(await grants(database)) == 1


async def test_two_payments_for_a_pass_at_once_extend_it_twice(
    catalogue: Catalogue, database: Database, builder: int, subscriber: int, clock: ManualClock
) -> None:
    plan = await catalogue.create_plan(builder, PASS)
    slug = await published(catalogue, database, builder, plan)
    offering = await catalogue.find_offering(slug)
    async with asyncio.timeout(20):
        await asyncio.gather(
            *(bought(database, clock, plan, subscriber, ref) for ref in ("one", "two"))
        )
    standing = await catalogue.standing(subscriber, offering.id)
    assert standing.entitlement.included_until == START + 14 * DAY
    assert standing.available == 0
    assert await grants(database) == []

    clock.advance(20 * DAY)
    await bought(database, clock, plan, subscriber, "three")
    standing = await catalogue.standing(subscriber, offering.id)
    assert standing.entitlement.included_until == START + 27 * DAY


async def test_gifts_are_spent_before_what_was_paid_for(
    catalogue: Catalogue, database: Database, builder: int, subscriber: int, clock: ManualClock
) -> None:
    trial = await catalogue.create_plan(builder, TRIAL)
    pack = await catalogue.create_plan(builder, PACK)
    await bought(database, clock, pack, subscriber, "one")
    await catalogue.subscribe(None, request(subscriber, trial.slug, source=GrantSource.TRIAL))
    await catalogue.subscribe(None, request(subscriber, pack.slug, "gift", amount=1_500))
    paid, tried, given = await grants(database)
    assert (paid.priority, paid.cost_minor, paid.currency) == (10, 500, "USD")
    assert (tried.priority, tried.cost_minor) == (0, None)
    assert (given.priority, given.amount) == (0, 1_500)


async def test_only_operators_give_and_only_orders_fulfil_themselves(
    catalogue: Catalogue, builder: int, operator: int, subscriber: int
) -> None:
    pack = await catalogue.create_plan(builder, PACK)
    trial = await catalogue.create_plan(builder, TRIAL)
    own = GrantSource.TRIAL
    refused: tuple[tuple[int, SubscribeRequest], ...] = (
        (subscriber, request(subscriber, pack.slug)),
        (builder, request(subscriber, pack.slug)),
        (builder, request(subscriber, trial.slug, source=own)),
        (operator, request(subscriber, pack.slug, source=GrantSource.ORDER)),
    )
    for actor, asked in refused:
        with pytest.raises(NotAllowed):
            await catalogue.subscribe(actor, asked)
    assert await catalogue.subscriptions(subscriber) == ()


async def test_what_a_plan_does_not_give_cannot_be_got(
    catalogue: Catalogue, builder: int, operator: int, subscriber: int
) -> None:
    pack = await catalogue.create_plan(builder, PACK)
    travel = await catalogue.create_plan(builder, PASS)
    trial = await catalogue.create_plan(builder, TRIAL)
    await catalogue.archive_plan(builder, trial.slug)
    attempts: tuple[tuple[type[FareboxError], SubscribeRequest], ...] = (
        (InvalidInput, request(subscriber, pack.slug, source=GrantSource.TRIAL)),
        (InvalidInput, request(subscriber, trial.slug, source=GrantSource.TRIAL)),
        (InvalidInput, request(subscriber, travel.slug, amount=1_000)),
        (InvalidInput, request(subscriber, pack.slug, amount=0)),
        (InvalidInput, request(999_999, pack.slug)),
        (UnknownPlan, request(subscriber, "nothing")),
    )
    for error, asked in attempts:
        with pytest.raises(error):
            await catalogue.subscribe(operator if asked.source != "trial" else None, asked)


async def test_its_builder_says_which_files_an_assistant_accepts(
    catalogue: Catalogue, database: Database, builder: int
) -> None:
    plan = await catalogue.create_plan(builder, PACK)
    card = await catalogue.register_assistant(
        builder, tutor(await add_key(database, builder), plan.slug)
    )
    assert card.assistant is not None
    assert card.assistant.accepts is Accepts.NONE
    changed = await catalogue.accept(builder, card.slug, "both")
    assert changed.assistant is not None
    assert changed.assistant.accepts is Accepts.BOTH
    other = await person(database, Role.BUILDER)
    with pytest.raises(NotAllowed):
        await catalogue.accept(other, card.slug, "none")
    with pytest.raises(InvalidInput, match="accepts"):
        await catalogue.accept(builder, card.slug, "everything")
    service = await catalogue.register_service(builder, songs(), [EndpointFields(path="/ask")])
    with pytest.raises(InvalidInput, match="is a service"):
        await catalogue.accept(builder, service.slug, "both")
    kept = await catalogue.find_offering(card.slug)
    assert kept.assistant is not None
    assert kept.assistant.accepts is Accepts.BOTH
