"""Rows that tests need to stand on: an account, a plan with its terms, an offering, a wallet.

Each is written with what the test cares about and defaults for the rest, inside the test's unit of
work, and is flushed, so that the ledger's own statements find it.
"""

from dataclasses import dataclass
from typing import TypeVar
from uuid import uuid4

from sqlmodel import Session, SQLModel

from host.clock import Clock
from host.identity.former import FormerPeople
from host.vault.envelope import MasterKey
from host.vault.vault import Vault
from storage.books import GrantCredits, OpenHold
from storage.credits import MilliCredits
from storage.database import Database, Unit
from storage.ids import new_id
from storage.models.accounts import Account, AccountRole, Role
from storage.models.catalogue import (
    Offering,
    OfferingKind,
    OfferingState,
    Plan,
    PlanKind,
    PlanOffering,
    PlanVersion,
    Subscription,
)
from storage.models.money import GrantSource, Operation
from storage.models.purchase import PurchaseOrder
from storage.moments import DAY, MINUTE, NEVER, Micros
from storage.order_states import OrderState, ProviderName
from tests.fakes.clock import START

Row = TypeVar("Row", bound=SQLModel)


@dataclass(frozen=True, slots=True)
class PlanIds:
    """A plan and the version of its terms."""

    plan_id: int
    version_id: int


@dataclass(frozen=True, slots=True)
class Shop:
    """A builder's plan over one offering, and a subscriber with a wallet."""

    builder_id: int
    subscriber_id: int
    wallet_id: int
    offering_id: int
    plan: PlanIds


def add_account(
    session: Session,
    *roles: Role,
    email: str | None = None,
    name: str = "Somebody",
    now: Micros = START,
) -> int:
    """An account with these roles, or a subscriber's. Returns its id."""
    account = _add(
        session,
        Account(email=email or f"{uuid4().hex}@example.com", name=name, created_at=now),
    )
    assert account.id is not None
    for role in roles or (Role.SUBSCRIBER,):
        _add(session, AccountRole(account_id=account.id, role=role, given_at=now))
    return account.id


def add_plan(
    session: Session,
    owner_id: int,
    *,
    slug: str | None = None,
    title: str = "A pack",
    kind: PlanKind = PlanKind.CREDITS,
    gives: int = 100_000,
    price_minor: int = 500,
    duration_s: int | None = None,
    is_trial: bool = False,
    now: Micros = START,
) -> PlanIds:
    """A plan and the first version of its terms; a time plan lasts a week unless told."""
    plan = _add(
        session,
        Plan(slug=slug or f"plan-{uuid4().hex}", owner_id=owner_id, title=title, created_at=now),
    )
    assert plan.id is not None
    is_time = kind is PlanKind.TIME
    version = _add(
        session,
        PlanVersion(
            plan_id=plan.id,
            number=1,
            kind=kind,
            price_minor=price_minor,
            currency="USD",
            credits=0 if is_time else gives,
            duration_s=7 * 24 * 3600 if is_time and duration_s is None else duration_s,
            is_trial=is_trial,
            created_at=now,
        ),
    )
    assert version.id is not None
    return PlanIds(plan.id, version.id)


def add_offering(
    session: Session,
    owner_id: int,
    *plans: PlanIds,
    slug: str | None = None,
    kind: OfferingKind = OfferingKind.ASSISTANT,
    state: OfferingState = OfferingState.PUBLISHED,
    price: int = 5_000,
    title: str = "An assistant",
    now: Micros = START,
) -> int:
    """An offering, covered by these plans. Returns its id."""
    offering = _add(
        session,
        Offering(
            slug=slug or f"offering-{uuid4().hex}",
            owner_id=owner_id,
            kind=kind,
            title=title,
            state=state,
            price=price,
            created_at=now,
            published_at=now,
        ),
    )
    assert offering.id is not None
    for plan in plans:
        _add(session, PlanOffering(plan_id=plan.plan_id, offering_id=offering.id))
    return offering.id


def add_shop(unit: Unit) -> Shop:
    """Everything a paid message stands on, and no credits yet."""
    builder_id = add_account(unit.session, Role.BUILDER)
    subscriber_id = add_account(unit.session)
    plan = add_plan(unit.session, builder_id)
    offering_id = add_offering(unit.session, builder_id, plan)
    wallet_id = unit.books.open_wallet(subscriber_id)
    return Shop(builder_id, subscriber_id, wallet_id, offering_id, plan)


def former_people(database: Database, clock: Clock) -> FormerPeople:
    """Knows people again by a key that is sealed under nothing much."""
    return FormerPeople(Vault(database, clock, MasterKey(bytes(32))))


async def shop_with(database: Database, *amounts: int) -> Shop:
    """A shop whose subscriber was granted these amounts."""

    def work(unit: Unit) -> Shop:
        shop = add_shop(unit)
        for amount in amounts:
            unit.books.grant(grant_of(shop, amount))
        return shop

    return await database.run(work)


def add_order_of(session: Session, got: Subscription, *, price_minor: int) -> str:
    """The paid order of a time plan that was got. Returns its id."""
    session.flush()
    order = PurchaseOrder(
        id=new_id(),
        account_id=got.account_id,
        plan_id=got.plan_id,
        plan_version_id=got.plan_version_id,
        provider=ProviderName.DEMO,
        request_key=uuid4().hex,
        state=OrderState.FULFILLED,
        amount_minor=price_minor,
        currency="USD",
        credits=0,
        subscription_id=got.id,
        created_at=got.created_at,
        expires_at=got.created_at,
        paid_at=got.created_at,
        fulfilled_at=got.created_at,
    )
    return _add(session, order).id


def grant_of(
    shop: Shop,
    amount: int,
    *,
    plan: PlanIds | None = None,
    source: GrantSource = GrantSource.OPERATOR,
    source_ref: str | None = None,
    priority: int = 0,
    effective_at: int = START,
    expires_at: int = NEVER,
    now: int = START,
) -> GrantCredits:
    """Credits for the shop's subscriber, on the shop's plan unless told."""
    of = plan or shop.plan
    return GrantCredits(
        wallet_id=shop.wallet_id,
        plan_id=of.plan_id,
        plan_version_id=of.version_id,
        source=source,
        source_ref=source_ref or uuid4().hex,
        amount=MilliCredits(amount),
        priority=priority,
        effective_at=Micros(effective_at),
        expires_at=Micros(expires_at),
        now=Micros(now),
    )


def hold_of(
    shop: Shop,
    amount: int,
    *,
    key: str | None = None,
    fingerprint: bytes = bytes(16),
    plan_ids: tuple[int, ...] | None = None,
    owner: str = "this process",
    now: int = START,
    expires_at: int | None = None,
    run_id: str | None = None,
) -> OpenHold:
    """A hold for one message of the shop's subscriber, for ten minutes unless told."""
    return OpenHold(
        wallet_id=shop.wallet_id,
        public_id=new_id(),
        operation=Operation.MESSAGE,
        key=key or uuid4().hex,
        fingerprint=fingerprint,
        amount=MilliCredits(amount),
        plan_ids=(shop.plan.plan_id,) if plan_ids is None else plan_ids,
        owner=owner,
        now=Micros(now),
        expires_at=Micros(now + 10 * MINUTE if expires_at is None else expires_at),
        offering_id=shop.offering_id,
        run_id=run_id,
    )


TOMORROW = Micros(START + DAY)


def _add(session: Session, row: Row) -> Row:
    session.add(row)
    session.flush()
    return row
