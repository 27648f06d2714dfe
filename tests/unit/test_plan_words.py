"""A plan in words: what it gives, how long it lasts, what it covers, what an order came to."""

import pytest

from host.catalogue.currencies import format_price
from host.language import Language, speaking
from host.pages.order_receipts import order_words
from host.pages.plan_words import cover_line, gives, span, terms
from storage.cards import EndpointCard, OfferingCard, PlanVersionView, PlanView, ServiceConfig
from storage.credits import MilliCredits
from storage.models.catalogue import OfferingKind, OfferingState, PlanKind, PlanState
from storage.order_states import OrderState, ProviderName
from storage.orders import OrderView
from tests.fakes.clock import START

DAY_S = 86_400


def plan(*, price: int = 500, credits_: int = 100_000, duration_s: int | None = None) -> PlanView:
    version = PlanVersionView(
        id=1,
        number=1,
        kind=PlanKind.CREDITS if credits_ else PlanKind.TIME,
        price_minor=price,
        currency="USD",
        credits=MilliCredits(credits_),
        duration_s=duration_s,
        is_trial=not price,
    )
    return PlanView(
        id=1,
        slug="pack",
        owner_id=1,
        title="Pack",
        description="",
        state=PlanState.PUBLISHED,
        version=version,
    )


def service(*prices: int) -> OfferingCard:
    """One with an endpoint for each price; with a price of nothing it is open."""
    endpoints = tuple(
        EndpointCard(
            id=number,
            method="GET",
            path=f"/{number}",
            price=MilliCredits(price),
            is_open=not price,
        )
        for number, price in enumerate(prices)
    )
    offered = ServiceConfig(
        upstream_url="https://songs.example", secret_id=None, endpoints=endpoints
    )
    return OfferingCard(
        id=1,
        slug="songs",
        owner_id=1,
        kind=OfferingKind.SERVICE if prices else OfferingKind.ASSISTANT,
        title="Songs",
        description="",
        tags=(),
        starters=(),
        price=MilliCredits(5_000),
        state=OfferingState.PUBLISHED,
        published_at=START,
        assistant=None,
        service=offered if prices else None,
        plans=(),
    )


def order(
    state: OrderState, *, provider: ProviderName = ProviderName.DEMO, refunded: int = 0
) -> OrderView:
    is_bought = provider is ProviderName.DEMO
    return OrderView(
        id="order",
        account_id=1,
        plan_id=1,
        plan_slug="week",
        plan_title="Week",
        version_id=1,
        kind=PlanKind.TIME,
        provider=provider,
        request_key="key",
        state=state,
        amount_minor=900 if is_bought else 0,
        currency="USD",
        credits=MilliCredits(0),
        duration_s=7 * DAY_S,
        return_to="",
        subscription_id=1,
        refunded_minor=refunded,
        taken_back=36 * 3_600 if refunded else 0,
        written_off=0,
        reason="",
        created_at=START,
        expires_at=START,
        paid_at=START,
        fulfilled_at=START,
    )


@pytest.mark.parametrize(
    ("seconds", "english", "spanish"),
    [
        (DAY_S, "1 day", "1 día"),
        (7 * DAY_S, "7 days", "7 días"),
        (36 * 3_600, "36 hours", "36 horas"),
        (3_600, "1 hour", "1 hora"),
        (90 * 60, "90 minutes", "90 minutos"),
        (1, "1 second", "1 segundo"),
        (61, "61 seconds", "61 segundos"),
    ],
)
def test_a_length_of_time_is_said_in_the_largest_unit_that_divides_it(
    seconds: int, english: str, spanish: str
) -> None:
    assert span(seconds) == english
    with speaking(Language.SPANISH):
        assert span(seconds) == spanish


def test_a_plan_gives_credits_or_time() -> None:
    pack, week = (MilliCredits(2_500), None), (MilliCredits(0), 7 * DAY_S)
    assert (gives(PlanKind.CREDITS, *pack), gives(PlanKind.TIME, *week)) == (
        "2.5 credits", "7 days",
    )  # fmt: skip
    with speaking(Language.SPANISH):
        assert (gives(PlanKind.CREDITS, *pack), gives(PlanKind.TIME, *week)) == (
            "2,5 créditos", "7 días",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("sold", "english", "spanish"),
    [
        pytest.param(
            plan(), "The credits do not expire.", "Los créditos no caducan.", id="for ever"
        ),
        pytest.param(
            plan(price=0, duration_s=30 * DAY_S),
            "Once for each person. The credits can be used for 30 days.",
            "Una vez por persona. Los créditos se pueden usar durante 30 días.",
            id="a trial",
        ),
        pytest.param(
            plan(credits_=0, duration_s=DAY_S),
            "What it covers is included for that time.",
            "Lo que cubre está incluido durante ese tiempo.",
            id="a pass",
        ),
    ],
)
def test_its_terms_say_how_long_and_how_often(sold: PlanView, english: str, spanish: str) -> None:
    assert terms(sold) == english
    with speaking(Language.SPANISH):
        assert terms(sold) == spanish


