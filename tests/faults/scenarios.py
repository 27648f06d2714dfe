"""Everything the ledger can be asked to do, for tests that let it crash in the middle.

A scenario is one line of `SCENARIOS`: its name, what must be there before (`prepare`), and the
operation (`act`), which is given what `prepare` returned. Both are units of work. An operation
must be the same each time it is carried out, public ids and keys included, since a crash is
followed by a retry; so whatever is drawn at random is drawn in `prepare`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sqlalchemy import func, select, text
from sqlmodel import Session, SQLModel, col

from host.catalogue.registering import By
from host.catalogue.subscribing import SubscribeRequest, subscribe
from storage.books import (
    EndHold,
    GrantCredits,
    HoldOpened,
    OpenHold,
    RefundCharge,
    RevokeGrant,
)
from storage.credits import MilliCredits
from storage.database import Unit
from storage.models.base import BigInt
from storage.models.catalogue import Plan
from storage.models.money import CreditGrant, GrantSource
from storage.moments import DAY, HOUR, MINUTE, Micros
from tests.builders import Shop, add_account, add_shop, grant_of, hold_of
from tests.fakes.clock import START

Act: TypeAlias = Callable[[Unit], object]
Rows: TypeAlias = dict[str, list[tuple[Any, ...]]]
"""Every row of every table, by table."""

HELD: Final = 10_000
"""More than the first of the shop's grants, so that a hold spans all three."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One operation, and what it stands on."""

    name: str
    prepare: Callable[[Unit], Act]
    """Makes what must be there, and returns the operation."""


def rows_of(session: Session) -> Rows:
    """All that the database remembers."""
    connection = session.connection()
    return {
        table.name: sorted((tuple(row) for row in connection.execute(table.select())), key=repr)
        for table in SQLModel.metadata.sorted_tables
    }


def _shop(unit: Unit) -> Shop:
    """Three grants, the last of which expires first and is spent first."""
    shop = add_shop(unit)
    unit.books.grant(grant_of(shop, 4_000))
    unit.books.grant(grant_of(shop, 4_000, source=GrantSource.OPERATOR, priority=1))
    unit.books.grant(grant_of(shop, 3_000, source=GrantSource.TRIAL, expires_at=START + DAY))
    return shop


def _open(unit: Unit, shop: Shop, request: OpenHold | None = None) -> EndHold:
    opened = unit.books.open_hold(request or hold_of(shop, HELD))
    assert isinstance(opened, HoldOpened), opened
    return EndHold(
        wallet_id=shop.wallet_id,
        hold_id=opened.hold_id,
        plan_ids=(shop.plan.plan_id,),
        now=Micros(START + MINUTE),
    )


def _opening_a_wallet(unit: Unit) -> Act:
    subscriber_id = add_account(unit.session)
    return lambda unit: unit.books.open_wallet(subscriber_id)


def _granting(unit: Unit) -> Act:
    request: GrantCredits = grant_of(_shop(unit), 7_000)
    return lambda unit: unit.books.grant(request)


def _opening(amount: int) -> Callable[[Unit], Act]:
    def prepare(unit: Unit) -> Act:
        request = hold_of(_shop(unit), amount)
        return lambda unit: unit.books.open_hold(request)

    return prepare


def _capturing(used: int) -> Callable[[Unit], Act]:
    def prepare(unit: Unit) -> Act:
        end = _open(unit, _shop(unit))
        return lambda unit: unit.books.capture(end, MilliCredits(used))

    return prepare


def _capturing_too_late(unit: Unit) -> Act:
    shop = _shop(unit)
    end = _open(unit, shop)
    unit.books.sweep(Micros(START + HOUR))
    return lambda unit: unit.books.capture(end, MilliCredits(HELD))


def _releasing(unit: Unit) -> Act:
    end = _open(unit, _shop(unit))
    return lambda unit: unit.books.release(end)


def _releasing_to_an_expired_grant(unit: Unit) -> Act:
    shop = _shop(unit)
    end = _open(unit, shop, hold_of(shop, HELD, expires_at=START + 3 * DAY))
    unit.books.sweep(Micros(START + 2 * DAY))
    return lambda unit: unit.books.release(end)


def _renewing(unit: Unit) -> Act:
    end = _open(unit, _shop(unit))
    return lambda unit: unit.books.renew(
        wallet_id=end.wallet_id, hold_id=end.hold_id, expires_at=Micros(START + HOUR)
    )


def _sweeping(unit: Unit) -> Act:
    """Two wallets, each with a hold and a grant past their time, and one of each in time."""
    for shop in (_shop(unit), _shop(unit)):
        _open(unit, shop, hold_of(shop, 5_000))
        _open(unit, shop, hold_of(shop, 1_000, expires_at=START + 3 * DAY))
    return lambda unit: unit.books.sweep(Micros(START + 2 * DAY))


def _capturing_the_last(unit: Unit) -> Act:
    """The outbox is told, in the same transaction."""
    shop = _shop(unit)
    end = _open(unit, shop, hold_of(shop, 11_000))
    return lambda unit: unit.books.capture(end, MilliCredits(11_000))


def _refunding(unit: Unit) -> Act:
    end = _open(unit, _shop(unit))
    unit.books.capture(end, MilliCredits(HELD))
    request = RefundCharge(
        wallet_id=end.wallet_id,
        hold_id=end.hold_id,
        key="a complaint",
        amount=MilliCredits(5_000),
        now=Micros(START + HOUR),
    )
    return lambda unit: unit.books.refund(request)


def _revoking(unit: Unit) -> Act:
    return _revoke(unit, _open(unit, _shop(unit)))


