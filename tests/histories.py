"""Any history of a wallet, played through the ledger's own verbs.

For tests that hold of whatever happened: hypothesis draws the events, `play` carries them out on
a shop of its own, so that many histories fit in one database.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, TypeAlias

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.books import EndHold, HoldOpened, RefundCharge, RevokeGrant
from storage.credits import MilliCredits
from storage.database import Database, Unit
from storage.moments import DAY, HOUR, Micros, to_micros
from tests.builders import PlanIds, Shop, add_plan, add_shop, grant_of, hold_of
from tests.profile import LONG

MIDNIGHT: Final = to_micros(datetime(2026, 11, 19, tzinfo=UTC))
"""When histories begin."""
DAYS: Final = 8
"""They are over before so many days have passed."""

Event: TypeAlias = tuple[str, int, int]
"""What happens, and two numbers that it makes of what it can."""
EVENTS: Final = st.lists(
    st.tuples(
        st.sampled_from(
            ["grant", "buy", "use", "use", "use", "refund", "refund", "revoke", "sweep", "wait"]
        ),
        st.integers(0, 7),
        st.integers(0, 40),
    ),
    max_size=25,
)
MOST_DAYS_WAITED: Final = 5


@dataclass
class Played:
    """What came of a history."""

    shop: Shop
    plans: tuple[PlanIds, PlanIds]
    now: Micros = MIDNIGHT
    grants: list[int] = field(default_factory=list)
    holds: list[HoldOpened] = field(default_factory=list)

    @property
    def plan_ids(self) -> tuple[int, int]:
        """Both plans that cover the offering."""
        return self.plans[0].plan_id, self.plans[1].plan_id


def play(unit: Unit, events: list[Event]) -> Played:
    """Let all this happen to a new subscriber with two plans."""
    shop = add_shop(unit)
    played = Played(shop, (shop.plan, add_plan(unit.session, shop.builder_id)))
    for name, which, number in events:
        _happen(unit, played, name, which, number)
    return played


def _happen(unit: Unit, played: Played, name: str, which: int, number: int) -> None:
    match name:
        case "grant":
            _grant(unit, played, which, 1 + number)
        case "buy":
            _grant(unit, played, which, 1 + number, cost_minor=7 * which + 1)
        case "use":
            _use(unit, played, held=number, used=max(0, number - which))
        case "refund":
            _refund(unit, played, which, 1 + number // 4)
        case "revoke":
            _revoke(unit, played, which, target=number)
        case "sweep":
            unit.books.sweep(played.now)
        case _ if played.now < MIDNIGHT + MOST_DAYS_WAITED * DAY:
            played.now = Micros(played.now + which * 6 * HOUR + number)


def _grant(
    unit: Unit, played: Played, which: int, amount: int, *, cost_minor: int | None = None
) -> None:
    request = grant_of(
        played.shop,
        amount,
        plan=played.plans[which % 2],
        effective_at=played.now,
        expires_at=played.now + (1 + which) * 12 * HOUR,
        now=played.now,
    )
    currency = None if cost_minor is None else "USD"
    request = replace(request, cost_minor=cost_minor, currency=currency)
    played.grants.append(unit.books.grant(request).grant_id)


def _use(unit: Unit, played: Played, *, held: int, used: int) -> None:
    request = hold_of(played.shop, held, plan_ids=played.plan_ids, now=played.now)
    hold = unit.books.open_hold(request)
    if isinstance(hold, HoldOpened):
        end = EndHold(
            wallet_id=played.shop.wallet_id,
            hold_id=hold.hold_id,
            plan_ids=played.plan_ids,
            now=played.now,
        )
        unit.books.capture(end, MilliCredits(used))
        played.holds.append(hold)


def _refund(unit: Unit, played: Played, which: int, amount: int) -> None:
    if played.holds:
        hold_id = played.holds[which % len(played.holds)].hold_id
        request = RefundCharge(
            wallet_id=played.shop.wallet_id,
            hold_id=hold_id,
            key=f"{hold_id}:{which}",
            amount=MilliCredits(amount),
            now=played.now,
        )
        unit.books.refund(request)


def _revoke(unit: Unit, played: Played, which: int, *, target: int) -> None:
    if played.grants:
        request = RevokeGrant(
            wallet_id=played.shop.wallet_id,
            grant_id=played.grants[which % len(played.grants)],
            target=MilliCredits(target),
            now=played.now,
        )
        unit.books.revoke(request)


async def of_any_history(
    database: Database, check: Callable[[Unit, Played], None], *, examples: int
) -> None:
    """Check something after each of so many histories, and of twenty times as many at length."""
    loop = asyncio.get_running_loop()

    @settings(
        max_examples=examples * (20 if LONG else 1),
        deadline=None,
        derandomize=True,  # the same in every run: a red build can be looked into
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(EVENTS)
    def checked(events: list[Event]) -> None:
        work = database.run(lambda unit: check(unit, play(unit, events)))
        asyncio.run_coroutine_threadsafe(work, loop).result()

    await asyncio.to_thread(checked)
