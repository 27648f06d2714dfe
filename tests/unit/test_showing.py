"""What a card of the catalogue says to one person."""

import pytest

from host.catalogue.showing import Badge, Shown, Tone, shown_to
from host.language import Language, speaking
from storage.cards import PlanVersionView, PlanView, Standing
from storage.credits import MilliCredits
from storage.entitlement import Entitlement
from storage.models.catalogue import OfferingKind, PlanKind, PlanState
from storage.moments import DAY, NEVER, Micros
from storage.shelf import Possessions, Shelf, ShelfItem
from tests.fakes.clock import START

ME, BUILDER = 1, 2


def item(
    number: int = 1,
    *,
    plans: tuple[int, ...] = (1,),
    least: int = 5_000,
    most: int = 5_000,
    kind: OfferingKind = OfferingKind.ASSISTANT,
    is_paused: bool = False,
    title: str = "Math Tutor",
    tags: tuple[str, ...] = ("maths", "school"),
    description: str = "Works a problem with you.",
) -> ShelfItem:
    return ShelfItem(
        id=number,
        slug=f"offering-{number}",
        owner_id=BUILDER,
        kind=kind,
        title=title,
        description=description,
        tags=tags,
        is_paused=is_paused,
        least=MilliCredits(least),
        most=MilliCredits(most),
        plan_ids=plans,
    )


def plan(
    number: int, *, price: int = 500, is_trial: bool = False, is_time: bool = False
) -> PlanView:
    version = PlanVersionView(
        id=number,
        number=1,
        kind=PlanKind.TIME if is_time else PlanKind.CREDITS,
        price_minor=price,
        currency="USD",
        credits=MilliCredits(0 if is_time else 100_000),
        duration_s=3600 if is_time else None,
        is_trial=is_trial,
    )
    return PlanView(
        id=number,
        slug=f"plan-{number}",
        owner_id=BUILDER,
        title=f"Plan {number}",
        description="",
        state=PlanState.PUBLISHED,
        version=version,
    )


def standing(*, until: int | None = None, left: int = 95_000, is_running: bool = True) -> Standing:
    entitled = Entitlement(
        plan_ids=(1,),
        included_until=None if until is None else Micros(until),
        is_running=is_running,
        ended=None,
    )
    return Standing(entitlement=entitled, available=MilliCredits(left))


def have(*had: int, **standings: Standing) -> Possessions:
    return Possessions(
        standings={int(name[1:]): one for name, one in standings.items()},
        plan_titles={},
        balances=(),
        had=frozenset(had),
        runs_until={},
    )


def show(
    *items: ShelfItem,
    plans: tuple[PlanView, ...] = (plan(1),),
    mine: Possessions | None = None,
    to: int = ME,
) -> tuple[Shown, ...]:
    shelf = Shelf(items=items, plans={one.id: one for one in plans})
    return shown_to(shelf, mine or have(), to)


@pytest.mark.parametrize(
    ("least", "most", "kind", "price", "buys"),
    [
        (5_000, 5_000, OfferingKind.ASSISTANT, "5 credits per message", "20 messages"),
        (100_000, 100_000, OfferingKind.ASSISTANT, "100 credits per message", "1 message"),
        (200_000, 200_000, OfferingKind.ASSISTANT, "200 credits per message", "0 messages"),
        (1_000, 2_000, OfferingKind.SERVICE, "1–2 credits per call", "50–100 calls"),
        (0, 2_000, OfferingKind.SERVICE, "0–2 credits per call", "50 or more calls"),
        (1_500, 1_500, OfferingKind.SERVICE, "1.5 credits per call", "66 calls"),
    ],
)
def test_a_price_is_said_with_what_a_hundred_credits_buy(
    least: int, most: int, kind: OfferingKind, price: str, buys: str
) -> None:
    (shown,) = show(item(least=least, most=most, kind=kind))
    assert (shown.price, shown.buys) == (price, f"100 credits = {buys}")