@pytest.mark.parametrize(
    ("prices", "english", "spanish"),
    [
        pytest.param(
            (),
            ("5 credits per message", "20 messages"),
            ("5 créditos por mensaje", "20 mensajes"),
            id="an assistant",
        ),
        pytest.param(
            (100_000,),
            ("100 credits per call", "1 call"),
            ("100 créditos por llamada", "1 llamada"),
            id="one call",
        ),
        pytest.param(
            (2_500, 1_000, 0),
            ("1–2.5 credits per call", "at least 40 calls"),
            ("1–2,5 créditos por llamada", "al menos 40 llamadas"),
            id="calls that differ",
        ),
        pytest.param((0,), ("Free", ""), ("Gratis", ""), id="open endpoints alone"),
    ],
)
def test_what_it_covers_has_its_price_and_how_far_the_plan_goes(
    prices: tuple[int, ...], english: tuple[str, str], spanish: tuple[str, str]
) -> None:
    line = cover_line(service(*prices), plan())
    assert (line.price, line.buys) == english
    with speaking(Language.SPANISH):
        line = cover_line(service(*prices), plan())
        assert (line.price, line.buys) == spanish


def test_a_pass_includes_what_it_covers() -> None:
    with speaking(Language.SPANISH):
        line = cover_line(service(), plan(credits_=0, duration_s=DAY_S))
    assert (line.price, line.buys) == ("Incluido", "")


def test_a_price_tag_names_what_is_free_in_words_and_money_alike_everywhere() -> None:
    with speaking(Language.SPANISH):
        assert [format_price(minor, "USD") for minor in (0, 500)] == ["Gratis", "$5.00"]


@pytest.mark.parametrize(
    ("found", "english", "spanish"),
    [
        pytest.param(
            order(OrderState.FULFILLED),
            ("Bought for $9.00", "Paid once. What it bought is on your account."),
            ("Comprado por $9.00", "Pagado una sola vez. Lo que compraste está en tu cuenta."),
            id="bought",
        ),
        pytest.param(
            order(OrderState.FULFILLED, provider=ProviderName.VOUCHER),
            ("Voucher", "A voucher paid for it. What it bought is on your account."),
            ("Vale", "Se pagó con un vale. Lo que obtuviste está en tu cuenta."),
            id="a voucher",
        ),
        pytest.param(
            order(OrderState.PARTIALLY_REFUNDED, refunded=200),
            ("Bought for $9.00 · $2.00 refunded", "Part of it was refunded."),
            ("Comprado por $9.00 · se reembolsaron $2.00", "Se reembolsó una parte."),
            id="refunded in part",
        ),
        pytest.param(
            order(OrderState.LOST),
            (
                "Bought for $9.00 · taken back by the bank",
                "The payment was taken back by the bank.",
            ),
            ("Comprado por $9.00 · revertido por el banco", "El banco revirtió el pago."),
            id="lost",
        ),
        pytest.param(
            order(OrderState.CANCELLED),
            ("Cancelled", "It was cancelled. Nothing was charged."),
            ("Cancelado", "Se ha cancelado. No se ha cobrado nada."),
            id="cancelled",
        ),
    ],
)
def test_an_order_says_what_it_came_to(
    found: OrderView, english: tuple[str, str], spanish: tuple[str, str]
) -> None:
    words = order_words(found)
    assert (words.how, words.sentence) == english
    with speaking(Language.SPANISH):
        words = order_words(found)
        assert (words.how, words.sentence) == spanish


def test_what_a_refund_took_of_a_pass_is_a_time() -> None:
    with speaking(Language.SPANISH):
        words = order_words(order(OrderState.PARTIALLY_REFUNDED, refunded=200))
    assert (words.taken_back, words.refunded) == ("36 horas", "$2.00")