def _revoke(unit: Unit, end: EndHold, target: int = 4_000) -> Act:
    """The grant that bears the middle of the hold; all of it unless told."""
    request = RevokeGrant(
        wallet_id=end.wallet_id,
        grant_id=_a_grant(unit, end.wallet_id),
        target=MilliCredits(target),
        now=Micros(START + HOUR),
    )
    return lambda unit: unit.books.revoke(request)


def _releasing_to_a_revoked_grant(unit: Unit) -> Act:
    end = _open(unit, _shop(unit))
    _revoke(unit, end)(unit)
    return lambda unit: unit.books.release(end)


def _claiming(unit: Unit) -> Act:
    return _revoke(unit, _open(unit, _shop(unit)), 2_500)


def _releasing_what_is_claimed(unit: Unit) -> Act:
    end = _open(unit, _shop(unit))
    _revoke(unit, end, 2_500)(unit)
    return lambda unit: unit.books.release(end)


def _freezing(unit: Unit) -> Act:
    shop = _shop(unit)
    grant_id = _a_grant(unit, shop.wallet_id)
    return lambda unit: unit.books.freeze(
        wallet_id=shop.wallet_id, grant_id=grant_id, now=Micros(START + HOUR)
    )


def _unfreezing(unit: Unit) -> Act:
    shop = _shop(unit)
    grant_id = _a_grant(unit, shop.wallet_id)
    unit.books.freeze(wallet_id=shop.wallet_id, grant_id=grant_id, now=START)
    return lambda unit: unit.books.unfreeze(
        wallet_id=shop.wallet_id, grant_id=grant_id, now=Micros(START + HOUR)
    )


def _capping(unit: Unit) -> Act:
    wallet_id = _shop(unit).wallet_id
    return lambda unit: unit.books.set_cap(
        wallet_id=wallet_id, cap=MilliCredits(7_000), now=Micros(START + HOUR)
    )


def _capping_by_the_operator(unit: Unit) -> Act:
    wallet_id = _shop(unit).wallet_id
    unit.books.set_cap(wallet_id=wallet_id, cap=MilliCredits(7_000), now=START)
    return lambda unit: unit.books.set_cap(
        wallet_id=wallet_id,
        cap=MilliCredits(5_000),
        now=Micros(START + HOUR),
        is_operators=True,
    )


def _opening_over_the_cap(unit: Unit) -> Act:
    shop = _shop(unit)
    unit.books.set_cap(wallet_id=shop.wallet_id, cap=MilliCredits(7_000), now=START)
    request = hold_of(shop, 8_000)
    return lambda unit: unit.books.open_hold(request)


def _a_grant(unit: Unit, wallet_id: int) -> int:
    """The first that the wallet was given."""
    found = unit.session.connection().execute(
        select(func.min(CreditGrant.id)).where(col(CreditGrant.wallet_id) == wallet_id)
    )
    first = found.scalar_one()
    assert first is not None, "the shop has three"
    return first


def _subscribing(unit: Unit) -> Act:
    """A unit of several: the subscription's row, the grant, a line of the audit log."""
    shop = add_shop(unit)
    plan = unit.session.get_one(Plan, shop.plan.plan_id)
    request = SubscribeRequest(
        account_id=shop.subscriber_id,
        plan_slug=plan.slug,
        source=GrantSource.OPERATOR,
        source_ref="a gift",
    )
    return lambda unit: subscribe(unit, By(account_id=None, now=START), request)


SCENARIOS: Final = (
    Scenario("open a wallet", _opening_a_wallet),
    Scenario("grant", _granting),
    Scenario("open a hold over three grants", _opening(HELD)),
    Scenario("open a hold of nothing", _opening(0)),
    Scenario("open a hold that is refused", _opening(100_000)),
    Scenario("capture a part", _capturing(5_500)),
    Scenario("capture the whole", _capturing(HELD)),
    Scenario("capture more than was held", _capturing(12_345)),
    Scenario("capture nothing", _capturing(0)),
    Scenario("capture what has expired", _capturing_too_late),
    Scenario("release", _releasing),
    Scenario("release to a grant that has expired", _releasing_to_an_expired_grant),
    Scenario("renew", _renewing),
    Scenario("sweep holds and grants", _sweeping),
    Scenario("capture down to a low balance", _capturing_the_last),
    Scenario("refund a part of two legs", _refunding),
    Scenario("revoke what is left", _revoking),
    Scenario("release to a grant that was revoked", _releasing_to_a_revoked_grant),
    Scenario("claim of what is held", _claiming),
    Scenario("release what is claimed in part", _releasing_what_is_claimed),
    Scenario("freeze", _freezing),
    Scenario("unfreeze", _unfreezing),
    Scenario("set a daily cap", _capping),
    Scenario("set the operator's daily cap", _capping_by_the_operator),
    Scenario("open a hold that passes the cap", _opening_over_the_cap),
    Scenario("subscribe", _subscribing),
)


def set_sequences_back(unit: Unit) -> None:
    """On PostgreSQL: hand out again the ids that were drawn in vain, so that rows can be compared.

    An id that a crash has drawn is a gap and nothing else; but entries hash the ids they name.
    """
    connection = unit.session.connection()
    for table in SQLModel.metadata.sorted_tables:
        if not isinstance(getattr(table.c.get("id"), "type", None), BigInt):
            continue
        name = connection.scalar(text(f"SELECT pg_get_serial_sequence('{table.name}', 'id')"))
        last = connection.scalar(select(func.max(table.c.id))) or 0
        connection.execute(
            text("SELECT setval(:name, :next, false)"), {"name": name, "next": last + 1}
        )