@pytest.mark.parametrize(
    ("least", "most", "kind", "price", "buys"),
    [
        (5_000, 5_000, OfferingKind.ASSISTANT, "5 créditos por mensaje", "20 mensajes"),
        (1_000, 2_500, OfferingKind.SERVICE, "1–2,5 créditos por llamada", "40–100 llamadas"),
        (0, 2_000, OfferingKind.SERVICE, "0–2 créditos por llamada", "50 o más llamadas"),
    ],
)
def test_in_another_language_it_is_said_in_that_languages_order(
    least: int, most: int, kind: OfferingKind, price: str, buys: str
) -> None:
    with speaking(Language.SPANISH):
        (shown,) = show(item(least=least, most=most, kind=kind))
    assert (shown.price, shown.buys) == (price, f"100 créditos = {buys}")


@pytest.mark.parametrize(
    ("mine", "badge"),
    [
        (have(1, _1=standing(left=1_000)), "Queda 1 crédito"),
        (have(1, _1=standing()), "Quedan 95 créditos"),
        (have(1, _1=standing(until=START + 7 * DAY)), "Incluido hasta el 25 nov 2026"),
        (have(1, _1=standing(is_running=False, left=0)), "Tu plan ha terminado"),
    ],
)
def test_a_badge_is_said_in_the_language_of_who_looks(mine: Possessions, badge: str) -> None:
    with speaking(Language.SPANISH):
        (shown,) = show(item(), mine=mine)
    assert shown.badge is not None
    assert shown.badge.text == badge


def test_what_is_free_says_so_and_counts_nothing() -> None:
    (shown,) = show(item(least=0, most=0))
    assert (shown.price, shown.buys) == ("Free", "")


def test_what_comes_with_a_pass_alone_has_no_price_in_credits() -> None:
    (shown,) = show(item(), plans=(plan(1, is_time=True),))
    assert (shown.price, shown.buys) == ("Included while its plan runs", "")


@pytest.mark.parametrize(
    ("mine", "badge"),
    [
        pytest.param(have(), None, id="not theirs"),
        pytest.param(have(1, _1=standing()), Badge(Tone.MINE, "95 credits left"), id="credits"),
        pytest.param(
            have(1, _1=standing(until=START + 7 * DAY)),
            Badge(Tone.MINE, "Included until 25 Nov 2026"),
            id="a pass",
        ),
        pytest.param(
            have(1, _1=standing(is_running=False, left=0)),
            Badge(Tone.OVER, "Your plan has ended"),
            id="over",
        ),
    ],
)
def test_a_badge_says_how_somebody_stands(mine: Possessions, badge: Badge | None) -> None:
    (shown,) = show(item(), mine=mine)
    assert shown.badge == badge


def test_a_trial_is_offered_first_and_only_to_who_never_had_it() -> None:
    plans = (plan(1), plan(2, price=0, is_trial=True), plan(3, price=200))
    of_all = item(plans=(1, 2, 3))
    (fresh,) = show(of_all, plans=plans)
    (again,) = show(of_all, plans=plans, mine=have(2))
    assert [one.id for one in fresh.plans] == [2, 3, 1]
    assert fresh.badge == Badge(Tone.TRY, "Free to try")
    assert [one.id for one in again.plans] == [3, 1]
    assert again.badge is None


def test_what_is_paused_is_shown_to_its_holders_alone() -> None:
    paused = item(is_paused=True)
    assert show(paused) == ()
    (shown,) = show(paused, mine=have(1, _1=standing()))
    assert shown.badge == Badge(Tone.OVER, "Paused by its builder")


def test_what_is_theirs_comes_first() -> None:
    shown = show(item(1), item(2), mine=have(1, _2=standing()))
    assert [one.item.id for one in shown] == [2, 1]


def test_builders_see_what_they_made() -> None:
    (shown,) = show(item(), to=BUILDER)
    assert shown.badge == Badge(Tone.MINE, "Made by you")


def test_the_day_that_never_comes_is_no_date() -> None:
    (shown,) = show(item(), mine=have(1, _1=standing(until=NEVER)))
    assert shown.badge == Badge(Tone.MINE, "Included until never")
